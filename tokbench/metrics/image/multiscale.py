"""MS-SSIM: structural similarity over five scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.image.pixels import luma
from tokbench.metrics.metric import Metric, mean_of_defined
from tokbench.statistics import Statistic
from tokbench.types import Score

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, fine to coarse, as the paper's observers gave them."""

WINDOW = 11
LEAST = WINDOW * 2 ** (len(WEIGHTS) - 1)
"""Least height and width, 176: smaller pictures have no whole window at the coarsest scale."""


def ms_ssim_of(a: np.ndarray, b: np.ndarray) -> float:
    """MS-SSIM of two planes (height, width) of floats in [0, 255]; NaN where one side is shorter
    than `LEAST`.

    At each scale the 11 × 11 Gaussian window (σ 1.5) over all whole windows; between scales the
    mean of 2 × 2 pixels, an odd last row or column left out. Contrast–structure of the four finer
    scales and SSIM of the coarsest are averaged over the plane, negative averages are taken for 0,
    and multiplied with their exponents.
    """
    if min(a.shape) < LEAST:
        return float("nan")
    value = 1.0
    for scale, weight in enumerate(WEIGHTS):
        similar, structure = _compared(a, b)
        last = scale == len(WEIGHTS) - 1
        value *= max(similar if last else structure, 0.0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return value


def _compared(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean SSIM and mean contrast–structure; the constants are K1 = 0.01 and K2 = 0.03 of 255."""
    mean_a, mean_b = _blurred(a), _blurred(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    variances = _blurred(a * a + b * b) - squares  # only their sum is needed
    covariance = _blurred(a * b) - product
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * product + c1) / (squares + c1)
    return float((luminance * structure).mean()), float(structure.mean())


def _blurred(plane: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    edge = WINDOW // 2
    return ndimage.gaussian_filter(plane, 1.5, radius=edge)[edge:-edge, edge:-edge]


def _halved(plane: np.ndarray) -> np.ndarray:
    height, width = (side // 2 * 2 for side in plane.shape)
    rows = plane[:height:2, :width] + plane[1:height:2, :width]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def ms_ssim(encoded: EncodedMedia, on: str = "rgb") -> Statistic:
    """MS-SSIM of each image and whether it is defined, as columns named after the option."""
    found = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        if on == "luma":
            found.append(ms_ssim_of(luma(a), luma(b)))
        else:
            x, y = a.astype(np.float64), b.astype(np.float64)
            found.append(float(np.mean([ms_ssim_of(x[:, :, c], y[:, :, c]) for c in range(3)])))
    values = np.array(found)
    defined = np.isfinite(values)
    name = f"ms-ssim?on={on}"
    return Statistic(
        {name: exact(np.where(defined, values, 0.0)), f"{name}:n": defined.astype(np.int64)}
    )


class MultiScaleSSIM(Metric):
    """Multi-scale structural similarity of 8-bit images (Wang et al. 2003): five scales, the
    paper's exponents, 11 × 11 Gaussian window with σ = 1.5, mean over images. on: `rgb`, the mean
    of the three channels, or `luma` (the paper's). Images with a side under 176 pixels have no
    fifth scale: they are left out and counted."""

    name = "ms-ssim"
    statistics = ("ms-ssim",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of images"
    reference = "Wang, Simoncelli and Bovik 2003, Asilomar; 2 × 2 means between scales"

    def __init__(self, *, on: str = "rgb") -> None:
        if on not in ("rgb", "luma"):
            raise ValueError(f"on: choose rgb or luma, not '{on}'")
        self.on = on
        self._column = f"ms-ssim?on={on}"
        self.statistics = (self._column,)
        self.label = self.name if on == "rgb" else f"{self.name}-{on}"

    def result(self, measured: Measured) -> Iterator[Score]:
        why = f"a side under {LEAST} pixels"
        yield from mean_of_defined(self, measured, self.label, self._column, why)
