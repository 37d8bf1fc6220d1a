"""Gold morphemes against tokens: what every word of a segmented word list gives, in integers.

A sample is a word with the note `segmentation` (see `tokbench.text.gold`). Its cuts are token
starts strictly inside the word, by bytes; what a token adds before the word does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

import numpy as np

from tokbench.errors import UserError
from tokbench.evidence import Tally
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.gold import JOIN
from tokbench.text.marks import lost

SHARES = 720_720
"""One, as an integer: shares of single words are summed as whole numbers of 1/720,720, exactly
for denominators up to 16 and to 7e-7 beyond."""
_WEIGHTS, _SMALL = 10**9, 2_520
"""One, for weights and for shares multiplied by them: both together stay within 64 bits."""


Columns = dict[str, np.ndarray]
Summed = Callable[[np.ndarray], np.ndarray]
"""Values of single words as a column of the batch."""


@dataclass
class GoldWords:
    """The segmented words of a batch at known token positions.

    row, start, stop, has_stem: for each word its sample, its bytes in the batch, and whether the
    gold says which morpheme is the stem. word_of, begins, ends, stem: for each morpheme, word
    by word, the number of its word, its bytes, and whether it is the stem. before: how many
    token starts lie before each byte.
    """

    row: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    word_of: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    stem: np.ndarray
    has_stem: np.ndarray
    before: np.ndarray

    @property
    def last(self) -> np.ndarray:
        return self.ends == self.stop[self.word_of]

    @property
    def counts(self) -> np.ndarray:
        """Morphemes of each word."""
        return np.bincount(self.word_of, minlength=len(self.row))

    def inside(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Token starts strictly inside these bytes."""
        return self.before[stop] - self.before[start + 1]

    def cut_at(self, place: np.ndarray) -> np.ndarray:
        """Does a token start at these bytes?"""
        return self.before[place + 1] > self.before[place]

    def per_word(self, morphemes: np.ndarray) -> np.ndarray:
        """How many of the marked morphemes each word has."""
        return np.bincount(self.word_of[morphemes], minlength=len(self.row))


def gold_words(encoded: EncodedText) -> GoldWords:
    """The words to be scored: segmented, at known token positions, with nothing lost to UNK."""
    batch = encoded.batch
    row, sizes, counts, stem = [], [], [], []
    for number, note in enumerate(batch.notes or ()):
        segmentation = note.get("segmentation")
        if segmentation is None:
            continue
        pieces = segmentation.split(JOIN)
        if not batch.texts[number].endswith("".join(pieces)) or not all(pieces):
            group = encoded.groups[int(batch.group[number])] or "sample"
            raise UserError(
                f"{group} {batch.index[number]}: the segmentation '{segmentation}' does not spell "
                f"'{batch.texts[number].strip()}'"
            )
        row.append(number)
        sizes += [len(piece.encode()) for piece in pieces]
        counts.append(len(pieces))
        index = note.get("stem_index", "")
        stem.append(int(index) if index.isdecimal() else -1)
    rows, lengths = np.array(row, dtype=np.int64), np.array(counts, dtype=np.int64)
    stop = batch.stops[rows]
    first = np.cumsum(lengths) - lengths
    ends = np.cumsum(np.array(sizes, dtype=np.int64))
    whole = np.append(ends, 0)[first + lengths - 1] - np.append(0, ends)[first]
    start = stop - whole  # the word is at the sample's end; unit `spaced` has a space before it
    placed = encoded.spans.known[rows] & ~lost(encoded, start, stop)

    word_of = np.repeat(np.arange(len(rows)), lengths)
    ends += np.repeat(stop - np.append(ends, 0)[first + lengths - 1], lengths)
    begins = ends - np.array(sizes, dtype=np.int64)
    stems = np.arange(len(word_of)) - np.repeat(first, lengths) == np.repeat(
        np.array(stem, dtype=np.int64), lengths
    )
    kept = placed[word_of]
    starting = np.zeros(len(batch.data) + 2, dtype=np.int64)
    starting[1:][_token_starts(encoded)] = 1
    return GoldWords(
        rows[placed], start[placed], stop[placed],
        (np.cumsum(placed) - 1)[word_of[kept]], begins[kept], ends[kept], stems[kept],
        np.array(stem, dtype=np.int64)[placed] >= 0, np.cumsum(starting),
    )  # fmt: skip


def _token_starts(encoded: EncodedText) -> np.ndarray:
    """Where tokens start. Tokens that share their start take its bytes one by one: a library's
    offsets give the whole character for each of its bytes."""
    real = encoded.spans.stops > encoded.spans.starts
    starts, stops = encoded.spans.starts[real], encoded.spans.stops[real]
    first = np.flatnonzero(np.diff(starts, prepend=-1))
    runs = np.diff(first, append=len(starts))
    places = starts + np.arange(len(starts)) - np.repeat(first, runs)
    return places[places < stops]


