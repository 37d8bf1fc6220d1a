"""Tile seams: does the error jump where one tile or patch ends and the next begins?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tokbench.errors import UserError
from tokbench.image.planes import strips
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.image.moved import whole_patches
from tokbench.metrics.repeats import Asked, with_data
from tokbench.passes import passed
from tokbench.statistics import Statistic
from tokbench.types import Score, Tokenizer


def tile_of(tokenizer: Tokenizer) -> int:
    """Side in pixels of what the tokenizer encodes apart: its attribute `tile`, else the multiple
    that sides must be of; 0 where it says neither."""
    return int(getattr(tokenizer, "tile", 0) or tokenizer.spec.size_multiple or 0)


def steps_of(original: np.ndarray, output: np.ndarray, side: int) -> tuple[int, int, int, int]:
    """Squared steps of the error between neighbouring pixels: their sum over the borders of
    side × side tiles and how many there are, then the same inside of tiles."""
    height, width = original.shape[:2]
    sums = np.zeros(4, np.int64)
    for rows in strips(height, width):
        seen = slice(rows.start, rows.stop + 1)  # and the row below it
        error = output[seen].astype(np.int64) - original[seen]
        sums += _steps(np.diff(error, axis=0), 0, rows.start + 1, side)
        sums += _steps(np.diff(error[: rows.stop - rows.start], axis=1), 1, 1, side)
    a, b, c, d = sums.tolist()
    return a, b, c, d


def _steps(steps: np.ndarray, axis: int, first: int, side: int) -> list[int]:
    """first: the row or column where the first step ends."""
    squares = (steps**2).sum(axis=2)
    borders = np.arange(first, first + steps.shape[axis]) % side == 0
    across = np.compress(borders, squares, axis=axis)
    within = np.compress(~borders, squares, axis=axis)
    return [int(across.sum()), 3 * across.size, int(within.sum()), 3 * within.size]


def seams(encoded: EncodedMedia, side: str = "0") -> Statistic:
    """`seams:border` of `seams:border:n` and `seams:inside` of `seams:inside:n`, as `steps_of`;
    all 0 for a picture of a single tile. A picture that was padded goes through again without the
    part that was, so that padding plays no part."""
    if encoded.view:
        raise UserError("tile-seams: the task has a view, which moves tiles; give one without")
    tile = int(side) or tile_of(encoded.tokenizer)
    bases = [whole_patches(picture, encoded.tokenizer.spec) for picture in encoded.inputs]
    cut = [
        None if base is None or base.shape == picture.shape else base
        for base, picture in zip(bases, encoded.inputs, strict=True)
    ]
    again, failures = passed(encoded, with_data(encoded.batch.samples, list(cut)), "seams: cut")
    rows = np.zeros((len(bases), 4), np.int64)
    for row, (base, part, second) in enumerate(zip(bases, cut, again, strict=True)):
        again_output = second.output if second is not None else None
        output = encoded.outputs[row] if part is None else again_output
        if base is not None and output is not None and max(base.shape[:2]) > tile:
            rows[row] = steps_of(base, output, tile)
    names = ("border", "border:n", "inside", "inside:n")
    return Statistic(
        {f"seams-{side}:{name}": rows[:, n] for n, name in enumerate(names)}, failures=failures
    )


class TileSeams(Asked):
    """How much the error jumps at the borders of tiles: the mean squared step of the error (output
    less original) between neighbouring pixels across a border, over that inside of tiles; 1 where
    borders do not show. It is of the error, so that edges of the picture itself do not count.
    side: of a tile in pixels (8 for JPEG); 0: as the tokenizer says, its attribute `tile`, else the
    multiple that sides must be of (a patch). For tasks without a view, which would move borders.
    Pictures that are padded are first cut to the multiple."""

    name = "tile-seams"
    statistics: tuple[str, ...] = ("seams",)
    needs = ("reconstruction",)
    unit, better, aggregation = "ratio", "lower", "ratio of means over all steps"
    reference = "D_B and D_B^C of the blocking effect factor (Yim and Bovik 2011), of the error"

    def __init__(self, *, side: int = 0) -> None:
        if not 0 <= side <= 1 << 16 or side == 1:
            raise ValueError("side: give pixels, 2 or more, or 0 for the tokenizer's own")
        self.side = int(side)
        self.statistics = (f"seams?side={self.side}",)
        self.label = f"{self.name}-{self.side}" if self.side else self.name

    def lacks(self, tokenizer: Tokenizer) -> str:
        if why := super().lacks(tokenizer):
            return why
        if tokenizer.spec.size:
            return "it sees pictures scaled to one size: no border is at a whole pixel of theirs"
        if not self.side and tile_of(tokenizer) < 2:
            return "the tokenizer says no tile or patch: give side"
        return ""

    def result(self, measured: Measured) -> Iterator[Score]:
        stem = f"seams-{self.side}"
        sums = {
            name: int(measured.totals(f"{stem}:{name}").sum())
            for name in ("border", "border:n", "inside", "inside:n")
        }
        n = int(measured.totals("samples").sum())
        given: dict[str, Any] = {"unit": self.unit, "better": self.better}
        if not sums["border:n"] or not sums["inside"]:
            why = "no picture of two tiles" if not sums["border:n"] else "no error inside of tiles"
            yield measured.score(self.label, None, n, note=why, **given)
            return
        value = sums["border"] / sums["border:n"] / (sums["inside"] / sums["inside:n"])
        if few := measured.enough():
            yield measured.score(self.label, value, n, note=few, **given)
            return
        drawn = {name: measured.replicates(f"{stem}:{name}").sum(1) for name in sums}
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = drawn["border"] / drawn["border:n"] / (drawn["inside"] / drawn["inside:n"])
        low, high = measured.interval(draws)
        yield measured.score(
            self.label, value, n, draws, low=low, high=high, interval="bootstrap", **given
        )
