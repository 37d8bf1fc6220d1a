"""How numbers are cut: the digit scheme, its consistency, and tokens against magnitude."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.tallied import spearman, tallied
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.marks import lost
from tokbench.types import Score

LONGEST = 12
"""Digits of the longest run that is looked at; longer runs are counted and left out."""
CONSISTENT = 0.95
"""Share of the telling runs that must follow a scheme for the tokenizer to be named by it."""
SCHEMES = ("single", "left-to-right-3", "right-to-left-3", "whole")
TELLING = frozenset((4, 5, 7, 8, 10, 11))
"""Lengths that the four schemes cut in four ways. Up to three digits, groups of three are the
whole run; with 6, 9 or 12 digits they are the same from either side."""

_NOT_TELLING = "no run of 4, 5, 7, 8, 10 or 11 digits at known token positions"
_LENGTH_BITS = 12  # a key's low bits are the cuts, those above them the length
_SINGH = "Singh and Strouse, Tokenization counts (2402.14903); TokEval digit-split"


def cuts_of(scheme: str, length: int) -> int:
    """The cuts of a scheme in a run of `length` digits: bit k - 1 for a cut after k digits."""
    places = {
        "single": range(1, length),
        "left-to-right-3": range(3, length, 3),
        "right-to-left-3": range(length - 3, 0, -3),
        "whole": range(0),
    }[scheme]
    return sum(1 << (place - 1) for place in places)


def schemes_of(length: int, cuts: int) -> list[str]:
    """The schemes that cut a run of this length so: none (irregular), one, or several."""
    return [scheme for scheme in SCHEMES if cuts_of(scheme, length) == cuts]


def shown(length: int, cuts: int) -> str:
    """A pattern as people read it, `123|4`."""
    digits = "123456789012"[:length]
    ends = [k for k in range(1, length) if cuts >> (k - 1) & 1] + [length]
    return "|".join(digits[a:b] for a, b in zip([0, *ends], ends, strict=False))


def digit_runs(encoded: EncodedText) -> Statistic:
    """Maximal runs of ASCII digits and their byte-exact cuts (token boundaries strictly
    inside; what is glued to the ends does not matter).

    `digit-runs` (all), `digit-placed` (of 1 to 12 digits, positions known, none under UNK), their
    `digit-digits` and `digit-tokens`, `digit-telling` (of a length in `TELLING`), and of those
    `digit-<scheme>` and `digit-irregular`. Tallies keyed by length and cuts.
    """
    batch, spans = encoded.batch, encoded.spans
    is_digit = (batch.data >= 48) & (batch.data <= 57)
    edges = np.diff(is_digit.astype(np.int8), prepend=0, append=0)
    starts = np.flatnonzero(edges == 1)
    lengths = np.flatnonzero(edges == -1) - starts
    sample = np.searchsorted(batch.starts, starts, side="right") - 1
    columns = {"digit-runs": encoded.by_sample(sample)}
    placed = spans.known[sample] & (lengths <= LONGEST) & ~lost(encoded, starts, starts + lengths)
    starts, lengths, sample = starts[placed], lengths[placed], sample[placed]

    begins = np.zeros(len(batch.data) + LONGEST, dtype=bool)
    begins[spans.starts[spans.stops > spans.starts]] = True
    cuts = np.zeros(len(starts), dtype=np.int64)
    for place in range(1, LONGEST):
        cuts |= (begins[starts + place] & (place < lengths)).astype(np.int64) << (place - 1)

    columns["digit-placed"] = encoded.by_sample(sample)
    columns["digit-digits"] = encoded.by_sample(sample, lengths)
    columns["digit-tokens"] = encoded.by_sample(sample, _tokens(cuts))
    telling = np.isin(lengths, sorted(TELLING))
    columns["digit-telling"] = encoded.by_sample(sample[telling])
    irregular = telling.copy()
    for scheme in SCHEMES:
        pattern = np.array([cuts_of(scheme, length) for length in range(LONGEST + 1)])
        follows = telling & (cuts == pattern[lengths])
        irregular &= ~follows
        columns[f"digit-{scheme}"] = encoded.by_sample(sample[follows])
    columns["digit-irregular"] = encoded.by_sample(sample[irregular])

    keys, block = (lengths << _LENGTH_BITS) | cuts, batch.index[sample] % JACKKNIFE_BLOCKS
    ones = np.ones(len(keys), dtype=np.int64)
    tallies = {
        "digit-cuts": Tally.of((batch.group[sample] << 32) | keys, ones),
        "digit-cuts-by-block": Tally.of((block << 32) | keys, ones),
    }
    return Statistic(columns, tallies)


def _tokens(cuts: np.ndarray) -> np.ndarray:
    """Pieces of a run: its cuts and one."""
    return 1 + sum(((cuts >> place) & 1 for place in range(LONGEST - 1)), np.zeros_like(cuts))


class DigitScheme(Metric):
    """How runs of ASCII digits are cut, by bytes: `single` digits, groups of three from the left
    (`left-to-right-3`, 123|4), from the right (`right-to-left-3`, 1|234), `whole`, or
    `irregular`. Shares are of the telling runs: those of 4, 5, 7, 8, 10 or 11 digits, which the
    four schemes cut in four ways. Other lengths fit several schemes and count for none, whatever
    the tokenizer; `telling` is the share of all runs that tell. `digit-scheme` itself is the
    share of the most followed scheme; its note names it, or says irregular where no scheme
    holds for 95 % of the telling runs."""

    name = "digit-scheme"
    statistics = ("digit-runs",)
    unit, better, aggregation = "share", "neither", "ratio of sums"
    reference = _SINGH
    tags = {"longest": str(LONGEST)}

    def result(self, measured: Measured) -> Iterator[Score]:
        telling = measured.totals("digit-telling")
        refused = _refused(measured, telling, _NOT_TELLING)
        yield self._dominant(measured)
        for scheme in (*SCHEMES, "irregular"):
            name = f"{self.name}/{scheme}"
            yield from measured.ratio(
                name, f"digit-{scheme}", "digit-telling", self.unit, self.better, refused
            )
        runs = measured.totals("digit-runs")
        none = _refused(measured, runs, "no digits")
        name = f"{self.name}/telling"
        yield from measured.ratio(name, "digit-telling", "digit-runs", self.unit, self.better, none)

    def _dominant(self, measured: Measured) -> Score:
        n, total = int(measured.totals("samples").sum()), measured.totals("digit-telling").sum()
        if not total:
            return measured.score(self.name, None, n, unit=self.unit, note=_NOT_TELLING)
        follow = np.array([measured.totals(f"digit-{scheme}").sum() for scheme in SCHEMES])
        best = int(follow.argmax())
        value = float(follow[best] / total)
        verdict = SCHEMES[best] if value >= CONSISTENT else "irregular"
        note = f"{verdict}; runs of 1–3, 6, 9 or 12 digits left out, which schemes cut alike"
        if few := measured.enough():
            return measured.score(self.name, value, n, unit=self.unit, note=f"{note}; {few}")
        draws_of = [measured.replicates(f"digit-{scheme}").sum(1) for scheme in SCHEMES]
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = np.max(draws_of, axis=0) / measured.replicates("digit-telling").sum(1)
        low, high = measured.interval(draws)
        return measured.score(
            self.name, value, n, draws, unit=self.unit, low=low, high=high,
            interval="bootstrap", note=note,
        )  # fmt: skip


def _refused(measured: Measured, counts: np.ndarray, why: str) -> dict[int, str]:
    """Groups without a run that counts, with the reason."""
    runs = measured.totals("digit-runs")
    return {g: why if runs[g] else "no digits" for g in np.flatnonzero(counts == 0).tolist()}


class _OfCuts(Metric):
    """A function of the pooled (length, cuts) counts, with a delete-one-block jackknife."""

    statistics = ("digit-runs",)
    reference = _SINGH

    def scored(
        self,
        measured: Measured,
        name: str,
        of: Callable[[Tally], float],
        note: str = "",
        undefined: str = "",
    ) -> Score:
        """One score; `of` gives NaN where it is undefined, and `undefined` says why."""
        absent = "no digits at known token positions"
        return tallied(
            measured, name, "digit-cuts-by-block", of, self.unit, self.better, absent,
            note, undefined,
        )  # fmt: skip


def dominant(tally: Tally, length: int) -> tuple[int, int, int]:
    """Most frequent cuts of a length, their count, and the count of all runs of that length;
    of equally frequent patterns the one with the lowest bit mask."""
    rows = np.flatnonzero(tally.keys >> _LENGTH_BITS == length)
    counts = tally.counts[rows]
    if not counts.sum():
        return 0, 0, 0
    best = int(counts.argmax())
    cuts = int(tally.keys[rows[best]]) & ((1 << _LENGTH_BITS) - 1)
    return cuts, int(counts[best]), int(counts.sum())


def consistency(tally: Tally, lengths: range) -> float:
    """Share of the runs of these lengths that have their length's dominant pattern."""
    found = [dominant(tally, length) for length in lengths]
    total = sum(all_runs for _, _, all_runs in found)
    return sum(count for _, count, _ in found) / total if total else np.nan


