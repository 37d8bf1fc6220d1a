"""Video to try things on, and a tokenizer that gets some of it wrong on purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mocks.images import picture
from tokbench.tokenizers.video.adapter import VideoTokenizer, shapes
from tokbench.types import Codes, Ragged, TokenizerSpec


def clip(seed: int, frames: int = 6, height: int = 24, width: int = 32) -> np.ndarray:
    """A picture that moves to the right, two pixels a frame."""
    still = picture(seed, height, width)
    return np.stack([np.roll(still, 2 * t, axis=1) for t in range(frames)])


class Blinking(VideoTokenizer):
    """The values themselves, every second frame `by` levels brighter; 1 + 4k frames."""

    name = "blinking"

    def __init__(self, by: int | str = 4) -> None:
        self.by = int(by)
        self.spec = TokenizerSpec(modality="video", vocabulary=(256,), frames=(1, 4))

    def identity(self) -> tuple[bytes | str, ...]:
        return "blinking", str(self.by)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        assert len(batch) == len(self.rates) == 1
        assert all(len(c) % 4 == 1 for c in batch)
        return Codes((Ragged.of([c.ravel() for c in batch], np.uint8),), extra=shapes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        found = []
        for row, shape in zip(codes.ids, codes.extra["shape"].tolist(), strict=True):
            made = row.astype(np.uint8).reshape(*shape, 3).copy()
            made[1::2] = np.minimum(made[1::2].astype(int) + self.by, 255)
            found.append(made)
        return found
