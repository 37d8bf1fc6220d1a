"""Quantisers of vectors, learnt from a sample: k-means, residual, product and finite scalar.

Vectors are whole numbers held in float64 (their scale is the caller's), and so are centroids and
projections. Every sum and product is then exact, so that neither the order of a sum nor the
number of threads can change a code: the same vectors give the same bytes everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ROUNDS = 16
"""Of Lloyd's algorithm, at most. Later ones change little."""
_FINE = 4096
"""A projection's coefficients are multiples of its inverse."""


class TooFew(Exception):
    """The sample holds fewer distinct vectors than codes are wanted; `found` says how many."""

    def __init__(self, found: int):
        super().__init__(f"{found} distinct vectors")
        self.found = found


class Quantiser:
    """Vectors to ids and back.

    sizes: ids at each level.
    """

    sizes: tuple[int, ...]

    def encode(self, vectors: np.ndarray) -> list[np.ndarray]:
        """The ids of (n, d) vectors at each level."""
        raise AttributeError(f"{type(self).__name__} does not encode")

    def decode(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        """The vectors of ids, one array for each level."""
        raise AttributeError(f"{type(self).__name__} does not decode")

    def codebook(self, level: int) -> np.ndarray:
        """The code vectors (K, d) of a level."""
        raise AttributeError(f"{type(self).__name__} has no codebook()")

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learnt, by name: the arguments of its class."""
        raise AttributeError(f"{type(self).__name__} has no arrays()")


class Residual(Quantiser):
    """Level after level of centroids, each for what the levels before left over. One level is
    plain vector quantisation; any prefix of the levels decodes."""

    def __init__(self, books: np.ndarray, tokens: int | None = None):
        self.books = books
        self._used = books[:tokens]
        self.sizes = tuple(len(book) for book in self._used)

    @classmethod
    def learnt(cls, vectors: np.ndarray, size: int, levels: int) -> Residual:
        """`levels` × `size` centroids. Raises `TooFew`."""
        books = []
        for _ in range(levels):
            books.append(centroids(vectors, size))
            vectors = vectors - books[-1][nearest(vectors, books[-1])[0]]
        return cls(np.stack(books))

    def encode(self, vectors: np.ndarray) -> list[np.ndarray]:
        levels = []
        for book in self._used:
            levels.append(nearest(vectors, book)[0])
            vectors = vectors - book[levels[-1]]
        return levels

    def decode(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        return np.sum([book[row] for book, row in zip(self._used, ids, strict=True)], axis=0)

    def codebook(self, level: int) -> np.ndarray:
        return self._used[level]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"books": self.books}


class Product(Quantiser):
    """Vectors cut into equal parts, each with centroids of its own (Jégou et al. 2011)."""

    def __init__(self, books: np.ndarray):
        self.books = books
        self.sizes = tuple(len(book) for book in books)

    @classmethod
    def learnt(cls, vectors: np.ndarray, size: int, parts: int) -> Product:
        """`size` centroids for each of `parts`, which divide the dimensions. Raises `TooFew`."""
        return cls(np.stack([centroids(part, size) for part in np.split(vectors, parts, axis=1)]))

    def encode(self, vectors: np.ndarray) -> list[np.ndarray]:
        parts = np.split(vectors, len(self.books), axis=1)
        return [nearest(part, book)[0] for part, book in zip(parts, self.books, strict=True)]

    def decode(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        return np.hstack([book[row] for book, row in zip(self.books, ids, strict=True)])

    def codebook(self, level: int) -> np.ndarray:
        return self.books[level]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"books": self.books}


class Scalar(Quantiser):
    """Finite scalar quantisation (Mentzer et al. 2023, 2309.15505) after a linear transform: the
    first principal components, each rounded to one of its levels. The levels lie evenly between
    the 0.5th and the 99.5th percentile of the sample; what is beyond goes to the outermost.

    An id counts through the grid of all levels, the last component fastest.
    """

    def __init__(
        self, mean: np.ndarray, basis: np.ndarray, low: np.ndarray, step: np.ndarray,
        levels: np.ndarray,
    ):  # fmt: skip
        self.mean, self.basis, self.low, self.step = mean, basis, low, step
        self.levels = levels
        self.sizes = (math.prod(levels.tolist()),)

    @classmethod
    def learnt(cls, vectors: np.ndarray, levels: Sequence[int]) -> Scalar:
        """As many components as there are levels, no more than dimensions."""
        mean = np.rint(vectors.mean(0))
        centred = vectors - mean
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes[:, ::-1][:, : len(levels)]
        largest = np.abs(np.round(axes, 6)).argmax(0)  # its sign is the library's whim
        axes = axes * np.sign(axes[largest, np.arange(len(levels))])
        basis = np.rint(axes * _FINE)
        low, high = np.rint(np.quantile(centred @ basis, (0.005, 0.995), axis=0))
        counts = np.asarray(levels, np.int64)
        step = np.maximum(1, np.rint((high - low) / (counts - 1)))
        return cls(mean, basis, low, step, counts)

    def encode(self, vectors: np.ndarray) -> list[np.ndarray]:
        place = np.floor(((vectors - self.mean) @ self.basis - self.low) / self.step + 0.5)
        place = np.clip(place, 0, self.levels - 1).astype(np.int64)
        return [np.ravel_multi_index(tuple(place.T), tuple(self.levels.tolist()))]

    def decode(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        return self.mean + self._components(ids[0]) @ self.basis.T / _FINE**2

    def codebook(self, level: int) -> np.ndarray:
        """Principal components of every id, in the vectors' unit."""
        return self._components(np.arange(self.sizes[0])) / _FINE

    def arrays(self) -> dict[str, np.ndarray]:
        names = ("mean", "basis", "low", "step", "levels")
        return {name: getattr(self, name) for name in names}

    def _components(self, ids: np.ndarray) -> np.ndarray:
        place = np.unravel_index(ids, tuple(self.levels.tolist()))
        return self.low + np.stack(place, axis=1) * self.step


def nearest(vectors: np.ndarray, book: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row of `book` nearest to each vector (the first of equals), and the squared distance."""
    lengths = (book**2).sum(1)
    ids = np.empty(len(vectors), np.int64)
    distances = np.empty(len(vectors))
    rows = max(1, (1 << 22) // len(book))
    for start in range(0, len(vectors), rows):
        some = slice(start, start + rows)
        apart = lengths - 2 * (vectors[some] @ book.T)
        ids[some] = apart.argmin(1)
        distances[some] = apart.min(1) + (vectors[some] ** 2).sum(1)
    return ids, distances


def centroids(vectors: np.ndarray, count: int) -> np.ndarray:
    """Lloyd's k-means from a seeded choice of distinct vectors; a centroid without vectors moves
    to the one that fits worst. Raises `TooFew`."""
    distinct = np.unique(vectors, axis=0)
    if len(distinct) < count:
        raise TooFew(len(distinct))
    chosen = np.random.default_rng(0).choice(len(distinct), count, replace=False)
    book = distinct[np.sort(chosen)]
    for _ in range(ROUNDS):
        ids, distances = nearest(vectors, book)
        moved = _means(vectors, ids, count)
        empty = np.flatnonzero(np.bincount(ids, minlength=count) == 0)
        moved[empty] = vectors[np.argsort(-distances, kind="stable")[: len(empty)]]
        if (moved == book).all():
            break
        book = moved
    return book


def _means(vectors: np.ndarray, ids: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(ids, kind="stable")
    used, starts, sizes = np.unique(ids[order], return_index=True, return_counts=True)
    means = np.zeros((count, vectors.shape[1]))
    means[used] = np.rint(np.add.reduceat(vectors[order], starts, axis=0) / sizes[:, None])
    return means


KINDS: dict[str, type[Quantiser]] = {"residual": Residual, "product": Product, "scalar": Scalar}
