"""Pixels of video: PSNR, SSIM and MS-SSIM of every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tokbench.image.planes import Rows, planes, squared_error
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.image.multiscale import LEAST, ms_ssim_of
from tokbench.metrics.image.pixels import WINDOWS, decibels, ssim_of
from tokbench.metrics.metric import Metric, mean_of_defined
from tokbench.statistics import Statistic
from tokbench.types import Score

_WINDOW = "gaussian-1.5"


def frame_errors(encoded: EncodedMedia) -> Statistic:
    """Of each clip, dB: `frame-psnr`, the mean of its frames'; `clip-psnr`, of the mean squared
    error of all its values; `first-frame-gap`, its first frame's less the mean of the others, and
    `first-frame-gap:n`, whether there are others."""
    rows = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        errors = np.array([squared_error(x, y) / x.size for x, y in zip(a, b, strict=True)])
        of_frames = np.array([decibels(error) for error in errors])
        others = of_frames[1:]
        gap = of_frames[0] - others.mean() if len(others) else 0.0
        rows.append((of_frames.mean(), decibels(float(errors.mean())), gap, len(others) > 0))
    found = np.array(rows, dtype=np.float64).reshape(-1, 4)
    names = ("frame-psnr", "clip-psnr", "first-frame-gap")
    columns = {name: exact(found[:, n]) for n, name in enumerate(names)}
    return Statistic(columns | {"first-frame-gap:n": found[:, 3].astype(np.int64)})


def frame_ssim(encoded: EncodedMedia) -> Statistic:
    """SSIM of the frames of each clip, their mean, and whether it is defined."""
    return _of_frames(encoded, "frame-ssim", lambda a, b: ssim_of(a, b, _WINDOW))


def frame_ms_ssim(encoded: EncodedMedia) -> Statistic:
    """MS-SSIM of the frames of each clip, their mean, and whether it is defined."""
    return _of_frames(encoded, "frame-ms-ssim", ms_ssim_of)


def _of_frames(
    encoded: EncodedMedia, name: str, of_planes: Callable[[Rows, Rows], float]
) -> Statistic:
    values = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        of_each = [
            of_planes(p, q)
            for x, y in zip(a, b, strict=True)
            for p, q in zip(planes(x), planes(y), strict=True)
        ]
        values.append(np.mean(of_each))
    found = np.array(values)
    good = np.isfinite(found)
    return Statistic({name: exact(np.where(good, found, 0.0)), f"{name}:n": good.astype(np.int64)})


class FramePSNR(Metric):
    """PSNR of every frame (8-bit RGB, 100 dB for one without error), the mean of a clip's frames,
    then of the clips. `/clip`: of the mean squared error of all values of a clip, as NVIDIA's
    TokenBench has it. `/first-frame-gap`: how much better the first frame is than the mean of the
    others, dB: causal tokenizers encode it alone."""

    name = "frame-psnr"
    statistics = ("frame-errors",)
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "higher", "mean of frames, then of clips"
    reference = "8-bit RGB by frame; /clip as NVlabs TokenBench's metrics_cli"
    tags = {"cap": "100"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from measured.ratio(self.name, "frame-psnr", "samples", "dB", "higher")
        yield next(measured.ratio(f"{self.name}/clip", "clip-psnr", "samples", "dB", "higher"))
        name, column = f"{self.name}/first-frame-gap", "first-frame-gap"
        if not (n := int(measured.totals(f"{column}:n").sum())):
            note = "no clip of two frames"
            yield measured.score(name, None, n, unit="dB", better="neither", note=note)
            return
        yield next(measured.ratio(name, column, f"{column}:n", "dB", "neither"))


class FrameSSIM(Metric):
    """SSIM of every frame (11 × 11 Gaussian window, σ = 1.5, mean of the three channels), the mean
    of a clip's frames, then of the clips. Clips smaller than the window are left out, counted."""

    name = "frame-ssim"
    statistics = ("frame-ssim",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of frames, then of clips"
    reference = "Wang et al. 2004, IEEE TIP 13(4), by frame"

    def result(self, measured: Measured) -> Iterator[Score]:
        why = f"a side under {WINDOWS[_WINDOW]} pixels"
        yield from mean_of_defined(self, measured, self.name, self.name, why)


class FrameMultiScaleSSIM(Metric):
    """MS-SSIM of every frame (five scales, mean of the three channels), the mean of a clip's
    frames, then of the clips. Clips with a side under 176 pixels are left out and counted."""

    name = "frame-ms-ssim"
    statistics = ("frame-ms-ssim",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of frames, then of clips"
    reference = "Wang, Simoncelli and Bovik 2003, Asilomar, by frame"

    def result(self, measured: Measured) -> Iterator[Score]:
        why = f"a side under {LEAST} pixels"
        yield from mean_of_defined(self, measured, self.name, self.name, why)
