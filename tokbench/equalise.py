"""The vocabulary sizes at which all languages need as many tokens, and what is gained by them.

Sizes are chosen on one half of the evaluation sentences; premiums before and after are counted
on the other, so that the gain is not the choice's own noise.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tokbench import curves
from tokbench.metrics.text.fairness import gini

REPLICATES, LEVEL = 1000, 0.95
BEYOND = 2.0
"""How far a size may lie outside those tried, as a factor, and still be trained."""

SUMMARIES = ("max", "mean", "standard-deviation", "gini")
"""Maximum and mean of the premiums of languages other than the reference; standard deviation
of all premiums, the reference's 1 among them; Gini of all languages' tokens."""


@dataclass(frozen=True)
class Points:
    """What was measured for one language: sizes, ascending and distinct, and tokens of each
    evaluation sentence at each size (sizes, sentences)."""

    sizes: np.ndarray
    tokens: np.ndarray


@dataclass
class Fit:
    """The size at which a language needs the level's tokens.

    size: to be trained; None without a fit, and `why` says why.
    low, high: 95 % interval of the size, bootstrap over sentences; None for an end far above
        the sizes tried.
    status: `within` the sizes tried, `extrapolated`, or `out of reach` (then `size` is the
        nearest size tried).
    error: relative error of the form at sizes left out; r2 over all.
    miss: tokens measured at `size` over the level, minus 1, on the choosing sentences.
    """

    language: str
    size: int | None = None
    low: float | None = None
    high: float | None = None
    status: str = "none"
    form: str = ""
    parameters: dict[str, float] = field(default_factory=dict)
    r2: float | None = None
    error: float | None = None
    miss: float | None = None
    why: str = ""


@dataclass
class Summary:
    """A summary of premiums with its bootstrap interval."""

    name: str
    value: float
    low: float
    high: float


def halves(sentences: int) -> tuple[np.ndarray, np.ndarray]:
    """Sentences that choose the sizes, and sentences that judge them: every second one."""
    odd = np.arange(sentences) % 2 == 1
    return np.flatnonzero(~odd), np.flatnonzero(odd)


@functools.lru_cache(maxsize=4)
def weights(sentences: int, seed: int = 0) -> np.ndarray:
    """How often each sentence is drawn: (replicates, sentences), the same for all languages."""
    rng = np.random.default_rng(seed)
    even = np.full(sentences, 1 / sentences)
    return rng.multinomial(sentences, even, size=REPLICATES).astype(np.float64)


def equalise(
    points: dict[str, Points], reference: str, least: int, size: int | None = None
) -> tuple[list[Fit], float | None]:
    """A fit for every language, and the level: tokens that all should need.

    The level is the reference's at `size`; without it, the level that most languages reach
    within the sizes tried, nearest to the reference's at its middle size.
    least: the smallest size that can be trained.
    """
    fits = {one: Fit(one, why=_why_not(own)) for one, own in points.items()}
    usable = [one for one in points if not fits[one].why]
    if reference not in usable:
        for one in usable:
            fits[one].why = f"no fit of the reference {reference}"
        return list(fits.values()), None
    draws = weights(points[reference].tokens.shape[1])
    fitted = {}
    for one in usable:
        sizes, counts = points[one].sizes, points[one].tokens.sum(1)
        tried = curves.errors(sizes, counts)
        form = curves.best(tried)
        fitted[one] = curves.fit(form, sizes, np.stack([counts]))
        own = fits[one]
        own.form, own.error, own.parameters = form, tried[form], fitted[one].parameters
        own.r2 = curves.explained(fitted[one], sizes, counts)
    base = points[reference].sizes
    level = float(fitted[reference].at(size if size else base[len(base) // 2])[0])
    if size is None:
        ends = {one: fitted[one].at(points[one].sizes[[0, -1]]) for one in usable}
        level = _reachable(level, ends)
    own_size = fitted[reference].size(level)
    resampled = {one: draws @ points[one].tokens.T for one in usable}
    levels = curves.fit(
        fits[reference].form, base, resampled[reference]
    ).at(np.broadcast_to(own_size, REPLICATES))  # fmt: skip
    for one in usable:
        _place(fits[one], float(fitted[one].size(level)[0]), points[one].sizes, least)
        if one != reference and fits[one].status != "out of reach":
            most = BEYOND * float(points[one].sizes[-1])
            curve = curves.fit(fits[one].form, points[one].sizes, resampled[one])
            fits[one].low, fits[one].high = _bounds(curve.size(levels), most)
    return list(fits.values()), level


def _why_not(points: Points) -> str:
    if len(points.sizes) < 3:
        return f"sizes reached: {len(points.sizes)}; a fit needs 3"
    counts = points.tokens.sum(1)
    if counts[-1] >= counts[0]:
        return "tokens do not fall as the vocabulary grows"
    return ""


def _reachable(wanted: float, ends: dict[str, np.ndarray]) -> float:
    """The level that most languages reach between their ends, nearest to the wanted one."""
    levels = np.unique([wanted, *(level for own in ends.values() for level in own)])
    high, low = np.array(list(ends.values())).T
    slack = 1e-9 * levels[:, None]  # a language reaches its own ends
    reached = ((levels[:, None] <= high + slack) & (levels[:, None] >= low - slack)).sum(1)
    best = levels[reached == reached.max()]
    return float(best[np.abs(np.log(best / wanted)).argmin()])


def _place(fit: Fit, size: float, tried: np.ndarray, least: int) -> None:
    """Set the size to be trained, and how it lies to those tried."""
    low, high = float(tried[0]), float(tried[-1])
    if low * (1 - 1e-6) <= size <= high * (1 + 1e-6):
        fit.size, fit.status = round(size), "within"
    elif max(least, low / BEYOND) <= size <= high * BEYOND:
        fit.size, fit.status = round(size), "extrapolated"
    else:
        fit.size, fit.status = int(low if size < low else high), "out of reach"


def _bounds(sizes: np.ndarray, most: float) -> tuple[float | None, float | None]:
    """Percentile interval of sizes; None for an end above `most`, where no curve is known."""
    tail = (1 - LEVEL) / 2
    ends = np.quantile(sizes, [tail, 1 - tail], method="nearest")
    low, high = (float(f"{end:.6g}") if end <= most else None for end in ends)
    return low, high


def premiums(tokens: np.ndarray, base: int) -> np.ndarray:
    """Tokens over the reference's, along the last axis (languages)."""
    return tokens / tokens[..., [base]]


