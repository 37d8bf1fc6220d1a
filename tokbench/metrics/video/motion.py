"""Temporal consistency: does a reconstruction change from frame to frame as the original does?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.image.pixels import decibels
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score

_NO_MOTION = "no clip of two frames"


def frame_differences(encoded: EncodedMedia) -> Statistic:
    """Of the change of the error from one frame to the next, for each clip: `flicker`, its mean
    size in 8-bit levels, and `flicker-psnr`, dB; `flicker:n`, whether it has two frames. The same
    where the original stands still: `flicker-still` summed over `flicker-still:n` values."""
    size = len(encoded.batch)
    mean, decibel, moves = np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
    still, values = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for row, (a, b) in enumerate(zip(encoded.inputs, encoded.outputs, strict=True)):
        if len(a) < 2:
            continue
        counts = np.zeros(1021, np.int64)
        before = b[0].astype(np.int16) - a[0]
        for t in range(1, len(a)):
            error = b[t].astype(np.int16) - a[t]
            change = np.abs(error - before)
            counts += np.bincount(change.ravel(), minlength=1021)
            standing = a[t] == a[t - 1]
            still[row] += int(change[standing].sum(dtype=np.int64))
            values[row] += int(standing.sum())
            before = error
        levels = np.arange(1021, dtype=np.int64)
        mean[row] = counts @ levels / counts.sum()
        decibel[row] = decibels(float(counts @ levels**2 / counts.sum()))
        moves[row] = 1
    return Statistic({
        "flicker": exact(mean), "flicker-psnr": exact(decibel), "flicker:n": moves,
        "flicker-still": still, "flicker-still:n": values,
    })  # fmt: skip


class Flicker(Metric):
    """How much the error changes from one frame to the next: mean of |(ŷₜ - ŷₜ₋₁) - (yₜ - yₜ₋₁)|
    over values and frames in 8-bit levels, then over clips. 0 where a reconstruction moves exactly
    as the original does, even if it is wrong; no motion is estimated. `/psnr`: the same mean
    squared, in dB. `/still`: over all values that the original does not change, where all change
    is flicker. Clips of one frame are left out."""

    name = "flicker"
    statistics = ("frame-differences",)
    needs = ("reconstruction",)
    unit, better, aggregation = "levels", "lower", "mean of clips; /still: ratio of sums"
    reference = "frame-difference error: the motion-free term of temporal consistency"

    def result(self, measured: Measured) -> Iterator[Score]:
        n = int(measured.totals("flicker:n").sum())
        if not n:
            yield measured.score(self.name, None, 0, unit=self.unit, better="lower",
                                 note=_NO_MOTION)  # fmt: skip
            return
        lone = np.flatnonzero(measured.totals("flicker:n") == 0).tolist()
        refused = dict.fromkeys(lone, _NO_MOTION)
        yield from measured.ratio(
            self.name, "flicker", "flicker:n", self.unit, "lower", refused, "flicker:n"
        )
        yield next(
            measured.ratio(
                f"{self.name}/psnr", "flicker-psnr", "flicker:n", "dB", "higher",
                entered="flicker:n",
            )
        )  # fmt: skip
        name, column = f"{self.name}/still", "flicker-still"
        if not measured.totals(f"{column}:n").sum():
            note = "nothing stands still"
            yield measured.score(name, None, 0, unit=self.unit, better="lower", note=note)
            return
        yield next(
            measured.ratio(name, column, f"{column}:n", self.unit, "lower", entered="flicker:n")
        )
