"""Rate-distortion curves: Bjøntegaard's averages, and quality at equal rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tokbench.pchip import Pchips

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
            (np.stack([column[i] for i in order], 1) for column in draws)
            if draws and order
            else (None, None)
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
    """What the points of one curve share: the tokenizer's name with N for every number but those
    of a family (`h264:N`)."""
    return re.sub(r"([A-Za-z][\w-]*)(?=[:(])|\d+(\.\d+)?", lambda found: found[1] or "N", name)


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


def falls(curve: Curve) -> list[str]:
    """Where quality falls although the rate rises, which more codebooks or bits should not bring
    about: one line for each such pair of neighbouring points."""
    found = []
    for k, (a, b) in enumerate(pairwise(curve.quality.tolist())):
        if b < a:
            points = f"from {curve.points[k]} to {curve.points[k + 1]}"
            found.append(f"{curve.name}: quality falls {points} by {a - b:.4g}")
    return found


def integrals(
    x: np.ndarray, y: np.ndarray, low: np.ndarray, high: np.ndarray, fit: str
) -> np.ndarray:
    """Of the curve through each row of points, between two places of its own."""
    if fit == "pchip":
        return Pchips(x, y).integral(low, high)
    rows = zip(x, y, low.tolist(), high.tolist(), strict=True)
    if fit == "cubic":
        wholes = [(np.polyint(np.polyfit(u, v, 3)), a, b) for u, v, a, b in rows]
        return np.array([np.polyval(whole, b) - np.polyval(whole, a) for whole, a, b in wholes])
    from scipy.interpolate import Akima1DInterpolator

    return np.array([float(Akima1DInterpolator(u, v).integrate(a, b)) for u, v, a, b in rows])


Points = tuple[np.ndarray, np.ndarray]
"""Rates and qualities of several drawings of one curve, both (drawings, points)."""


def _delta_of(anchor: Points, other: Points, fit: str, by_quality: bool) -> np.ndarray:
    """Bjøntegaard's average of each drawing; NaN where it is undefined."""
    sides = []
    good = np.ones(len(anchor[0]), dtype=bool)
    for rate, quality in (anchor, other):
        good &= (rate > 0).all(1) & (np.diff(rate) > 0).all(1) & (np.diff(quality) > 0).all(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sides.append((quality, np.log(rate)) if by_quality else (np.log(rate), quality))
    (x_a, y_a), (x_b, y_b) = sides
    low, high = np.maximum(x_a[:, 0], x_b[:, 0]), np.minimum(x_a[:, -1], x_b[:, -1])
    good &= low < high
    found = np.full(len(good), np.nan)
    if good.any():
        ends = low[good], high[good]
        change = integrals(x_b[good], y_b[good], *ends, fit)
        change -= integrals(x_a[good], y_a[good], *ends, fit)
        found[good] = change / (ends[1] - ends[0])
    return 100 * np.expm1(found) if by_quality else found


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
    found = _with_interval(anchor, other, lambda a, b: _delta_of(a, b, fit, by_quality))
    return found if found.value is not None else Found(note=f"they reach no {axis} in common")


def _with_interval(
    anchor: Curve, other: Curve, function: Callable[[Points, Points], np.ndarray]
) -> Found:
    """The function of the curves, and its percentiles over their paired replicates."""
    value = float(function(_one(anchor), _one(other))[0])
    if not np.isfinite(value):
        return Found()
    drawn = [
        (curve.rate_draws, curve.quality_draws)
        for curve in (anchor, other)
        if curve.rate_draws is not None and curve.quality_draws is not None
    ]
    if len(drawn) < 2:
        return Found(value, note="no interval: no per-sample evidence")
    draws = function(*drawn)
    good = draws[np.isfinite(draws)]
    if len(good) < DEFINED * len(draws):
        lost = len(draws) - len(good)
        return Found(value, note=f"no interval: undefined in {lost} of {len(draws)} resamples")
    low, high = np.quantile(good, [0.025, 0.975])
    return Found(value, float(low), float(high))


def _one(curve: Curve) -> Points:
    return curve.rate[None], curve.quality[None]


def _quality_at(points: Points, where: np.ndarray) -> np.ndarray:
    """Quality of each drawing at a rate of its own, PCHIP over log rate. A rate beyond the end is
    taken as the end's: a resample moves the ends."""
    rate, quality = points
    where = np.clip(where, rate[:, 0], rate[:, -1])
    if rate.shape[1] == 1:
        return quality[:, 0]
    good = (np.diff(rate) > 0).all(1) & (rate > 0).all(1)
    found = np.full(len(rate), np.nan)
    found[good] = Pchips(np.log(rate[good]), quality[good]).at(np.log(where[good]))
    return found


def _outside(curve: Curve, where: float) -> str:
    """Why a curve has no quality at a rate, or an empty string. It is never extended."""
    low, high = float(curve.rate[0]), float(curve.rate[-1])
    if low <= where <= high:
        return ""
    if low == high:
        return f"{curve.name} has one point, at {low:.4g}"
    return f"{curve.name} was measured from {low:.4g} to {high:.4g} only"


def at_equal_rate(anchor: Curve, other: Curve, point: int) -> tuple[float | None, Found]:
    """The anchor's quality at the rate of one of the other's points, and by how much that
    point's quality exceeds it."""
    where = float(other.rate[point])
    if why := _outside(anchor, where):
        return None, Found(note=why)
    base = float(_quality_at(_one(anchor), np.array([where]))[0])
    return base, _with_interval(
        anchor, other, lambda a, b: b[1][:, point] - _quality_at(a, b[0][:, point])
    )


def at_rate(anchor: Curve, other: Curve, where: float) -> tuple[float | None, float | None, Found]:
    """The quality of the other and of the anchor at a rate, and by how much the first exceeds
    the second."""
    if why := _outside(anchor, where) or _outside(other, where):
        return None, None, Found(note=why)
    own, base = (float(_quality_at(_one(c), np.array([where]))[0]) for c in (other, anchor))

    def drawn(a: Points, b: Points) -> np.ndarray:
        at = np.full(len(a[0]), where)
        return _quality_at(b, at) - _quality_at(a, at)

    return own, base, _with_interval(anchor, other, drawn)
