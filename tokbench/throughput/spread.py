"""What repeated timings say: quantiles, ratios and growth, each with a 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TAIL = 0.025
"""Of a 95 % interval, on each side."""

DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Spread:
    """A value, its 95 % interval where there are timings enough for one, and their number."""

    value: float
    low: float | None
    high: float | None
    n: int


def quantile(values: Sequence[float], q: float) -> Spread:
    """A quantile with the interval that order statistics give whatever the distribution:
    between the l-th and the u-th smallest, chosen by the binomial law. A median needs six
    values for one, a 99th percentile some four hundred."""
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    below = bdtr(np.arange(n, dtype=np.float64), n, q)  # P(at most k of n lie under the quantile)
    low = int(np.searchsorted(below, TAIL, side="right"))
    high = int(np.searchsorted(below, 1 - TAIL)) + 1
    value = float(np.quantile(ordered, q))
    if low < 1 or high > n:
        return Spread(value, None, None, n)
    return Spread(value, float(ordered[low - 1]), float(ordered[high - 1]), n)


def median(values: Sequence[float]) -> Spread:
    """The median and its interval from order statistics."""
    return quantile(values, 0.5)


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Ratio of two medians; interval: bootstrap percentiles, both sides resampled."""
    rng = np.random.default_rng(0)
    draws = []
    for values in (np.asarray(above, np.float64), np.asarray(below, np.float64)):
        picked = rng.integers(0, len(values), (DRAWS, len(values)))
        draws.append(np.median(values[picked], axis=1))
    value = float(np.median(above) / np.median(below))
    n = min(len(above), len(below))
    if n < 5:
        return Spread(value, None, None, n)
    low, high = np.quantile(draws[0] / draws[1], [TAIL, 1 - TAIL])
    return Spread(value, float(low), float(high), n)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Spread | None:
    """b of seconds ∝ size^b: the slope of least squares on logarithms with its t interval (of the
    line's own misfit; two points give none). None for a single size."""
    x, y = np.log(np.asarray(sizes, np.float64)), np.log(np.asarray(seconds, np.float64))
    n = len(x)
    if n < 2:
        return None
    away = x - x.mean()
    slope = float((away * y).sum() / (away**2).sum())
    if n < 3:
        return Spread(slope, None, None, n)
    from scipy.special import stdtrit

    left = y - y.mean() - slope * away
    error = float(np.sqrt((left**2).sum() / (n - 2) / (away**2).sum()))
    half = float(stdtrit(n - 2, 1 - TAIL)) * error
    return Spread(slope, slope - half, slope + half, n)
