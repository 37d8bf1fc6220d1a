"""What a probe found in an original, kept by content: originals come again with every tokenizer.

A cache that cannot be read or written changes nothing but the time.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np

from tokbench.files import cache_dir, cache_write, sha256

Found = TypeVar("Found")


class Probe(Protocol):
    """A trained model that looks at originals and reconstructions."""

    name: str

    def fingerprint(self) -> str:
        """Hex digest of its weights and of the versions of what runs it."""


def content_of(*arrays: np.ndarray) -> str:
    """Hash of what arrays hold."""
    pieces: list[str | bytes] = []
    for each in arrays:
        pieces += [str(each.dtype), str(each.shape), np.ascontiguousarray(each).tobytes()]
    return sha256(*pieces)


def kept(
    probe: Probe, content: str, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """`make()`, or the arrays it gave before for the same content (a hex digest) and probe."""
    path = _path(probe.name, probe.fingerprint(), content, "npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        pass  # not there, or cut short by a power cut
    made = make()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **made)
    cache_write(path, file.getvalue())
    return made


def remembered(
    probe: str, fingerprint: str, content: str, ask: Callable[[], Found], kind: Any = Any
) -> Found:
    """`ask()`, or what it gave before for the same content: something JSON can hold, of type
    `kind`."""
    found: Found | None = recalled(probe, fingerprint, content, kind)
    if found is None:
        found = ask()
        keep(probe, fingerprint, content, found)
    return found


def keep(probe: str, fingerprint: str, content: str, found: Any) -> None:
    """What `recalled` shall give for this content."""
    cache_write(_path(probe, fingerprint, content, "json"), msgspec.json.encode(found))


def recalled(probe: str, fingerprint: str, content: str, kind: Any = Any) -> Any:
    """What `remembered` keeps for this content, or None."""
    try:
        raw = _path(probe, fingerprint, content, "json").read_bytes()
        return msgspec.json.decode(raw, type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _path(probe: str, fingerprint: str, content: str, suffix: str) -> Path:
    folder = cache_dir() / "probes" / f"{probe}-{fingerprint[:16]}" / content[:2]
    return folder / f"{content[2:32]}.{suffix}"
