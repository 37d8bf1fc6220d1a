"""Signal-to-distortion ratios of two waveforms, in dB."""

from __future__ import annotations

import numpy as np

CAP = 100.0
"""dB given to a clip without any error, whose ratio is infinite; and -100 is the least."""
TAPS = 512
"""Length of the filter that BSS eval forgives."""
SEGMENT, HOP, LOWEST, HIGHEST = 0.030, 0.0075, -10.0, 35.0
"""Segmental SNR: seconds of a frame and between frames, and dB to which each is clamped."""


def decibel(signal: float, noise: float) -> float:
    """10 log10 of the ratio, within ± 100 dB."""
    if noise <= 0:
        return CAP
    return float(np.clip(10 * np.log10(max(signal / noise, 1e-300)), -CAP, CAP))


def si_sdr(original: np.ndarray, output: np.ndarray, zero_mean: bool = False) -> float:
    """Scale-invariant SDR of two waveforms (frames,): the output's part along the original over
    the rest (Le Roux et al. 2019). zero_mean: the means are taken off first."""
    a, b = original.astype(np.float64), output.astype(np.float64)
    if zero_mean:
        a, b = a - a.mean(), b - b.mean()
    energy = a @ a
    if energy == 0:
        return float("nan")
    a *= (a @ b) / energy  # the part along it
    b -= a  # the rest
    return decibel(float(a @ a), float(b @ b))


def sdr(original: np.ndarray, output: np.ndarray, taps: int = TAPS) -> float:
    """SDR of BSS eval (Vincent et al. 2006) for one source: the part of the output that some
    filter of 512 taps makes of the original, over the rest. Both are followed by silence, as in
    mir_eval."""
    from scipy.linalg import LinAlgError, solve, toeplitz
    from scipy.signal import fftconvolve

    a, b = original.astype(np.float64), output.astype(np.float64)
    if not a.any():
        return float("nan")
    if np.array_equal(a, b):
        return CAP
    with_itself = _correlation(a, a, taps)
    with_output = _correlation(a, b, taps)
    matrix = toeplitz(with_itself)
    try:
        kernel = solve(matrix, with_output, assume_a="pos")
    except LinAlgError:  # narrow-band sounds: the least filter of the many that fit
        kernel = np.linalg.lstsq(matrix, with_output, rcond=None)[0]
    along = fftconvolve(a, kernel)
    rest = np.concatenate([b, np.zeros(taps - 1)]) - along
    return decibel(float(along @ along), float(rest @ rest))


def _correlation(a: np.ndarray, b: np.ndarray, lags: int) -> np.ndarray:
    """Σ a(t) b(t + k) for k below `lags`."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(a) + lags, real=True)
    return irfft(np.conj(rfft(a, size)) * rfft(b, size), size)[:lags]


def segmental_snr(original: np.ndarray, output: np.ndarray, rate: int) -> float:
    """Mean over frames (30 ms Hann, every 7.5 ms) of the SNR in dB, each clamped to [-10, 35]
    (Loizou 2013). Frames where the original is silent (80 dB under its loudest) are left out; NaN
    where no frame is whole."""
    size, hop = round(SEGMENT * rate), round(HOP * rate)
    if len(original) < size:
        return float("nan")
    window = np.hanning(size + 2)[1:-1] ** 2
    a, b = original.astype(np.float64), output.astype(np.float64)
    signal = _frame_energy(a, window, hop)
    noise = _frame_energy(a - b, window, hop)
    loud = signal > 1e-8 * signal.max(initial=0.0)
    if not loud.any():
        return float("nan")
    with np.errstate(divide="ignore"):
        ratios = 10 * np.log10(signal[loud] / noise[loud])
    return float(np.clip(ratios, LOWEST, HIGHEST).mean())


def _frame_energy(clip: np.ndarray, window: np.ndarray, hop: int) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(clip**2, len(window))[::hop]
    return frames @ window
