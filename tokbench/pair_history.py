"""How often each pair of tokens stands in a text, before every merge of a BPE.

Merges are applied to each distinct word by itself, many words at a time. What comes out is a
list of changes: merge, pair, word, difference. From it the counts of any pair before any merge
follow by sums, for any weighting of the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from tokbench.tokenizers.text.merges import Merges

CHUNK = 100_000
"""Words simulated at a time: bounds the memory."""

_NEVER = np.iinfo(np.int32).max


class Table:
    """The first merges of a BPE, over dense numbers for the tokens they touch.

    A merge whose parts the vocabulary lacks is left out. size: dense numbers in use. left,
    right, product: of each merge kept; places: their numbers in the tokenizer's list.
    """

    def __init__(self, merges: Merges, most: int):
        parts = [merges.parts(place) for place in range(min(most, len(merges.products)))]
        self.places = [place for place, pair in enumerate(parts) if pair is not None]
        dense: dict[int, int] = {}
        numbered = [
            [dense.setdefault(i, len(dense)) for i in (*pair, product)]
            for pair, product in zip(parts, merges.products, strict=False)
            if pair is not None
        ]
        self.left, self.right, self.product = np.array(numbered, np.int64).reshape(-1, 3).T
        self.letters = {c: dense.setdefault(i, len(dense)) for c, i in merges.letters.items()}
        self.size = len(dense)
        keys = self.pairs(self.left, self.right)
        # A pair listed twice merges when it is first listed.
        self._keys, self._ranks = np.unique(keys, return_index=True)

    def __len__(self) -> int:
        return len(self.places)

    def pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """One number for each pair of dense numbers; a token that is none makes no pair: -1."""
        known = (left >= 0) & (right >= 0)
        return np.where(known, left.astype(np.int64) * self.size + right, -1)

    def ranks(self, pairs: np.ndarray) -> np.ndarray:
        """The merge of each pair; `_NEVER` where there is none."""
        if not len(self._keys):
            return np.full(len(pairs), _NEVER, dtype=np.int32)
        at = np.minimum(np.searchsorted(self._keys, pairs), len(self._keys) - 1)
        return np.where(self._keys[at] == pairs, self._ranks[at], _NEVER).astype(np.int32)

    def spelled(self, words: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The letters of words (text or bytes), one after the other, as dense numbers (-1 for
        one that the vocabulary lacks), and how many each word has."""
        if words and isinstance(words[0], bytes):
            flat = np.frombuffer(b"".join(words), dtype=np.uint8)
        else:
            flat = np.frombuffer("".join(words).encode("utf-32-le", "replace"), dtype="<u4")
        known = np.full(0x110000, -1, dtype=np.int32)
        for letter, number in self.letters.items():
            known[letter if isinstance(letter, int) else ord(letter)] = number
        return known[flat], np.fromiter(map(len, words), dtype=np.int64, count=len(words))


@dataclass(frozen=True)
class Changes:
    """step: the merge that changes the count, -1 for the count at the start. pair: as `Table`
    numbers it. row: the word, or the category. change: the difference."""

    pair: np.ndarray
    step: np.ndarray
    row: np.ndarray
    change: np.ndarray


