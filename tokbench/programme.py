"""The linear programme of data mixture inference, with constraints added as they are violated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from tokbench.errors import UserError
from tokbench.pair_history import Changes, Table

BATCH = 3000
"""Most constraints added between two solutions."""

OF_ONE = 30
"""Most of them about one merge."""

PARTS = 8
"""Parts of a piece of constant count in which a violated constraint is looked for."""

ROUNDS = 100
"""Most solutions; the gap says what is missing."""

GAP = 0.01
"""Missing slack, as a share of Σ v, that is let pass."""

TOLERANCE = 1e-3
"""Violation let pass, in occurrences in as much text as the mean category has."""


@dataclass
class Rows:
    """Constraints: for merge number `merge` and the pair `pair` (by its number in the history)
    before it, Σ α · (counts of the merged pair − counts of the pair) + v_merge + v_pair ≥ 0."""

    merge: np.ndarray
    pair: np.ndarray
    difference: np.ndarray

    @classmethod
    def none(cls, categories: int) -> Rows:
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, np.empty((0, categories)))

    def of(self, which: np.ndarray) -> Rows:
        return Rows(self.merge[which], self.pair[which], self.difference[which])

    def distinct(self) -> Rows:
        """Each constraint once."""
        _, first = np.unique(np.stack((self.merge, self.pair)), axis=1, return_index=True)
        return self.of(np.sort(first))

    def violated(self, shares: np.ndarray, slacks: Slacks) -> tuple[Rows, float]:
        """Of these constraints the violated ones, worst first, and the slack to mend all."""
        over = -slacks.left(self, shares)
        here = np.flatnonzero(over > TOLERANCE)
        here = here[np.argsort(-over[here], kind="stable")]
        _, worst = np.unique(self.merge[here], return_index=True)
        return self.of(here[:BATCH]), float(over[here[worst]].sum())

    def joined(self, other: Rows) -> Rows:
        return Rows(
            np.concatenate((self.merge, other.merge)),
            np.concatenate((self.pair, other.pair)),
            np.concatenate((self.difference, other.difference)),
        )


@dataclass(frozen=True)
class Solution:
    """shares: of each category, α. rows: the constraints of the last programme. found: all
    that any had. rounds: programmes solved. objective: Σ v, a lower bound of what all
    constraints take; gap: how much more they can take, as a share of it."""

    shares: np.ndarray
    rows: Rows
    found: Rows
    rounds: int
    objective: float
    gap: float


Violated = Callable[[np.ndarray, "Slacks"], tuple["Rows", float]]
"""The constraints that shares and slacks violate most, and the slack that would mend all."""


def solved(violated: Violated, start: Rows, say: Callable[[str], None]) -> Solution:
    """Begin with some constraints, add those that the solution violates and solve again, until
    they would change little. Rows that have bound nothing for three rounds are dropped while
    Σ v still grows."""
    n = start.difference.shape[1]
    shares, slacks, rows, found = np.full(n, 1 / n), Slacks({}, {}), start, start
    idle = np.zeros(len(rows.merge), dtype=np.int64)
    objective, rounds = 0.0, 0
    while True:
        if rows is not start or not len(start.merge):
            new, missing = violated(shares, slacks)
            gap = missing / objective if objective else float(missing > 0)
            say(f"round {rounds}: {len(rows.merge):,} constraints, gap {gap:.1%}")
            if gap <= GAP or rounds == ROUNDS:
                return Solution(shares, rows, found.distinct(), rounds, objective, gap)
            rows, found = rows.joined(new), found.joined(new)
            idle = np.concatenate((idle, np.zeros(len(new.merge), dtype=np.int64)))
        before, (shares, slacks) = objective, minimised(rows)
        objective, rounds = slacks.total, rounds + 1
        idle = np.where(slacks.left(rows, shares) > TOLERANCE, idle + 1, 0)
        if objective > 1.001 * before:  # else rows could come and go for ever
            kept = idle < 3
            rows, idle = rows.of(kept), idle[kept]


@dataclass(frozen=True)
class Slacks:
    """v of the merges and pairs that are in a constraint, by number."""

    merge: dict[int, float]
    pair: dict[int, float]

    @property
    def total(self) -> float:
        return sum(self.merge.values()) + sum(self.pair.values())

    def left(self, rows: Rows, shares: np.ndarray) -> np.ndarray:
        """By how much each row holds."""
        slack = [
            self.merge.get(m, 0.0) + self.pair.get(p, 0.0)
            for m, p in zip(rows.merge.tolist(), rows.pair.tolist(), strict=True)
        ]
        return rows.difference @ shares + slack


def minimised(rows: Rows) -> tuple[np.ndarray, Slacks]:
    """Shares and slacks of least Σ v for the given constraints."""
    n = rows.difference.shape[1]
    merges, merge = np.unique(rows.merge, return_inverse=True)
    pairs, pair = np.unique(rows.pair, return_inverse=True)
    count = len(rows.merge)
    at = np.arange(count)
    ones = np.ones(count)
    slack = sparse.csr_array(
        (
            np.concatenate((ones, ones)),
            (np.concatenate((at, at)), np.concatenate((merge, pair + len(merges)))),
        ),
        (count, len(merges) + len(pairs)),
    )
    left = sparse.hstack((sparse.csr_array(rows.difference), slack), format="csr")
    width = left.shape[1]
    found = linprog(
        np.concatenate((np.zeros(n), np.ones(width - n))),
        A_ub=-left,
        b_ub=np.zeros(count),
        A_eq=sparse.csr_array(np.concatenate((np.ones(n), np.zeros(width - n)))[None]),
        b_eq=[1.0],
        bounds=(0, None),
        method="highs-ipm",
    )
    if found.x is None:
        raise UserError(f"the linear programme has no solution: {found.message}")
    shares, slacks = np.clip(found.x[:n], 0, None), found.x[n:]
    of_merges, of_pairs = slacks[: len(merges)].tolist(), slacks[len(merges) :].tolist()
    return shares / shares.sum(), Slacks(
        dict(zip(merges.tolist(), of_merges, strict=True)),
        dict(zip(pairs.tolist(), of_pairs, strict=True)),
    )


class History:
    """Counts of pairs before each merge, from their changes, as pieces of constant count.

    scale: what a count of each category is multiplied by, so that all are as long. least: how
    often in all the text a merge must occur to be used.
    keys: the pairs, as `Table` numbers them. merged: the scaled counts of every merge's own
    pair before it, (merges, categories). used: whether it is used.
    """

    def __init__(self, changes: Changes, table: Table, scale: np.ndarray, least: int):
        self.n = len(scale)
        self._rows, self._steps = changes.row, changes.step
        self._weights = changes.change * scale[changes.row]
        new_pair = np.diff(changes.pair, prepend=-1) != 0
        new_piece = new_pair | (np.diff(changes.step, prepend=-2) != 0)
        starts = np.flatnonzero(new_piece)
        self._bounds = np.append(np.flatnonzero(new_pair), len(changes.pair))
        self.keys = changes.pair[self._bounds[:-1]]
        # Of each piece: its pair, where the pair's changes begin and the piece's end.
        self._pair = (np.cumsum(new_pair) - 1)[starts]
        self._begin = self._bounds[self._pair]
        self._end = np.append(starts[1:], len(changes.pair))
        # It holds from the merge after its change to the merge that changes the count again.
        self._first = changes.step[starts].astype(np.int64) + 1
        self._last = np.append(self._first[1:] - 1, len(table) - 1)
        self._last[np.append(np.diff(self._pair) != 0, True)] = len(table) - 1
        self._live = np.flatnonzero(self._first <= self._last)
        self.merged = self._of_merges(table)
        self.used = self.merged @ (1 / scale) >= least

    def _of_merges(self, table: Table) -> np.ndarray:
        found = np.zeros((len(table), self.n))
        keys = table.pairs(table.left, table.right)
        at = np.searchsorted(self.keys, keys).tolist()
        for merge, (key, k) in enumerate(zip(keys.tolist(), at, strict=True)):
            if k < len(self.keys) and self.keys[k] == key:
                start, stop = self._bounds[k : k + 2].tolist()
                stop = start + int(np.searchsorted(self._steps[start:stop], merge))
                found[merge] = self._sum(start, stop)
        return found

    def _sum(self, start: int, stop: int) -> np.ndarray:
        """Scaled counts by category after the changes from `start` to `stop`."""
        rows = self._rows[start:stop]
        return np.bincount(rows, self._weights[start:stop], minlength=self.n)

    def violated(self, shares: np.ndarray, slacks: Slacks) -> tuple[Rows, float]:
        """The constraints violated most: for every pair that exceeds a merge in a part of a
        piece, the merge that it exceeds most there. And the slack that would mend all."""
        limit = self.merged @ shares
        limit[list(slacks.merge)] += list(slacks.merge.values())
        limit[~self.used] = np.inf
        sums = np.concatenate(([0.0], np.cumsum(self._weights * shares[self._rows])))
        slack = np.zeros(len(self.keys))
        slack[list(slacks.pair)] = list(slacks.pair.values())
        value = sums[self._end] - sums[self._begin] - slack[self._pair]
        live, table = self._live, _minima(limit)
        _, least = _range_minimum(limit, table, self._first[live], self._last[live])
        bad = live[value[live] - least > TOLERANCE]
        # A long piece is looked at in parts: one constraint of a pair says little of the others.
        pieces = np.repeat(bad, PARTS)
        part = np.tile(np.arange(PARTS), len(bad))
        length = self._last[pieces] - self._first[pieces] + 1
        first = self._first[pieces] + part * length // PARTS
        last = self._first[pieces] + (part + 1) * length // PARTS - 1
        some = first <= last
        pieces = pieces[some]
        at, least = _range_minimum(limit, table, first[some], last[some])
        over = value[pieces] - least
        here = np.flatnonzero(over > TOLERANCE)
        here = here[np.lexsort((-over[here], at[here]))]
        begin = np.flatnonzero(np.diff(at[here], prepend=-1))
        missing = float(over[here[begin]].sum())  # each merge's own slack can mend its worst
        place = np.arange(len(here)) - np.repeat(begin, np.diff(begin, append=len(here)))
        here = here[place < OF_ONE]
        here = here[np.argsort(-over[here], kind="stable")][:BATCH]
        merge, pieces = at[here], pieces[here]
        spans = zip(self._begin[pieces].tolist(), self._end[pieces].tolist(), strict=True)
        counts = np.array([self._sum(*span) for span in spans]).reshape(-1, self.n)
        return Rows(merge, self._pair[pieces], self.merged[merge] - counts), missing


def _minima(values: np.ndarray) -> list[np.ndarray]:
    """Where the least of every 1, 2, 4, … values in a row stands."""
    level = [np.arange(len(values))]
    width = 1
    while 2 * width <= len(values):
        a, b = level[-1][:-width], level[-1][width:]
        level.append(np.where(values[b] < values[a], b, a))
        width *= 2
    return level


def _range_minimum(
    values: np.ndarray, level: list[np.ndarray], first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the least value in each [first, last] stands, and the value."""
    power = np.frexp((last - first + 1).astype(float))[1] - 1
    at = np.empty(len(first), dtype=np.int64)
    for p in np.unique(power).tolist():
        here = np.flatnonzero(power == p)
        a, b = level[p][first[here]], level[p][last[here] - (1 << p) + 1]
        at[here] = np.where(values[b] < values[a], b, a)
    return at, values[at]
