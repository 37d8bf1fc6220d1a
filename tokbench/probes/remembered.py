"""What a probe said of an original, kept by the original's content: asked once for all codecs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from tokbench.files import cache_dir, cache_write, sha256


def remembered(probe: str, fingerprint: str, content: np.ndarray, ask: Callable[[], Any]) -> Any:
    """`ask()`, something JSON can hold, or what it gave for the same content before. A cache that
    cannot be read or written changes nothing but the time."""
    key = sha256(str(content.dtype), str(content.shape), np.ascontiguousarray(content).tobytes())
    path = cache_dir() / "probes" / f"{probe}-{fingerprint}" / key[:2] / f"{key[2:32]}.json"
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        found = ask()
    cache_write(path, msgspec.json.encode(found))
    return found