def morphemes(encoded: EncodedText) -> Statistic:
    """Cuts made, gold cuts and those that agree; shares of single words; MorphScore's points;
    affixes, all and those that are one piece (tallies by a hash of the affix)."""
    words, batch = gold_words(encoded), encoded.batch
    notes = batch.notes or [{}] * len(batch)
    made = words.inside(words.start, words.stop)
    inner = ~words.last
    hits = words.per_word(inner & words.cut_at(words.ends))
    wanted = words.counts - 1
    one = np.ones_like(made)

    def summed(values: np.ndarray) -> np.ndarray:
        return encoded.by_sample(words.row, values)

    columns = {
        "gold-words": np.full(len(batch), batch.notes is not None, dtype=np.int64),
        "gold-segmented": np.array(["segmentation" in note for note in notes], dtype=np.int64),
        "gold-scored": summed(one),
        "gold-cut": summed(made > 0),
        "gold-exact": summed((hits == made) & (hits == wanted)),
    }
    for name, end in (("cuts", 0), ("ends", 1)):  # without and with the free word end
        tp, p, g = hits + end, made + end, wanted + end
        columns[f"{name}-hit"], columns[f"{name}-twice-hit"] = summed(tp), summed(2 * tp)
        columns[f"{name}-made"], columns[f"{name}-gold"] = summed(p), summed(g)
        columns[f"{name}-made-and-gold"] = summed(p + g)
        for score, top, bottom in (
            ("precision", tp, p), ("recall", tp, g), ("f1", 2 * tp, p + g),
        ):  # fmt: skip
            columns |= _shares(f"{name}-{score}", top, bottom, bottom > 0, summed)
    every = one > 0
    columns |= _shares("over", made + 1, wanted + 1, every, summed)
    columns |= _shares("under", wanted + 1, made + 1, every, summed)
    columns |= _first_version(words, made, wanted, summed)
    weight = np.array([float(notes[row].get("weight", 0)) for row in words.row], dtype=float)
    columns |= _second_version(words, made, weight, summed)
    affixes, tallies = _affixes(words, encoded)
    return Statistic(columns | affixes, tallies)


def _shares(
    name: str, top: np.ndarray, bottom: np.ndarray, where: np.ndarray, summed: Summed
) -> Columns:
    """Columns of a mean over words: shares in units of 1/SHARES, and the words in the same."""
    share = _rounded(SHARES * top, bottom)
    return {
        f"{name}-shares": summed(np.where(where, share, 0)),
        f"{name}-ones": summed(np.where(where, SHARES, 0)),
    }


def _rounded(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Integer quotient, rounded to the nearest; 0 for a divisor of 0."""
    safe = np.maximum(bottom, 1)
    return np.where(bottom > 0, (2 * top + safe) // (2 * safe), 0)


def _first_version(
    words: GoldWords, made: np.ndarray, wanted: np.ndarray, summed: Summed
) -> Columns:
    """MorphScore v1: is there a cut at the first gold boundary, of words that are cut at all?"""
    opening = np.flatnonzero(np.diff(words.word_of, prepend=-1))
    first = words.cut_at(words.ends[opening]) & (wanted > 0)
    split = made > 0
    return {
        "v1-hit": summed(first & split),
        "v1-words": summed(split & (wanted > 0)),
        "v1-all-words": summed(split),
        "v1-pieces": summed(np.where(split & (wanted > 0), made + 1, 0)),
        "v1-all-pieces": summed(np.where(split, made + 1, 0)),
    }


def _second_version(
    words: GoldWords, made: np.ndarray, weight: np.ndarray, summed: Summed
) -> Columns:
    """MorphScore v2: what precedes the stem, the stem, what follows it: at most two boundaries.
    Precision counts the word end among the cuts made. Words whose stem is not known have their
    gold cuts taken, where there are at most two."""
    stem = words.stem
    after = np.append(stem[:-1] & (words.word_of[1:] == words.word_of[:-1]), False)
    ahead = np.append(stem[1:] & (words.word_of[1:] == words.word_of[:-1]), False)
    unknown = ~words.has_stem[words.word_of] & ~words.last
    edge = after | ahead | unknown
    gold = words.per_word(edge)
    hits = words.per_word(edge & words.cut_at(words.ends))
    taken = (gold == 1) | (gold == 2)
    split, weights = taken & (made > 0), np.rint(weight * _WEIGHTS).astype(np.int64)
    columns = {}
    for single, where in (("excluded", split), ("correct", taken)):
        ones = np.where(where, SHARES, 0)
        heavy = np.where(where, weights, 0)
        columns[f"v2-{single}-ones"] = summed(ones)
        columns[f"v2-{single}-weighted-ones"] = summed(heavy * _SMALL)
        for score, bottom in (("recall", gold), ("precision", made + 1)):
            top = np.where(split, hits, bottom)  # a word of one piece counts 1, if at all
            columns[f"v2-{single}-{score}"] = summed(
                np.where(where, _rounded(SHARES * top, bottom), 0)
            )
            columns[f"v2-{single}-weighted-{score}"] = summed(
                heavy * _rounded(_SMALL * top, bottom)
            )
    return columns


def _affixes(words: GoldWords, encoded: EncodedText) -> tuple[Columns, dict[str, Tally]]:
    """Morphemes other than the stem, where the gold names it; alone: exactly one piece."""
    at = np.flatnonzero(words.has_stem[words.word_of] & ~words.stem)
    start, stop, word = words.begins[at], words.ends[at], words.word_of[at]
    alone = words.inside(start, stop) == 0
    alone &= words.cut_at(start) | (start == words.start[word])
    alone &= words.cut_at(stop) | (stop == words.stop[word])
    row, raw = words.row[word], encoded.batch.data.tobytes()
    keys = np.array(
        [_hashed(raw[a:b]) for a, b in zip(start.tolist(), stop.tolist(), strict=True)],
        dtype=np.int64,
    )
    keys += encoded.batch.group[row] << 32
    ones = np.ones_like(keys)
    columns = {
        "affixes": encoded.by_sample(row),
        "affixes-alone": encoded.by_sample(row[alone]),
    }
    tallies = {
        "affix-seen": Tally.of(keys, ones),
        "affix-alone": Tally.of(keys[alone], ones[alone]),
    }
    return columns, tallies


@cache
def _hashed(affix: bytes) -> int:
    """32 bits that stand for an affix; two of a thousand share theirs once in 10,000 lists."""
    return int.from_bytes(blake2b(affix, digest_size=4).digest())
