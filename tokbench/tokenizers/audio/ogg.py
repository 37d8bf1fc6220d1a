"""Ogg pages (RFC 3533) with a serial number that is the same each time."""

from __future__ import annotations

import zlib

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def without_serial(content: bytes) -> bytes:
    """The stream with serial number 0 in place of the random one that its writer drew."""
    pages, place = [], 0
    while place < len(content):
        if content[place : place + 4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {place}")
        segments = content[place + 26]
        end = place + 27 + segments + sum(content[place + 27 : place + 27 + segments])
        page = bytearray(content[place:end])
        page[14:18] = page[22:26] = bytes(4)
        page[22:26] = _checksum(bytes(page)).to_bytes(4, "little")
        pages.append(bytes(page))
        place = end
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """CRC-32 as Ogg has it: zlib's polynomial, bits the other way round, from 0, not inverted."""
    found = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)
