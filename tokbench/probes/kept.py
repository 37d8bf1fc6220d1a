"""What a probe found in an original, kept by content: originals come again with every tokenizer."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Protocol

import numpy as np

from tokbench.files import cache_dir, cache_write


class Probe(Protocol):
    """A trained model that looks at originals and reconstructions."""

    name: str

    def fingerprint(self) -> str:
        """Hex digest of its weights and of the versions of what runs it."""


def kept(
    probe: Probe, content: str, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """`make()`, or what it gave before for the same content (a hex digest) and probe."""
    folder = cache_dir() / "probes" / f"{probe.name}-{probe.fingerprint()[:12]}" / content[:2]
    path = folder / f"{content[2:]}.npz"
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
