"""Pictures that are drawn once: what a seed made stays in the cache, whole and checked."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tokbench.files import cache_write, sha256
from tokbench.types import Sample


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    """What stands before the picture in a file."""

    name: str
    digest: str
    notes: dict[str, Any]


def digest_of(sample: Sample) -> str:
    """Of a picture's name, values and notes."""
    assert sample.data is not None
    notes = msgspec.json.encode(sample.notes, order="sorted")
    return sha256(sample.name, str(sample.data.shape), sample.data.tobytes(), notes)


def sample_of(path: Path, draw: Callable[[], Sample]) -> Sample:
    """What `draw` makes, from the cache's file `path` where it was drawn before. `path` must be
    named after all that the drawing depends on."""
    if (found := _stored(path)) is None:
        return _drawn(path, draw)[0]
    from PIL import Image

    said, picture = found
    with Image.open(io.BytesIO(picture)) as file:
        return Sample(said.name, np.array(file), notes=said.notes)


def stored_digest(path: Path, draw: Callable[[], Sample]) -> str:
    """`digest_of` the same."""
    found = _stored(path)
    return _drawn(path, draw)[1] if found is None else found[0].digest


def _drawn(path: Path, draw: Callable[[], Sample]) -> tuple[Sample, str]:
    sample = draw()
    assert sample.data is not None
    said = _Said(sample.name, digest_of(sample), sample.notes)
    content = msgspec.json.encode(said) + b"\n" + _quick_png(sample.data)
    cache_write(path, sha256(content).encode() + content)
    return sample, said.digest


def _quick_png(picture: np.ndarray) -> bytes:
    """Lossless, at the level that takes least time."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _stored(path: Path) -> tuple[_Said, bytes] | None:
    """What `_drawn` wrote, or None where it did not or the file is no longer whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, content = content[:64], content[64:]
    if digest != sha256(content).encode():
        return None
    said, _, picture = content.partition(b"\n")
    return msgspec.json.decode(said, type=_Said), picture
