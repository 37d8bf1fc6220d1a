"""Image tokenizers with two codebook levels on a grid, computable by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec

SIDE = 4


class Residual(ImageTokenizer):
    """The grey of each 4 × 4 patch in steps of 32 (level 1), and what is left in steps of 8."""

    name = "residual"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="image", vocabulary=(8, 4), size_multiple=SIDE, variable_length=False
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return (self.name,)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        coarse, fine = [], []
        for picture in batch:
            h, w = picture.shape[0] // SIDE, picture.shape[1] // SIDE
            grey = picture.reshape(h, SIDE, w, SIDE, 3).mean((1, 3, 4)).ravel()
            coarse.append((grey // 32).astype(np.int32))
            fine.append((grey % 32 // 8).astype(np.int32))
        return Codes((Ragged.of(coarse), Ragged.of(fine)), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        pictures = []
        for a, b, (h, w) in zip(*codes.levels, codes.extra["size"].tolist(), strict=True):
            grey = (a * 32 + b * 8 + 4).reshape(h // SIDE, w // SIDE).astype(np.uint8)
            grey = grey.repeat(SIDE, 0).repeat(SIDE, 1)
            pictures.append(np.repeat(grey[:, :, None], 3, 2))
        return pictures


class Liar(Residual):
    """Emits ids that its codebook does not have."""

    name = "liar"

    def __init__(self) -> None:
        super().__init__()
        self.spec = TokenizerSpec(modality="image", vocabulary=(4, 4), size_multiple=SIDE)


class Noisy(Residual):
    """Decodes with noise that no seed fixes, and codes two pictures unlike one."""

    name = "noisy"

    def __init__(self) -> None:
        super().__init__()
        self._rng = np.random.default_rng(0)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        codes = super().encode(batch)
        if len(batch) > 1:
            codes.levels[1].values[codes.levels[1].offsets[:-1]] ^= 1
        return codes

    def decode(self, codes: Codes) -> list[np.ndarray]:
        noise = self._rng.normal
        return [
            np.clip(p + noise(0, 2, p.shape), 0, 255).astype(np.uint8)
            for p in super().decode(codes)
        ]


class Means(ImageTokenizer):
    """Continuous: the mean colour of each 4 × 4 patch as a float latent."""

    name = "means"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(modality="image", kind="continuous", size_multiple=SIDE)

    def identity(self) -> tuple[bytes | str, ...]:
        return (self.name,)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        latents = []
        for picture in batch:
            h, w = picture.shape[0] // SIDE, picture.shape[1] // SIDE
            latents.append(picture.reshape(h, SIDE, w, SIDE, 3).mean((1, 3)).astype(np.float32))
        return Codes(latents=tuple(latents))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        rounded = (np.floor(latent + 0.5).astype(np.uint8) for latent in codes.latents)
        return [latent.repeat(SIDE, 0).repeat(SIDE, 1) for latent in rounded]
