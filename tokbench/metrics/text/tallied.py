"""Functions of pooled tallies: scores with a delete-one-block jackknife, rank correlation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Better, Measured, jackknife
from tokbench.types import Score


def tallied(
    measured: Measured,
    name: str,
    tally: str,
    of: Callable[[Tally], float],
    unit: str,
    better: Better,
    absent: str,
    note: str = "",
    undefined: str = "",
    entered: str = "samples",
) -> Score:
    """One score from a tally kept by jackknife block. `of` gives NaN where it is undefined and
    `undefined` says why; `absent` is the reason where the tally is empty. entered: the column
    of the samples that entered."""
    n = int(measured.totals(entered).sum())
    keys = measured.tally(tally).keys
    whole, left_out = measured.jackknifed(tally)
    score = partial(measured.score, name, unit=unit, better=better)
    value = of(Tally(keys, whole)) if len(keys) else np.nan
    if not np.isfinite(value):
        return score(None, n, note=undefined or absent if len(keys) else absent)
    if len(left_out) < JACKKNIFE_BLOCKS:
        why = f"no interval: samples in under {JACKKNIFE_BLOCKS} blocks"
        return score(value, n, note=f"{note}; {why}".lstrip("; "))
    low, high = jackknife(np.array([of(Tally(keys, each)) for each in left_out]), value)
    return score(value, n, low=low, high=high, interval="jackknife", note=note)


def spearman(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> float:
    """Spearman's correlation of pairs that occur `counts` times; NaN where either is constant."""
    a, b, w = _ranks(x, counts), _ranks(y, counts), counts
    if not w.sum():
        return np.nan
    a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
    spread = np.sqrt((w * a * a).sum() * (w * b * b).sum())
    return float((w * a * b).sum() / spread) if spread else np.nan


def _ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Midranks of values that occur `counts` times."""
    distinct, where = np.unique(values, return_inverse=True)
    often = np.bincount(where, counts, minlength=len(distinct))
    return (np.cumsum(often) - (often - 1) / 2)[where]
