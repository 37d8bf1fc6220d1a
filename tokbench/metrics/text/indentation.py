"""Indentation: is the same one always cut alike, and what does it cost?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Measured
from tokbench.metrics.text.constructs import OfLanguage, construct_of_bytes, indented
from tokbench.metrics.text.tallied import spearman, tallied
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.marks import Marks, counted, lost
from tokbench.text.syntax import syntax_of
from tokbench.types import Score

WIDEST = 63
"""Bytes of the widest indentation whose cuts are told apart; wider ones, and those that mix
blanks and tabs, are left out of the consistency."""
DEEPEST = 6
"""Depths that have a score of their own."""
_HASH_BITS, _TOKEN_BITS = 24, 12
_NONE = "no indented lines, or no token holds their indentation"


def indentation(encoded: EncodedText, language: str) -> Statistic:
    """Indented lines of samples that parse, where a token holds the indentation (a tokenizer that
    drops white space has none): `indent-lines`, their `indent-tokens` (tokens of
    white space alone that hold a byte of the indentation), their `indent-depths`. Tallies: cuts
    by indentation, tokens by depth. Names begin with the language."""
    batch = encoded.batch
    entered = syntax_of(batch, encoded.groups, language).parsed & encoded.spans.known
    starts, widths = indented(batch.data, construct_of_bytes(encoded, language))
    sample = np.searchsorted(batch.starts, starts, side="right") - 1
    marks = Marks.of(encoded)
    size = len(batch.data)
    opened = np.bincount(marks.starts, minlength=size + 1)
    held = np.cumsum(opened - np.bincount(marks.stops, minlength=size + 1)) > 0
    kept = entered[sample] & held[starts] & ~lost(encoded, starts, starts + widths)
    starts, widths, sample = starts[kept], widths[kept], sample[kept]

    # The first byte that is not white in a token of white space alone lies beyond its end.
    blank = marks.dark_at(marks.starts) >= marks.stops
    begun = counted(np.bincount(marks.starts[blank], minlength=size + 1))
    ended = counted(np.bincount(marks.stops[blank], minlength=size + 1))
    tokens = begun.take(starts + widths) - ended.take(starts + 1)
    depths = _depths(widths, sample)

    tabs = counted(batch.data == 9)
    tabs = tabs[starts + widths] - tabs[starts]
    plain = ((tabs == 0) | (tabs == widths)) & (widths <= WIDEST)
    cuts = _cuts(marks, starts[plain], widths[plain])
    like = ((tabs[plain] > 0).astype(np.int64) << 6 | widths[plain]) << _HASH_BITS | cuts
    cost = depths.clip(max=255) << _TOKEN_BITS | tokens.clip(max=(1 << _TOKEN_BITS) - 1)

    columns = {
        "parsed": entered.astype(np.int64),
        "indent-lines": encoded.by_sample(sample),
        "indent-tokens": encoded.by_sample(sample, tokens),
        "indent-depths": encoded.by_sample(sample, depths),
    }
    tallies = {}
    for name, keys, rows in (("cuts", like, sample[plain]), ("depths", cost, sample)):
        ones = np.ones(len(keys), dtype=np.int64)
        block = batch.index[rows] % JACKKNIFE_BLOCKS
        tallies[f"{language}-indent-{name}"] = Tally.of(batch.group[rows] << 32 | keys, ones)
        tallies[f"{language}-indent-{name}-by-block"] = Tally.of(block << 32 | keys, ones)
    return Statistic({f"{language}-{name}": found for name, found in columns.items()}, tallies)


def _cuts(marks: Marks, starts: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The token boundaries of each indentation, both its ends among them, as a 24-bit hash."""
    pattern = np.zeros(len(starts), dtype=np.uint64)
    rows = np.arange(len(starts))
    for place in range(WIDEST + 1):
        rows = rows[widths[rows] >= place]
        if not len(rows):
            break
        cut = marks.begins[starts[rows] + place].astype(np.uint64)
        pattern[rows] |= cut << np.uint64(place)
    mixed = pattern * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed ^ mixed >> np.uint64(29)) >> np.uint64(64 - _HASH_BITS)).astype(np.int64)


