"""Discrete tokenizers learnt on the spot: patches, or the latents of another tokenizer, quantised.

`vq:16x1024`, `rvq:16x1024x4`, `pq:16x1024x4`, `fsq:8x8x8x5x5x5` quantise patches of pixels;
`kmeans(SPEC,K=1024)`, `rvq(SPEC,K=1024,levels=4)`, `fsq(SPEC,levels=8x8x8)` what a continuous
tokenizer makes of a picture. They learn from `on=photos-mini` (a dataset's name or a path), with
`split` and `limit` (pictures of each group, 0 for all). The same data and options give the same
bytes; what was learnt stays in the cache under a hash of all that it depends on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tokbench.errors import UserError
from tokbench.specs import Options, load_tokenizer
from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.tokenizers.image.vectors import Latents, Patches, Pictures
from tokbench.tokenizers.learnt import Field, Recipe
from tokbench.tokenizers.quantisers import (
    Product,
    Quantiser,
    Residual,
    Scalar,
)
from tokbench.types import Codes, Ragged, Tokenizer, TokenizerSpec

PICTURES = "photos-mini"
"""What is learnt from where nothing else is said."""
_CODES = 1 << 24
"""Ids of a level, at most: a codebook is a table."""


class Quantised(ImageTokenizer):
    """Vectors from a source, and a quantiser for them."""

    def __init__(self, name: str, source: Pictures, quantiser: Quantiser, algorithm: str, on: str):
        self.name, self._source, self._quantiser = name, source, quantiser
        learnt = sum(array.size for array in quantiser.arrays().values())
        within, inner = source.spec, getattr(source, "inner", None)
        self.spec = TokenizerSpec(
            modality="image",
            algorithm=f"{algorithm} of {inner.name if inner else 'patches'}",
            vocabulary=quantiser.sizes,
            value_range=within.value_range,
            size_multiple=within.size_multiple,
            size=within.size,
            deterministic=within.deterministic,
            parameters=learnt + (within.parameters or 0),
            licence=within.licence,
            source=f"learnt on {on} by tokbench",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        arrays = self._quantiser.arrays()
        pieces = [p for name in sorted(arrays) for p in (name, arrays[name].tobytes())]
        sizes = "x".join(map(str, self._quantiser.sizes))
        return "quantised", self._source.identity(), sizes, *pieces

    def codebook(self, level: int = 0) -> np.ndarray:
        """The code vectors (K, d) of a level: pixel values from 0 to 255, or latents."""
        return (self._quantiser.codebook(level) / self._source.unit).astype(np.float32)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        fields, rest = self._source.fields(batch)
        found = [self._quantiser.encode(field.vectors) for field in fields]
        levels = tuple(Ragged.of(list(rows)) for rows in zip(*found, strict=True))
        grids = np.array([field.shape for field in fields], np.int64)
        extra = {f"inner.{key}": value for key, value in rest.extra.items()}
        return Codes(levels, side_bits=rest.side_bits, extra={"grid": grids} | extra)

    def decode(self, codes: Codes) -> list[np.ndarray]:
        shapes = [tuple(grid) for grid in codes.extra["grid"].tolist()]
        fields = [
            Field(self._quantiser.decode([level[n] for level in codes.levels]), shape)
            for n, shape in enumerate(shapes)
        ]
        rest = {k[6:]: value for k, value in codes.extra.items() if k.startswith("inner.")}
        return self._source.pictures(fields, Codes(side_bits=codes.side_bits, extra=rest))


class Lattice(Quantised):
    """Finite scalar quantisation: its codebook is a grid, and it knows which codes are near."""

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self._quantiser.codebook(0))

    def neighbors(self, codes: np.ndarray, k: int) -> np.ndarray:
        """The k ids nearest to each of `codes`, itself left out, nearest first: (n, k)."""
        size = self.spec.vocabulary[0]
        if not 0 < k < size:
            raise ValueError(f"{k} neighbours of a code among {size}")
        points = self._tree.data[np.asarray(codes, np.int64)]
        return self._tree.query(points, k=k + 1)[1][:, 1:]


def vq(reference: str, options: Options) -> Quantised:
    """`vq:16x1024`: patches of 16 × 16 pixels, 1024 centroids."""
    side, size = _numbers(reference, options, "SIDExCODES, such as vq:16x1024", 2)
    return _residual(Patches(side), size, 1, options)


def rvq(reference: str, options: Options) -> Tokenizer:
    """`rvq:16x1024x4`: four levels of 1024 centroids, each for what is left; tokens=2 keeps two.
    `rvq:8x1024@50hz` is of clips."""
    if reference.endswith("hz"):
        from tokbench.tokenizers.audio.transformed import load

        return load(reference, options)
    form = "SIDExCODESxLEVELS, such as rvq:16x1024x4"
    side, size, levels = _numbers(reference, options, form, 3)
    return _residual(Patches(side), size, levels, options)


def pq(reference: str, options: Options) -> Quantised:
    """`pq:16x1024x4`: patches cut into four bands of rows, each with 1024 centroids."""
    form = "SIDExCODESxPARTS, such as pq:16x1024x4"
    side, size, parts = _numbers(reference, options, form, 3)
    if side % parts:
        raise UserError(f"{options.name}: {parts} parts do not divide {side} rows")
    recipe = Recipe("product", (size, parts), size, lambda v: Product.learnt(v, size, parts))
    source = Patches(side)
    quantiser, on = recipe.learnt(source, options, PICTURES)
    return Quantised(options.name, source, quantiser, f"product quantisation, {parts} parts", on)


def fsq(reference: str, options: Options) -> Quantised:
    """`fsq:8x8x8x5x5x5`: six principal components of patches (patch=8), so many levels each."""
    side = options.integer("patch", 8, 1, 64)
    return _scalar(Patches(side), reference, options)


def kmeans_of(inner: str, options: Options) -> Quantised:
    """`kmeans(SPEC,K=1024)`: the nearest of K centroids for each latent vector."""
    return _residual(_latents(inner, options), options.integer("K", 1024, 2, 1 << 16), 1, options)


def rvq_of(inner: str, options: Options) -> Quantised:
    """`rvq(SPEC,K=1024,levels=4)`: levels of centroids for each latent vector; tokens=2 keeps two
    of them."""
    size, levels = options.integer("K", 1024, 2, 1 << 16), options.integer("levels", 4, 1, 64)
    return _residual(_latents(inner, options), size, levels, options)


def fsq_of(inner: str, options: Options) -> Quantised:
    """`fsq(SPEC,levels=8x8x8)`: the latents' first principal components, so many levels each."""
    levels = str(options.take("levels", "8x8x8x5x5x5"))
    return _scalar(_latents(inner, options), levels, options)


