"""Waveforms: alignment, SI-SDR, SDR and segmental SNR, raw and with the lag taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from tokbench.audio import distortion
from tokbench.audio.pairs import Pair, pairs
from tokbench.measured import Better, Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, column, each, mean
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score

VIEWS = ("raw", "aligned")


def over_channels(pair: Pair, which: str, one: Callable[..., float]) -> Found:
    """Mean over the channels that are not silent in the original."""
    if reason := pair.unfit(which):
        return reason
    a, b = pair.view(which)
    if not a.shape[1]:
        return "short"
    found = [one(x, y) for x, y in zip(a, b, strict=True) if x.any()]
    return float(np.mean(found)) if found else "silent"


def both_views(encoded: EncodedMedia, name: str, one: Callable[..., float]) -> Statistic:
    """The columns `name:raw` and `name:aligned`."""
    whole = Statistic()
    for which in VIEWS:
        found = [over_channels(pair, which, one) for pair in pairs(encoded)]
        whole.add(column(encoded, f"{name}:{which}", found))
    return whole


def alignment(encoded: EncodedMedia) -> Statistic:
    """Of each clip: `lag` and `lag:size` (ms), `drift` (parts per million), `correlation` at the
    lag, and whether it is `shifted` by half a frame or more; `longer` (ms)."""

    def at_lag(measure: Callable[[Pair], float]) -> Callable[[Pair], Found]:
        return lambda pair: pair.unfit("aligned") or measure(pair)

    def drift(pair: Pair) -> Found:
        found = None if (reason := pair.unfit("aligned")) else pair.drift
        return reason or ("unplaced" if found is None else found)

    whole = Statistic()
    for name, measure in {
        "lag": at_lag(lambda pair: 1000 * pair.lag.frames / pair.rate),
        "lag:size": at_lag(lambda pair: 1000 * abs(pair.lag.frames) / pair.rate),
        "shifted": at_lag(lambda pair: float(abs(pair.lag.frames) >= 0.5)),
        "correlation": lambda pair: pair.unfit() or float(pair.lag.correlation),
        "drift": drift,
        "longer": lambda pair: 1000 * (pair.output.shape[1] - pair.original.shape[1]) / pair.rate,
    }.items():
        whole.add(each(encoded, name, measure))
    return whole


class Alignment(Metric):
    """How late the output is against the original: the mean lag in ms (positive: late), found by
    cross-correlation within ± 250 ms and to a thousandth of a frame. Facets: `size`, mean of its
    absolute value; `shifted`, share of clips off by half a frame or more; `correlation` of the
    clips at that lag; `drift` in parts per million, from the first and the last third of the
    clip; `longer`, by how many ms the output is longer than the original. Clips that correlate
    under 0.1 have no lag."""

    name = "lag"
    statistics = ("alignment",)
    needs = ("reconstruction",)
    unit, better, aggregation = "ms", "neither", "mean of clips"
    reference = "cross-correlation; DAC's 8-sample shift (descript-audio-codec issues 37 and 118)"
    tags = {"bound": "250ms"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, "lag", "ms", "neither")
        facets: tuple[tuple[str, str, str, Better], ...] = (
            ("size", "lag:size", "ms", "lower"),
            ("shifted", "shifted", "1", "lower"),
            ("correlation", "correlation", "1", "higher"),
            ("drift", "drift", "ppm", "neither"),
            ("longer", "longer", "ms", "neither"),
        )
        for facet, name, unit, better in facets:
            yield from mean(measured, f"{self.name}/{facet}", name, unit, better, facets=False)


def waveform(encoded: EncodedMedia, kind: str, zero_mean: str = "no") -> Statistic:
    """A ratio in dB of each clip, raw and aligned: `kind` is si-sdr, sdr or segmental-snr."""
    if kind == "si-sdr":
        return both_views(
            encoded,
            f"si-sdr:{zero_mean}",
            lambda a, b: distortion.si_sdr(a, b, zero_mean == "yes"),
        )
    if kind == "sdr":
        return both_views(encoded, "sdr", distortion.sdr)
    whole = Statistic()
    for which in VIEWS:
        found = [
            over_channels(
                pair, which, lambda a, b, rate=pair.rate: distortion.segmental_snr(a, b, rate)
            )
            if pair.original.shape[1] >= distortion.SEGMENT * pair.rate
            else "short"
            for pair in pairs(encoded)
        ]
        whole.add(column(encoded, f"segmental-snr:{which}", found))
    return whole


def si_sdr(encoded: EncodedMedia, zero_mean: str = "no") -> Statistic:
    """SI-SDR of each clip, raw and aligned."""
    return waveform(encoded, "si-sdr", zero_mean)


def sdr(encoded: EncodedMedia) -> Statistic:
    """SDR of each clip, raw and aligned; and whether SI-SDR is above it, which cannot be."""
    whole = waveform(encoded, "sdr")
    simple = si_sdr(encoded)
    above = np.zeros(len(encoded.batch), np.int64)
    for which in VIEWS:
        full, plain = f"sdr:{which}", f"si-sdr:no:{which}"
        defined = whole.columns[f"{full}:n"] & simple.columns[f"{plain}:n"]
        above += defined * (simple.columns[plain] > whole.columns[full] + SLACK)
    return Statistic(whole.columns | {"impossible": above}, whole.tallies)


SLACK = 0.01
"""dB by which rounding may put SI-SDR above SDR."""


def segmental_snr(encoded: EncodedMedia) -> Statistic:
    """Segmental SNR of each clip, raw and aligned."""
    return waveform(encoded, "segmental-snr")


def _views(measured: Measured, label: str, name: str) -> Iterator[Score]:
    yield from mean(measured, label, f"{name}:raw", "dB", "higher")
    yield from mean(measured, f"{label}/aligned", f"{name}:aligned", "dB", "higher", facets=False)


class SISDR(Metric):
    """Scale-invariant signal-to-distortion ratio, 10 log10(|αs|² / |ŝ − αs|²) with the α that fits
    best: the mean over clips (and their channels), capped at ± 100 dB. The output is cut or the
    original is, to the shorter; `si-sdr/aligned` takes the lag out first. zero_mean: take each
    clip's mean off before (then the score is named `si-sdr-zero-mean`); the two conventions can
    be 50 dB apart. Silent clips and outputs have no value and are counted."""

    name = "si-sdr"
    statistics = ("si-sdr",)
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "higher", "mean of clips"
    reference = (
        "Le Roux et al. 2019, ICASSP (1811.02508); without mean removal as in VERSA's SI-SNR"
    )
    tags = {"cap": "100"}

    def __init__(self, *, zero_mean: bool = False) -> None:
        self.zero_mean = zero_mean
        self._means = "yes" if zero_mean else "no"
        self.statistics = (f"si-sdr?zero_mean={self._means}",)
        self.label = "si-sdr-zero-mean" if zero_mean else self.name

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from _views(measured, self.label, f"si-sdr:{self._means}")


class SDR(Metric):
    """Signal-to-distortion ratio of BSS eval with a filter of 512 taps (one source): the mean over
    clips (and their channels), capped at ± 100 dB. `sdr/aligned` takes the lag out first. As one
    tap of the filter is SI-SDR without mean removal, that can never be above SDR:
    `sdr/below-si-sdr` counts the clips where it is, by more than 0.01 dB, and must be 0."""

    name = "sdr"
    statistics = ("sdr",)
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "higher", "mean of clips"
    reference = "Vincent et al. 2006, IEEE TASLP 14(4); equal to mir_eval's bss_eval_sources"
    tags = {"taps": "512", "cap": "100"}

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from _views(measured, self.name, "sdr")
        scored = int(measured.totals("sdr:raw:n").sum())
        count = measured.totals("impossible").sum() if scored else None
        score = measured.score(f"{self.name}/below-si-sdr", count, scored, unit="clips")
        yield msgspec.structs.replace(score, better="lower", note=score.note or "must be 0")


class SegmentalSNR(Metric):
    """SNR of frames of 30 ms (Hann, every 7.5 ms), each clamped to [-10, 35] dB, averaged over the
    frames of a clip and over clips; frames in which the original is 80 dB under its loudest are
    left out. `segmental-snr/aligned` takes the lag out first."""

    name = "segmental-snr"
    statistics = ("segmental-snr",)
    needs = ("reconstruction",)
    unit, better, aggregation = "dB", "higher", "mean of clips"
    reference = "Hansen and Pellom 1998; frames and clamps as in Loizou 2013"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from _views(measured, self.name, "segmental-snr")
