"""Pictures moved by a pixel and mirrored: do codes and reconstructions follow?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.repeats import Asked, agreements, means, with_data
from tokbench.passes import Pass, first_pass, likeness, passed
from tokbench.statistics import Statistic
from tokbench.types import Score, TokenizerSpec


def whole_patches(picture: np.ndarray, spec: TokenizerSpec) -> np.ndarray | None:
    """The upper left part that needs no padding; None where there is none of 2 × 2 pixels."""
    multiple = 1 if spec.size else spec.size_multiple or 1
    height, width = (side - side % multiple for side in picture.shape[:2])
    return picture[:height, :width] if min(height, width) > 1 else None


def shifted(picture: np.ndarray) -> np.ndarray:
    """One pixel to the right; the first column is repeated."""
    return np.concatenate([picture[:, :1], picture[:, :-1]], axis=1)


def flipped(picture: np.ndarray) -> np.ndarray:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


def grid(tokens: int, height: int, width: int) -> tuple[int, int] | None:
    """Rows and columns of a raster of square patches that cover height × width, or None."""
    side = math.isqrt(height * width // tokens) if tokens else 0
    if not side or side * side * tokens != height * width or height % side or width % side:
        return None
    return height // side, width // side


def mirrored(one: Pass, height: int, width: int) -> Pass | None:
    """The codes with each row of every level's raster turned round; None where a level is no
    raster."""
    levels = []
    for ids in one.ids:
        shape = grid(len(ids), height, width)
        if shape is None:
            return None
        levels.append(ids.reshape(shape)[:, ::-1].ravel())
    return Pass(levels, None, None)


def moved(encoded: EncodedMedia, by: str) -> Statistic:
    """`shift` or `flip`: equal ids of those compared, and the PSNR of the two reconstructions
    after the move is undone."""
    spec, samples = encoded.tokenizer.spec, encoded.batch.samples
    move = shifted if by == "shift" else flipped
    bases = [whole_patches(picture, spec) for picture in encoded.inputs]
    own: list[Pass | None] = list(first_pass(encoded))
    cut = [
        None if base is None or base.shape == picture.shape else base
        for base, picture in zip(bases, encoded.inputs, strict=True)
    ]
    again, failures = passed(encoded, with_data(samples, list(cut)), f"{by}: unmoved")
    before = [
        None if base is None else new if part is not None else old
        for base, part, new, old in zip(bases, cut, again, own, strict=True)
    ]
    arrays = [None if base is None else move(base) for base in bases]
    after, more = passed(encoded, with_data(samples, arrays), by)
    pairs: list[tuple[Pass | None, Pass | None]] = []
    decibel: list[float] = []
    for base, a, b in zip(bases, before, after, strict=True):
        if base is None or a is None or b is None:
            pairs.append((None, None))
            decibel.append(float("nan"))
            continue
        seen = spec.size or base.shape[:2]
        back = mirrored(b, *seen) if by == "flip" and encoded.codes.levels else b
        raster = getattr(encoded.tokenizer, "raster", True)
        pairs.append((a, back) if back is not None and (raster or by == "shift") else (None, None))
        decibel.append(_undone(a.output, b.output, by))
    columns = agreements(by, pairs) | means(by, decibel)
    return Statistic(columns, failures=failures | more)


def _undone(a: np.ndarray | None, b: np.ndarray | None, by: str) -> float:
    if a is None or b is None:
        return float("nan")
    if by == "shift":
        return likeness(a[:, :-1], b[:, 1:])
    return likeness(a, b[:, ::-1])


class _Consistency(Asked):
    unit, better, aggregation = "dB", "higher", "mean of images; ids: ratio of sums"
    move: ClassVar[str]

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.mean(measured, self.name, self.move, "dB")
        name = f"{self.name}/ids"
        if measured.spec.vocabulary and not measured.totals(f"{self.move}:tokens").sum():
            note = "the codes are no raster of square patches"
            yield measured.score(name, None, 0, unit="share", better="higher", note=note)
            return
        yield from self.share(measured, name, f"{self.move}:equal", f"{self.move}:tokens")


class ShiftConsistency(_Consistency):
    """A picture and the same moved one pixel to the right (its first column repeated): PSNR of
    the second reconstruction, moved back, against the first (`shift-consistency`), and the share
    of tokens whose id at its place is the same (`shift-consistency/ids`). A tokenizer on a grid
    of patches cannot keep all ids; one whose PSNR here is below that against the original
    flickers. Sides are first cut to the tokenizer's multiple, so that padding plays no part."""

    name = "shift-consistency"
    statistics = ("moved?by=shift",)
    move = "shift"
    reference = "shift equivariance (Zhang 2019, 1904.11486), as PSNR"


class FlipConsistency(_Consistency):
    """A picture and its mirror image: PSNR of the second reconstruction, mirrored back, against
    the first (`flip-consistency`), and the share of tokens with the same id once each row of the
    codes is turned round (`flip-consistency/ids`), where they are a raster of square patches (a
    tokenizer whose codes are not says `raster = False`). Sides are first cut to the tokenizer's
    multiple, so that padding plays no part."""

    name = "flip-consistency"
    statistics = ("moved?by=flip",)
    move = "flip"
    reference = "reflection equivariance, as PSNR"
