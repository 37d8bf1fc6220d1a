"""Evidence as metrics see it: totals by group, bootstrap replicates, typed scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from tokbench.evidence import Evidence, Example, Tally
from tokbench.resampling import draw, quantile
from tokbench.types import Score, Tokenizer, TokenizerSpec

REPLICATES = 1000
LEVEL = 0.95
Better = Literal["higher", "lower", "neither"]


class Measured:
    """The evidence of a finished task, with intervals.

    groups: labels in order (languages; one empty label when the data has no groups).
    parallel: the same index is the same content in every group, so the bootstrap resamples
        the index for all groups at once; otherwise each group is resampled by itself.
    tokenizer: the tokenizer itself, for metrics of its vocabulary; None where only evidence is
        at hand (comparing records).
    kept: bootstrap replicates of every score with an interval, by name. Two tokenizers on
        the same samples draw the same resamples, so their replicates are paired.
    examples: what metrics of the vocabulary show, beside the evidence's own examples.
    """

    def __init__(
        self,
        evidence: Evidence,
        groups: Sequence[str],
        parallel: bool,
        spec: TokenizerSpec,
        seed: int = 0,
        replicates: int = REPLICATES,
        tokenizer: Tokenizer | None = None,
    ):
        self.evidence, self.groups, self.parallel = evidence, list(groups), parallel
        self.spec, self.seed, self.draws = spec, seed, replicates
        self.tokenizer = tokenizer
        self.metric = ""
        self.kept: dict[str, np.ndarray] = {}
        self.examples: list[Example] = []
        self._totals: dict[str, np.ndarray] = {}
        self._matrices: dict[str, np.ndarray] = {}
        self._replicates: dict[str, np.ndarray] = {}
        self._pooled: dict[str, Tally] = {}
        self._jackknifed: dict[str, tuple[np.ndarray, list[np.ndarray]]] = {}

    @property
    def grouped(self) -> bool:
        """Are there groups worth a score of their own?"""
        return len(self.groups) > 1

    def totals(self, column: str) -> np.ndarray:
        """Sum of a column in each group; exact for integers."""
        if column not in self._totals:
            values = self.evidence.columns[column]
            sums = np.zeros(len(self.groups), dtype=values.dtype)
            if len(values):  # rows come group by group: sum runs, then the few runs of a group
                np.add.at(
                    sums, self.evidence.group[self._runs], np.add.reduceat(values, self._runs)
                )
            sums.flags.writeable = False
            self._totals[column] = sums
        return self._totals[column]

    @cached_property
    def _runs(self) -> np.ndarray:
        """First row of each run of rows of one group."""
        return np.flatnonzero(np.diff(self.evidence.group, prepend=-1))

    def tally(self, name: str, group: int | None = None) -> Tally:
        """A tally pooled over groups, or that of one group; keys without the group."""
        tally = self.evidence.tallies.get(name, Tally())
        if group is None:
            if name not in self._pooled:
                self._pooled[name] = Tally.of(tally.keys & 0xFFFFFFFF, tally.counts)
            return self._pooled[name]
        low, high = np.searchsorted(tally.keys, [group << 32, (group + 1) << 32])
        return Tally(tally.keys[low:high] & 0xFFFFFFFF, tally.counts[low:high])

    def jackknifed(self, name: str) -> tuple[np.ndarray, list[np.ndarray]]:
        """Counts of a tally kept by block: pooled, and with each block left out."""
        if name not in self._jackknifed:
            blocks, whole = self.evidence.tallies.get(name, Tally()), self.tally(name)
            place = np.searchsorted(whole.keys, blocks.keys & 0xFFFFFFFF)
            edges = np.flatnonzero(np.diff(blocks.keys >> 32, prepend=-1))
            left_out = []
            for first, last in pairwise([*edges, len(place)]):
                rest = whole.counts.copy()
                rest[place[first:last]] -= blocks.counts[first:last]
                left_out.append(rest)
            self._jackknifed[name] = whole.counts, left_out
        return self._jackknifed[name]

    @cached_property
    def units(self) -> np.ndarray:
        """Row of each piece of evidence in `matrix`: its place among the sampling units."""
        if self.parallel:
            return np.unique(self.evidence.index, return_inverse=True)[1]
        place = np.zeros(self.evidence.rows, dtype=np.int64)
        for number in range(len(self.groups)):
            rows = np.flatnonzero(self.evidence.group == number)
            place[rows[np.argsort(self.evidence.index[rows], kind="stable")]] = np.arange(len(rows))
        return place

    def matrix(self, column: str) -> np.ndarray:
        """A column as (units, groups); 0 where a group lacks the unit."""
        if column not in self._matrices:
            shape = self.unit_count, len(self.groups)
            values = self.evidence.columns[column]
            sums = np.bincount(self._cells, values, minlength=shape[0] * shape[1])
            sums.flags.writeable = False
            self._matrices[column] = sums.reshape(shape)
        return self._matrices[column]

    @cached_property
    def _cells(self) -> np.ndarray:
        """Where each row stands in a flat `matrix`."""
        return self.units * len(self.groups) + self.evidence.group

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each unit is drawn: (replicates, units); parallel data only."""
        return draw(np.random.default_rng(self.seed), self.draws, self.unit_count)

    @cached_property
    def _single_weights(self) -> np.ndarray:
        return self.weights.astype(np.float32)

    def resampled(self, table: np.ndarray) -> np.ndarray:
        """Column sums of a (units, k) table in every replicate: (replicates, k)."""
        largest = float(np.abs(table).max(initial=0))
        if largest * len(table) < 1 << 24 and (table % 1 == 0).all():
            if (table == table[:1]).all():  # every draw of as many units gives the same
                return np.repeat(table.sum(0, keepdims=True), self.draws, axis=0)
            # Whole numbers below 2²⁴ are exact in single precision too, at twice the speed.
            return (self._single_weights @ table.astype(np.float32)).astype(np.float64)
        return self.weights @ table

    def replicates(self, column: str) -> np.ndarray:
        """Group sums of a column in every bootstrap replicate: (replicates, groups)."""
        if column not in self._replicates:
            table = self.matrix(column)
            if self.parallel:
                sums = self.resampled(table)
            else:
                sums = np.empty((self.draws, len(self.groups)))
                for number, count in enumerate(self._group_rows):
                    rng = np.random.default_rng([self.seed, number])
                    sums[:, number] = draw(rng, self.draws, count) @ table[:count, number]
            self._replicates[column] = sums
        return self._replicates[column]

    def interval(self, replicates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Percentile interval along the first axis; NaN where a replicate is undefined."""
        tail = (1 - LEVEL) / 2
        # Sorted along contiguous memory: far quicker than np.quantile, and the same numbers.
        ordered = np.sort(np.ascontiguousarray(replicates.T), axis=-1)
        return quantile(ordered, tail), quantile(ordered, 1 - tail)

    def enough(self, group: int | None = None) -> str:
        """Why a bootstrap cannot be made, or an empty string."""
        if self.parallel:
            units = self.unit_count
        else:
            units = self.evidence.rows if group is None else int(self._group_rows[group])
        return "" if units > 1 else "no interval: one sample"

    @cached_property
    def unit_count(self) -> int:
        """Sampling units: rows of `matrix`."""
        return int(self.units.max(initial=-1)) + 1

    @cached_property
    def _group_rows(self) -> np.ndarray:
        return np.bincount(self.evidence.group, minlength=len(self.groups))

    def score(
        self, name: str, value: float | None, n: int, draws: np.ndarray | None = None, **rest: Any
    ) -> Score:
        """A score of the metric at work; non-finite values are refused as unmeasured.

        draws: its bootstrap replicates, kept for paired comparison.
        """
        if draws is not None:
            self.kept[name] = draws
        if value is None or not np.isfinite(value):
            value, rest["note"] = None, rest.get("note") or "undefined: nothing to divide by"
        if value is None:
            rest.pop("low", None), rest.pop("high", None), rest.pop("interval", None)
        for end in ("low", "high"):
            if end in rest:
                # Bounds are drawn at random: more than six digits would only pretend.
                rest[end] = float(f"{rest[end]:.6g}") if np.isfinite(rest[end]) else None
        if rest.get("interval") and None in (rest.get("low"), rest.get("high")):
            rest |= {"low": None, "high": None, "interval": None}
            rest["note"] = rest.get("note") or "no interval: a resample has nothing to divide by"
        value = None if value is None else float(value)
        return Score(name=name, value=value, n=int(n), metric=self.metric, **rest)

    def ratio(
        self,
        name: str,
        top: str,
        bottom: str,
        unit: str,
        better: Better,
        refused: dict[int, str] | None = None,
        entered: str = "samples",
    ) -> Iterator[Score]:
        """Ratio of sums, pooled and for each group, with bootstrap intervals.

        refused: groups for which the ratio is undefined, and why; they stay out of the pool.
        entered: the column that counts the samples which entered, the scores' n.
        """
        refused = refused or {}
        kept = np.array([g not in refused for g in range(len(self.groups))])
        samples = self.totals(entered)
        tops, bottoms = self.totals(top), self.totals(bottom)
        tops_r, bottoms_r = self.replicates(top), self.replicates(bottom)
        note = ""
        if not kept.all():
            why = next(iter(refused.values()))
            note = f"{int((~kept).sum())} of {len(kept)} groups left out: {why}"
        with np.errstate(divide="ignore", invalid="ignore"):
            if not kept.any():
                yield self.score(
                    name, None, 0, unit=unit, better=better, note=next(iter(refused.values()))
                )
            else:
                draws = tops_r[:, kept].sum(1) / bottoms_r[:, kept].sum(1)
                low, high = self.interval(draws)
                value = tops[kept].sum() / bottoms[kept].sum()
                n = samples[kept].sum()
                yield self._bounded(name, value, low, high, n, unit, better, note, None, draws)
            if not self.grouped:
                return
            all_draws = tops_r / bottoms_r
            lows, highs = self.interval(all_draws)
            for g, label in enumerate(self.groups):
                facet = f"{name}/{label}"
                if g in refused:
                    yield self.score(
                        facet, None, samples[g], unit=unit, better=better, note=refused[g]
                    )
                else:
                    value = tops[g] / bottoms[g] if bottoms[g] else None
                    yield self._bounded(
                        facet, value, lows[g], highs[g], samples[g], unit, better, "", g,
                        all_draws[:, g],
                    )  # fmt: skip

    def _bounded(
        self,
        name: str,
        value: Any,
        low: Any,
        high: Any,
        n: int,
        unit: str,
        better: Better,
        note: str,
        group: int | None,
        draws: np.ndarray,
    ) -> Score:
        few = self.enough(group)
        if few:
            return self.score(name, value, n, unit=unit, better=better, note=note or few)
        return self.score(
            name, value, n, draws, unit=unit, better=better, note=note,
            low=low, high=high, interval="bootstrap",
        )  # fmt: skip


JACKKNIFE_BLOCKS = 16
"""Samples are dealt by index into this many blocks for delete-one-block intervals."""
_T15 = 2.131449545559323
"""Student's t at 0.975 with 15 degrees of freedom, for 16 blocks."""


def jackknife(values: np.ndarray, whole: float) -> tuple[float, float]:
    """95 % interval around `whole` from its 16 delete-one-block estimates."""
    blocks = len(values)
    if blocks != JACKKNIFE_BLOCKS:
        raise ValueError(f"{JACKKNIFE_BLOCKS} blocks, not {blocks}")
    spread = np.sqrt((blocks - 1) / blocks * ((values - values.mean()) ** 2).sum())
    return whole - _T15 * float(spread), whole + _T15 * float(spread)
