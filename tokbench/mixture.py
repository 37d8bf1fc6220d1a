"""Data mixture inference: what share of each category was a BPE trained on?

Hayase et al. (arXiv 2407.16607). Each merge was the most frequent pair of its moment in the
training text; so the mixture of categories has to make it so, merge after merge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tokbench.errors import UserError
from tokbench.executors import spread
from tokbench.pair_history import Table, simulate, summed
from tokbench.pretokens import BLOCKS, Pretokens
from tokbench.programme import History, Rows, Solution, solved
from tokbench.tokenizers.text.merges import Merges

FEWEST = 20
"""Merges below which nothing is inferred."""

Z = 1.96
"""Standard deviations of the bootstrap to either side."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Mixture:
    """What the merges say of the training text.

    shares: of its bytes, by category; they sum to 1, for nothing else is thought of.
    intervals: 95 %, 1.96 standard deviations of a bootstrap over blocks of each category's
        text, with the constraints found; None without one. They show what other text of the
        same kind would have given, not how unlike the tokenizer's own text may be.
    sizes: bytes read. merges: considered; used: of them, those that the text shows often enough.
    constraints: in the last programme. rounds: programmes solved. slack: Σ v as a share of what
        the merges used amount to (0: the text orders all pairs as the tokenizer does).
    gap: what slack at most is missing for the constraints not added, as a share of Σ v.
    """

    categories: list[str]
    shares: list[float]
    intervals: list[tuple[float, float]] | None
    sizes: list[int]
    merges: int
    used: int
    constraints: int
    rounds: int
    slack: float
    gap: float


def infer(
    merges: Merges,
    pretokens: Pretokens,
    *,
    most: int,
    least: int = 10,
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Mixture:
    """The mixture from the first `most` merges and counted pretokens.

    least: occurrences in all the text that a merge needs to be used (rarer ones are noise).
    Raises `UserError` when too few merges are left, and when they tell nothing.
    """
    say = progress or (lambda _: None)
    say("replaying the merges")
    table = Table(merges, most)
    sizes = pretokens.sizes.sum(axis=1)
    changes = summed(simulate(pretokens.words, table), _by_category(pretokens))
    history = History(changes, table, sizes.mean() / sizes, least)
    used = int(history.used.sum())
    if used < FEWEST:
        raise UserError(
            f"{used} of {len(table)} merges occur {least} times in the text: mixture inference "
            f"needs {FEWEST}; give more text, or text like the tokenizer's"
        )
    solution = solved(history.violated, Rows.none(len(sizes)), say)
    if not len(solution.found.merge):
        raise UserError(
            "the merges fit equal shares and many others: categories so alike, or so few merges, "
            "tell nothing of the mixture"
        )
    intervals = None
    if bootstrap:
        say("bootstrap")
        intervals = _intervals(solution, history, table, pretokens, bootstrap, seed, workers)
    weight = float((history.merged[history.used] @ solution.shares).sum())
    return Mixture(
        pretokens.categories,
        solution.shares.tolist(),
        intervals,
        sizes.tolist(),
        len(table),
        used,
        len(solution.rows.merge),
        solution.rounds,
        solution.objective / weight,
        solution.gap,
    )


def _by_category(pretokens: Pretokens) -> sparse.csr_array:
    """Counts of words by category, blocks summed."""
    columns = pretokens.counts.shape[1]
    ones = np.ones(columns, dtype=np.int64)
    fold = (ones, (np.arange(columns), np.arange(columns) // BLOCKS))
    return sparse.csr_array(pretokens.counts @ sparse.csr_array(fold))


@dataclass(frozen=True)
class Blocks:
    """What the rows of a programme need, by block, so that it can be resampled.

    rows: all constraints found. start: which of them the last programme had.
    changes: of the counts of one query (a pair before a merge) since the query of the same pair
    before it, (queries, categories · BLOCKS). begins: each pair's first query. merged, other:
    the queries of each row. sizes: bytes, (categories, BLOCKS).
    """

    rows: Rows
    start: np.ndarray
    changes: sparse.csr_array
    begins: np.ndarray
    merged: np.ndarray
    other: np.ndarray
    sizes: np.ndarray

    def resampled(self, seed: int, number: int) -> list[float]:
        """Shares with as many blocks of each category drawn anew, with replacement."""
        rng = np.random.default_rng((seed, number))
        n = len(self.sizes)
        times = rng.multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=n)
        read = (times * self.sizes).sum(axis=1)
        scale = self.sizes.sum() / n / np.maximum(read, 1)
        columns = np.arange(n * BLOCKS)
        weights = (times * scale[:, None]).ravel(), (columns, columns // BLOCKS)
        total = np.cumsum((self.changes @ sparse.csr_array(weights)).toarray(), axis=0)
        before = np.concatenate((np.zeros((1, n)), total))[self.begins]
        counts = total - before
        difference = counts[self.merged] - counts[self.other]
        rows = Rows(self.rows.merge, self.rows.pair, difference)
        return solved(rows.violated, rows.of(self.start), lambda _: None).shares.tolist()


def _intervals(
    solution: Solution,
    history: History,
    table: Table,
    pretokens: Pretokens,
    replicates: int,
    seed: int,
    workers: int,
) -> list[tuple[float, float]]:
    blocks = _blocks(solution, history, table, pretokens)
    shares = [numbers for w in range(workers) if (numbers := range(w, replicates, workers))]
    found = spread(_replicated, [(blocks, seed, numbers) for numbers in shares], workers)
    drawn = np.array([row for rows in found for row in rows])
    # Around the estimate: resampled text is noisier than the text, which shifts its shares.
    reach = Z * drawn.std(axis=0, ddof=1)
    low, high = np.clip(solution.shares - reach, 0, 1), np.clip(solution.shares + reach, 0, 1)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _replicated(job: tuple[Blocks, int, range]) -> list[list[float]]:
    blocks, seed, numbers = job
    return [blocks.resampled(seed, number) for number in numbers]


def _blocks(solution: Solution, history: History, table: Table, pretokens: Pretokens) -> Blocks:
    """The merges are replayed, and the changes of the rows' pairs kept by block."""
    rows, room = solution.found, len(table) + 2
    own = table.pairs(table.left, table.right)[rows.merge] * room + rows.merge
    others = history.keys[rows.pair] * room + rows.merge
    queries, at = np.unique(np.concatenate((own, others)), return_inverse=True)
    keys = queries // room
    shape = (len(queries), pretokens.counts.shape[1])
    total = sparse.csr_array(shape, dtype=np.int64)
    for found in simulate(pretokens.words, table):
        # A change counts from the merge after it: for the pair's next query and those behind.
        place = np.searchsorted(queries, found.pair * room + found.step + 1)
        place = np.minimum(place, len(queries) - 1)
        asked = (keys[place] == found.pair) & (queries[place] % room > found.step)
        rows_of = (found.change[asked], (place[asked], found.row[asked]))
        spread = sparse.csr_array(rows_of, shape=(len(queries), len(pretokens.words)))
        total = total + spread @ pretokens.counts
    last = set(zip(solution.rows.merge.tolist(), solution.rows.pair.tolist(), strict=True))
    both = zip(rows.merge.tolist(), rows.pair.tolist(), strict=True)
    start = np.fromiter((row in last for row in both), dtype=bool, count=len(rows.merge))
    new = np.diff(keys, prepend=-1) != 0
    begins = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))
    return Blocks(
        rows,
        start,
        sparse.csr_array(total),
        begins,
        at[: len(own)],
        at[len(own) :],
        pretokens.sizes,
    )
