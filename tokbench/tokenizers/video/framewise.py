"""Any image tokenizer as one of video: frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from tokbench.errors import UserError
from tokbench.specs import Options, load_tokenizer
from tokbench.tokenizers.video.adapter import VideoTokenizer, table
from tokbench.types import Codes, Ragged, Tokenizer

TOGETHER = 16
"""Frames that go through the image tokenizer together."""


class Framewise(VideoTokenizer):
    """Every frame encoded and decoded as a picture. A clip's tokens are those of its frames, one
    after the other: what a tokenizer of video has to beat."""

    def __init__(self, inner: Tokenizer, name: str):
        self.name, self.inner = name, inner
        self.decodes = getattr(inner, "decodes", True)
        self.load_seconds = inner.load_seconds
        about = f"{inner.spec.algorithm or inner.name}, frame by frame"
        self.spec = msgspec.structs.replace(inner.spec, modality="video", algorithm=about)
        for offered in ("codebook", "neighbors"):
            if hasattr(inner, offered):
                setattr(self, offered, getattr(inner, offered))
        if hasattr(inner, "bits"):
            self.bits = self._bits

    def identity(self) -> tuple[bytes | str, ...]:
        return "frame by frame", self.inner.fingerprint()

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return _as_clips([self._encoded(clip) for clip in batch])

    def _encoded(self, clip: np.ndarray) -> Codes:
        starts = range(0, len(clip), TOGETHER)
        return Codes.joined([self.inner.encode(list(clip[n : n + TOGETHER])) for n in starts])

    def decode(self, codes: Codes) -> list[np.ndarray]:
        return [self._decoded(clip) for clip in _as_frames(codes)]

    def _decoded(self, frames: Codes) -> np.ndarray:
        rows = range(len(frames.levels[0]) if frames.levels else len(frames.latents))
        made: list[Any] = []
        for first in rows[::TOGETHER]:
            made += self.inner.decode(frames.select(rows[first : first + TOGETHER]))
        return np.stack(made)

    def _bits(self, codes: Codes) -> np.ndarray:
        inner: Any = self.inner
        return np.array([float(np.sum(inner.bits(clip))) for clip in _as_frames(codes)])


def _as_clips(clips: Sequence[Codes]) -> Codes:
    """Codes of the frames of each clip as codes of clips. Tokens of a frame are told apart by
    their number, kept in `extra`; what else a decoder needs of a frame is the same for all frames
    of a clip, and kept once."""
    first = clips[0]
    levels = tuple(
        Ragged.of([np.asarray(clip.levels[k].values) for clip in clips],
                  first.levels[k].values.dtype)
        for k in range(len(first.levels))
    )  # fmt: skip
    extra = {
        f"tokens-{k}": table([clip.levels[k].lengths.tolist() for clip in clips])
        for k in range(len(first.levels))
    }
    for name in first.extra:
        if any((clip.extra[name] != clip.extra[name][:1]).any() for clip in clips):
            raise ValueError(f"frames of one clip differ in '{name}'")
        extra[f"frame-{name}"] = np.concatenate([clip.extra[name][:1] for clip in clips])
    latents = tuple(np.stack(clip.latents) for clip in clips) if first.latents else ()
    side = None
    if first.side_bits is not None:
        side = np.array([c.side_bits.sum() for c in clips if c.side_bits is not None])
    return Codes(levels, latents, side, extra)


def _as_frames(codes: Codes) -> list[Codes]:
    """The inverse of `_as_clips`, but for the side information's size."""
    count = len(codes.levels[0]) if codes.levels else len(codes.latents)
    found = []
    for row in range(count):
        levels = []
        for k, level in enumerate(codes.levels):
            lengths = codes.extra[f"tokens-{k}"][row]
            offsets = np.concatenate(([0], np.cumsum(lengths[lengths >= 0])))
            levels.append(Ragged(level[row], offsets))
        latents = tuple(codes.latents[row]) if codes.latents else ()
        frames = len(levels[0]) if levels else len(latents)
        extra = {
            name.removeprefix("frame-"): np.repeat(values[row : row + 1], frames, axis=0)
            for name, values in codes.extra.items()
            if name.startswith("frame-")
        }
        found.append(Codes(tuple(levels), latents, None, extra))
    return found


def frames(inner: str, options: Options) -> Framewise:
    """`frames(SPEC)`: an image tokenizer, frame by frame."""
    options.done()
    tokenizer = load_tokenizer(inner)
    if tokenizer.spec.modality != "image" or not hasattr(tokenizer, "encode"):
        raise UserError(
            f"{options.name}: {inner} is a tokenizer of {tokenizer.spec.modality}; give one of "
            "images that encodes"
        )
    return Framewise(tokenizer, options.name)
