"""Image tokenizers with a codebook: the mean colour of each 4 × 4 patch on a lattice of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.perturbation import nearest
from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec

PATCH = 4


def patches(picture: np.ndarray) -> np.ndarray:
    """Mean colour of each patch, (patches, 3)."""
    height, width = (side // PATCH for side in picture.shape[:2])
    cut = picture.reshape(height, PATCH, width, PATCH, 3)
    return cut.mean(axis=(1, 3)).reshape(-1, 3)


def spread(colours: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """A picture of one colour for each patch."""
    table = colours.reshape(size[0] // PATCH, size[1] // PATCH, 3)
    return table.repeat(PATCH, 0).repeat(PATCH, 1).astype(np.float32)


class Lattice(ImageTokenizer):
    """side³ colours, K = 4096 for the default, and no word of which are near each other."""

    name = "lattice"

    def __init__(self, side: int | str = 16) -> None:
        self.side = int(side)
        self.spec = TokenizerSpec(
            modality="image", vocabulary=(self.side**3,), value_range=(0.0, 1.0),
            size_multiple=PATCH,
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        return type(self).__name__, str(self.side)

    def table(self) -> np.ndarray:
        ids = np.arange(self.side**3)
        steps = np.stack([ids // self.side**2, ids // self.side % self.side, ids % self.side], 1)
        return (steps + 0.5) / self.side

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        steps = [np.clip(patches(p) * self.side, 0, self.side - 1).astype(int) for p in batch]
        ids = [s @ np.array([self.side**2, self.side, 1]) for s in steps]
        return Codes((Ragged.of(ids),), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        table, shapes = self.table(), codes.extra["size"].tolist()
        return [spread(table[row], shape) for row, shape in zip(codes.ids, shapes, strict=True)]


class Colours(Lattice):
    """With its table."""

    name = "colours"

    def codebook(self, level: int) -> np.ndarray:
        return self.table()


class Implicit(Lattice):
    """Without a table: it names the neighbours of codes."""

    name = "implicit"

    def neighbors(self, codes: np.ndarray, k: int) -> np.ndarray:
        table = nearest(self.table()[codes], self.table(), k + 1)
        return np.stack([row[row != code][:k] for row, code in zip(table, codes, strict=True)])


class Hybrid(Colours):
    """With the latents that it quantised."""

    name = "hybrid"

    def __init__(self, side: int | str = 16) -> None:
        super().__init__(side)
        self.spec = TokenizerSpec(
            modality="image", kind="hybrid", vocabulary=(self.side**3,), value_range=(0.0, 1.0),
            size_multiple=PATCH,
        )  # fmt: skip

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        codes = super().encode(batch)
        return Codes(codes.levels, tuple(map(patches, batch)), extra=codes.extra)


class Liar(Colours):
    """Its table has a code less than it says."""

    name = "liar"

    def codebook(self, level: int) -> np.ndarray:
        return self.table()[1:]


class Continuous(Lattice):
    """The mean colours themselves."""

    name = "continuous"

    def __init__(self) -> None:
        super().__init__()
        self.spec = TokenizerSpec(
            modality="image", kind="continuous", value_range=(0.0, 1.0), size_multiple=PATCH
        )

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return Codes((), tuple(patches(p).astype(np.float32) for p in batch), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        shapes = codes.extra["size"].tolist()
        return [spread(z, shape) for z, shape in zip(codes.latents, shapes, strict=True)]
