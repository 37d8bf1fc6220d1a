"""Per-sample statistics of encoded text: what metrics are made of.

Each function takes an `EncodedText` and returns columns (one number for each sample) and
tallies. A metric names the statistics it needs; each is computed once, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tokbench import kernel
from tokbench.evidence import Example, Failure, Tally
from tokbench.kept import Kept
from tokbench.measured import JACKKNIFE_BLOCKS
from tokbench.media import EncodedMedia
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import Spans, TextTokenizer, token_spans
from tokbench.types import Codes, Ragged


@dataclass
class EncodedText:
    """A batch with its codes, and what several statistics share (`shared`, by name)."""

    tokenizer: TextTokenizer
    batch: TextBatch
    codes: Codes
    groups: list[str]
    shared: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def spans(self) -> Spans:
        return token_spans(self.tokenizer, self.batch, self.codes)

    @property
    def stream(self) -> Ragged:
        """The ids: text has one level."""
        return self.codes.ids

    @cached_property
    def counts(self) -> np.ndarray:
        """Tokens of each sample."""
        return self.codes.ids.lengths

    @cached_property
    def word_counts(self) -> np.ndarray:
        """UAX-29 words of each sample."""
        return self.by_sample(self.batch.words.sample)

    @cached_property
    def token_sample(self) -> np.ndarray:
        """Sample row of each token."""
        return np.repeat(np.arange(len(self.batch)), self.counts)

    @cached_property
    def one_group(self) -> int | None:
        """The group of all samples, or None when there are several."""
        group = self.batch.group
        return int(group[0]) if len(group) and (group == group[0]).all() else None

    def by_sample(self, rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """How many of `rows` (or the sum of their weights) fall on each sample, int64."""
        return np.bincount(rows, weights, minlength=len(self.batch)).astype(np.int64)


@dataclass
class Statistic:
    """What a statistic found in one batch."""

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)

    def add(self, other: Statistic) -> None:
        """Take up what another statistic found in the same batch."""
        self.columns |= other.columns
        self.tallies |= other.tallies
        self.examples += other.examples
        self.failures |= other.failures
        self.sums |= other.sums
        self.kept |= other.kept


StatisticFunction = Callable[[EncodedText], Statistic]


def size(encoded: EncodedText) -> Statistic:
    """`bytes` (UTF-8, or raw bytes of binaries) and `characters` (code points)."""
    batch = encoded.batch
    if batch.raw_bytes:
        lengths = np.fromiter(map(len, batch.texts), np.int64, len(batch))
        return Statistic({"bytes": lengths, "characters": lengths})
    return Statistic({"bytes": batch.sizes, "characters": batch.characters})


def words(encoded: EncodedText) -> Statistic:
    """`words` by UAX-29, `unsegmented`: those of them that it cannot delimit."""
    found = encoded.batch.words
    return Statistic(
        {
            "words": encoded.word_counts,
            "unsegmented": encoded.by_sample(found.sample[found.unsegmented]),
        }
    )


def tokens(encoded: EncodedText) -> Statistic:
    """`tokens`: ids, whatever they are."""
    return Statistic({"tokens": encoded.counts})


def word_cover(encoded: EncodedText) -> Statistic:
    """How tokens cover words, by bytes: `placed` words (those of samples with known token
    positions), `single` (one token spells the word, ASCII white space around it aside),
    `continued` (a token boundary falls inside the word)."""
    batch, spans = encoded.batch, encoded.spans
    found, data = batch.words, batch.data
    if kernel.compiled and spans.tiled.all() and len(data) <= kernel.LARGEST:
        words = found.starts, found.stops, found.sample
        single, continued = kernel.compiled.cover(
            data, (spans.starts, spans.stops), words, len(batch)
        )
        return Statistic({"placed": encoded.word_counts, "single": single, "continued": continued})
    real = spans.stops > spans.starts
    starts, stops = (
        (spans.starts, spans.stops)
        if real.all()
        else (
            spans.starts[real],
            spans.stops[real],
        )
    )
    placed = spans.known.take(found.sample)
    if not len(starts):
        nothing = np.zeros(len(batch), dtype=np.int64)
        known = encoded.by_sample(found.sample[placed])
        return Statistic({"placed": known, "single": nothing, "continued": nothing})
    # Tokens that share their start: a library's offsets give whole characters for the bytes
    # of one, and none of those tokens is a word by itself. A tiling has no such tokens.
    alone = None
    if not spans.tiled.all():
        first = np.flatnonzero(np.diff(starts, prepend=-1) > 0)
        alone = np.diff(first, append=len(starts)) == 1
        starts, stops = starts.take(first), stops.take(first)
    begins = np.zeros(len(data) + 1, dtype=np.int32)
    begins[starts] = 1
    before = np.cumsum(begins, out=begins)  # token starts at or before each byte
    covering = before.take(found.starts)
    together = before.take(found.stops - 1) == covering  # no start inside the word
    covering -= 1
    np.maximum(covering, 0, out=covering)
    if alone is not None:
        # What a normaliser dropped has no token: the last one before it is another text's.
        start = starts.take(covering)
        own = (start >= batch.starts.take(found.sample)) & (start <= found.starts)
        together &= alone.take(covering) | ~own
    together &= placed
    rows = np.flatnonzero(together)
    covering = covering.take(rows)
    starts, stops = _trimmed(data, starts.take(covering), stops.take(covering))
    exact = (starts == found.starts.take(rows)) & (stops == found.stops.take(rows))
    single = rows[exact]
    return Statistic(
        {
            "placed": encoded.by_sample(found.sample[placed]),
            "single": encoded.by_sample(found.sample[single]),
            "continued": encoded.by_sample(found.sample[placed & ~together]),
        }
    )


_BLANK = np.isin(np.arange(256), [9, 10, 11, 12, 13, 32])


def _trimmed(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Spans without the ASCII white space at their ends."""
    starts, stops = starts.copy(), stops.copy()
    rows = np.flatnonzero(starts < stops)
    rows = rows[_BLANK[data[starts[rows]]]]
    while len(rows):
        starts[rows] += 1
        rows = rows[starts[rows] < stops[rows]]
        rows = rows[_BLANK[data[starts[rows]]]]
    rows = np.flatnonzero(starts < stops)
    rows = rows[_BLANK[data[stops[rows] - 1]]]
    while len(rows):
        stops[rows] -= 1
        rows = rows[starts[rows] < stops[rows]]
        rows = rows[_BLANK[data[stops[rows] - 1]]]
    return starts, stops


