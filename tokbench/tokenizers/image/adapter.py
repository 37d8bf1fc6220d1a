"""What image adapters share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.tokenizers.adapter import Adapter
from tokbench.types import Codes


class ImageTokenizer(Adapter):
    """What an image adapter provides; subclasses set the attributes and encode/decode.

    The harness hands over pictures as arrays (height, width, 3): uint8 where the spec has no
    `value_range`, else float32 within it; of the spec's `size` or a multiple of `size_multiple`.
    It wants arrays of the same shapes back, and crops, clamps and rounds them itself.

    decodes: False for a tokenizer that only encodes.
    A discrete tokenizer whose spec says `hybrid` puts what it quantised into `Codes.latents`, one
    vector (d) for each token in the space of its codebook, and decodes from the ids alone.

    May also have: `codebook(level)`, the code vectors (K, d) of a level; `neighbors(codes, k)`,
    for each of an array of ids its k nearest others, nearest first, (n, k); `bits(codes)`, the
    bits actually emitted for each sample; `reconstructions(samples)` instead of encode and
    decode, where only results are at hand.

    A tokenizer of which any prefix decodes (residual levels, nested or one-dimensional tokens)
    takes an option `tokens=N` in its spec: the first N of each position's levels, or of each
    picture's sequence, are emitted and no more. N is part of its identity, its full length is the
    default, and every N decodes with the same weights.
    """

    decodes: bool = True

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        """Codes of each picture."""
        raise AttributeError(f"{type(self).__name__} does not encode")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        """The pictures, from the codes and nothing else."""
        raise AttributeError(f"{type(self).__name__} does not decode")


def sizes(batch: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Height and width of each picture, as `Codes.extra` that a decoder may use.

    A picture's size is taken as known to both ends, as in every published bits per pixel.
    """
    return {"size": np.array([picture.shape[:2] for picture in batch], np.int64).reshape(-1, 2)}
