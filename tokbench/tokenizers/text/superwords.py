"""Learning superwords: SuperBPE's second stage (arXiv 2503.13423)."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
import regex

from tokbench.tokenizers.text.byte_tables import BYTE_LEVEL

MOST_WORDS = 4
"""Words in a superword: the limit in the scripts of SuperBPE's authors (`mw4`)."""

LEAST = 2
"""Occurrences that make a superword."""

KEPT_APART = regex.compile(r"[\p{N}\r\n]")
"""What no superword holds: numbers, as in the authors' code, and line ends."""


class Superwords:
    """Learns merges of neighbouring tokens, the most frequent pair first (of equal ones the
    pair of lower ids), and adds them to `tokens`.

    All occurrences of a pair come about at one moment, when the later of its tokens is made;
    from then on they only vanish. (No token is made twice: between the same edges the same
    bytes are always merged in the same way.) So a pair keeps its places of that moment, and
    its count in the heap is an upper bound, corrected when it comes to the top.

    tokens: the vocabulary in GPT-2's byte alphabet, by id.
    ids: int32, the text in these tokens; -1, which parts samples, is in no pair and stands
        first and last. It is written to.
    """

    def __init__(self, tokens: list[str], ids: np.ndarray):
        self.tokens = tokens
        self._ids = ids
        # Neighbours as links, because a merge takes tokens out of the sequence.
        self._next = np.arange(1, len(ids) + 1, dtype=np.int64)
        self._previous = self._next - 2
        self._places: dict[tuple[int, int], np.ndarray] = {}
        self._heap: list[tuple[int, int, int]] = []
        self._note(np.flatnonzero(ids >= 0))

    def learn(self, most: int) -> list[tuple[str, str]]:
        """At most `most` merges in order, as pairs of tokens; fewer when no pair is left."""
        merges: list[tuple[str, str]] = []
        while self._heap and len(merges) < most:
            bound, left, right = heappop(self._heap)
            standing = self._standing(left, right)
            apart = self._apart(standing) if left == right else standing
            if LEAST <= len(apart) < -bound:
                self._places[left, right] = standing
                heappush(self._heap, (-len(apart), left, right))
            elif len(apart) == -bound and self._allowed(self.tokens[left] + self.tokens[right]):
                merges.append((self.tokens[left], self.tokens[right]))
                self._merge(apart, merges[-1])
        return merges

    def _allowed(self, token: str) -> bool:
        """May it be a superword, by what it holds and its number of words?"""
        text = bytes(map(BYTE_LEVEL.__getitem__, token)).decode(errors="ignore")
        return not KEPT_APART.search(text) and len(text.split()) <= MOST_WORDS

    def _merge(self, places: np.ndarray, pair: tuple[str, str]) -> None:
        """A new token at `places`, where the pair stands without overlap."""
        gone = self._next[places]
        self._ids[places] = len(self.tokens)
        self._ids[gone] = -1
        self._next[places] = self._next[gone]
        self._previous[self._next[gone]] = places
        self.tokens.append("".join(pair))
        around = np.union1d(self._previous[places], places)
        self._note(around[self._ids[around] >= 0])

    def _note(self, places: np.ndarray) -> None:
        """Take up the pairs that begin at `places` (ascending)."""
        right = self._ids[self._next[places]]
        places, right = places[right >= 0], right[right >= 0]
        key = self._ids[places].astype(np.int64) << 32 | right
        order = np.argsort(key, kind="stable")
        key, places = key[order], places[order]
        starts = np.flatnonzero(np.diff(key, prepend=-1))
        sizes = np.diff(starts, append=len(key))
        often = sizes >= LEAST
        for start, size in zip(starts[often].tolist(), sizes[often].tolist(), strict=True):
            pair = divmod(int(key[start]), 1 << 32)
            self._places[pair] = places[start : start + size]
            heappush(self._heap, (-size, *pair))

    def _standing(self, left: int, right: int) -> np.ndarray:
        """The places where the pair still stands."""
        places = self._places.pop((left, right))
        after = self._ids[self._next[places]]
        return places[(self._ids[places] == left) & (after == right)]

    def _apart(self, places: np.ndarray) -> np.ndarray:
        """Of a token's pairs with itself those that a pass from the left merges: every
        second one in a run."""
        number = np.arange(len(places))
        follows = np.zeros(len(places), dtype=bool)
        follows[1:] = self._next[places[:-1]] == places[1:]
        first = np.maximum.accumulate(np.where(follows, 0, number))
        return places[(number - first) % 2 == 0]
