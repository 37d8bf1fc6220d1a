"""Original and reconstruction of a clip as metrics see them: cut to one length, raw or aligned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokbench.audio.alignment import BOUND, Lag, aligned, drift_of, lag_of
from tokbench.audio.clips import resampled
from tokbench.media import EncodedMedia
from tokbench.types import Sample

SILENCE = 1e-4
"""A clip whose highest sample lies below (-80 dB of full scale) is silent."""
SPEECH_NOTES = ("transcript", "speaker")


@dataclass
class Pair:
    """A clip and what the tokenizer gave back, both float32 (channels, frames) at `rate`."""

    sample: Sample
    original: np.ndarray
    output: np.ndarray
    rate: int

    @cached_property
    def lag(self) -> Lag:
        """How late the output is, searched within a quarter of a second."""
        return lag_of(self.original, self.output, int(BOUND * self.rate))

    @cached_property
    def peaks(self) -> tuple[float, float]:
        """The highest sample of either, of full scale."""
        return float(np.abs(self.original).max()), float(np.abs(self.output).max())

    @cached_property
    def drift(self) -> float | None:
        """Parts per million by which the output runs slow; None where it cannot be told."""
        return drift_of(self.original, self.output, self.rate, self.lag.frames)

    @cached_property
    def raw(self) -> tuple[np.ndarray, np.ndarray]:
        """Both as they are, cut to the shorter."""
        length = min(self.original.shape[1], self.output.shape[1])
        return self.original[:, :length], self.output[:, :length]

    @cached_property
    def aligned(self) -> tuple[np.ndarray, np.ndarray]:
        """Both with the lag taken out, cut to what they have in common."""
        return aligned(self.original, self.output, self.lag.frames)

    def view(self, which: str) -> tuple[np.ndarray, np.ndarray]:
        """`raw` or `aligned`."""
        return self.aligned if which == "aligned" else self.raw

    def mono(self, which: str, rate: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """A view with the channels averaged, float32 (frames,), at another rate if asked."""
        key = (which, rate or self.rate)
        if key not in self._mono:
            a, b = (
                resampled(clip.mean(0, keepdims=True, dtype=np.float32), self.rate, key[1])[0]
                for clip in self.view(which)
            )
            length = min(len(a), len(b))
            self._mono[key] = a[:length], b[:length]
        return self._mono[key]

    @cached_property
    def kept(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What several metrics make of a view, by its name."""
        return {}

    @cached_property
    def _mono(self) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
        return {}

    @property
    def speech(self) -> bool:
        """Does the dataset say that this is speech? By its `domain`; without one, a transcript or
        a speaker says so."""
        notes = self.sample.notes
        said = notes.get("domain")
        return said == "speech" if said else any(notes.get(key) for key in SPEECH_NOTES)

    def unfit(self, which: str = "raw", speech: bool = False) -> str:
        """The reason (of `clipwise.REASONS`) why a comparison cannot be made, or nothing."""
        if speech and not self.speech:
            return "domain"
        original, output = self.peaks
        if original < SILENCE:
            return "silent"
        if output < SILENCE:
            return "silent-output"
        if which == "aligned" and not self.lag.known:
            return "unlike"
        return ""


def pairs(encoded: EncodedMedia) -> list[Pair]:
    """The clips of a batch with their reconstructions."""

    def make() -> list[Pair]:
        samples = encoded.batch.samples
        return [
            Pair(sample, original, output, sample.rate)
            for sample, original, output in zip(
                samples, encoded.inputs, encoded.outputs, strict=True
            )
        ]

    found: list[Pair] = encoded.once("pairs", make)
    return found
