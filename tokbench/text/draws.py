"""Numbers drawn from a text itself, so that nothing around it changes them."""

from __future__ import annotations

from hashlib import blake2b


class Draws:
    """A stream of numbers that depends on a name and a text alone (splitmix64)."""

    def __init__(self, name: str, text: str):
        content = text.encode(errors="surrogatepass")
        digest = blake2b(content, digest_size=8, person=name.encode()[:16]).digest()
        self._state = int.from_bytes(digest, "little")

    def below(self, bound: int) -> int:
        """The next number, 0 to bound - 1."""
        self._state = z = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return (z ^ (z >> 31)) % bound
