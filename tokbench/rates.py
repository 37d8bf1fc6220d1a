"""Rate-distortion curves: Bjøntegaard's averages, and quality at equal rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FITS = ("pchip", "akima", "cubic")
"""Curves through the points: monotone piecewise cubic (the JCT's practice), Akima's, or one cubic
polynomial by least squares (Bjøntegaard's first proposal)."""
LEAST = 4
"""Points that a Bjøntegaard average needs."""
DEFINED = 0.95
"""Share of the resamples in which a value must exist for an interval."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in order of rate. quality: higher is better (a score that is better lower is
    negated). The draws, where there are any, are paired bootstrap replicates, one column for
    each point."""

    name: str
    points: tuple[str, ...]
    rate: np.ndarray
    quality: np.ndarray
    rate_draws: np.ndarray | None = None
    quality_draws: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        name: str,
        points: list[str],
        rate: list[float],
        quality: list[float],
        draws: tuple[list[np.ndarray], list[np.ndarray]] | None = None,
    ) -> Curve:
        """From points in any order."""
        order = np.argsort(rate, kind="stable").tolist()
        rates, qualities = (
            (np.stack([column[i] for i in order], 1) for column in draws) if draws else (None, None)
        )
        return cls(
            name, tuple(points[i] for i in order), np.array(rate, float)[order],
            np.array(quality, float)[order], rates, qualities,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A value with its 95 % bootstrap interval, or why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


def curve_name(name: str) -> str:
    """What the points of one curve share: the tokenizer's name with N for every number."""
    return re.sub(r"\d+(\.\d+)?", "N", name)


def antiderivative(x: np.ndarray, y: np.ndarray, fit: str) -> Callable[[float, float], float]:
    """Integral of the curve through the points between two places."""
    if fit == "cubic":
        whole = np.polyint(np.polyfit(x, y, 3))
        return lambda low, high: float(np.polyval(whole, high) - np.polyval(whole, low))
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    curve = (PchipInterpolator if fit == "pchip" else Akima1DInterpolator)(x, y)
    return lambda low, high: float(curve.integrate(low, high))


def unfit(curve: Curve) -> str:
    """Why no Bjøntegaard average can be taken over a curve, or an empty string."""
    if len(curve.rate) < LEAST:
        return f"{curve.name}: {len(curve.rate)} points, of {LEAST} needed"
    if (curve.rate <= 0).any() or not np.isfinite([curve.rate, curve.quality]).all():
        return f"{curve.name}: a rate is not above 0"
    for k, (a, b) in enumerate(pairwise(curve.rate.tolist())):
        if a == b:
            return f"{curve.name}: {curve.points[k]} and {curve.points[k + 1]} have one rate"
    for k, (a, b) in enumerate(pairwise(curve.quality.tolist())):
        if a >= b:
            return (
                f"{curve.name}: quality does not rise from {curve.points[k]} to "
                f"{curve.points[k + 1]}, though the rate does"
            )
    return ""


def _average(x_a: np.ndarray, y_a: np.ndarray, x_b: np.ndarray, y_b: np.ndarray, fit: str) -> float:
    """Mean of curve B minus curve A over the overlap of their x; NaN without one."""
    low, high = max(x_a[0], x_b[0]), min(x_a[-1], x_b[-1])
    if not low < high:
        return float("nan")
    a, b = antiderivative(x_a, y_a, fit), antiderivative(x_b, y_b, fit)
    return (b(low, high) - a(low, high)) / (high - low)


def _bd(anchor: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], fit: str,
        by_quality: bool) -> float:  # fmt: skip
    for rate, quality in (anchor, other):
        if (rate <= 0).any() or (np.diff(rate) <= 0).any() or (np.diff(quality) <= 0).any():
            return float("nan")
    (rate_a, quality_a), (rate_b, quality_b) = anchor, other
    if by_quality:
        change = _average(quality_a, np.log(rate_a), quality_b, np.log(rate_b), fit)
        return 100 * float(np.expm1(change))
    return _average(np.log(rate_a), quality_a, np.log(rate_b), quality_b, fit)


def bd_rate(anchor: Curve, other: Curve, fit: str = "pchip") -> Found:
    """Bjøntegaard's delta rate: by how many percent the other's rate exceeds the anchor's at
    equal quality, from the mean difference of log rate over the qualities that both reach.

    VCEG-M33 (2001). Under four points, where quality falls as the rate rises, and without an
    overlap it is refused.
    """
    return _delta(anchor, other, fit, True, "quality")


def bd_quality(anchor: Curve, other: Curve, fit: str = "pchip") -> Found:
    """Bjøntegaard's delta PSNR, for any quality: the other's minus the anchor's, mean over the
    log rates that both reach."""
    return _delta(anchor, other, fit, False, "rate")


def _delta(anchor: Curve, other: Curve, fit: str, by_quality: bool, axis: str) -> Found:
    if why := unfit(anchor) or unfit(other):
        return Found(note=why)
    value = _bd((anchor.rate, anchor.quality), (other.rate, other.quality), fit, by_quality)
    if not np.isfinite(value):
        return Found(note=f"the curves reach no {axis} in common")

    def drawn(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
        return _bd(a, b, fit, by_quality)

    return _with_interval(value, anchor, other, drawn)


def _with_interval(
    value: float,
    anchor: Curve,
    other: Curve,
    function: Callable[[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], float],
) -> Found:
    """The value and the percentiles of the function over the paired replicates."""
    if anchor.rate_draws is None or anchor.quality_draws is None:
        return Found(value, note="no interval: no per-sample evidence")
    if other.rate_draws is None or other.quality_draws is None:
        return Found(value, note="no interval: no per-sample evidence")
    rows = zip(
        anchor.rate_draws, anchor.quality_draws, other.rate_draws, other.quality_draws, strict=True
    )
    draws = np.array([function((a, b), (c, d)) for a, b, c, d in rows])
    good = draws[np.isfinite(draws)]
    if len(good) < DEFINED * len(draws):
        lost = len(draws) - len(good)
        return Found(value, note=f"no interval: undefined in {lost} of {len(draws)} resamples")
    low, high = np.quantile(good, [0.025, 0.975])
    return Found(value, float(low), float(high))


def _at(rate: np.ndarray, quality: np.ndarray, where: float) -> float:
    """Quality at a rate, PCHIP over log rate; NaN outside the curve, which is not extended."""
    if len(rate) < 2 or not rate[0] <= where <= rate[-1] or (np.diff(rate) <= 0).any():
        return float(quality[0]) if len(rate) == 1 and rate[0] == where else float("nan")
    from scipy.interpolate import PchipInterpolator

    return float(PchipInterpolator(np.log(rate), quality)(np.log(where)))


def at_equal_rate(anchor: Curve, other: Curve, point: int) -> tuple[float | None, Found]:
    """The anchor's quality at the rate of one of the other's points, and by how much that
    point's quality exceeds it. The anchor is interpolated, never extended."""
    where = float(other.rate[point])
    base = _at(anchor.rate, anchor.quality, where)
    if not np.isfinite(base):
        low, high = anchor.rate[0], anchor.rate[-1]
        return None, Found(note=f"{anchor.name} was measured from {low:.4g} to {high:.4g} only")

    def drawn(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
        # A point at the very end of the curve leaves it in half of the resamples.
        return float(b[1][point]) - _at(*a, float(np.clip(b[0][point], a[0][0], a[0][-1])))

    value = float(other.quality[point]) - base
    return base, _with_interval(value, anchor, other, drawn)


def at_rate(anchor: Curve, other: Curve, where: float) -> tuple[float | None, float | None, Found]:
    """The quality of both curves at a rate, and by how much the other's exceeds the anchor's."""
    base, own = (_at(curve.rate, curve.quality, where) for curve in (anchor, other))
    for curve, value in ((anchor, base), (other, own)):
        if not np.isfinite(value):
            low, high = curve.rate[0], curve.rate[-1]
            return (
                None,
                None,
                Found(note=f"{curve.name} was measured from {low:.4g} to {high:.4g} only"),
            )

    def drawn(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
        here, there = (float(np.clip(where, rate[0], rate[-1])) for rate, _ in (a, b))
        return _at(*b, there) - _at(*a, here)

    return own, base, _with_interval(own - base, anchor, other, drawn)
