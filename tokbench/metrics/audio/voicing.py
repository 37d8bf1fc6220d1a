"""F0 of speech and its output: correlation, error, and whether a frame is voiced."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.audio.pairs import Pair, pairs
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.audio.clipwise import Found, column, mean, pooled
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score

LOWEST, HIGHEST = 60.0, 500.0
WINDOW, HOP = 0.025, 0.010
"""Seconds that are compared with themselves a period later, and between frames."""
DIP, QUIET = 0.15, 1e-4
"""A frame is voiced where YIN's normalised difference falls under 0.15 and its power is above
1e-4 of the loudest frame's (40 dB)."""
GROSS = 0.2
RATE = 16_000


def f0(clip: np.ndarray, rate: int) -> np.ndarray:
    """Hz every 10 ms by YIN (de Cheveigné and Kawahara 2002), 0 where unvoiced."""
    from scipy.fft import irfft, next_fast_len, rfft

    size, most = round(WINDOW * rate), int(rate / LOWEST) + 2
    least = int(rate / HIGHEST)
    if len(clip) < size + most:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(clip.astype(np.float64), size + most)
    frames = frames[:: round(HOP * rate)]
    length = next_fast_len(size + most, real=True)
    head = rfft(frames[:, :size], length, axis=1)
    shared = irfft(np.conj(head) * rfft(frames, length, axis=1), length, axis=1)[:, : most + 1]
    energy = np.pad(np.cumsum(frames**2, axis=1), ((0, 0), (1, 0)))
    moved = energy[:, size : size + most + 1] - energy[:, : most + 1]
    difference = np.maximum(moved[:, :1] + moved - 2 * shared, 0)
    lags = np.arange(1, most + 1)
    normal = np.ones_like(difference)
    total = np.cumsum(difference[:, 1:], axis=1)
    normal[:, 1:] = difference[:, 1:] * lags / np.maximum(total, 1e-300)
    loud = moved[:, 0] > QUIET * moved[:, 0].max()
    inner = normal[:, least : most - 1]
    dips = (inner < DIP) & (inner <= normal[:, least + 1 : most])
    dips &= inner <= normal[:, least - 1 : most - 2]
    voiced = dips.any(1) & loud
    at = np.argmax(dips, axis=1) + least
    rows = np.arange(len(at))
    before, here, after = (normal[rows, at + k] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend > 0, (before - after) / (2 * np.where(bend > 0, bend, 1)), 0.0)
    return np.where(voiced, rate / (at + np.clip(shift, -0.5, 0.5)), 0.0)


def pitch(encoded: EncodedMedia) -> Statistic:
    """Correlation and error of F0 in each clip, frames, and frames voiced on one side alone."""
    correlations: list[Found] = []
    cents: list[Found] = []
    frames: list[Found] = []
    counts = np.zeros((4, len(encoded.batch)), np.int64)
    for row, pair in enumerate(pairs(encoded)):
        tracks = _tracks(pair)
        if isinstance(tracks, str):
            for found in (correlations, cents, frames):
                found.append(tracks)
            continue
        a, b = tracks
        both = (a > 0) & (b > 0)
        gross = both & (np.abs(b - a) > GROSS * a)
        fine = both & ~gross
        counts[:, row] = len(a), ((a > 0) != (b > 0)).sum(), both.sum(), gross.sum()
        frames.append(float(len(a)))
        x, y = np.log2(a[both]), np.log2(b[both])
        steady = len(x) < 3 or x.std() < 1e-3 or y.std() < 1e-3
        correlations.append("no-voice" if steady else float(np.corrcoef(x, y)[0, 1]))
        error = 1200 * np.log2(b[fine] / a[fine])
        cents.append(float(np.sqrt(np.mean(error**2))) if len(error) else "no-voice")
    whole = column(encoded, "f0", correlations)
    whole.add(column(encoded, "f0:cents", cents))
    whole.add(column(encoded, "f0:frames", frames))
    for name, values in zip(("all", "voicing", "both", "gross"), counts, strict=True):
        whole.columns[f"f0:{name}"] = exact(values)
    return whole


def _tracks(pair: Pair) -> tuple[np.ndarray, np.ndarray] | str:
    if reason := pair.unfit("aligned", speech=True):
        return reason
    if pair.rate < 8000:
        return "narrowband"
    rate = min(pair.rate, RATE)
    a, b = (f0(clip, rate) for clip in pair.mono("aligned", rate))
    if not len(a):
        return "short"
    return (a, b) if (a > 0).any() else "no-voice"


class Pitch(Metric):
    """Correlation of the logarithms of F0 in frames voiced in both original and output (YIN, 60 to
    500 Hz, every 10 ms): the mean over clips. Facets: `cents`, the root mean square error without
    gross ones; `gross`, share of frames voiced in both that are off by over 20 %; `voicing`, share
    of all frames that are voiced on one side alone. Channels averaged, lag taken out. For speech
    only; a clip whose F0 stands still has no correlation."""

    name = "f0"
    statistics = ("pitch",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of clips"
    reference = (
        "de Cheveigné and Kawahara 2002, JASA 111(4); gross errors as in Rabiner et al. 1976"
    )
    tags = {"view": "aligned"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, "f0", self.unit, self.better)
        yield from mean(measured, f"{self.name}/cents", "f0:cents", "cent", "lower", facets=False)
        for facet, over in (("gross", "both"), ("voicing", "all")):
            yield from pooled(
                measured, f"{self.name}/{facet}", (f"f0:{facet}", f"f0:{over}"), "f0:frames", "1",
                "lower", facets=False,
            )  # fmt: skip
