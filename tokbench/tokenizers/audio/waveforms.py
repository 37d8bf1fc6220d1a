"""Waveforms as tokens: linear PCM, which is the audio identity, the ceiling and the floor made of
it, and µ-law."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from tokbench.files import sha256
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec


class PCM(AudioTokenizer):
    """16-bit linear PCM: a token for each sample of each channel. What every score must be at its
    best for, within the rounding to 16 bits."""

    name = "pcm"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="audio", algorithm="linear PCM, 16 bits", vocabulary=(65536,),
            emittable=65536, source="tokbench",
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        return ("pcm", "16")

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        rows = [np.clip(np.rint(c * 32768), -32768, 32767).astype(np.int32).ravel() for c in batch]
        channels = np.array([len(clip) for clip in batch], np.int64)
        return Codes((Ragged.of([row + 32768 for row in rows]),), extra={"channels": channels})

    def decode(self, codes: Codes) -> list[np.ndarray]:
        channels = codes.extra["channels"].tolist()
        return [
            ((row - 32768) / np.float32(32768)).astype(np.float32).reshape(count, -1)
            for row, count in zip(codes.ids, channels, strict=True)
        ]


class Resampled(PCM):
    """What no codec of that sample rate can exceed: the harness resamples to it and back."""

    def __init__(self, rate: int):
        super().__init__()
        self.name = f"resample:{rate}"
        self.spec = msgspec.structs.replace(
            self.spec, algorithm=f"linear PCM, 16 bits, at {rate} Hz", sample_rate=rate
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "pcm", "16", "at", str(self.spec.sample_rate)


class Noise(PCM):
    """White Gaussian noise added to the clip, at a ratio of mean powers in dB; the noise is seeded
    by the clip's own samples. Digital silence stays as it is, for it has no ratio."""

    def __init__(self, ratio: int):
        super().__init__()
        self.name, self._ratio = f"noise:{ratio}", ratio
        self.spec = msgspec.structs.replace(
            self.spec, algorithm=f"linear PCM, 16 bits, with noise at {ratio} dB"
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "noise", str(self._ratio)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        noisy = []
        for clip in batch:
            seed = int(sha256(np.ascontiguousarray(clip).tobytes())[:16], 16)
            drawn = np.random.default_rng(seed).standard_normal(clip.shape)
            power = np.square(clip, dtype=np.float64).mean() / 10 ** (self._ratio / 10)
            noisy.append(clip + np.sqrt(power) * drawn)
        return super().encode(noisy)


class MuLaw(AudioTokenizer):
    """ITU-T G.711's µ-law curve (µ = 2^bits − 1), continuous form, with 2^bits uniform levels."""

    def __init__(self, bits: int):
        self.name, self._bits = f"mulaw:{bits}", bits
        self.spec = TokenizerSpec(
            modality="audio", algorithm=f"µ-law, {bits} bits", vocabulary=(1 << bits,),
            emittable=1 << bits, source="ITU-T G.711",
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        return "mulaw", str(self._bits)

    @property
    def _mu(self) -> int:
        return (1 << self._bits) - 1

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        rows = []
        for clip in batch:
            bounded = np.clip(clip, -1, 1)
            curve = np.sign(bounded) * np.log1p(self._mu * np.abs(bounded)) / np.log1p(self._mu)
            rows.append(np.rint((curve + 1) / 2 * self._mu).astype(np.int32).ravel())
        channels = np.array([len(clip) for clip in batch], np.int64)
        return Codes((Ragged.of(rows),), extra={"channels": channels})

    def decode(self, codes: Codes) -> list[np.ndarray]:
        clips = []
        for row, count in zip(codes.ids, codes.extra["channels"].tolist(), strict=True):
            curve = row / self._mu * 2 - 1
            clip = np.sign(curve) * np.expm1(np.abs(curve) * np.log1p(self._mu)) / self._mu
            clips.append(clip.astype(np.float32).reshape(count, -1))
        return clips


def mulaw(reference: str, options: Options) -> MuLaw:
    """`mulaw:8`."""
    return MuLaw(options.whole(reference, 2, 16))


def resample(reference: str, options: Options) -> Resampled:
    """`resample:8000`."""
    return Resampled(options.whole(reference, 1000, 192_000))


def noise(reference: str, options: Options) -> Noise:
    """`noise:20`."""
    return Noise(options.whole(reference, 0, 90))
