"""How late a reconstruction is: lag to a fraction of a sample, drift, and clips put side by side.

A lag of k means that the output says at frame t + k what the original says at frame t: a late
output has a positive lag. It is the highest point of the cross-correlation, found first at whole
frames and then between them, where the band-limited correlation has its summit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BOUND = 0.25
"""Seconds: the largest lag that is looked for, either way."""
STEP = 1e-3
"""Frames: lags are told in these steps; nearer than half of one to zero is none."""
LEAST = 0.1
"""Correlation below which a lag says nothing."""
DRIFT_BOUND, DRIFT_SECONDS = 0.02, 1.0
"""Seconds that the ends of a clip may lag apart, and the least length to tell it."""


@dataclass(frozen=True, slots=True)
class Lag:
    """frames: how late, in frames. correlation: of the clips at that lag, from -1 to 1."""

    frames: float
    correlation: float

    @property
    def known(self) -> bool:
        """Do the clips resemble each other enough for the lag to mean anything?"""
        return self.correlation >= LEAST


def lag_of(original: np.ndarray, output: np.ndarray, bound: int) -> Lag:
    """The lag of two clips (channels, frames) within ± `bound` frames. Of equal summits the one
    nearest to zero is taken, so that a steady tone does not jump by periods. Silence: no lag and
    a correlation of 0."""
    from scipy.fft import irfft, next_fast_len, rfft

    original, output = _centred(original), _centred(output)
    energy = float(np.vdot(original, original)) * float(np.vdot(output, output))
    if energy == 0:
        return Lag(0.0, 0.0)
    size = next_fast_len(max(original.shape[1], output.shape[1]) + bound + 2, real=True)
    cross = np.zeros(size // 2 + 1, np.complex128)
    for a, b in zip(original, output, strict=True):
        product = rfft(a, size).conj()
        product *= rfft(b, size)
        cross += product
    whole = irfft(cross, size)
    near = np.concatenate([whole[-bound:], whole[: bound + 1]]) if bound else whole[:1]
    summits = np.flatnonzero(near >= near.max() - 1e-9 * abs(near.max()))
    start = int(summits[np.argmin(np.abs(summits - bound))]) - bound
    place, height = _between(cross, size, start)
    return Lag(round(place / STEP) * STEP, height / np.sqrt(energy))


def _centred(clip: np.ndarray) -> np.ndarray:
    """Without each channel's mean, which would pull every lag towards zero."""
    return clip - clip.mean(1, keepdims=True, dtype=np.float64)


def _between(cross: np.ndarray, size: int, start: int) -> tuple[float, float]:
    """The summit of the band-limited correlation near a whole frame, by Newton's method, and its
    height. Where there is none within half a frame or so, the whole frame itself."""
    coefficients = cross * (2 / size)
    coefficients[0] /= 2
    if size % 2 == 0:
        coefficients[-1] = 0.0  # at Nyquist the sign between frames is anybody's guess
    wave = _Wave(coefficients, 2 * np.pi / size)
    place = float(start)
    for _ in range(8):
        _, slope, bend = wave.at(place)
        if bend >= 0:
            place = float(start)
            break
        step = float(np.clip(-slope / bend, -0.5, 0.5))
        place += step
        if abs(step) < 1e-6 or abs(place - start) > 1:
            break
    if abs(place - start) > 1:
        place = float(start)
    return place, wave.at(place)[0]


class _Wave:
    """The real part of Σ c(k) exp(i k τ t) and its derivatives by t.

    A sine and a cosine for each of some 100,000 k would cost more than all the transforms. With
    k = N q + r the exponential is one of q times one of r, and the sum a product of matrices.
    """

    SIDE = 512

    def __init__(self, coefficients: np.ndarray, turn: float):
        rows = -(-len(coefficients) // self.SIDE)
        table = np.zeros((rows, self.SIDE), np.complex128)
        table.ravel()[: len(coefficients)] = coefficients
        self._table = table
        self._coarse = turn * self.SIDE * np.arange(rows)
        self._fine = turn * np.arange(self.SIDE)

    def at(self, t: float) -> tuple[float, float, float]:
        """Value, slope and bend at `t`."""
        fine = np.exp(1j * self._fine * t)
        columns = np.stack([fine, self._fine * fine, self._fine**2 * fine], axis=1)
        sums = np.exp(1j * self._coarse * t)[:, None] * (self._table @ columns)
        plain, once, twice = sums.T
        first = self._coarse * plain + once
        second = self._coarse**2 * plain + 2 * self._coarse * once + twice
        return float(plain.real.sum()), float(-first.imag.sum()), float(-second.real.sum())


def aligned(
    original: np.ndarray, output: np.ndarray, frames: float
) -> tuple[np.ndarray, np.ndarray]:
    """The frames that both clips have once the output is moved ahead by its lag. A fraction of a
    frame is made up by a turn of phase; whole frames are cut and change no value."""
    whole = int(np.floor(frames))
    fraction = frames - whole
    if fraction >= STEP / 2:
        output = advanced(output, fraction)
    first, late = max(0, -whole), max(0, whole)
    length = min(original.shape[1] - first, output.shape[1] - late)
    return original[:, first : first + max(0, length)], output[:, late : late + max(0, length)]


def advanced(clip: np.ndarray, fraction: float) -> np.ndarray:
    """The clip moved ahead by a fraction of a frame, band-limited, zeros beyond its ends."""
    from scipy.fft import irfft, next_fast_len, rfft

    frames = clip.shape[1]
    size = next_fast_len(frames + 64, real=True)
    turn = np.exp(2j * np.pi * np.arange(size // 2 + 1) / size * fraction)
    spectra = rfft(clip.astype(np.float64), size)
    spectra *= turn
    return irfft(spectra, size)[:, :frames]


def drift_of(original: np.ndarray, output: np.ndarray, rate: int, lag: float) -> float | None:
    """How the lag grows over the clip, in parts per million of its length: the lag of the last
    third less that of the first, over the frames between them. None for clips under a second,
    and where either third has nothing to hold on to."""
    a, b = aligned(original, output, round(lag))
    third = a.shape[1] // 3
    if a.shape[1] < DRIFT_SECONDS * rate:
        return None
    bound = int(DRIFT_BOUND * rate)
    ends = [lag_of(x, y, bound) for x, y in ((a[:, :third], b[:, :third]),
                                             (a[:, -third:], b[:, -third:]))]  # fmt: skip
    if any(end.correlation < 0.5 for end in ends):
        return None
    return (ends[1].frames - ends[0].frames) / (a.shape[1] - third) * 1e6
