"""Pictures in a page: lossless files, amplified differences, cuts that keep a page small."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Sequence

import numpy as np

from tokbench.image.planes import apart

for _kind, _suffix in (("image/webp", ".webp"), ("audio/flac", ".flac")):
    mimetypes.add_type(_kind, _suffix)  # of data URLs; not every system knows them

FACTORS = (1, 2, 4, 8, 16, 32)
SIDES = (512, 384, 320, 256, 192, 128, 96, 64)
"""Sides of the cut that a single file may need, the largest first."""
LONGEST = 16383
"""Pixels of the longest side that WebP holds."""


def lossless(picture: np.ndarray) -> tuple[str, bytes]:
    """Suffix and content of a file with exactly these pixels: uint8, height × width × 3,
    or 4 with transparency."""
    from PIL import Image

    file, form = io.BytesIO(), "webp" if max(picture.shape[:2]) <= LONGEST else "png"
    options = {"lossless": True, "method": 0, "quality": 20} if form == "webp" else {}
    Image.fromarray(np.ascontiguousarray(picture)).save(file, form.upper(), **options)
    return form, file.getvalue()


def amplification(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> int:
    """The largest factor under which 99.5 % of the differences of original and reconstruction
    still fit into 8 bits; one for all pictures, so that they can be compared."""
    counts = np.zeros(256, np.int64)
    for a, b in pairs:
        counts += np.bincount(apart(a, b).ravel(), minlength=256)
    if not counts[1:].any():
        return 1
    most = int(np.searchsorted(np.cumsum(counts), 0.995 * counts.sum()))
    return max(factor for factor in FACTORS if factor * most <= 255 or factor == 1)


def difference(a: np.ndarray, b: np.ndarray, factor: int) -> np.ndarray:
    """|a − b| × factor of each channel, at most 255: black where nothing changed."""
    return np.minimum(apart(a, b).astype(np.int32) * factor, 255).astype(np.uint8)


def summed_error(original: np.ndarray, outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Squared differences of all reconstructions, summed over everything above and to the left:
    what `window` looks up."""
    height, width = original.shape[:2]
    squares = np.zeros((height, width), np.int64)
    for output in outputs:
        squares += np.square(apart(original, output).astype(np.int32)).sum(2)
    table = np.zeros((height + 1, width + 1), np.int64)
    squares.cumsum(0).cumsum(1, out=table[1:, 1:])
    return table


def window(table: np.ndarray, side: int) -> tuple[slice, slice]:
    """The side × side pixels with the largest error, by `summed_error`."""
    high, wide = (min(side, size - 1) for size in table.shape)
    sums = table[high:, wide:] - table[:-high, wide:] - table[high:, :-wide] + table[:-high, :-wide]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    return slice(top, top + high), slice(left, left + wide)
