"""Do the ids of a clip survive what a listener would not hear?"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from tokbench.audio.clips import resampled
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.repeats import Asked, agreements, with_data
from tokbench.passes import first_pass, passed
from tokbench.statistics import Statistic
from tokbench.types import Sample, Score

SHIFT, GAIN, NOISE = 0.002, 0.5, 40.0
"""Seconds; factor (-6 dB); signal-to-noise ratio in dB."""


def _shifted(clip: np.ndarray, sample: Sample) -> np.ndarray:
    frames = min(max(1, round(SHIFT * sample.rate)), clip.shape[1])
    return np.pad(clip, ((0, 0), (frames, 0)))[:, : clip.shape[1]]


def _noisy(clip: np.ndarray, sample: Sample) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(sample.name.encode()))
    level = float(np.sqrt(np.mean(clip.astype(np.float64) ** 2))) * 10 ** (-NOISE / 20)
    return (clip + level * rng.standard_normal(clip.shape)).astype(np.float32)


def _resampled(clip: np.ndarray, sample: Sample) -> np.ndarray:
    there = resampled(clip, sample.rate, sample.rate * 3 // 4)
    back = resampled(there, sample.rate * 3 // 4, sample.rate)
    missing = max(0, clip.shape[1] - back.shape[1])
    return np.pad(back, ((0, 0), (0, missing)))[:, : clip.shape[1]].astype(np.float32)


DISTURBANCES: dict[str, Callable[[np.ndarray, Sample], np.ndarray]] = {
    "shift": _shifted,
    "gain": lambda clip, sample: clip * np.float32(GAIN),
    "noise": _noisy,
    "resampling": _resampled,
}


def disturbed(encoded: EncodedMedia) -> Statistic:
    """Equal ids under each disturbance, of those compared. Silent clips stay out."""
    samples = encoded.batch.samples
    begin = first_pass(encoded)
    whole = Statistic()
    for name, change in DISTURBANCES.items():
        arrays = [
            None if s.data is None or not s.data.any() else change(s.data, s) for s in samples
        ]
        after, failures = passed(encoded, with_data(samples, arrays), name)
        columns = agreements(name, list(zip(begin, after, strict=True)))
        whole.add(Statistic(columns, failures=failures))
    return whole


class IdStability(Asked):
    """Share of tokens whose id at its place stays when the clip is disturbed: 2 ms of silence in
    front (`id-stability/shift`), 6 dB softer (`/gain`), white noise 40 dB below (`/noise`, seeded
    by the clip's name), resampled to three quarters of its rate and back (`/resampling`). All
    levels together; silent clips stay out."""

    name = "id-stability"
    statistics = ("disturbed-clips",)
    needs = ("ids",)
    unit, better, aggregation = "share", "higher", "ratio of sums"
    reference = "id agreement under four stated changes; a convention of this benchmark"

    def result(self, measured: Measured) -> Iterator[Score]:
        for name in DISTURBANCES:
            yield from self.share(
                measured, f"{self.name}/{name}", f"{name}:equal", f"{name}:tokens"
            )
