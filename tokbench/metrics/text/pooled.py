"""A ratio of sums of several columns over the samples that enter, with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.measured import Better, Measured
from tokbench.types import Score


def total(measured: Measured, columns: Sequence[str], group: int | None = None) -> int:
    """The columns summed over all samples, or those of one group."""
    totals = [measured.totals(column) for column in columns]
    return int(sum(t.sum() if group is None else t[group] for t in totals))


def pooled(
    measured: Measured,
    name: str,
    tops: Sequence[str],
    bottoms: Sequence[str],
    n: int,
    unit: str,
    better: Better,
    refused: str,
    note: str = "",
    group: int | None = None,
) -> Score:
    """Sum of the columns `tops` divided by that of `bottoms`, over all groups or one.

    n: samples that entered, where not all did. refused: the reason if there is nothing to
    divide by; note: what there is to say otherwise.
    """
    bottom = total(measured, bottoms, group)
    if not bottom:
        return measured.score(name, None, n, unit=unit, better=better, note=refused)
    value = total(measured, tops, group) / bottom
    if few := measured.enough(group):
        notes = "; ".join(filter(None, (note, few)))
        return measured.score(name, value, n, unit=unit, better=better, note=notes)

    def drawn(columns: Sequence[str]) -> np.ndarray:
        own = slice(None) if group is None else slice(group, group + 1)
        return sum(measured.replicates(column)[:, own].sum(1) for column in columns)

    with np.errstate(divide="ignore", invalid="ignore"):
        draws = drawn(tops) / drawn(bottoms)
    low, high = measured.interval(draws)
    return measured.score(
        name, value, n, draws, unit=unit, better=better, note=note,
        low=low, high=high, interval="bootstrap",
    )  # fmt: skip