def summaries(tokens: np.ndarray, base: int) -> list[Summary]:
    """Summaries of the premiums of (languages, sentences) counts."""
    draws = _summarised(weights(tokens.shape[1]) @ tokens.T, base)
    return _bounded(_summarised(tokens.sum(1)[None], base)[0], draws)


def changes(before: np.ndarray, after: np.ndarray, base: int) -> list[Summary]:
    """After minus before, resampled over the same sentences; the sizes are held as chosen."""
    drawn = weights(before.shape[1])
    values = [_summarised(tokens.sum(1)[None], base)[0] for tokens in (before, after)]
    draws = [_summarised(drawn @ tokens.T, base) for tokens in (before, after)]
    return _bounded(values[1] - values[0], draws[1] - draws[0])


def _summarised(tokens: np.ndarray, base: int) -> np.ndarray:
    """`SUMMARIES` of each row of (rows, languages) tokens."""
    every = premiums(tokens, base)
    others = np.delete(every, base, axis=1)
    return np.stack([others.max(1), others.mean(1), every.std(1), gini(tokens)], axis=1)


def _bounded(values: Sequence[float] | np.ndarray, draws: np.ndarray) -> list[Summary]:
    tail = (1 - LEVEL) / 2
    ends = np.quantile(draws, [tail, 1 - tail], axis=0)
    return [
        Summary(name, float(value), float(f"{low:.6g}"), float(f"{high:.6g}"))
        for name, value, low, high in zip(SUMMARIES, values, *ends, strict=True)
    ]
