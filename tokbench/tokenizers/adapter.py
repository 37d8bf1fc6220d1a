"""What the adapters of every modality share: a name, a spec, and a fingerprint."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from tokbench.files import sha256
from tokbench.types import TokenizerSpec


class Adapter:
    """Subclasses say their `identity()`; the fingerprint is its hash."""

    name: str
    spec: TokenizerSpec
    load_seconds: float = 0.0

    def identity(self) -> Iterable[bytes | str]:
        """Everything the codes depend on, as bytes and strings."""
        raise AttributeError(f"{type(self).__name__} does not say its identity()")

    @cached_property
    def _fingerprint(self) -> str:
        return sha256(*self.identity())

    def fingerprint(self) -> str:
        """Hex digest of everything the codes depend on."""
        return self._fingerprint
