"""Clips that are there at once: made from formulas and a seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.files import sha256
from tokbench.media_parts import Header, Item, ItemsPart
from tokbench.parts import Part
from tokbench.types import Sample

RATE, SECONDS = 24_000, 3.0


def tones_mini() -> list[Part]:
    """What codecs break on, three seconds each at 24 kHz mono: a chirp, chords, clicks, noise,
    a plucked string, silence between bursts, and a beating pair."""
    soundfile_needed()
    items = [_item(name, make) for name, make in _SOUNDS.items()]
    return [ItemsPart("", "audio", items)]


def _item(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Item:
    def load() -> Sample:
        time = np.arange(int(RATE * SECONDS)) / RATE
        wave = make(time)
        wave = (0.5 * wave / np.abs(wave).max()).astype(np.float32)
        # 16 bits, so that a rounding of the last bit on another machine changes nothing
        return Sample(
            name, (np.rint(wave * 32767) / 32768).astype(np.float32)[None], RATE,
            {"domain": "sound"},
        )  # fmt: skip

    def digest() -> str:
        data = load().data
        assert data is not None
        return sha256(name, np.rint(data * 32768).astype(np.int16).tobytes())

    return Item(load, partial(int, RATE * SECONDS * 4), digest, partial(Header, name))


def _chirp(time: np.ndarray) -> np.ndarray:
    """50 Hz to 11 kHz, exponentially."""
    grow = np.log(11_000 / 50) / SECONDS
    return np.sin(2 * np.pi * 50 * np.expm1(grow * time) / grow)


def _chords(time: np.ndarray) -> np.ndarray:
    """A minor, F, C, G, each with six falling harmonics."""
    roots = np.array(
        [[220.0, 261.6, 329.6], [174.6, 220, 261.6], [130.8, 164.8, 196], [196, 246.9, 293.7]]
    )
    notes = roots[np.minimum((time / SECONDS * 4).astype(int), 3)]
    return sum(
        (np.sin(2 * np.pi * k * notes * time[:, None]).sum(1) / k**2 for k in range(1, 7)),
        np.zeros_like(time),
    )


def _clicks(time: np.ndarray) -> np.ndarray:
    """A click every quarter second, each a decaying 3 kHz ring."""
    since = time % 0.25
    return np.exp(-since * 400) * np.cos(2 * np.pi * 3000 * since)


def _noise(time: np.ndarray) -> np.ndarray:
    """White noise, seeded."""
    return np.random.default_rng(20250101).uniform(-1, 1, len(time))


def _pluck(time: np.ndarray) -> np.ndarray:
    """Decaying harmonics of 196 Hz, the higher ones sooner gone."""
    return sum(
        (np.exp(-time * k * 1.5) * np.sin(2 * np.pi * 196 * k * time) / k for k in range(1, 20)),
        np.zeros_like(time),
    )


def _bursts(time: np.ndarray) -> np.ndarray:
    """A 440 Hz tone for a third of each second, silence for the rest."""
    return np.sin(2 * np.pi * 440 * time) * ((time % 1) < 1 / 3)


def _beating(time: np.ndarray) -> np.ndarray:
    """Two tones, 5 Hz apart."""
    return np.sin(2 * np.pi * 1000 * time) + np.sin(2 * np.pi * 1005 * time)


_SOUNDS = {
    "chirp": _chirp, "chords": _chords, "clicks": _clicks, "noise": _noise, "pluck": _pluck,
    "bursts": _bursts, "beating": _beating,
}  # fmt: skip
