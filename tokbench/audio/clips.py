"""Clips as the harness sees them, and what it does to them around a tokenizer."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.types import Sample, TokenizerSpec

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")
RESAMPLER = "soxr-HQ"
"""The one resampler of the harness, part of what a score says of itself."""


def read_clip(source: Path | bytes) -> tuple[np.ndarray, int]:
    """float32 (channels, frames) in [-1, 1] and the sample rate.

    Whatever depth the file has. Raises `ValueError` for what is no whole clip, and for NaN.
    """
    import soundfile

    try:
        data, rate = soundfile.read(
            io.BytesIO(source) if isinstance(source, bytes) else str(source),
            dtype="float32",
            always_2d=True,
        )
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        why = getattr(error, "error_string", error)  # without the file: one cause for all of them
        raise ValueError(f"not a readable clip: {one_line(why)}") from error
    if not len(data):
        raise ValueError("the clip is empty")
    if not np.isfinite(data).all():
        raise ValueError("the clip holds NaN or infinity")
    return np.ascontiguousarray(data.T), int(rate)


def clip_weight(source: Path | bytes) -> int:
    """Bytes the clip takes as float32, from the header alone; 0 when it cannot be read."""
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(source) if isinstance(source, bytes) else str(source))
    except (soundfile.SoundFileError, OSError, RuntimeError):
        return 0
    return int(info.frames * info.channels * 4)


def resampled(clip: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The clip at another sample rate (SoX's resampler, high quality, linear phase)."""
    if rate == wanted:
        return clip
    import soxr

    return np.ascontiguousarray(soxr.resample(clip.T, rate, wanted, quality="HQ").T)


@dataclass(frozen=True, slots=True)
class FittedClip:
    """A prepared clip and what it was: its rate and channels."""

    data: np.ndarray
    rate: int
    original: Sample


def fit(sample: Sample, spec: TokenizerSpec) -> FittedClip:
    """The clip as the tokenizer takes it: resampled, mixed down (mean) or repeated."""
    assert sample.data is not None
    data, rate = sample.data, spec.sample_rate or sample.rate
    if spec.channels and len(data) != spec.channels:
        data = np.repeat(data.mean(0, keepdims=True), spec.channels, 0)
    data = resampled(data, sample.rate, rate)
    return FittedClip(data.astype(np.float32, copy=False), rate, sample)


def restored(output: np.ndarray, fitted: FittedClip, output_rate: int | None) -> np.ndarray:
    """The reconstruction at the original's rate and with its channels, as long as it came.

    Raises `ValueError` for NaN, infinities or another number of channels than went in.
    """
    output = np.asarray(output, dtype=np.float32)
    if output.ndim != 2 or len(output) != len(fitted.data):
        raise ValueError(f"decoded {output.shape} where {fitted.data.shape} went in")
    if not output.shape[1]:
        raise ValueError("decoded no samples")
    if not np.isfinite(output).all():
        raise ValueError("the decoder gave NaN or infinity")
    original = fitted.original
    assert original.data is not None
    output = resampled(output, output_rate or fitted.rate, original.rate)
    if len(output) != len(original.data):
        output = np.repeat(output.mean(0, keepdims=True), len(original.data), 0)
    return output


def soundfile_needed() -> None:
    """Refuse in one line where the audio libraries are missing."""
    try:
        import soundfile  # noqa: F401
        import soxr  # noqa: F401
    except (ImportError, OSError) as error:
        raise UserError("audio needs libraries: pip install 'tokbench[audio]'") from error
