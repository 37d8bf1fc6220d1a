"""What is counted on token sequences at the end: k-grams (`tokbench.kneser_ney` models them).

Sequences are long (some ten million tokens), so all that is as long as they are is narrow, and
k-grams are sorted in portions. Their numbers are exact: nothing is hashed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tokbench import kernel
from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS
from tokbench.ngrams import Sequences

PORTION = 1 << 19
"""Places sorted at once."""
STRETCH = 1 << 22
"""Places that the kernel sorts at once: it goes through all for each, so there are few."""


def counted(values: np.ndarray, size: int) -> np.ndarray:
    """How often each of 0 … size-1 occurs; negative values are left out. In portions, since
    `bincount` widens what it is given."""
    counts = np.zeros(size, dtype=np.int64)
    for low in range(0, len(values), PORTION):
        part = values[low : low + PORTION]
        if part.dtype.kind == "i":
            part = part[part >= 0]
        counts += np.bincount(part, minlength=size)
    return counts


def runs(
    before: np.ndarray, after: np.ndarray, size: int, kinds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places, first): all places in the order of their pairs (before, after), in portions that
    hold all places of a pair; `first` marks where a new pair begins.

    before: numbers under `size`, -1 for places to leave out; after: numbers under `kinds`.
    """
    if not size:
        return
    if kernel.compiled and kernel.sortable(len(before), size, kinds):
        for contexts, many in _stretches(before, size):
            yield from _in_portions(
                *kernel.compiled.sort_pairs(before, after, contexts, kinds, many)
            )
        return
    # The pair and the place share an integer, and sorting integers is fast.
    most = min(PORTION, 1 << ((61 - kinds.bit_length()) // 2))
    sizes = counted(before, size)
    large = np.flatnonzero(sizes >= most // 2)
    stops = np.cumsum(sizes + 1)
    cuts = np.searchsorted(stops, np.arange(most, stops[-1], most))
    edges = np.unique(np.concatenate((cuts, large, large + 1, [0, size])))
    for low, high in pairwise(edges.tolist()):
        places = np.flatnonzero((before >= low) & (before < high))
        if not len(places):
            continue
        keys = before[places].astype(np.int64)
        keys -= low
        keys *= kinds
        keys += after[places]
        bits = len(places).bit_length()
        keys <<= bits
        keys |= np.arange(len(places))
        keys.sort()
        own = keys & ((1 << bits) - 1)
        keys >>= bits
        yield places[own], np.concatenate(([True], keys[1:] != keys[:-1]))


def _stretches(before: np.ndarray, size: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Ranges of contexts, and how many places each has: about `STRETCH`, if no context has more."""
    shift = max(size.bit_length() - 12, 0)
    counts = np.zeros((size - 1 >> shift) + 1, dtype=np.int64)
    for low in range(0, len(before), PORTION):
        part = before[low : low + PORTION]
        counts += np.bincount(part[part >= 0] >> shift, minlength=len(counts))
    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(STRETCH, ends[-1], STRETCH))
    for first, last in pairwise(np.unique([0, *cuts.tolist(), len(counts)]).tolist()):
        if many := int(counts[first:last].sum()):
            yield (first << shift, min(last << shift, size)), many


def _in_portions(places: np.ndarray, first: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Sorted places cut where a pair begins: what is made of them is never as long as they are."""
    low = 0
    while low < len(places):
        high = low + PORTION
        if high < len(places):
            high += int(np.argmax(first[high:]))
            if not first[high]:  # the last pair goes on to the end
                high = len(places)
        yield places[low:high], first[low:high]
        low = high


def preceding(rank: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The number at the place before; -1 where a sample begins."""
    before = np.empty(len(rank), dtype=np.int32)
    before[1:] = rank[:-1]
    before[begins[begins < len(rank)]] = -1
    return before


@dataclass
class Counts:
    """Of one order: how many k-grams occur how often. whole: (times, k-grams), times
    ascending; without: the same without each jackknife block that there is."""

    whole: tuple[np.ndarray, np.ndarray]
    without: list[tuple[np.ndarray, np.ndarray]]


def kgram_counts(found: Sequences, order: int) -> Iterator[Counts]:
    """For k = 1 … order, on demand; k-grams never cross the end of a sample."""
    block = (found.index % JACKKNIFE_BLOCKS).astype(np.uint8)
    blocks = np.unique(block).tolist()
    block = np.repeat(block, found.lengths)
    begins = (np.cumsum(found.lengths) - found.lengths)[found.lengths > 0]
    size, dense = found.dense
    kinds = size
    by_block = _counted_by_block(dense, block, size)[blocks]
    total = by_block.sum(0)
    yield Counts(_times(total), [_times(total - rest) for rest in by_block])
    rank = dense
    for k in range(2, order + 1):
        before, rank, base = preceding(rank, begins), np.empty(0, np.int32), 0
        if k < order:
            rank = np.full(len(dense), -1, dtype=np.int32)
        tallies = [Tally()]
        for places, first in runs(before, dense, size, kinds):
            number = np.cumsum(first, dtype=np.int32) - 1
            if k < order:
                rank[places] = number + np.int32(base)
            base += int(number[-1]) + 1
            if kernel.compiled:
                tallies.append(Tally.of(*kernel.compiled.frequencies(places, first, block)))
            else:
                tallies.append(_frequencies(number, first, block[places]))
        size = base
        yield _of_blocks(Tally.joined(tallies), blocks)


def _counted_by_block(values: np.ndarray, block: np.ndarray, size: int) -> np.ndarray:
    """How often each of 0 … size-1 occurs in each block: (blocks, size)."""
    counts = np.zeros(JACKKNIFE_BLOCKS * size, dtype=np.int64)
    step = max(PORTION, 4 * size)  # the table is added up once a portion
    for low in range(0, len(values), step):
        cell = block[low : low + step].astype(np.int64)
        cell *= size
        cell += values[low : low + step]
        counts += np.bincount(cell, minlength=len(counts))
    return counts.reshape(JACKKNIFE_BLOCKS, size)


def _times(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times = np.bincount(counts)
    times[:1] = 0
    value = np.flatnonzero(times)
    return value, times[value]


_WHOLE = JACKKNIFE_BLOCKS


def _frequencies(number: np.ndarray, first: np.ndarray, block: np.ndarray) -> Tally:
    """Key times: k-grams that occur so often, key block·2³² + times; block 16 for the whole,
    the others hold what changes without that block."""
    total = np.diff(np.flatnonzero(first), append=len(first))
    pair = number.astype(np.int64) * JACKKNIFE_BLOCKS + block
    pair.sort()
    at = np.flatnonzero(np.diff(pair, prepend=-1))
    own, pair = np.diff(at, append=len(pair)), pair[at]
    whole, block = total[pair // JACKKNIFE_BLOCKS], pair % JACKKNIFE_BLOCKS << 32
    added, removed = Tally(*_unique(block + whole - own)), Tally(*_unique(block + whole))
    removed.counts = -removed.counts
    return Tally.joined([Tally(*_unique(total + (_WHOLE << 32))), added, removed])


def _unique(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values.sort()
    at = np.flatnonzero(np.diff(values, prepend=-1))
    return values[at], np.diff(at, append=len(values))


def _of_blocks(tally: Tally, blocks: list[int]) -> Counts:
    parts = {}
    for block in (*blocks, _WHOLE):
        low, high = np.searchsorted(tally.keys, [(block << 32) + 1, (block + 1) << 32])
        parts[block] = Tally(tally.keys[low:high] & 0xFFFFFFFF, tally.counts[low:high])
    without = [Tally.joined([parts[_WHOLE], parts[block]]) for block in blocks]
    kept = [(t.keys[t.counts > 0], t.counts[t.counts > 0]) for t in without]
    return Counts((parts[_WHOLE].keys, parts[_WHOLE].counts), kept)
