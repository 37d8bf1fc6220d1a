"""Short-time spectra and mel filters, in the conventions of librosa and torch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def stft(
    clip: np.ndarray, size: int, hop: int, transform: int | None = None, pad: str = "reflect"
) -> np.ndarray:
    """Complex spectra (frames, bins) of a waveform (frames,): periodic Hann windows of `size`
    around every `hop`-th frame (both ends padded by half a transform), unnormalised, as
    `torch.stft` and `librosa.stft` with their defaults."""
    from scipy.fft import rfft

    transform = transform or size
    half = transform // 2
    if pad == "reflect" and len(clip) <= half:
        pad = "constant"
    padded = np.pad(np.asarray(clip, np.float64), half, mode=pad)  # type: ignore[call-overload]
    window = np.zeros(transform)
    first = (transform - size) // 2
    window[first : first + size] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = np.lib.stride_tricks.sliding_window_view(padded, transform)[::hop]
    return np.asarray(rfft(frames * window, axis=1))


@lru_cache(maxsize=32)
def mel_filters(rate: int, transform: int, count: int) -> np.ndarray:
    """Triangular filters (count, bins) from 0 Hz to half the rate, on Slaney's mel scale (linear
    to 1 kHz, logarithmic above) and of equal area: librosa's default."""
    edges = _hertz(np.linspace(0.0, mel(rate / 2), count + 2))
    bins = np.fft.rfftfreq(transform, 1 / rate)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return np.clip(np.minimum(rise, fall), 0, None) * area[:, None]


_LINEAR, _BREAK, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def mel(hertz: float) -> float:
    """A frequency on that scale."""
    if hertz < _BREAK:
        return hertz / _LINEAR
    return float(_BREAK / _LINEAR + np.log(hertz / _BREAK) / _STEP)


def _hertz(mels: np.ndarray) -> np.ndarray:
    above = _BREAK * np.exp(_STEP * (mels - _BREAK / _LINEAR))
    return np.where(mels < _BREAK / _LINEAR, mels * _LINEAR, above)
