"""The core types every modality shares: codes, what a tokenizer says of itself, protocols."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol

import msgspec
import numpy as np

Modality = Literal["text", "image", "video", "audio"]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Sequences of unequal length in two flat arrays.

    `values` holds all items, `offsets` (length n + 1, int64) where each sequence begins.
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Any], dtype: Any = np.int32) -> Ragged:
        """From a list of arrays or lists."""
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        if len(rows) and isinstance(rows[0], np.ndarray):
            values = np.concatenate(rows).astype(dtype, copy=False)
        else:
            from itertools import chain

            values = np.fromiter(chain.from_iterable(rows), dtype=dtype, count=int(offsets[-1]))
        return cls(values, offsets)

    @classmethod
    def joined(cls, pieces: Sequence[Ragged]) -> Ragged:
        """Several ragged arrays one after the other."""
        lengths = np.concatenate([piece.lengths for piece in pieces])
        values = np.concatenate([piece.values for piece in pieces])
        return cls(values, np.concatenate(([0], np.cumsum(lengths))))

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def take(self, rows: Sequence[int] | np.ndarray) -> Ragged:
        """The given rows, in the given order."""
        picked = [self[int(row)] for row in rows]
        return Ragged.of(picked or [np.empty(0, self.values.dtype)][:0], self.values.dtype)


@dataclass(frozen=True, slots=True)
class Codes:
    """What a tokenizer made of a batch, columnar. A decoder may use nothing else.

    levels: ids, one `Ragged` of integers for each codebook level (text has one).
    latents: for continuous tokenizers, one float array for each sample.
    side_bits: bits a sample's decoder needs beside ids and latents (scales, sizes), or None.
    extra: further arrays the decoder needs, by name; row by row they belong to the samples.
    spans: text only, and never seen by a decoder: [start, stop) of every token in its
        sample's UTF-8 bytes, int32 of shape (tokens, 2); None when a byte table tells.
    """

    levels: tuple[Ragged, ...] = ()
    latents: tuple[np.ndarray, ...] = ()
    side_bits: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    spans: np.ndarray | None = None

    @property
    def ids(self) -> Ragged:
        """The first (for text the only) level."""
        return self.levels[0]

    @classmethod
    def joined(cls, several: Sequence[Codes]) -> Codes:
        """The codes of several batches as one; `extra` arrays are put end to end."""
        first = several[0]
        sides = [codes.side_bits for codes in several if codes.side_bits is not None]
        return cls(
            tuple(Ragged.joined([c.levels[n] for c in several]) for n in range(len(first.levels))),
            tuple(latent for codes in several for latent in codes.latents),
            np.concatenate(sides) if sides else None,
            {name: np.concatenate([c.extra[name] for c in several]) for name in first.extra},
        )

    def select(self, rows: Sequence[int]) -> Codes:
        """The codes of the given samples."""
        at = np.asarray(rows, dtype=np.int64)
        return Codes(
            tuple(level.take(at) for level in self.levels),
            tuple(self.latents[row] for row in rows) if self.latents else (),
            self.side_bits[at] if self.side_bits is not None else None,
            {name: values[at] for name, values in self.extra.items()},
        )

    def to_bytes(self) -> bytes:
        """Serialised as npz, without `spans`: what a decoder in another process may see."""
        arrays = {f"extra.{name}": value for name, value in self.extra.items()}
        for number, level in enumerate(self.levels):
            arrays[f"level{number}.values"] = level.values
            arrays[f"level{number}.offsets"] = level.offsets
        for number, latent in enumerate(self.latents):
            arrays[f"latent{number}"] = latent
        if self.side_bits is not None:
            arrays["side_bits"] = self.side_bits
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Codes:
        """The inverse of `to_bytes`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            names = set(arrays.files)
            levels: list[Ragged] = []
            latents: list[np.ndarray] = []
            while f"level{len(levels)}.values" in names:
                stem = f"level{len(levels)}"
                levels.append(Ragged(arrays[f"{stem}.values"], arrays[f"{stem}.offsets"]))
            while f"latent{len(latents)}" in names:
                latents.append(arrays[f"latent{len(latents)}"])
            extra = {n[6:]: arrays[n] for n in names if n.startswith("extra.")}
            side_bits = arrays["side_bits"] if "side_bits" in names else None
        return cls(tuple(levels), tuple(latents), side_bits, extra)


@dataclass(frozen=True, slots=True)
class Sample:
    """One image or clip, as it was read.

    data: uint8 (height, width, 3) sRGB for an image, (frames, height, width, 3) for a video;
        float32 (channels, frames) in [-1, 1] for a clip of sound; None when it could not be read,
        and `error` says why.
    name: the sample's name within its group (a relative path without suffix).
    rate: samples per second of a clip of sound. fps: frames per second of a video.
    notes: what the dataset says of it (words with boxes, keypoints, transcript, speaker, …).
    """

    name: str
    data: np.ndarray | None
    rate: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    fps: float = 0.0


class TokenizerSpec(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a tokenizer says of itself; part of every record.

    vocabulary: number of ids at each codebook level, |V| (special tokens included);
        empty for continuous tokenizers.
    emittable: how many of them ordinary input can produce (no special, control or unused ids).
    rate: tokens (frames, patches) for each second or pixel, where that is fixed.
    special_tokens: how special tokens are handled, in words.
    value_range: of the floats an image tokenizer takes and gives; None: 8-bit integers.
    size_multiple: height and width must be multiples of it; the harness pads and crops.
    size: height and width of every image it takes, where they are fixed.
    frames: (first, step) of a video tokenizer that takes first + k × step frames and no other
        number; the harness repeats the last frame and cuts.
    sample_rate, channels: of the clips an audio tokenizer takes.
    parameters: trained weights, counted one by one.
    """

    modality: Modality
    kind: Literal["discrete", "continuous", "hybrid"] = "discrete"
    algorithm: str = ""
    vocabulary: tuple[int, ...] = ()
    emittable: int | None = None
    rate: float | None = None
    variable_length: bool = True
    deterministic: bool = True
    value_range: tuple[float, float] | None = None
    size_multiple: int | None = None
    size: tuple[int, int] | None = None
    frames: tuple[int, int] | None = None
    sample_rate: int | None = None
    channels: int | None = None
    parameters: int | None = None
    special_tokens: str = ""
    licence: str = ""
    source: str = ""


class Tokenizer(Protocol):
    """The adapter protocol, for every modality."""

    name: str
    spec: TokenizerSpec
    load_seconds: float

    def fingerprint(self) -> str:
        """Hex digest of everything the codes depend on: weights, vocabulary, options."""

    def encode(self, batch: Sequence[Any]) -> Codes:
        """Codes of a batch; each sample's codes depend on that sample alone."""

    def decode(self, codes: Codes) -> Sequence[Any]:
        """The reconstruction, from the codes and nothing else."""


class Score(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One number and what stands behind it.

    n: samples that entered. `value` is None when not measured, and `note` says why.
    low, high: 95 % interval, or None; `interval` says how it was made.
    note: why there is no value or no interval, or which part of the data entered.
    better: the direction in which the field reads the number.
    metric: signature of the metric: name, options, version.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    unit: str = ""
    better: Literal["higher", "lower", "neither"] = "neither"
    metric: str = ""
    interval: Literal["bootstrap", "jackknife"] | None = None
    note: str = ""
