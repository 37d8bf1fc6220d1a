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

from tokbench.errors import one_line
from tokbench.evidence import EXAMPLES, Example, Failure, Tally
from tokbench.measured import JACKKNIFE_BLOCKS
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

    @cached_property
    def counts(self) -> np.ndarray:
        """Tokens of each sample."""
        return self.codes.ids.lengths

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

    def add(self, other: Statistic) -> None:
        """Take up what another statistic found in the same batch."""
        self.columns |= other.columns
        self.tallies |= other.tallies
        self.examples += other.examples
        self.failures |= other.failures
        self.sums |= other.sums


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
            "words": encoded.by_sample(found.sample),
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
    rows = np.flatnonzero(_BLANK[data[starts]] & (starts < stops)) if len(starts) else starts
    while len(rows):
        starts[rows] += 1
        rows = rows[starts[rows] < stops[rows]]
        rows = rows[_BLANK[data[starts[rows]]]]
    rows = np.flatnonzero((starts < stops) & _BLANK[data[stops - 1]]) if len(starts) else starts
    while len(rows):
        stops[rows] -= 1
        rows = rows[starts[rows] < stops[rows]]
        rows = rows[_BLANK[data[stops[rows] - 1]]]
    return starts, stops


def round_trip(encoded: EncodedText) -> Statistic:
    """`exact` (decoded text is the sample), `edits`: Levenshtein distance in code points.

    A sample whose tokens' own bytes spell it needs no decoding; all others go through the
    library's decoder. `tokbench check` holds the two against each other. A sample that the
    decoder raises on is lost whole, and counted among the failures.
    """
    from rapidfuzz.distance import Levenshtein

    batch = encoded.batch
    exact = (encoded.spans.tiled & encoded.tokenizer.spells).astype(np.int64)
    edits = np.zeros(len(batch), dtype=np.int64)
    rows = np.flatnonzero(exact == 0)
    examples: list[Example] = []
    failures: dict[str, Failure] = {}
    if len(rows):
        decoded = decoded_rows(encoded, rows, failures)
        for row, text in zip(rows.tolist(), decoded, strict=True):
            source = batch.texts[row]
            if text == source:
                exact[row] = 1
                continue
            edits[row] = Levenshtein.distance(source, text)
            if len(examples) < EXAMPLES:
                examples.append(_difference(encoded, row, source, text))
    return Statistic({"exact": exact, "edits": edits}, examples=examples, failures=failures)


def decoded_rows(encoded: EncodedText, rows: np.ndarray, failures: dict[str, Failure]) -> list[str]:
    """The decoded rows; empty where the decoder raises on the sample by itself."""
    ids, decode = encoded.codes.ids, encoded.tokenizer.decode
    try:
        return decode(Codes((_take(ids, rows),)))
    except Exception:
        texts = []
    for row in rows.tolist():
        try:
            texts += decode(Codes((ids.take([row]),)))
        except Exception as error:
            cause = f"decode: {type(error).__name__}: {one_line(error)}"[:200]
            group = encoded.groups[int(encoded.batch.group[row])]
            example = f"{group or 'sample'} {int(encoded.batch.index[row])}"
            failures.setdefault(cause, Failure(0, example)).count += 1
            texts.append("")
    return texts


def _take(ids: Ragged, rows: np.ndarray) -> Ragged:
    return ids if len(rows) == len(ids) else ids.take(rows)


def _difference(encoded: EncodedText, row: int, source: str, text: str) -> Example:
    a, b = source.encode(), text.encode(errors="surrogatepass")
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    around = [piece[max(0, at - 12) : at + 12].decode(errors="replace") for piece in (a, b)]
    return Example(
        "round-trip",
        encoded.groups[int(encoded.batch.group[row])],
        int(encoded.batch.index[row]),
        f"differs from byte {at}: {around[0]!r} came back as {around[1]!r}",
    )


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


def ids(encoded: EncodedText) -> Statistic:
    """Occurrences of every id: by group (key group·2³² + id) and by jackknife block."""
    values = encoded.codes.ids.values
    span = int(values.max(initial=0)) + 1
    # Narrow keys sort twice as fast.
    narrow = np.int32 if span * JACKKNIFE_BLOCKS < 1 << 31 else np.int64
    block = (encoded.batch.index % JACKKNIFE_BLOCKS * span).astype(narrow)
    keys, counts = np.unique(np.repeat(block, encoded.counts) + values, return_counts=True)
    block_of, id_of = np.divmod(keys.astype(np.int64), span)
    tallies = {"ids-by-block": Tally((block_of << 32) + id_of, counts)}
    group = encoded.one_group
    if group is not None and span <= 1 << 22:  # hashed ids would need gigabytes
        dense = np.bincount(id_of, counts, minlength=span).astype(np.int64)
        found = np.flatnonzero(dense)
        tallies["ids-by-group"] = Tally(found + (group << 32), dense[found])
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
        counts = np.bincount(lengths)
        found = np.flatnonzero(counts)
        return Statistic(tallies={"token-bytes": Tally(found + (group << 32), counts[found])})
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
