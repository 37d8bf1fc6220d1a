"""Image tokenizers that misbehave on purpose, and pictures to try them on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec


def picture(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    """Smooth colour with some noise, seeded."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((y * a + x * b) / 9) for a, b in rng.uniform(0.2, 1.5, (3, 2))]
    noise = rng.normal(0, 6, (height, width, 3))
    return np.clip(128 + 90 * np.stack(waves, axis=2) + noise, 0, 255).astype(np.uint8)


class Levels(ImageTokenizer):
    """Every value rounded to one of 16 greys of its channel; floats in [-1, 1], sizes in eights."""

    name = "levels"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="image", vocabulary=(16,), value_range=(-1.0, 1.0), size_multiple=8
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return ("levels",)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        assert all(p.dtype == np.float32 and not p.shape[0] % 8 for p in batch)
        ids = [np.clip((p.ravel() + 1) * 8, 0, 15).astype(np.uint8) for p in batch]
        return Codes((Ragged.of(ids, np.uint8),), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        return [
            ((row.astype(np.float32) + 0.5) / 8 - 1).reshape(*shape, 3)
            for row, shape in zip(codes.ids, codes.extra["size"].tolist(), strict=True)
        ]


class Choosy(Levels):
    """Cannot hold more than two pictures, refuses bright ones and gives NaN for dark ones."""

    name = "choosy"

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        if len(batch) > 2:
            raise MemoryError("more than two pictures")
        if any(p.mean() > 0.8 for p in batch):
            raise RuntimeError("too bright")
        return super().encode(batch)

    def decode(self, codes: Codes) -> list[np.ndarray]:
        decoded = super().decode(codes)
        return [p * np.nan if p.mean() < -0.8 else p for p in decoded]


class EncodesOnly(Levels):
    """Has no decoder."""

    name = "encodes-only"
    decodes = False

    def decode(self, codes: Codes) -> list[np.ndarray]:
        raise AssertionError("asked to decode")
