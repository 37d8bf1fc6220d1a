"""A probe that reads a code of brightness: quick, exact, blind to nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.image.words import Word
from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec

NAME = "mocks.reading:Brightness"


class Brightness:
    """Reads a letter for the mean brightness of each crop: `a` for black to `z` for white."""

    name = "brightness"
    asked = 0
    """Crops and pictures looked at so far, in this process."""

    def fingerprint(self) -> str:
        return "b" * 64

    def recognise(self, crops: Sequence[np.ndarray]) -> list[str]:
        Brightness.asked += len(crops)
        return [letter(crop) for crop in crops]

    def read(self, picture: np.ndarray) -> list[Word]:
        Brightness.asked += 1
        half = picture.shape[1] // 2
        sides = ((0, picture[:, :half]), (half, picture[:, half:]))
        return [
            Word(letter(side), (left, 0, left + half, picture.shape[0])) for left, side in sides
        ]


def letter(crop: np.ndarray) -> str:
    """What `Brightness` reads."""
    return chr(ord("a") + int(crop.mean() / 256 * 26))


class Darker(ImageTokenizer):
    """Halves every value to the right of column 16."""

    name = "darker"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(modality="image", vocabulary=(256,))

    def identity(self) -> tuple[bytes | str, ...]:
        return ("darker",)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return Codes((Ragged.of([p.ravel() for p in batch], np.uint8),), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        shapes = codes.extra["size"].tolist()
        found = [row.reshape(*s, 3).copy() for row, s in zip(codes.ids, shapes, strict=True)]
        for picture in found:
            picture[:, 16:] //= 2
        return found