def _depths(widths: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """How deep each indented line of a sample stands: as Python's tokenizer counts, by the
    narrower indentations it follows. (Lines without indentation reset nothing that a narrower
    line would not.)"""
    depths = []
    stack: list[int] = []
    before = -1
    for width, row in zip(widths.tolist(), sample.tolist(), strict=True):
        if row != before:
            stack, before = [], row
        while stack and stack[-1] > width:
            stack.pop()
        if not stack or stack[-1] < width:
            stack.append(width)
        depths.append(len(stack))
    return np.array(depths, dtype=np.int64)


def alike(tally: Tally) -> float:
    """Share of the lines that are cut as most lines of their indentation."""
    widths = tally.keys >> _HASH_BITS
    if not tally.counts.sum():
        return np.nan
    first = np.flatnonzero(np.diff(widths, prepend=-1))
    return float(np.maximum.reduceat(tally.counts, first).sum() / tally.counts.sum())


def _depth_and_tokens(tally: Tally) -> tuple[np.ndarray, np.ndarray]:
    return tally.keys >> _TOKEN_BITS, tally.keys & ((1 << _TOKEN_BITS) - 1)


def rising(tally: Tally) -> float:
    """Spearman's correlation of depth and tokens over lines."""
    return spearman(*_depth_and_tokens(tally), tally.counts)


def mean_at(tally: Tally, depth: int) -> float:
    """Mean tokens of the lines at a depth."""
    depths, tokens = _depth_and_tokens(tally)
    counts = tally.counts * (depths == depth)
    return float((tokens * counts).sum() / counts.sum()) if counts.sum() else np.nan


class IndentationConsistency(OfLanguage):
    """Share of the indented lines whose indentation is cut as that of most lines with the same
    indentation (as many blanks, or as many tabs): 1 where equal indentation always gives equal
    tokens. Cuts are the token boundaries in the indentation, both its ends among them. Empty
    lines, lines that begin inside a string or comment, indentations of blanks and tabs mixed or
    over 63 bytes are left out."""

    name = "indentation-consistency"
    statistics = ("indentation",)
    aggregation = "pooled lines"
    reference = "TokEval indentation consistency (there Spearman's rho: see indentation-tokens)"

    def result(self, measured: Measured) -> Iterator[Score]:
        tally = f"{self.language}-indent-cuts"
        refused = self.refused(measured, "indent-lines", _NONE)
        entered = measured.totals(f"{self.language}-parsed")
        yield tallied(
            measured, self.name, f"{tally}-by-block", alike, self.unit, self.better,
            next(iter(refused.values()), _NONE),
            entered=f"{self.language}-parsed",
        )  # fmt: skip
        if measured.grouped:
            for g, label in enumerate(measured.groups):
                note = refused.get(g, "no interval: lines of one group")
                value = None if g in refused else alike(measured.tally(tally, g))
                yield measured.score(
                    f"{self.name}/{label}", value, entered[g],
                    unit=self.unit, better=self.better, note=note,
                )  # fmt: skip


class IndentationTokens(OfLanguage):
    """What indentation costs: tokens of white space alone that hold a byte of a line's
    indentation, for each indented line (a blank that goes with the first word is free).
    `per-level`: those tokens divided by the levels of indentation; `depth-1` … `depth-6`: tokens
    of the lines at a depth; `spearman`: Spearman's correlation of depth and tokens over lines,
    refused where all lines have equally many. Depth counts the narrower indentations that a line
    follows, continuation lines included."""

    name = "indentation-tokens"
    statistics = ("indentation",)
    unit, better = "tokens/line", "lower"
    reference = "TokEval indentation consistency (Spearman)"

    def result(self, measured: Measured) -> Iterator[Score]:
        why = _NONE
        yield from self.share(measured, "", "indent-tokens", "indent-lines", why)
        yield from self.share(
            measured, "per-level", "indent-tokens", "indent-depths", why, unit="tokens/level"
        )
        tally, entered = f"{self.language}-indent-depths-by-block", f"{self.language}-parsed"
        refused = self.refused(measured, "indent-lines", why)
        absent = next(iter(refused.values()), why)
        score = partial(tallied, measured, absent=absent, entered=entered, tally=tally)
        yield score(
            name=f"{self.name}/spearman", of=rising, unit="Spearman's rho", better="neither",
            undefined="undefined: all lines have as many tokens, or are as deep",
        )  # fmt: skip
        found = set((measured.tally(tally).keys >> _TOKEN_BITS).tolist())
        for depth in range(1, DEEPEST + 1):
            if depth in found:
                yield score(
                    name=f"{self.name}/depth-{depth}", of=partial(mean_at, depth=depth),
                    unit=self.unit, better=self.better,
                )  # fmt: skip
