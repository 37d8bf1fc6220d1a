"""Pictures as fields of vectors: patches of pixels, or the latents of another tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.types import Codes, TokenizerSpec


class Field(NamedTuple):
    """The vectors (n, d) of one picture and the shape in which they lie."""

    vectors: np.ndarray
    shape: tuple[int, ...]


class Source(Protocol):
    """Where vectors come from and go to: whole numbers, in multiples of 1 / `unit`."""

    unit: int
    spec: TokenizerSpec

    def identity(self) -> str: ...
    def fields(self, batch: Sequence[np.ndarray]) -> tuple[list[Field], Codes]: ...
    def pictures(self, fields: list[Field], codes: Codes) -> list[np.ndarray]: ...


class Patches:
    """Squares of side × side pixels, left to right and top to bottom."""

    unit = 64

    def __init__(self, side: int):
        self._side = side
        self.spec = TokenizerSpec(
            modality="image", value_range=(0.0, 255.0), size_multiple=side, parameters=0
        )

    def identity(self) -> str:
        return f"patches {self._side}"

    def fields(self, batch: Sequence[np.ndarray]) -> tuple[list[Field], Codes]:
        """Each picture's patches. No codes beside them."""
        side, found = self._side, []
        for picture in batch:
            rows, columns = picture.shape[0] // side, picture.shape[1] // side
            cut = picture.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
            vectors = cut.reshape(rows * columns, -1).astype(np.float64) * self.unit
            found.append(Field(vectors, (rows, columns)))
        return found, Codes()

    def pictures(self, fields: list[Field], codes: Codes) -> list[np.ndarray]:
        """The patches put together."""
        side, pictures = self._side, []
        for vectors, (rows, columns) in fields:
            cut = (vectors / self.unit).astype(np.float32).reshape(rows, columns, side, side, 3)
            pictures.append(cut.swapaxes(1, 2).reshape(rows * side, columns * side, 3))
        return pictures


class Latents:
    """The latents (channels, …) of a continuous tokenizer, a vector for each position."""

    unit = 1024

    def __init__(self, inner: ImageTokenizer):
        self.inner, self.spec = inner, inner.spec

    def identity(self) -> str:
        return f"latents {self.inner.fingerprint()}"

    def fields(self, batch: Sequence[np.ndarray]) -> tuple[list[Field], Codes]:
        """Each picture's latents, rounded to the unit, and what else the decoder needs."""
        codes = self.inner.encode(batch)
        found = []
        for latent in codes.latents:
            rounded = np.rint(latent.astype(np.float64) * self.unit).clip(-(1 << 24), 1 << 24)
            found.append(Field(rounded.reshape(len(latent), -1).T, latent.shape[1:]))
        return found, Codes(side_bits=codes.side_bits, extra=codes.extra)

    def pictures(self, fields: list[Field], codes: Codes) -> list[np.ndarray]:
        """What the tokenizer's decoder makes of the vectors."""
        latents = tuple(
            np.ascontiguousarray((vectors.T / self.unit).astype(np.float32).reshape(-1, *shape))
            for vectors, shape in fields
        )
        return list(self.inner.decode(Codes((), latents, codes.side_bits, codes.extra)))
