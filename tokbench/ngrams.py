"""Token sequences as evidence, and what is counted on them at the end: k-grams, an n-gram model.

The evidence is the stream itself, three ids to an integer: smaller than the k-grams of five
orders, exact, and additive, for every entry has a key of its own (group, index, place), so the
shards' tables are disjoint. It grows with the corpus; hence only the first `SAMPLES` samples of
each group enter, which no shard plan changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tokbench.evidence import Tally
from tokbench.types import TokenizerSpec

if TYPE_CHECKING:
    from tokbench.statistics import EncodedText, Statistic

SAMPLES = 1 << 15
"""Samples of each group (those with the lowest index) whose sequences are kept."""
_PLACE = 31
_INDEX = 15
_PLACES = (1 << _PLACE) - 1
_END = 1  # code of a sample's end; 0 fills up, an id is id + 2


def id_bits(spec: TokenizerSpec) -> int:
    """Bits that hold one code: three codes to an integer where the vocabulary allows it."""
    return 21 if 0 < sum(spec.vocabulary) < (1 << 21) - 2 else 63


def sequences(encoded: EncodedText) -> Statistic:
    """`sequences`: every id in its place, and the source bytes of each sample."""
    from tokbench.statistics import Statistic

    batch, lengths = encoded.batch, encoded.counts
    rows = np.flatnonzero(batch.index < SAMPLES)
    ids = encoded.codes.ids.values
    if len(rows) < len(batch):
        ids, lengths = ids[np.isin(encoded.token_sample, rows)], lengths[rows]
    codes = np.full(len(ids) + len(rows), _END, dtype=np.int64)
    codes[np.arange(len(ids)) + np.repeat(np.arange(len(rows)), lengths)] = ids
    codes[np.arange(len(ids)) + np.repeat(np.arange(len(rows)), lengths)] += 2
    tally = _packed(
        codes, lengths + 1, _sizes(encoded)[rows],
        batch.group[rows], batch.index[rows], id_bits(encoded.tokenizer.spec),
    )  # fmt: skip
    return Statistic(tallies={"sequences": tally})


def source(encoded: EncodedText) -> Statistic:
    """`source`: the bytes of each sample in their places."""
    from tokbench.statistics import Statistic

    batch = encoded.batch
    rows = np.flatnonzero(batch.index < SAMPLES)
    sizes = _sizes(encoded)[rows]
    encoding = "latin-1" if batch.raw_bytes else "utf-8"
    data = "".join([batch.texts[row] for row in rows.tolist()]).encode(encoding)
    values = np.frombuffer(data, dtype=np.uint8)
    return Statistic(
        tallies={"source": _packed(values, sizes, sizes, batch.group[rows], batch.index[rows], 8)}
    )


def _sizes(encoded: EncodedText) -> np.ndarray:
    batch = encoded.batch
    if batch.raw_bytes:
        return np.fromiter(map(len, batch.texts), np.int64, len(batch))
    return batch.sizes


def _packed(
    values: np.ndarray,
    lengths: np.ndarray,
    sizes: np.ndarray,
    group: np.ndarray,
    index: np.ndarray,
    bits: int,
) -> Tally:
    """Values of each sample packed into integers. Place 0 holds the size in bytes; samples
    with one index (the words of a line) follow each other under it."""
    if not len(group):
        return Tally()
    line = np.flatnonzero(np.diff(group, prepend=-1) | np.diff(index, prepend=-1))
    lengths, sizes = np.add.reduceat(lengths, line), np.add.reduceat(sizes, line)
    base = (group[line] << (_INDEX + _PLACE)) | (index[line] << _PLACE)
    per = 63 // bits
    entries = -(-lengths // per)
    first = np.cumsum(entries) - entries
    filled = np.zeros(int(entries.sum()) * per, dtype=np.int64)
    shift = first * per - (np.cumsum(lengths) - lengths)
    filled[np.arange(len(values)) + np.repeat(shift, lengths)] = values
    packed = (filled.reshape(-1, per) << (bits * np.arange(per))).sum(1)
    place = np.arange(len(packed)) - np.repeat(first, entries) + 1
    keys = np.insert(np.repeat(base, entries) + place, first, base)
    return Tally.of(keys, np.insert(packed, first, sizes))


def _unpacked(tally: Tally, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(group, index, size) of each line, and all values, fillers included."""
    heads = (tally.keys & _PLACES) == 0
    keys = tally.keys[heads]
    per = 63 // bits
    values = tally.counts[~heads, None] >> (bits * np.arange(per)) & ((1 << bits) - 1)
    index = keys >> _PLACE & ((1 << _INDEX) - 1)
    return keys >> (_INDEX + _PLACE), index, tally.counts[heads], values.ravel()