def _residual(source: Pictures, size: int, levels: int, options: Options) -> Quantised:
    tokens = options.integer("tokens", levels, 1, levels) if levels > 1 else levels
    recipe = Recipe("residual", (size, levels), size, lambda v: Residual.learnt(v, size, levels))
    quantiser, on = recipe.learnt(source, options, PICTURES)
    assert isinstance(quantiser, Residual)
    kept = f"{tokens} of {levels}" if tokens < levels else levels
    name = "k-means" if levels == 1 else f"residual quantisation, {kept} levels"
    return Quantised(options.name, source, Residual(quantiser.books, tokens), name, on)


def _scalar(source: Pictures, levels: str, options: Options) -> Quantised:
    counts = tuple(int(level) for level in levels.split("x") if level.isdecimal())
    if levels != "x".join(map(str, counts)) or not counts or min(counts) < 2:
        raise UserError(f"{options.name}: {levels}: write levels of 2 or more as 8x8x8x5x5x5")
    codes = math.prod(counts)
    if codes > _CODES:
        raise UserError(f"{options.name}: {codes:,} codes; {_CODES:,} at most")

    def learn(vectors: np.ndarray) -> Quantiser:
        if len(counts) > vectors.shape[1]:
            raise UserError(
                f"{options.name}: {len(counts)} levels for vectors of {vectors.shape[1]}"
            )
        return Scalar.learnt(vectors, counts)

    quantiser, on = Recipe("scalar", counts, 1 << 12, learn).learnt(source, options, PICTURES)
    name = f"FSQ {levels} over principal components"
    return Lattice(options.name, source, quantiser, name, on)


def _latents(inner: str, options: Options) -> Latents:
    tokenizer: Any = load_tokenizer(inner)
    if tokenizer.spec.modality != "image" or tokenizer.spec.kind != "continuous":
        what = f"a {tokenizer.spec.kind} tokenizer of {tokenizer.spec.modality}"
        raise UserError(f"{options.name}: {inner} is {what}; give a continuous one of images")
    return Latents(tokenizer)


_LIMITS = ((1, 256, "a side"), (2, 1 << 16, "codes"), (1, 64, "levels or parts"))


def _numbers(reference: str, options: Options, form: str, count: int) -> list[int]:
    texts = reference.split("x")
    family = options.name.partition(":")[0]
    if len(texts) != count or not all(text.isdecimal() for text in texts):
        raise UserError(f"{options.name}: write {family}:{form}")
    numbers = [int(text) for text in texts]
    for number, (low, high, what) in zip(numbers, _LIMITS, strict=False):
        if not low <= number <= high:
            raise UserError(f"{options.name}: give {what} from {low} to {high:,}, not {number}")
    return numbers
