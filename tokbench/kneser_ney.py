"""An interpolated Kneser-Ney model of token sequences: what the held-out ones cost in bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokbench.kgrams import counted, preceding, runs
from tokbench.ngrams import Sequences, narrow


@dataclass
class Surprisal:
    """Bits of every held-out event. sample: its row; end: is it the end of the sample?"""

    bits: np.ndarray
    sample: np.ndarray
    end: np.ndarray


@dataclass
class _Level:
    """One order of the model. once, twice: k-grams counted so often; the rest of each held-out
    event: its count, the total of its context, and how many different events follow that."""

    once: int
    twice: int
    count: np.ndarray
    total: np.ndarray
    different: np.ndarray


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
    begins = np.cumsum(width) - width
    stream = np.zeros(int(width.sum()), narrow(kinds))
    token = np.ones(len(stream), dtype=bool)
    stream[begins + width - 1], token[begins + width - 1] = 1, False
    event = np.ones(len(stream), dtype=bool)
    for k in range(pad):
        event[begins + k] = token[begins + k] = False
    stream[token] = np.add(dense, 2, dtype=stream.dtype)
    train = np.repeat(~held, width)
    test = np.flatnonzero(event & ~train)
    train &= event
    del event, token
    sample, end = np.repeat(np.flatnonzero(held), width[held] - pad), stream[test] == 1

    rank, size = stream, kinds
    counts = counted(stream[train], kinds) if order == 1 else np.empty(0, np.int64)
    # Of each order below the highest: the k-grams' contexts and what they are without their
    # first token; both of each held-out event.
    zeros = np.zeros(kinds, np.int32)
    grams = [(zeros, zeros)]
    events = [(np.zeros(len(test), np.int32), rank[test])]
    for _ in range(2, order):
        before, shorter = preceding(rank, begins), rank
        rank, base = np.full(len(stream), -1, dtype=np.int32), 0
        contexts, suffixes = [], []
        for places, first in runs(before, stream, size, kinds):
            number = np.cumsum(first, dtype=np.int32) + np.int32(base - 1)
            rank[places], base = number, int(number[-1]) + 1
            contexts.append(before[places[first]])
            suffixes.append(shorter[places[first]])
        size = base
        grams.append((np.concatenate(contexts), np.concatenate(suffixes)))
        events.append((before[test], rank[test]))
        del before, shorter
    levels = []
    if order > 1:
        before, last = preceding(rank, begins), rank[begins + width - 1]
        del rank  # of places before their end, the next one's predecessor tells
        level, counts = _highest(before, last, stream, (size, kinds), train, test)
        levels.append(level)
        del before
    del stream, train
    while grams:
        (context, suffix), (preceded, own) = grams.pop(), events.pop()
        sizes = [int(part.max(initial=0)) + 1 for part in (context, suffix)]
        seen = np.flatnonzero(counts)
        total = np.bincount(context[seen], counts[seen], sizes[0])
        different = np.bincount(context[seen], minlength=sizes[0])
        levels.append(
            _Level(
                int((counts == 1).sum()), int((counts == 2).sum()),
                counts[own], total[preceded], different[preceded],
            )
        )  # fmt: skip
        counts = np.bincount(suffix[seen], minlength=sizes[1])

    p = np.full(len(test), 1 / (vocabulary + 1))
    for level in reversed(levels):
        d = discount(level.once, level.twice)
        weight = np.maximum(level.total, 1)
        higher = (np.maximum(level.count - d, 0) + d * level.different * p) / weight
        p = np.where(level.total > 0, higher, p)
    return Surprisal(-np.log2(p), sample, end)


def _highest(
    before: np.ndarray,
    last: np.ndarray,
    stream: np.ndarray,
    sizes: tuple[int, int],
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[_Level, np.ndarray]:
    """The level of the highest order, and the counts for the one below. Its k-grams are the most:
    none outlives its portion.

    before: number of the shorter k-gram that ends before each place; last: of that which ends
    with each sample; sizes: how many there are of them and of tokens.
    """
    size, ends = sizes[0], np.flatnonzero(stream == 1)
    total, different, below = (np.zeros(size, dtype=np.int64) for _ in range(3))
    count = np.zeros(len(test), dtype=np.int64)
    once = twice = 0
    for places, first in runs(before, stream, *sizes):
        at = np.flatnonzero(first)
        learnt = train[places]
        counts = np.add.reduceat(learnt, at, dtype=np.int64)
        once, twice = once + int((counts == 1).sum()), twice + int((counts == 2).sum())
        asked = np.flatnonzero(~learnt)
        row = np.searchsorted(test, places[asked])
        row[row == len(test)] = 0
        there = test[row] == places[asked] if len(test) else np.zeros(len(row), dtype=bool)
        count[row[there]] = counts[(np.cumsum(first) - 1)[asked[there]]]
        seen = counts > 0
        gram = places[at[seen]]
        context = before[gram]  # ascending: these are the portion's own
        if len(context):
            low, high = int(context[0]), int(context[-1]) + 1
            total[low:high] += np.bincount(context - low, counts[seen]).astype(np.int64)
            different[low:high] += np.bincount(context - low)
            suffix = before[np.minimum(gram + 1, len(before) - 1)]
            ending = np.flatnonzero(stream[gram] == 1)
            suffix[ending] = last[np.searchsorted(ends, gram[ending])]
            below += np.bincount(suffix, minlength=size)
    context = before[test]
    return _Level(once, twice, count, total[context], different[context]), below


def discount(once: int, twice: int) -> float:
    """n1/(n1 + 2·n2) within [0.1, 0.95]: Ney's estimate of the discount."""
    return min(max(once / max(once + 2 * twice, 1), 0.1), 0.95)
