"""Perceptual measures that compare with the original: PESQ, STOI and ESTOI, ViSQOL."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np

from tokbench.audio.clips import RESAMPLER
from tokbench.audio.pairs import Pair
from tokbench.errors import optional
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, each, mean
from tokbench.metrics.audio.probed import Probed, package
from tokbench.statistics import Statistic
from tokbench.types import Score

PESQ_SECONDS, PESQ_LONGEST = 0.25, 60.0
"""P.862's code wants a quarter of a second, and has room for fifty utterances."""


def pesq(encoded: EncodedMedia, band: str = "wb") -> Statistic:
    """PESQ of each clip said to be speech."""
    module = optional("pesq", "audio")

    def one(pair: Pair) -> Found:
        if reason := pair.unfit(speech=True):
            return reason
        if pair.rate < (16_000 if band == "wb" else 8_000):
            return "narrowband"
        rate = 8_000 if pair.rate < 16_000 else 16_000
        a, b = pair.mono("raw", rate)
        if len(a) < PESQ_SECONDS * rate:
            return "short"
        if len(a) > PESQ_LONGEST * rate:
            return "long"
        try:
            return float(module.pesq(rate, a, b, band))
        except module.NoUtterancesError:
            return "no-utterance"
        except module.PesqError:
            return "failed"

    return each(encoded, f"pesq:{band}", one)


class PESQ(Probed):
    """Perceptual evaluation of speech quality, as a MOS from 1 to 4.64: the mean over clips.
    Channels are averaged, clips brought to 16 kHz (narrow band: 8 kHz where the clip is below
    16), and PESQ aligns them itself. band: `wb` (P.862.2) or `nb` (P.862.1; the score is then
    named `pesq-nb`). For speech only: clips that the dataset does not call speech have none, nor
    have silence, clips under 0.25 s or over 60 s, and clips in which PESQ finds no utterance."""

    name = "pesq"
    statistics = ("pesq",)
    needs = ("reconstruction",)
    unit, better, aggregation = "MOS", "higher", "mean of clips"
    reference = "ITU-T P.862.2 and P.862.1 by the package pesq (ludlows)"
    tags = {"resampler": RESAMPLER}

    def __init__(self, *, band: str = "wb") -> None:
        if band not in ("wb", "nb"):
            raise ValueError(f"band: choose wb or nb, not '{band}'")
        self.band = band
        self.statistics = (f"pesq?band={band}",)
        self.label = self.name if band == "wb" else "pesq-nb"

    def judge(self) -> str:
        return package("pesq", "audio")

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.label, f"pesq:{self.band}", self.unit, self.better)


STOI_SECONDS = 0.4


STOI_RATE = 10_000


def _for_stoi(pair: Pair, which: str) -> tuple[np.ndarray, np.ndarray]:
    """A view at 10 kHz by pystoi's own resampler, once for STOI and ESTOI."""
    from pystoi.utils import resample_oct

    if pair.rate == STOI_RATE:
        return pair.mono(which)
    if which not in pair.kept:
        a, b = pair.mono(which)
        pair.kept[which] = (
            resample_oct(a, STOI_RATE, pair.rate), resample_oct(b, STOI_RATE, pair.rate),
        )  # fmt: skip
    return pair.kept[which]


def stoi(encoded: EncodedMedia, extended: str = "no") -> Statistic:
    """STOI or ESTOI of each clip said to be speech, raw and aligned."""
    module = optional("pystoi", "audio")

    def one(pair: Pair, which: str) -> Found:
        if reason := pair.unfit(which, speech=True):
            return reason
        a, b = pair.mono(which)
        if len(a) < STOI_SECONDS * pair.rate:
            return "short"
        a, b = _for_stoi(pair, which)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", RuntimeWarning)
            found = module.stoi(a, b, STOI_RATE, extended=extended == "yes")
        # pystoi warns and gives 1e-5 where fewer than 30 loud frames are left
        few = any("Not enough STFT frames" in str(warning.message) for warning in warned)
        return "short" if few else float(found)

    whole = Statistic()
    for which in ("raw", "aligned"):
        name = f"stoi:{extended}:{which}"
        whole.add(each(encoded, name, partial(one, which=which)))
    return whole


class STOI(Probed):
    """Short-time objective intelligibility: the mean over clips of the correlation of third-octave
    envelopes over 384 ms, at 10 kHz (pystoi resamples). Channels are averaged; `stoi/aligned`
    takes the lag out first. For speech only: clips that the dataset does not call speech have
    none, nor have silence and clips with under 30 loud frames (0.4 s)."""

    name = "stoi"
    statistics = ("stoi?extended=no",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of clips"
    reference = "Taal et al. 2011, IEEE TASLP 19(7), by the package pystoi"
    _extended = "no"

    def judge(self) -> str:
        return package("pystoi", "audio")

    def result(self, measured: Measured) -> Iterator[Score]:
        for facet, which in (("", "raw"), ("/aligned", "aligned")):
            column = f"stoi:{self._extended}:{which}"
            yield from mean(
                measured, self.name + facet, column, self.unit, self.better, facets=not facet
            )


class ESTOI(STOI):
    """Extended short-time objective intelligibility, for fluctuating noise: as `stoi`, with the
    correlation taken of whole spectra normalised by row and column."""

    name = "estoi"
    statistics = ("stoi?extended=yes",)
    reference = "Jensen and Taal 2016, IEEE TASLP 24(11), by the package pystoi"
    _extended = "yes"


VISQOL_RATE = {"speech": 16_000, "audio": 48_000}
VISQOL_SECONDS = 1.0


def visqol(encoded: EncodedMedia, model: str = "speech") -> Statistic:
    """ViSQOL of each clip: the speech model on speech, the audio model on all."""
    module = optional("visqol", "audio")
    rate = VISQOL_RATE[model]
    judge = module.VisqolApi()
    judge.create(mode=model, **({"use_lattice_model": False} if model == "speech" else {}))

    def one(pair: Pair) -> Found:
        if reason := pair.unfit(speech=model == "speech"):
            return reason
        if pair.rate < rate and model == "speech":
            return "narrowband"
        a, b = (clip.astype(np.float64) for clip in pair.mono("raw", rate))
        if len(a) < VISQOL_SECONDS * rate:
            return "short"
        try:
            return float(judge.measure_from_arrays(a, b, rate).moslqo)
        except ValueError:
            return "failed"

    return each(encoded, f"visqol:{model}", one)


class ViSQOL(Probed):
    """ViSQOL's mean opinion score (1 to 5): the mean over clips. Channels are averaged; ViSQOL
    aligns the clips itself. model: `speech` (16 kHz, exponential mapping, speech only) or `audio`
    (48 kHz, support vector regression; then named `visqol-audio`; lower rates are resampled, so
    that the lost band is in both). Clips under a second have none."""

    name = "visqol"
    statistics = ("visqol",)
    needs = ("reconstruction",)
    unit, better, aggregation = "MOS", "higher", "mean of clips"
    reference = "Chinen et al. 2020 (2004.09584), ViSQOL v3 by the package visqol-python"
    tags = {"resampler": RESAMPLER}

    def __init__(self, *, model: str = "speech") -> None:
        if model not in VISQOL_RATE:
            raise ValueError(f"model: choose speech or audio, not '{model}'")
        self.model = model
        self.statistics = (f"visqol?model={model}",)
        self.label = self.name if model == "speech" else "visqol-audio"

    def judge(self) -> str:
        return package("visqol-python", "audio")

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.label, f"visqol:{self.model}", self.unit, self.better)