def unknown(encoded: EncodedText) -> Statistic:
    """`unknown-tokens` (UNK ids) and `unknown-characters` (code points of the source that
    stand under them)."""
    ids, batch = encoded.codes.ids.values, encoded.batch
    none = np.zeros(len(batch), dtype=np.int64)
    if encoded.tokenizer.unknown is None:
        return Statistic({"unknown-tokens": none, "unknown-characters": none})
    at = np.flatnonzero(ids == encoded.tokenizer.unknown)
    if len(at) == 0:
        return Statistic({"unknown-tokens": none, "unknown-characters": none})
    rows = encoded.token_sample[at]
    begins = (batch.data & 0xC0) != 0x80  # first bytes of characters
    before = np.concatenate(([0], np.cumsum(begins)))
    starts, stops = _trimmed(batch.data, encoded.spans.starts[at], encoded.spans.stops[at])
    lost = (before[stops] - before[starts]).astype(np.int64)
    return Statistic(
        {
            "unknown-tokens": encoded.by_sample(rows),
            "unknown-characters": encoded.by_sample(rows, lost),
        }
    )


def ids(encoded: EncodedText | EncodedMedia) -> Statistic:
    """Occurrences of every id: by group (key group·2³² + id) and by jackknife block."""
    values, offsets = encoded.stream.values, encoded.stream.offsets
    block = encoded.batch.index % JACKKNIFE_BLOCKS
    span = int(values.max(initial=0)) + 1
    dense = span <= 1 << 22 and values.min(initial=0) >= 0  # hashed ids would need gigabytes
    if kernel.compiled and dense:
        found, times, rank = kernel.compiled.count(values)
        keys, counts = kernel.compiled.count_by_block(values, offsets, block, found, rank)
    else:
        # Narrow keys sort twice as fast.
        narrow = np.int32 if span * JACKKNIFE_BLOCKS < 1 << 31 else np.int64
        row = np.repeat((block * span).astype(narrow), encoded.counts)
        keys, counts = np.unique(row + values, return_counts=True)
        block_of, id_of = np.divmod(keys.astype(np.int64), span)
        keys = (block_of << 32) + id_of
        whole = Tally.of(id_of, counts)
        found, times = whole.keys, whole.counts
    tallies = {"ids-by-block": Tally(keys, counts)}
    group = encoded.one_group
    if group is not None:
        tallies["ids-by-group"] = Tally(found + (group << 32), times)
    else:
        owner = np.repeat(encoded.batch.group << 32, encoded.counts)
        tallies["ids-by-group"] = Tally(*np.unique(owner + values, return_counts=True))
    return Statistic(tallies=tallies)


def token_bytes(encoded: EncodedText) -> Statistic:
    """Occurrences of every token length in source bytes, by group (key group·2³² + bytes)."""
    lengths = encoded.spans.stops - encoded.spans.starts
    known = encoded.spans.known
    group = encoded.one_group
    if group is not None and known.all():
        if kernel.compiled and len(encoded.batch.data) <= kernel.LARGEST:
            found, counts, _ = kernel.compiled.count(lengths)
        else:
            counts = np.bincount(lengths)
            found = np.flatnonzero(counts)
            counts = counts[found]
        return Statistic(tallies={"token-bytes": Tally(found + (group << 32), counts)})
    sample = encoded.token_sample
    keep = known[sample]
    owner = encoded.batch.group[sample[keep]] << 32
    keys, counts = np.unique(owner + lengths[keep], return_counts=True)
    return Statistic(tallies={"token-bytes": Tally(keys, counts)})


def measure(encoded: EncodedText, functions: dict[str, Any]) -> Statistic:
    """All statistics of a batch together."""
    whole = Statistic({"samples": np.ones(len(encoded.batch), dtype=np.int64)})
    for function in functions.values():
        whole.add(function(encoded))
    whole.examples.sort(key=lambda example: example.statistic)
    return whole
