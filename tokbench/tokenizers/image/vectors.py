"""Pictures as fields of vectors: patches of pixels, or the latents of another tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tokbench.image.fitting import fit
from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.tokenizers.learnt import Field, Source
from tokbench.types import Codes, Sample, TokenizerSpec


class Pictures(Source, Protocol):
    """A source of vectors of pictures, which it puts together again."""

    def pictures(self, fields: list[Field], codes: Codes) -> list[np.ndarray]: ...


def prepared(samples: Sequence[Sample], spec: TokenizerSpec) -> list[np.ndarray]:
    """The pictures that could be read, as a tokenizer of that spec takes them."""
    return [fit(sample.data, spec).pixels for sample in samples if sample.data is not None]


class Patches:
    """Squares of side × side pixels, left to right and top to bottom."""

    unit = 64

    def __init__(self, side: int):
        self._side = side
        self.spec = TokenizerSpec(
            modality="image", value_range=(0.0, 255.0), size_multiple=side, parameters=0
        )

    def prepared(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        return prepared(samples, self.spec)

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

    def prepared(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        return prepared(samples, self.spec)

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
