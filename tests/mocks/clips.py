"""Clips to try metrics on, and what a bench would hand to a statistic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tokbench.media import EncodedMedia, MediaBatch
from tokbench.tokenizers.audio.waveforms import PCM
from tokbench.types import Codes, Sample


def murmur(seed: int, rate: int = 16_000, seconds: float = 2.0) -> np.ndarray:
    """Something like speech: gliding harmonics in syllables, with noise; float32 (1, frames)."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(rate * seconds)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * rng.uniform(0.5, 1.5) * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 24))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time), 0, None)
    return ((0.1 * voice * syllables + rng.normal(0, 2e-3, len(time)))[None]).astype(np.float32)


def encoded(
    *pairs: tuple[np.ndarray, np.ndarray], rate: int = 16_000, **notes: Any
) -> EncodedMedia:
    """Originals with their outputs, all with the same notes."""
    samples = [Sample(str(n), a, rate, dict(notes)) for n, (a, _) in enumerate(pairs)]
    return encoded_samples(samples, [b for _, b in pairs])


def encoded_samples(samples: Sequence[Sample], outputs: Sequence[np.ndarray]) -> EncodedMedia:
    """Samples with their outputs, as one batch of one group."""
    batch = MediaBatch(list(samples), np.zeros(len(samples), np.int64), np.arange(len(samples)))
    return EncodedMedia(PCM(), batch, Codes(), list(outputs), [""])
