"""MS-SSIM: structural similarity over five scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.image.planes import Rows, planes, strips
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric, mean_of_defined
from tokbench.statistics import Statistic
from tokbench.types import Score

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, fine to coarse, as the paper's observers gave them."""

WINDOW = 11
LEAST = WINDOW * 2 ** (len(WEIGHTS) - 1)
"""Least height and width, 176: smaller pictures have no whole window at the coarsest scale."""


def ms_ssim_of(a: Rows, b: Rows) -> float:
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
        last = scale == len(WEIGHTS) - 1
        value *= max(_compared(a, b, last), 0.0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return value


def _compared(a: Rows, b: Rows, luminance: bool) -> float:
    """Mean contrast–structure, or with `luminance` mean SSIM; the constants are K1 = 0.01 and
    K2 = 0.03 of 255."""
    height, width = (size - WINDOW + 1 for size in a.shape)  # whole windows
    total = 0.0
    for rows in strips(height, width):
        seen = slice(rows.start, rows.stop + WINDOW - 1)
        total += _summed(a[seen], b[seen], luminance)
    return total / (height * width)


def _summed(a: np.ndarray, b: np.ndarray, luminance: bool) -> float:
    mean_a, mean_b = _blurred(a), _blurred(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    variances = _blurred(a * a + b * b) - squares  # only their sum is needed
    covariance = _blurred(a * b) - product
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * covariance + c2) / (variances + c2)
    if luminance:
        similar *= (2 * product + c1) / (squares + c1)
    return float(similar.sum())


def _blurred(plane: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    edge = WINDOW // 2
    return ndimage.gaussian_filter(plane, 1.5, radius=edge)[edge:-edge, edge:-edge]


def _halved(plane: Rows) -> np.ndarray:
    height, width = (side // 2 * 2 for side in plane.shape)
    halved = np.empty((height // 2, width // 2))
    for rows in strips(height, width):
        strip = plane[rows]
        summed = strip[::2, :width] + strip[1::2, :width]
        halved[rows.start // 2 : rows.stop // 2] = (summed[:, ::2] + summed[:, 1::2]) / 4
    return halved


def ms_ssim(encoded: EncodedMedia, on: str = "rgb") -> Statistic:
    """MS-SSIM of each image and whether it is defined, as columns named after the option."""
    found = []
    for a, b in zip(encoded.inputs, encoded.outputs, strict=True):
        both = zip(planes(a, on), planes(b, on), strict=True)
        found.append(float(np.mean([ms_ssim_of(x, y) for x, y in both])))
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
