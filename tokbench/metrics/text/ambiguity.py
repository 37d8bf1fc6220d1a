"""How many ways a vocabulary has to spell a word, though the encoder uses one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from math import log2

import msgspec
import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.rates import no_words
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.uax29 import VERSION as UAX29
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Score

FIXED_POINT = 1 << 20
"""Logarithms are summed as whole numbers of 2⁻²⁰ bits: the sum is exact in any order."""
LONGEST = 512
"""Bytes of the longest word that is looked at; longer ones are counted and left out."""
_REMEMBERED = 1 << 18


class Spellings:
    """The surfaces of a vocabulary, and how many sequences of ids spell a text with them.

    Ids are counted, not surfaces: a letter that is a token of its own and also a byte token
    (SentencePiece's byte fallback) can be written in two ways.
    """

    def __init__(self, tokenizer: TextTokenizer):
        self._ids = Counter(tokenizer.vocabulary())
        self._longest = max(map(len, self._ids), default=0)
        self.bits = lru_cache(maxsize=_REMEMBERED)(self._bits)

    def count(self, word: bytes) -> int:
        """Sequences of ids whose bytes, one after the other, are the word's."""
        size, longest, ids = len(word), self._longest, self._ids
        ways = [1] + [0] * size
        for start in range(size):
            before = ways[start]
            if not before:
                continue
            for stop in range(start + 1, min(start + longest, size) + 1):
                same = ids.get(word[start:stop])
                if same:
                    ways[stop] += before * same
        return ways[size]

    def _bits(self, word: bytes) -> int:
        count = self.count(word)
        return round(log2(count) * FIXED_POINT) if count else -1


@lru_cache(maxsize=1)
def spellings_of(tokenizer: TextTokenizer) -> Spellings:
    """Its spellings, kept for the next batch."""
    return Spellings(tokenizer)


def encodings(encoded: EncodedText) -> Statistic:
    """UAX-29 words between spaces of up to 512 bytes, without the blanks around them:
    `encodings-words` (those that can be spelled), in units of 2⁻²⁰ their number
    `encodings-fixed`, `encodings-bytes` and `encodings-bits` (log₂ of the number of id
    sequences); `encodings-long`, and `encodings-none` (no sequence spells it). Nothing without
    a byte table."""
    batch, tokenizer = encoded.batch, encoded.tokenizer
    names = ("words", "fixed", "bytes", "bits", "long", "none")
    columns = {f"encodings-{name}": np.zeros(len(batch), dtype=np.int64) for name in names}
    if batch.raw_bytes or not len(batch):
        return Statistic(columns)
    found = batch.words
    starts, stops, sample = (
        column[~found.unsegmented] for column in (found.starts, found.stops, found.sample)
    )
    if tokenizer.pieces is None:
        return Statistic(columns)
    short = stops - starts <= LONGEST
    columns["encodings-long"] = encoded.by_sample(sample[~short])
    starts, stops, sample = starts[short], stops[short], sample[short]
    bits_of, data = spellings_of(tokenizer).bits, batch.data.tobytes()
    bits = np.fromiter(
        (bits_of(data[a:b]) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)),
        dtype=np.int64,
        count=len(starts),
    )
    spelled = bits >= 0
    columns["encodings-none"] = encoded.by_sample(sample[~spelled])
    starts, stops, sample = starts[spelled], stops[spelled], sample[spelled]
    columns["encodings-words"] = encoded.by_sample(sample)
    columns["encodings-fixed"] = columns["encodings-words"] * FIXED_POINT
    columns["encodings-bytes"] = encoded.by_sample(sample, (stops - starts) * float(FIXED_POINT))
    columns["encodings-bits"] = encoded.by_sample(sample, bits[spelled])
    return Statistic(columns)


class Encodings(Metric):
    """Ambiguity: log₂ of the number of token sequences that spell a word, by its bytes, though
    the encoder ever writes one of them. Summed over words and divided by their bytes
    (`encodings`, in bits per byte, also by language) or by their number
    (`encodings/bits-per-word`). 0 where each word has one spelling (bytes); near 1 where any
    piece of it is a token. Every id that text can produce counts, duplicate surfaces twice.
    Words are UAX-29 segments without the blanks around them. Refused without a byte table, and
    for a group in which over 10 % of the words cannot be delimited that way; words over 512
    bytes and those that no sequence spells (a normaliser or UNK stands between) are left out,
    and the note counts them."""

    name = "encodings"
    statistics = ("words", "encodings")
    unit, better, aggregation = "bits/byte", "neither", "ratio of sums"
    reference = "Say Anything but This (2601.14658), static proxy: alternative encodings"
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = self._unspelled(measured) | no_words(measured)
        bits, better = "encodings-bits", self.better
        for score in measured.ratio(self.name, bits, "encodings-bytes", self.unit, better, refused):
            yield self._noted(measured, score, refused)
        name = f"{self.name}/bits-per-word"
        by_word = measured.ratio(name, bits, "encodings-fixed", "bits/word", better, refused)
        yield self._noted(measured, next(by_word), refused)

    def _unspelled(self, measured: Measured) -> dict[int, str]:
        """Groups without a word that counts, with the reason."""
        counts = {what: measured.totals(f"encodings-{what}") for what in ("words", "long", "none")}
        tried = counts["long"] + counts["none"] > 0
        return {
            g: "no word that token bytes spell"
            if tried[g]
            else "needs a byte table: the tokenizer's ids have no fixed bytes"
            for g in np.flatnonzero(
                (counts["words"] == 0) & (measured.totals("words") > 0)
            ).tolist()
        }

    def _noted(self, measured: Measured, score: Score, refused: dict[int, str]) -> Score:
        """With the number of words left out."""
        if score.value is None:
            return score
        label = score.name.partition("/")[2]
        own = [g for g, name in enumerate(measured.groups) if name == label and label]
        kept = own or [g for g in range(len(measured.groups)) if g not in refused]
        every, *left_out = (
            int(measured.totals(column)[kept].sum())
            for column in ("words", "unsegmented", "encodings-none", "encodings-long")
        )
        reasons = ("no spaces between them", "no token bytes spell them", f"over {LONGEST} bytes")
        notes = [score.note] if score.note else []
        for count, why in zip(left_out, reasons, strict=True):
            if count:
                notes.append(f"{count:,} of {every:,} words left out: {why}")
        return msgspec.structs.replace(score, note="; ".join(notes))
