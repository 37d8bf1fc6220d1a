"""Perturbed codes: tokens replaced by near ones, latents with noise (pFID, 2503.08354).

Each sample's draw is seeded by its group, name, codebook level and cell of the grid, so that
batches and shards change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from tokbench.bench import of_the_tokenizer
from tokbench.errors import UserError, one_line
from tokbench.files import sha256
from tokbench.media import EncodedMedia
from tokbench.types import Codes, Ragged, TokenizerSpec

_PAIRS = 1 << 22
"""Distances held at once."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the grid, and how it is read.

    alpha: share of the positions replaced. delta: how many near codes the new one is drawn from.
    positions: `exact` (alpha of them, rounded) or `bernoulli` (each with probability alpha).
    near: `code` (neighbours of the code's own vector) or `latent` (of the latent before it was
    quantised). itself: `in` (the token's own code counts as one of the delta) or `out`.
    """

    alpha: float
    delta: int
    positions: str
    near: str
    itself: str


def scaled(delta: int, size: int, at: int) -> int:
    """δ, given for a codebook of `at` codes, for one of `size` codes; at = 0: as it is."""
    return int(np.floor(delta * size / at + 0.5)) if at else delta


def refusal(spec: TokenizerSpec, deltas: list[int], at: int) -> str:
    """Why these deltas mean nothing for the tokenizer's codebooks, or an empty string."""
    for size in spec.vocabulary:
        found = [scaled(delta, size, at) for delta in deltas]
        told = ", ".join(map(str, found))
        if max(found) >= size:
            return f"delta {told} of {size:,} codes leaves no neighbourhood"
        if min(found) < 1 or len(set(found)) < len(found):
            return f"the codebook of {size:,} is too small: the deltas become {told}"
    return ""


def nearest(vectors: np.ndarray, codebook: np.ndarray, count: int) -> np.ndarray:
    """The `count` codes nearest to each vector by Euclidean distance, nearest first (equal ones by
    id): int32 (n, count)."""
    book = np.asarray(codebook, dtype=np.float64)
    points = np.asarray(vectors, dtype=np.float64)
    lengths = (book * book).sum(1)
    found = np.empty((len(points), count), dtype=np.int32)
    grain = 2.0**30 / max(float(lengths.max(initial=0)), 1e-300)
    step = max(1, _PAIRS // max(1, len(book)))
    for first in range(0, len(points), step):
        rows = points[first : first + step]
        # But for the vector's own length. On a lattice many are equally far: rounded, they are
        # equal whatever order the processor adds in.
        apart = np.round((lengths - 2 * (rows @ book.T)) * grain)
        ids = np.sort(np.argpartition(apart, count - 1, axis=1)[:, :count], axis=1)
        values = np.take_along_axis(apart, ids, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        here = np.take_along_axis(ids, order, axis=1)
        edge = values.max(axis=1, keepdims=True)
        cut = np.flatnonzero((apart <= edge).sum(axis=1) > count)  # a tie at the edge
        here[cut] = np.argsort(apart[cut], axis=1, kind="stable")[:, :count]
        found[first : first + step] = here
    return found


def _others(table: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Rows of neighbours without the row's own code, one column less."""
    width = table.shape[1]
    place = np.argmax(table == own[:, None], axis=1)
    place[~(table == own[:, None]).any(axis=1)] = width - 1
    columns = np.arange(width - 1)
    return np.take_along_axis(table, columns + (columns >= place[:, None]), axis=1)


class Neighbourhoods:
    """The codes near each code of a tokenizer, made when first asked for and kept."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self._tables: dict[int, np.ndarray] = {}

    def drawn(self, ids: np.ndarray, level: int, others: int, rank: np.ndarray) -> np.ndarray:
        """For each id that one of its `others` nearest other codes whose rank (0: the nearest) is
        given."""
        if not hasattr(self.tokenizer, "codebook"):
            unique, back = np.unique(ids, return_inverse=True)
            table = np.asarray(self.tokenizer.neighbors(unique, others))
            if table.shape != (len(unique), others):
                raise UserError(
                    f"{self.tokenizer.name}: neighbors gave {table.shape} where "
                    f"{(len(unique), others)} was asked"
                )
            return table[back, rank]
        known = self._tables.get(level)
        if known is None or known.shape[1] < others:
            book = self.book(level)
            known = _others(nearest(book, book, others + 1), np.arange(len(book)))
            self._tables[level] = known
        return known[ids, rank]

    def book(self, level: int) -> np.ndarray:
        """The code vectors of a level, checked against what the tokenizer says of itself."""
        book = np.asarray(self.tokenizer.codebook(level))
        size = self.tokenizer.spec.vocabulary[level]
        if book.ndim != 2 or len(book) != size:
            raise UserError(
                f"{self.tokenizer.name}: codebook({level}) is {book.shape}; its spec says {size:,} "
                "codes"
            )
        return book


@lru_cache(maxsize=1)
def _of_fingerprint(fingerprint: str) -> list[Neighbourhoods]:
    return []


def neighbourhoods(tokenizer: Any) -> Neighbourhoods:
    """Those of the tokenizer at work, made once."""
    known = _of_fingerprint(tokenizer.fingerprint())
    if not known or known[0].tokenizer is not tokenizer:
        known[:] = [Neighbourhoods(tokenizer)]
    return known[0]


def perturbed(encoded: EncodedMedia, cell: Cell, at: int) -> Codes:
    """The codes of a batch with tokens of every level replaced as the cell says."""
    levels = []
    for number, level in enumerate(encoded.codes.levels):
        delta = scaled(cell.delta, encoded.tokenizer.spec.vocabulary[number], at)
        levels.append(_level(encoded, cell, number, level, delta))
    # A decoder that could see the latents would undo the change.
    return replace(encoded.codes, levels=tuple(levels), latents=())


def _level(encoded: EncodedMedia, cell: Cell, number: int, level: Ragged, delta: int) -> Ragged:
    chosen, ranks = [], []
    for row, length in enumerate(level.lengths.tolist()):
        rng = generator(encoded, row, "codes", number, cell.alpha, cell.delta)
        if cell.positions == "exact":
            picked = np.sort(rng.permutation(length)[: int(np.floor(cell.alpha * length + 0.5))])
        else:
            picked = np.flatnonzero(rng.random(length) < cell.alpha)
        chosen.append(level.offsets[row] + picked)
        ranks.append(rng.integers(0, delta, len(picked)))
    places, rank = np.concatenate(chosen), np.concatenate(ranks)
    values = level.values.astype(np.int64)
    old = values[places]
    near = neighbourhoods(encoded.tokenizer)
    if cell.near == "latent":
        book = near.book(number)
        points = np.concatenate(encoded.codes.latents)[places]
        table = nearest(points, book, delta + (cell.itself == "out"))
        values[places] = _drawn(_others(table, old) if cell.itself == "out" else table, rank)
    else:
        keep = cell.itself == "in"
        new = old.copy()
        moved = rank > 0 if keep else np.ones(len(rank), dtype=bool)
        if moved.any():
            new[moved] = near.drawn(old[moved], number, delta - keep, rank[moved] - keep)
        values[places] = new
    return Ragged(values, level.offsets)


def _drawn(table: np.ndarray, rank: np.ndarray) -> np.ndarray:
    return np.take_along_axis(table, rank[:, None], axis=1)[:, 0]


def noisy(encoded: EncodedMedia, sigma: float) -> Codes:
    """The codes with Gaussian noise on each sample's latents, of σ times their own standard
    deviation."""
    latents = []
    for row, latent in enumerate(encoded.codes.latents):
        values = np.asarray(latent, dtype=np.float64)
        noise = generator(encoded, row, "latents", 0, sigma, 0).standard_normal(values.shape)
        latents.append((values + sigma * values.std() * noise).astype(latent.dtype))
    return replace(encoded.codes, latents=tuple(latents))


def generator(
    encoded: EncodedMedia, row: int, what: str, level: int, first: float, second: float
) -> np.random.Generator:
    """Random numbers of one sample in one cell."""
    group = encoded.groups[int(encoded.batch.group[row])]
    name = encoded.batch.samples[row].name
    digest = sha256(what, group, name, str(level), repr(float(first)), repr(float(second)))
    return np.random.default_rng(int(digest[:32], 16))


def decoded(encoded: EncodedMedia, codes: Codes, causes: dict[str, int]) -> list[np.ndarray | None]:
    """The restored pictures of other codes; None for those whose decoding fails, which are counted
    by cause. What fails together is tried one by one."""
    assert encoded.restore is not None
    try:
        return list(encoded.restore(codes, range(len(encoded.batch))))
    except BaseException as error:
        if not (isinstance(error, MemoryError) or of_the_tokenizer(error)):
            raise
    found: list[np.ndarray | None] = []
    for row in range(len(encoded.batch)):
        try:
            found += encoded.restore(codes.select([row]), [row])
        except BaseException as error:
            if not (isinstance(error, MemoryError) or of_the_tokenizer(error)):
                raise
            cause = f"perturbed: {type(error).__name__}: {one_line(error)}"[:200]
            causes[cause] = causes.get(cause, 0) + 1
            found.append(None)
    return found
