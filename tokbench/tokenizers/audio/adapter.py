"""What audio adapters share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tokbench.tokenizers.adapter import Adapter
from tokbench.types import Codes


class AudioTokenizer(Adapter):
    """What an audio adapter provides; subclasses set the attributes and encode/decode.

    The harness hands over clips as float32 arrays (channels, frames) in [-1, 1], at the spec's
    `sample_rate` and with its `channels`; where the spec leaves them open, as the clip has them,
    and `rates` tells. It wants float arrays of the same number of channels back, at
    `output_rate` where that is set; any length: what is too long or too short is measured.

    decodes: False for a tokenizer that only encodes.

    May also have: `stream(pieces)`, the codes of one clip that comes in pieces (channels, frames),
    each coded before the next is asked for; `codebook(level)`, the code vectors (K, d) of a level;
    `bits(codes)`, the bits actually emitted for each sample; `reconstructions(samples)` instead of
    encode and decode, where only results are at hand, and `attend(parts, limit)`, told the dataset
    before.
    """

    decodes: bool = True
    output_rate: int | None = None
    rates: Sequence[int] = ()
    """Sample rates of the clips of the batch at hand, set by the harness before `encode`."""
    notes: Sequence[dict[str, Any]] = ()
    """What the dataset says of these clips (transcript, speaker, …), set likewise: for decoders
    conditioned on a text or a prompt. `encode` puts what its decoder needs into `Codes.extra`, and
    its size into `side_bits`: what is passed on is paid for."""

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        """Codes of each clip."""
        raise AttributeError(f"{type(self).__name__} does not encode")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        """The clips, from the codes and nothing else."""
        raise AttributeError(f"{type(self).__name__} does not decode")


def lengths(batch: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The samples in each clip, as `Codes.extra` that a decoder may use to cut what it padded.

    A clip's length is taken as known to both ends, as a picture's size is.
    """
    return {"frames": np.array([clip.shape[1] for clip in batch], np.int64)}
