"""Pixels: PSNR and SSIM of reconstructions, with the conventions by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tokbench.image.planes import Rows, luma, planes, strips
from tokbench.image.planes import squared_error as summed_error
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score

CAP = 100.0
"""dB given to a picture without any error, whose PSNR is infinite."""


def decibels(error: float) -> float:
    """PSNR of a mean squared error of 8-bit values, capped at 100 dB."""
    return min(10 * np.log10(255.0**2 / error), CAP) if error else CAP


def squared_error(encoded: EncodedMedia) -> Statistic:
    """`squared-error` summed over the values of an image, `values` (3 × pixels), and its
    `psnr` in dB (capped at 100)."""
    errors = np.zeros(len(encoded.batch), np.int64)
    values = np.zeros_like(errors)
    for row, (a, b) in enumerate(zip(encoded.inputs, encoded.outputs, strict=True)):
        errors[row], values[row] = summed_error(a, b), a.size
    with np.errstate(divide="ignore"):
        decibel = np.minimum(10 * np.log10(255.0**2 * values / errors), CAP)
    return Statistic({"squared-error": errors, "values": values, "psnr": exact(decibel)})


def luma_error(encoded: EncodedMedia) -> Statistic:
    """`psnr-luma`: PSNR of the BT.601 luma against a peak of 255, dB (capped at 100)."""
    decibel = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        sums = [
            float(((luma(a[rows]) - luma(b[rows])) ** 2).sum()) for rows in strips(*a.shape[:2])
        ]
        decibel.append(decibels(sum(sums) / (a.size // 3)))
    return Statistic({"psnr-luma": exact(decibel)})


class PSNR(Metric):
    """Peak signal-to-noise ratio, 10 log10(255² / MSE), of 8-bit RGB: the mean over images. An
    image without any error counts 100 dB. `psnr/pooled` takes the mean squared error of all
    values first; `psnr/luma` is the mean over images of the BT.601 luma."""

    name = "psnr"
    statistics = ("squared-error", "luma-error")
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "higher", "mean of images"
    reference = "Kodak conventions of 8-bit RGB; pooled as in NVlabs TokenBench"
    tags = {"cap": "100"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from measured.ratio(self.name, "psnr", "samples", self.unit, self.better)
        errors = measured.totals("squared-error").sum()
        values = measured.totals("values").sum()
        drawn_errors = measured.replicates("squared-error").sum(1)
        drawn_values = measured.replicates("values").sum(1)
        n = int(measured.totals("samples").sum())
        with np.errstate(divide="ignore"):
            value = min(10 * np.log10(255.0**2 * values / errors), CAP) if errors else CAP
            draws = np.minimum(10 * np.log10(255.0**2 * drawn_values / drawn_errors), CAP)
        yield _with_interval(measured, f"{self.name}/pooled", value, n, draws, self)
        yield next(
            measured.ratio(f"{self.name}/luma", "psnr-luma", "samples", self.unit, self.better)
        )


def _with_interval(
    measured: Measured, name: str, value: float, n: int, draws: np.ndarray, metric: Metric
) -> Score:
    if few := measured.enough():
        return measured.score(name, value, n, unit=metric.unit, better=metric.better, note=few)
    low, high = measured.interval(draws)
    return measured.score(
        name, value, n, draws, unit=metric.unit, better=metric.better, low=low, high=high,
        interval="bootstrap",
    )  # fmt: skip


WINDOWS = {"gaussian-1.5": 11, "uniform-7": 7}
"""SSIM's windows and their side: Gaussian with σ = 1.5 cut at 11 (the paper's), 7 × 7 uniform
with sample covariances (scikit-image's default)."""


def _blur(window: str) -> Callable[[np.ndarray], np.ndarray]:
    from scipy import ndimage

    if window == "uniform-7":
        return lambda plane: ndimage.uniform_filter(plane, 7)
    return lambda plane: ndimage.gaussian_filter(plane, 1.5, truncate=3.5)


def ssim_of(a: Rows, b: Rows, window: str, data_range: float = 255.0) -> float:
    """Mean SSIM of two planes (height, width) of floats over all whole windows; NaN where the
    picture is smaller than the window. Constants K1 = 0.01, K2 = 0.03."""
    side = WINDOWS[window]
    height, width = (size - side + 1 for size in a.shape)  # whole windows
    if min(height, width) < 1:
        return float("nan")
    total = 0.0
    for rows in strips(height, width):
        seen = slice(rows.start, rows.stop + side - 1)
        total += _summed_ssim(a[seen], b[seen], window, data_range)
    return total / (height * width)


def _summed_ssim(a: np.ndarray, b: np.ndarray, window: str, data_range: float) -> float:
    side = WINDOWS[window]
    blur = _blur(window)
    unbiased = side**2 / (side**2 - 1) if window.startswith("uniform") else 1.0
    mean_a, mean_b = blur(a), blur(b)
    product, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    variances = unbiased * (blur(a * a + b * b) - squares)  # only their sum is needed
    covariance = unbiased * (blur(a * b) - product)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similar = (2 * product + c1) * (2 * covariance + c2)
    similar /= (squares + c1) * (variances + c2)
    edge = side // 2
    return float(similar[edge:-edge, edge:-edge].sum())


def ssim(
    encoded: EncodedMedia, window: str = "gaussian-1.5", on: str = "rgb", data_range: str = "255"
) -> Statistic:
    """SSIM of each image and whether it is defined, as columns named after the options."""
    found = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        both = zip(planes(a, on), planes(b, on), strict=True)
        found.append(np.mean([ssim_of(x, y, window, float(data_range)) for x, y in both]))
    values = np.array(found)
    defined = np.isfinite(values)
    name = ssim_name(window, on, data_range)
    return Statistic(
        {name: exact(np.where(defined, values, 0.0)), f"{name}:n": defined.astype(np.int64)}
    )


def ssim_name(window: str, on: str, data_range: str) -> str:
    """The statistic with these options."""
    return f"ssim?window={window}&on={on}&data_range={data_range}"


class SSIM(Metric):
    """Structural similarity of 8-bit images (Wang et al. 2004), mean over whole windows, colour
    channels and images. window: `gaussian-1.5` (11 × 11, the paper's) or `uniform-7` (7 × 7,
    sample covariances, scikit-image's default). on: `rgb`, each channel by itself, or `luma`.
    data_range: 255; 510 is LlamaGen's mistake (range 2 on data in [0, 1]), kept to reproduce its
    inflated numbers. Images smaller than the window are left out and counted. Under other options
    than these the score is named after them: `ssim-uniform-7`."""

    name = "ssim"
    statistics = ("ssim",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of images"
    reference = "Wang et al. 2004, IEEE TIP 13(4); window conventions as in scikit-image"

    def __init__(
        self, *, window: str = "gaussian-1.5", on: str = "rgb", data_range: int = 255
    ) -> None:
        if window not in WINDOWS:
            raise ValueError(f"window: choose {' or '.join(WINDOWS)}, not '{window}'")
        if on not in ("rgb", "luma"):
            raise ValueError(f"on: choose rgb or luma, not '{on}'")
        self.window, self.on, self.data_range = window, on, data_range
        self._column = ssim_name(window, on, str(data_range))
        self.statistics = (self._column,)
        told = [window] * (window != "gaussian-1.5") + [on] * (on != "rgb")
        told += [f"range-{data_range}"] * (data_range != 255)
        self.label = "-".join([self.name, *told])

    def result(self, measured: Measured) -> Iterator[Score]:
        defined, samples = measured.totals(f"{self._column}:n"), measured.totals("samples")
        small = f"every image is smaller than the {WINDOWS[self.window]}-pixel window"
        refused = dict.fromkeys(np.flatnonzero(defined == 0).tolist(), small)
        yield from measured.ratio(
            self.label, self._column, f"{self._column}:n", self.unit, self.better, refused
        )
        if defined.sum() < samples.sum():
            yield measured.score(
                f"{self.label}/left-out", (samples - defined).sum(), int(samples.sum()),
                unit="images", note="smaller than the window: left out",
            )  # fmt: skip
