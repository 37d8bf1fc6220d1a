"""What one tokenizer made of some samples: lengths, words, occurrences, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tokbench.evidence import Failure, Tally
from tokbench.metrics.text.rates import UNSEGMENTED
from tokbench.report.text_tokens import readable
from tokbench.statistics import EncodedText
from tokbench.tokenizers.text.adapter import TextTokenizer

LONGEST_TOKEN, MOST_TOKENS = 64, 24
"""Last bin of the histograms of lengths and of tokens in a word; it holds all above it."""
PIECES = 16
"""Pieces of a word that are shown; an ellipsis stands for the others."""


@dataclass
class Word:
    """The word of a group that is cut into most tokens. pieces: what of it each token holds, in
    hexadecimal where that is no whole character."""

    group: str
    text: str
    tokens: int
    pieces: list[str]


def _bins(last: int) -> np.ndarray:
    return np.zeros(last + 1, np.int64)


@dataclass
class Found:
    """Sums over the samples of one tokenizer.

    token_bytes, token_characters: how many tokens have each length in the source (characters:
        those that begin inside the token). word_tokens: how many words are in so many tokens.
    ids: how often each id occurred. words: the most fragmented of each group.
    unsegmented: groups whose words UAX #29 cannot delimit, which are left out.
    unplaced: samples without known token positions, which are left out.
    """

    tokenizer: TextTokenizer
    token_bytes: np.ndarray = field(default_factory=lambda: _bins(LONGEST_TOKEN))
    token_characters: np.ndarray = field(default_factory=lambda: _bins(LONGEST_TOKEN))
    word_tokens: np.ndarray = field(default_factory=lambda: _bins(MOST_TOKENS))
    ids: Tally = field(default_factory=Tally)
    words: list[Word] = field(default_factory=list)
    unsegmented: list[str] = field(default_factory=list)
    unplaced: int = 0
    samples: int = 0
    longest: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)

    def add(self, encoded: EncodedText, group: str) -> None:
        """Take up the samples of one group."""
        values, counts = np.unique(encoded.codes.ids.values, return_counts=True)
        self.ids = Tally.joined([self.ids, Tally(values.astype(np.int64), counts)])
        self.samples += len(encoded.batch)
        spans, known = encoded.spans, encoded.spans.known[encoded.token_sample]
        self.unplaced += int((~spans.known).sum())
        starts, stops = spans.starts[known], spans.stops[known]
        begins = (encoded.batch.data & 0xC0) != 0x80
        before = np.concatenate(([0], np.cumsum(begins)))
        lengths = stops - starts
        self.longest = max(self.longest, int(lengths.max(initial=0)))
        _count(self.token_bytes, lengths)
        _count(self.token_characters, before[stops] - before[starts])
        self._add_words(encoded, starts, stops, group)

    def _add_words(
        self, encoded: EncodedText, starts: np.ndarray, stops: np.ndarray, group: str
    ) -> None:
        found, batch = encoded.batch.words, encoded.batch
        if not len(found.starts) or batch.raw_bytes:
            return
        if found.unsegmented.mean() > UNSEGMENTED:
            self.unsegmented.append(group)
            return
        keep = encoded.spans.known[found.sample] & ~found.unsegmented
        begin, end = found.starts[keep], found.stops[keep]
        real = stops > starts
        # A library's offsets may step back by a character; counting needs them in order.
        starts = np.maximum.accumulate(starts[real])
        stops = np.maximum.accumulate(stops[real])
        first = np.searchsorted(stops, begin, "right")
        last = np.searchsorted(starts, end, "left")
        tokens = last - first
        _count(self.word_tokens, tokens)
        if not len(tokens):
            return
        worst = int(tokens.argmax())
        if tokens[worst] < 2:
            return
        raw, (low, high) = batch.data.tobytes(), (int(begin[worst]), int(end[worst]))
        edges = np.clip(starts[first[worst] : last[worst]], low, high).tolist()
        edges = [*sorted({low, *edges}), high]
        bounds = list(pairwise(edges))
        pieces = [readable(raw[a:b]) for a, b in bounds[:PIECES]]
        pieces += ["…"] * (len(bounds) > PIECES)
        self.words.append(Word(group, raw[low:high].decode(), int(tokens[worst]), pieces))


def _count(histogram: np.ndarray, values: np.ndarray) -> None:
    last = len(histogram) - 1
    histogram += np.bincount(np.minimum(values, last), minlength=last + 1)


def quantile(histogram: np.ndarray, share: float) -> int | None:
    """The smallest bin up to which `share` of all lies; None for an empty histogram."""
    total = int(histogram.sum())
    if not total:
        return None
    return int(np.searchsorted(np.cumsum(histogram), share * total))


def mean(histogram: np.ndarray) -> float | None:
    """Mean of the bins, None for an empty histogram."""
    total = int(histogram.sum())
    return float((histogram * np.arange(len(histogram))).sum() / total) if total else None
