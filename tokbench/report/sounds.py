"""Clips in a page: lossless files, and spectrograms as pictures."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np

from tokbench.audio.spectra import mel, mel_filters, stft

FLOOR = -80.0
"""dB below the loudest band of the original: what a spectrogram shows as black."""
APART = 24.0
"""dB of difference at full colour."""
BANDS, COLUMNS = 96, 640
LESS, MORE = (47, 127, 208), (217, 115, 26)
"""Colours of energy that is missing and of energy that was added."""
_HERTZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)


class Tick(NamedTuple):
    """A label of an axis and its place, in per cent."""

    place: float
    label: str


def flac(clip: np.ndarray, rate: int) -> bytes:
    """A clip (channels, frames) as FLAC of 16 bits, which browsers play."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(clip.T, -1, 1), rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def decibels(original: np.ndarray, output: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Mel spectrograms (bands, columns) of two clips (frames,), in dB below the loudest band of
    the original, no lower than `FLOOR`."""
    size = 1 << int(np.ceil(np.log2(0.04 * rate)))
    hop = max(size // 4, -(-len(original) // COLUMNS))
    filters = mel_filters(rate, size, BANDS)
    power = [filters @ (np.abs(stft(clip, size, hop)) ** 2).T for clip in (original, output)]
    top = max(float(power[0].max(initial=0)), 1e-12)
    low = 10 ** (FLOOR / 10)
    a, b = (10 * np.log10(np.maximum(each / top, low)) for each in power)
    return a, b


def heat(levels: np.ndarray) -> np.ndarray:
    """A spectrogram as a picture, low bands below; dark is quiet."""
    from matplotlib import colormaps

    shares = np.clip(1 - levels[::-1] / FLOOR, 0, 1)
    return np.asarray(colormaps["magma"](shares, bytes=True))[..., :3]


def change(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The difference of two spectrograms as a picture with transparency: nothing where they are
    equal, `LESS` where the second has less, `MORE` where it has more."""
    apart = (b - a)[::-1]
    picture = np.zeros((*apart.shape, 4), np.uint8)
    picture[apart < 0, :3], picture[apart > 0, :3] = LESS, MORE
    picture[..., 3] = np.rint(255 * np.clip(np.abs(apart) / APART, 0, 1))
    return picture


def frequencies(rate: int) -> list[Tick]:
    """Labels of the mel axis, in per cent from below."""
    top = mel(rate / 2)
    found = [
        Tick(100 * mel(hz) / top, f"{hz / 1000:g}k" if hz >= 1000 else f"{hz}")
        for hz in _HERTZ
        if hz < rate / 2
    ]
    spread = [found[-1]] if found else []
    for tick in reversed(found):
        if spread[-1].place - tick.place >= 12:
            spread.append(tick)
    return spread


def times(seconds: float) -> list[Tick]:
    """Labels of the time axis, four to ten of them."""
    step = next((step for step in _SECONDS if seconds / step <= 6), _SECONDS[-1])
    count = int(seconds / step)
    return [Tick(100 * n * step / seconds, f"{n * step:g} s") for n in range(count + 1)]
