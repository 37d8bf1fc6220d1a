"""Pictures by strips of rows, so that what is made of a large one is never held whole.

A photograph of 20 megapixels takes 60 MB; one of its channels in float64 takes 160, and a
comparison of two needs ten of these. Ordinary pictures gain too: a strip stays in the
processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

STRIP = 1 << 17
"""Pixels of a strip."""
LEAST = 64
"""Rows of a strip at least, so that what strips share costs little."""

_LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601 luma of RGB, full range."""


class Rows(Protocol):
    """A plane whose rows can be had: an array (height, width), or a `Plane`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


class Plane:
    """A channel of a picture, uint8 (height, width, 3), or its luma; float64 as it is asked for."""

    def __init__(self, picture: np.ndarray, channel: int | None = None):
        """channel: None for the luma."""
        self.shape = picture.shape[:2]
        self._picture, self._channel = picture, channel

    def __getitem__(self, rows: slice) -> np.ndarray:
        if self._channel is None:
            return luma(self._picture[rows])
        return self._picture[rows, :, self._channel].astype(np.float64)


def luma(picture: np.ndarray) -> np.ndarray:
    """BT.601 Y in [0, 255] (full range, as JPEG has it), float64."""
    return picture.astype(np.float64) @ _LUMA


def planes(picture: np.ndarray, on: str = "rgb") -> list[Plane]:
    """The three channels, or with `on` = `luma` that alone."""
    return [Plane(picture)] if on == "luma" else [Plane(picture, channel) for channel in range(3)]


def strips(height: int, width: int, least: int = LEAST) -> Iterator[slice]:
    """Rows from 0 to `height`, strip by strip: `least` or more each, an even number if that is
    even, but in the last."""
    rows = max(least, STRIP // max(width, 1) // 2 * 2)
    for first in range(0, height, rows):
        yield slice(first, min(first + rows, height))


def squared_error(a: np.ndarray, b: np.ndarray) -> int:
    """Sum of the squared differences of two pictures, or videos, of 8 bits."""
    counts = np.zeros(256, np.int64)
    for rows in strips(len(a), a[:1].size // 3, 1):
        counts += np.bincount(apart(a[rows], b[rows]).ravel(), minlength=256)
    return int(counts @ np.arange(256, dtype=np.int64) ** 2)


def largest_error(a: np.ndarray, b: np.ndarray) -> int:
    """The largest absolute difference of two pictures, or videos, of 8 bits."""
    found = strips(len(a), a[:1].size // 3, 1)
    return max((int(apart(a[rows], b[rows]).max(initial=0)) for rows in found), default=0)


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The absolute differences of 8-bit values."""
    return np.abs(a.astype(np.int16) - b)