class DigitConsistency(_OfCuts):
    """Share of the runs of ASCII digits (2 to 12 digits) that are cut as most runs of their
    length are: 1 where the length alone decides. By length as `digit-consistency/4-digits`, whose
    note shows the dominant pattern and the schemes it agrees with."""

    name = "digit-consistency"
    unit, better, aggregation = "share", "higher", "pooled runs"

    def result(self, measured: Measured) -> Iterator[Score]:
        several = range(2, LONGEST + 1)
        undefined = "no run of 2 to 12 digits"
        yield self.scored(
            measured, self.name, lambda t: consistency(t, several), undefined=undefined
        )
        tally = measured.tally("digit-cuts")
        for length in range(1, LONGEST + 1):
            cuts, _, total = dominant(tally, length)
            if not total:
                continue  # the data has no such number
            agrees = " or ".join(schemes_of(length, cuts)) or "irregular"
            verdict = f"{shown(length, cuts)}: {agrees}" if length > 1 else "one digit has no cut"
            yield self.scored(
                measured,
                f"{self.name}/{length}-digits",
                partial(consistency, lengths=range(length, length + 1)),
                f"{verdict} ({total:,} runs)",
            )
        if not measured.grouped:
            return
        samples = measured.totals("samples")
        for g, label in enumerate(measured.groups):
            value = consistency(measured.tally("digit-cuts", g), several)
            note = "no interval: runs of one group" if np.isfinite(value) else undefined
            yield measured.score(
                f"{self.name}/{label}", value, samples[g],
                unit=self.unit, better=self.better, note=note,
            )  # fmt: skip