def sources(tally: Tally) -> Iterator[tuple[int, bytes]]:
    """(group, its samples' bytes one after the other), from the tally `source`."""
    group, _, sizes, values = _unpacked(tally, 8)
    stops = np.cumsum(-(-sizes // 7) * 7)
    begins = np.diff(stops, prepend=0)
    starts = stops - begins
    place = np.arange(len(values)) - np.repeat(starts, begins)
    real = place < np.repeat(sizes, begins)
    owner = np.repeat(group, begins)[real]
    data = values[real].astype(np.uint8)
    for number in np.unique(group).tolist():
        low, high = np.searchsorted(owner, [number, number + 1])
        yield number, data[low:high].tobytes()


@dataclass
class Sequences:
    """Samples as id sequences. ids: all of them; lengths, group, index: of each sample;
    line: its line's number, for samples that share an index; sizes: bytes of each line."""

    ids: np.ndarray
    lengths: np.ndarray
    group: np.ndarray
    index: np.ndarray
    line: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, tally: Tally, spec: TokenizerSpec) -> Sequences:
        """From the tally `sequences`."""
        bits = id_bits(spec)
        group, index, sizes, codes = _unpacked(tally, bits)
        per, heads = 63 // bits, np.flatnonzero((tally.keys & _PLACES) == 0)
        entries = np.diff(heads, append=len(tally.keys)) - 1
        ends = codes == _END
        line = np.repeat(np.arange(len(heads)), entries * per)[ends]
        real = codes > _END
        before = np.cumsum(real)[ends]
        lengths = np.diff(before, prepend=0)
        return cls(codes[real] - 2, lengths, group[line], index[line], line, sizes)

    @cached_property
    def dense(self) -> tuple[int, np.ndarray]:
        """How many different ids there are, and each id's number among them."""
        known, inverse = np.unique(self.ids, return_inverse=True)
        return len(known), inverse.astype(np.int64, copy=False)

    def kgrams(self, order: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For k = 1 … order: (k-gram, sample) of every place where one begins. K-grams are
        numbered exactly, without hashing, and never cross the end of a sample."""
        kinds, dense = self.dense
        sample = np.repeat(np.arange(len(self.lengths)), self.lengths)
        room = np.repeat(np.cumsum(self.lengths), self.lengths) - np.arange(len(dense))
        at, found = np.arange(len(dense)), dense
        yield found, sample
        for k in range(2, order + 1):
            fits = room[at] >= k
            at = at[fits]
            codes = found[fits] * kinds + dense[at + k - 1]
            found = np.unique(codes, return_inverse=True)[1].astype(np.int64, copy=False)
            yield found, sample[at]


@dataclass
class Surprisal:
    """Bits of every held-out event. sample: its row; end: is it the end of the sample?"""

    bits: np.ndarray
    sample: np.ndarray
    end: np.ndarray


def kneser_ney(found: Sequences, held: np.ndarray, vocabulary: int, order: int) -> Surprisal:
    """Bits of the held-out samples under an interpolated Kneser-Ney model of the others.

    Every sample is preceded by order-1 begin marks and followed by an end mark that the model
    predicts: vocabulary + 1 outcomes. One discount for each order, D = n1/(n1 + 2·n2), kept in
    [0.1, 0.95]; lower orders count different left neighbours; below order 1 all are equal.
    """
    kinds, dense = found.dense
    kinds += 2  # 0 begins, 1 ends
    pad = order - 1
    width = found.lengths + pad + 1
    begin = np.cumsum(width) - width
    stream = np.zeros(int(width.sum()), dtype=np.int64)
    stream[begin + width - 1] = 1
    shift = begin + pad - (np.cumsum(found.lengths) - found.lengths)
    stream[np.arange(len(dense)) + np.repeat(shift, found.lengths)] = dense + 2
    sample = np.repeat(np.arange(len(width)), width)
    event = np.arange(len(stream)) - np.repeat(begin, width) >= pad
    train, test = event & ~held[sample], np.flatnonzero(event & held[sample])

    ranks = [np.zeros_like(stream), stream]  # the k-gram that ends at each place
    while len(ranks) <= order:
        codes = _before(ranks[-1]) * kinds + stream
        ranks.append(np.unique(codes, return_inverse=True)[1].astype(np.int64, copy=False))
    sizes = [int(rank.max(initial=0)) + 1 for rank in ranks]

    levels: list[tuple[np.ndarray, ...]] = []
    counts = np.bincount(ranks[order][train], minlength=sizes[order])
    for k in range(order, 0, -1):
        context = np.empty(sizes[k], dtype=np.int64)
        context[ranks[k]] = _before(ranks[k - 1])
        seen = np.flatnonzero(counts)
        total = np.bincount(context[seen], counts[seen], minlength=sizes[k - 1])
        different = np.bincount(context[seen], minlength=sizes[k - 1])
        levels.append((counts, total, different))
        shorter = np.empty(sizes[k], dtype=np.int64)
        shorter[ranks[k]] = ranks[k - 1]
        counts = np.bincount(shorter[seen], minlength=sizes[k - 1])

    p = np.full(len(test), 1 / (vocabulary + 1))
    for k, (counts, total, different) in enumerate(reversed(levels), start=1):
        d = discount(counts)
        context = _before(ranks[k - 1])[test]
        weight = np.maximum(total[context], 1)
        higher = (np.maximum(counts[ranks[k][test]] - d, 0) + d * different[context] * p) / weight
        p = np.where(total[context] > 0, higher, p)
    return Surprisal(-np.log2(p), sample[test], stream[test] == 1)


def discount(counts: np.ndarray) -> float:
    """n1/(n1 + 2·n2) within [0.1, 0.95]: Ney's estimate of the discount."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return min(max(once / max(once + 2 * twice, 1), 0.1), 0.95)


def _before(values: np.ndarray) -> np.ndarray:
    """Each place's predecessor; before the first stands what begin marks would give."""
    return np.concatenate(([0], values[:-1]))


def little_endian(ids: np.ndarray, width: int) -> bytes:
    """Ids as unsigned integers of `width` bytes each."""
    if sys.byteorder == "big":
        ids = ids.byteswap()
    return np.ascontiguousarray(ids, np.int64).view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
