"""Probes that read text in pictures, and what they read in originals, kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tokbench.files import cache_dir, cache_write, sha256
from tokbench.image.words import Box, Word, crop
from tokbench.registry import PROBES


class TextProbe(Protocol):
    """Reads text in pictures, uint8 (height, width, 3) RGB."""

    name: str

    def fingerprint(self) -> str:
        """Hex digest of weights and version: of everything that its readings depend on."""

    def recognise(self, crops: Sequence[np.ndarray]) -> list[str]:
        """The text of each crop, which depends on that crop alone."""

    def read(self, picture: np.ndarray) -> list[Word]:
        """Text found anywhere in a picture, with boxes."""


@cache
def text_probe(name: str) -> TextProbe:
    """A probe by registered name or `my.pkg:Class`, one for each process."""
    return PROBES.get(name)()


def known_probe(name: str) -> None:
    """Refuse a name that nothing answers to, without loading what does."""
    if name not in PROBES:
        PROBES.get(name)


def kept_readings(probe: TextProbe, picture: np.ndarray, boxes: Sequence[Box]) -> list[str]:
    """What the probe reads in each box of a picture that will come again (an original), from
    the cache where it is known."""
    keys = [",".join(map(str, box)) for box in boxes]
    path = _path(probe, picture, "words")
    known = _stored(path, dict)
    missing = [n for n, key in enumerate(keys) if not isinstance(known.get(key), str)]
    if missing:
        texts = probe.recognise([crop(picture, boxes[n]) for n in missing])
        known |= {keys[n]: text for n, text in zip(missing, texts, strict=True)}
        _store(path, known)
    return [known[key] for key in keys]


def kept_page(probe: TextProbe, picture: np.ndarray) -> list[Word]:
    """What the probe finds and reads in a picture that will come again, from the cache where it
    is known."""
    path = _path(probe, picture, "page")
    try:
        return [Word(str(text), _box(box)) for text, box in _stored(path, list, must=True)]
    except (TypeError, ValueError, KeyError):
        found = probe.read(picture)
        _store(path, [(word.text, word.box) for word in found])
        return found


def _box(values: Sequence[int]) -> Box:
    left, top, right, bottom = map(int, values)
    return left, top, right, bottom


def _path(probe: TextProbe, picture: np.ndarray, kind: str) -> Path:
    content = sha256(str(picture.shape), np.ascontiguousarray(picture).tobytes())
    return cache_dir() / "probes" / probe.fingerprint()[:16] / f"{content[:32]}.{kind}.json"


def _stored(path: Path, kind: Callable[[], Any], must: bool = False) -> Any:
    """A cache file's content if it is one; else something empty, or `KeyError`."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        found = None
    if isinstance(found, kind):  # type: ignore[arg-type]
        return found
    if must:
        raise KeyError(path.name)
    return kind()


def _store(path: Path, content: Any) -> None:
    cache_write(path, json.dumps(content, ensure_ascii=False).encode())
