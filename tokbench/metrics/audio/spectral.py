"""Spectra: mel and STFT distance, log-spectral distance by band, bandwidth kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tokbench.audio.pairs import Pair, pairs
from tokbench.audio.spectra import mel_filters, stft
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, column, each, mean, pooled
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score

SCALES = ((2048, 150), (512, 80))
"""Window and number of mel bands of each resolution; the hop is a quarter of the window."""
FLOOR = 1e-5
"""Magnitudes are raised to it before their logarithm."""


def _distance(pair: Pair, shape: Callable[[np.ndarray, int, int], np.ndarray]) -> Found:
    if reason := pair.unfit("aligned"):
        return reason
    a, b = pair.mono("aligned")
    if len(a) < SCALES[0][0]:
        return "short"
    total = 0.0
    for size, bands in SCALES:
        x, y = (shape(np.abs(stft(clip, size, size // 4)), size, bands) for clip in (a, b))
        logs = np.abs(np.log10(np.maximum(x, FLOOR) ** 2) - np.log10(np.maximum(y, FLOOR) ** 2))
        total += float(logs.mean() + np.abs(x - y).mean())
    return total


def mel_distance(encoded: EncodedMedia) -> Statistic:
    """Mel distance of each clip."""

    def one(pair: Pair) -> Found:
        return _distance(pair, lambda x, size, bands: x @ mel_filters(pair.rate, size, bands).T)

    return each(encoded, "mel-distance", one)


def stft_distance(encoded: EncodedMedia) -> Statistic:
    """STFT distance of each clip."""
    return each(encoded, "stft-distance", lambda pair: _distance(pair, lambda x, *_: x))


class MelDistance(Metric):
    """Distance of mel spectra: for windows of 2048 with 150 bands and of 512 with 80 (hop a
    quarter), the mean absolute difference of log10 of the squared magnitudes (raised to 1e-5
    first) plus that of the magnitudes; the mean over clips. At the clip's own rate, channels
    averaged, the lag taken out. It grows with the clip's rate and loudness: compare on the same
    data alone."""

    name = "mel-distance"
    statistics = ("mel-distance",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "lower", "mean of clips"
    reference = "Codec-SUPERB's mel distance, after DAC's loss (2306.06546)"
    tags = {"windows": "2048+512", "view": "aligned"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, self.name, self.unit, self.better)


class STFTDistance(MelDistance):
    """Distance of spectra: as `mel-distance`, of all bins of the transform instead of mel bands."""

    name = "stft-distance"
    statistics = ("stft-distance",)
    reference = "Codec-SUPERB's STFT distance, after DAC's loss (2306.06546)"


BANDS = {"0-4kHz": (0, 4000), "4-8kHz": (4000, 8000), "8-12kHz": (8000, 12000),
         "12-24kHz": (12000, 24001)}  # fmt: skip
WINDOW, HOP, RANGE = 0.064, 0.016, 80.0
"""Seconds, and dB under the loudest bin of the original below which nothing counts."""


def bands(encoded: EncodedMedia) -> Statistic:
    """Log-spectral distance of each clip over all frequencies and in each band."""
    found: dict[str, list[Found]] = {name: [] for name in ("all", *BANDS)}
    for pair in pairs(encoded):
        for name, value in _bands(pair).items():
            found[name].append(value)
    whole = Statistic()
    for name, values in found.items():
        whole.add(column(encoded, f"log-spectral:{name}", values))
    return whole


def _bands(pair: Pair) -> dict[str, Found]:
    size = round(WINDOW * pair.rate)
    reason = pair.unfit("aligned") or ("short" if pair.original.shape[1] < size else "")
    if reason:
        return dict.fromkeys(("all", *BANDS), reason)
    powers = [np.abs(stft(c, size, round(HOP * pair.rate))) ** 2 for c in pair.mono("aligned")]
    floor = powers[0].max() * 10 ** (-RANGE / 10)
    x, y = (10 * np.log10(np.maximum(power, floor)) for power in powers)
    square = (x - y) ** 2
    hertz = np.fft.rfftfreq(size, 1 / pair.rate)
    found: dict[str, Found] = {"all": float(np.sqrt(square.mean(1)).mean())}
    for name, (low, high) in BANDS.items():
        inside = (hertz >= low) & (hertz < high)
        whole = pair.rate / 2 >= min(high, 24_000) or (low == 12_000 and pair.rate > 32_000)
        found[name] = float(np.sqrt(square[:, inside].mean(1)).mean()) if whole else "no-band"
    return found


class LogSpectralDistance(Metric):
    """Log-spectral distance in dB: the root mean square over frequencies of the difference of the
    power spectra in dB (Hann windows of 64 ms, every 16 ms), averaged over frames and clips. Powers
    80 dB under the original's loudest bin count as that. Facets: the bands `0-4kHz`, `4-8kHz`,
    `8-12kHz`, `12-24kHz`, as far as the original's rate reaches. Channels averaged, lag taken
    out."""

    name = "log-spectral-distance"
    statistics = ("spectral-bands",)
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "lower", "mean of clips"
    reference = "Gray and Markel 1976, IEEE TASSP 24(5); window and range stated here"
    tags = {"view": "aligned"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, "log-spectral:all", self.unit, self.better)
        for name in BANDS:
            yield from mean(
                measured, f"{self.name}/{name}", f"log-spectral:{name}", self.unit, self.better,
                facets=False,
            )  # fmt: skip


SHARE = 0.99


def roll_off(encoded: EncodedMedia) -> Statistic:
    """Frequencies below which 99 % of the original's and of the output's energy lie, in kHz."""
    before: list[Found] = []
    after: list[Found] = []
    for pair in pairs(encoded):
        reason = pair.unfit()
        ends = [reason] * 2 if reason else [_roll_off(c, pair.rate) for c in pair.mono("raw")]
        before.append(ends[0])
        after.append(ends[1])
    whole = column(encoded, "roll-off:original", before)
    whole.add(column(encoded, "roll-off:output", after))
    return whole


def _roll_off(clip: np.ndarray, rate: int) -> float:
    size = 1024
    power = (np.abs(stft(clip, size, size // 2)) ** 2).sum(0)
    grown = np.cumsum(power) / max(power.sum(), 1e-300)
    return float(np.searchsorted(grown, SHARE) * rate / size / 1000)


class Bandwidth(Metric):
    """How much of the band is kept: the frequency below which 99 % of the output's energy lie,
    over that of the original, both averaged over clips. 1 is all; above 1 the output has more high
    frequencies (noise). Facets: both frequencies in kHz. Channels averaged."""

    name = "bandwidth"
    statistics = ("roll-off",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "neither", "ratio of sums"
    reference = "spectral roll-off at 99 % of the energy"
    tags = {"share": "0.99"}

    def result(self, measured: Measured) -> Iterator[Score]:
        over = ("roll-off:output", "roll-off:original")
        yield from pooled(measured, self.name, over, "roll-off:original", self.unit, self.better)
        for side in ("original", "output"):
            yield from mean(
                measured, f"{self.name}/{side}", f"roll-off:{side}", "kHz", "neither", facets=False
            )