def magnitude(tally: Tally) -> float:
    """Spearman's correlation of the number of digits and of tokens over runs; NaN where every
    run has as many of either."""
    digits, tokens = tally.keys >> _LENGTH_BITS, _tokens(tally.keys & ((1 << _LENGTH_BITS) - 1))
    return spearman(digits, tokens, tally.counts)


class MagnitudeConsistency(_OfCuts):
    """Do longer numbers have more tokens? Spearman's correlation between the digits and the
    tokens of a run of 1 to 12 ASCII digits, over runs; refused where all runs have equally many
    tokens. Tokens divided by digits as `magnitude-consistency/tokens-per-digit`."""

    name = "magnitude-consistency"
    unit, better, aggregation = "Spearman's rho", "higher", "pooled runs"
    reference = "TokEval magnitude consistency"

    def result(self, measured: Measured) -> Iterator[Score]:
        undefined = "undefined: all runs have as many tokens, or as many digits"
        yield self.scored(measured, self.name, magnitude, undefined=undefined)
        name = f"{self.name}/tokens-per-digit"
        why = f"no run of {LONGEST} or fewer digits at known token positions"
        refused = _refused(measured, measured.totals("digit-placed"), why)
        yield from measured.ratio(
            name, "digit-tokens", "digit-digits", "tokens/digit", "neither", refused
        )
