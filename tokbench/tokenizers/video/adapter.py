"""What video adapters share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.tokenizers.adapter import Adapter
from tokbench.types import Codes


class VideoTokenizer(Adapter):
    """What a video adapter provides; subclasses set the attributes and encode/decode.

    The harness hands over clips as arrays (frames, height, width, 3): uint8 where the spec has no
    `value_range`, else float32 within it; of the spec's `size` or a multiple of `size_multiple`,
    and of as many frames as `frames` allows. It wants arrays of the same shapes back, and crops,
    clamps and rounds them itself. Clips come one at a time: more would not fit into memory.

    decodes: False for a tokenizer that only encodes.

    May also have what an image adapter may: `codebook(level)`, `neighbors(codes, k)`,
    `bits(codes)`.
    """

    decodes: bool = True
    rates: Sequence[float] = ()
    """Frames per second of the clips at hand, set by the harness before `encode`."""

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        """Codes of each clip."""
        raise AttributeError(f"{type(self).__name__} does not encode")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        """The clips, from the codes and nothing else."""
        raise AttributeError(f"{type(self).__name__} does not decode")


def shapes(batch: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Frames, height and width of each clip, as `Codes.extra` that a decoder may use.

    They are taken as known to both ends, as a picture's size is.
    """
    return {"shape": np.array([clip.shape[:3] for clip in batch], np.int64).reshape(-1, 3)}


def table(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Rows of unequal length as one array, filled up with -1."""
    width = max(map(len, rows), default=0)
    found = np.full((len(rows), width), -1, np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