def simulate(words: Sequence[Any], table: Table) -> Iterator[Changes]:
    """The changes in words (each counted once), for chunks of words in order."""
    for first in range(0, len(words), CHUNK):
        found = list(_rounds(words[first : first + CHUNK], table))
        pair, step, row, change = (np.concatenate(column) for column in zip(*found, strict=True))
        yield Changes(pair, step, row + np.int32(first), change)


Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _rounds(words: Sequence[Any], table: Table) -> Iterator[Columns]:
    """In every round each word applies its earliest merge, wherever that occurs in it."""
    tokens, lengths = table.spelled(words)
    words_of = np.repeat(np.arange(len(words), dtype=np.int32), lengths)
    last = np.full(len(words), -1, dtype=np.int32)  # the merge applied last in each word
    pairs = _pairs(table, tokens, words_of)
    ranks = table.ranks(pairs)
    yield _entries(pairs, pairs >= 0, words_of, last, 1)
    while len(tokens):
        begins = np.flatnonzero(np.diff(words_of, prepend=-1))
        best = np.minimum.reduceat(ranks, begins)
        going = np.repeat(best != _NEVER, np.diff(begins, append=len(tokens)))
        tokens, words_of, pairs, ranks = (a[going] for a in (tokens, words_of, pairs, ranks))
        if not len(tokens):
            return
        begins = np.flatnonzero(np.diff(words_of, prepend=-1))
        best = best[best != _NEVER]
        here = words_of[begins]
        # A merge never comes before one that made its parts, whatever the list says.
        last[here] = np.maximum(last[here], best)
        hit = _every_other(ranks == np.repeat(best, np.diff(begins, append=len(tokens))))
        merged = hit | np.concatenate(([False], hit[:-1]))
        gone = (merged | np.concatenate((merged[1:], [False]))) & (pairs >= 0)
        yield _entries(pairs, gone, words_of, last, -1)
        tokens = np.where(hit, table.product[np.where(hit, ranks, 0)], tokens).astype(np.int32)
        kept = ~np.concatenate(([False], hit[:-1]))
        tokens, words_of, pairs, ranks, new = (
            a[kept] for a in (tokens, words_of, pairs, ranks, hit)
        )
        changed = new | np.concatenate((new[1:], [False]))
        fresh = _pairs(table, tokens, words_of)
        pairs = np.where(changed, fresh, pairs)
        ranks[changed] = table.ranks(pairs[changed])
        yield _entries(pairs, changed & (pairs >= 0), words_of, last, 1)


def _pairs(table: Table, tokens: np.ndarray, words_of: np.ndarray) -> np.ndarray:
    """The pair that each token makes with the next of its word; -1 for none."""
    if not len(tokens):
        return np.empty(0, dtype=np.int64)
    found = table.pairs(tokens, np.append(tokens[1:], -1))
    found[:-1][words_of[1:] != words_of[:-1]] = -1
    return found


def _every_other(hit: np.ndarray) -> np.ndarray:
    """Of hits in a row (a token that repeats) the first, third, fifth, …: what a merge from the
    left takes."""
    places = np.arange(len(hit))
    begin = np.maximum.accumulate(np.where(hit & ~np.concatenate(([False], hit[:-1])), places, 0))
    return hit & ((places - begin) % 2 == 0)


def _entries(
    pairs: np.ndarray, which: np.ndarray, words_of: np.ndarray, last: np.ndarray, change: int
) -> Columns:
    row = words_of[which]
    return pairs[which], last[row], row, np.full(len(row), change, dtype=np.int32)


def summed(found: Iterator[Changes], counts: sparse.csr_array) -> Changes:
    """Changes by category (columns of `counts`) in place of words, sorted by pair, step and
    category, those that cancel left out."""
    total: Changes | None = None
    for changes in found:
        sizes = np.diff(counts.indptr)[changes.row]
        begins = np.repeat(counts.indptr[changes.row] - np.cumsum(sizes) + sizes, sizes)
        at = begins + np.arange(sizes.sum())
        part = _grouped(
            np.repeat(changes.pair, sizes),
            np.repeat(changes.step, sizes),
            counts.indices[at],
            np.repeat(changes.change, sizes) * counts.data[at],
        )
        if total is not None:
            both = zip(_columns(total), _columns(part), strict=True)
            part = _grouped(*(np.concatenate(pair) for pair in both))
        total = part
    assert total is not None
    return total


def _columns(changes: Changes) -> Columns:
    return changes.pair, changes.step, changes.row, changes.change


def _grouped(pair: np.ndarray, step: np.ndarray, row: np.ndarray, change: np.ndarray) -> Changes:
    order = np.lexsort((row, step, pair))
    pair, step, row, change = (a[order] for a in (pair, step, row, change))
    first = np.ones(len(pair), dtype=bool)
    first[1:] = (np.diff(pair) != 0) | (np.diff(step) != 0) | (np.diff(row) != 0)
    begins = np.flatnonzero(first)
    change = np.add.reduceat(change, begins) if len(begins) else change
    kept = change != 0
    begins = begins[kept]
    return Changes(
        pair[begins], step[begins].astype(np.int32), row[begins].astype(np.int32), change[kept]
    )
