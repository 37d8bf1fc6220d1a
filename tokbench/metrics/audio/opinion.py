"""Predicted opinions of the output alone: DNSMOS, PLCMOS and UTMOS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from tokbench.audio.clips import RESAMPLER
from tokbench.audio.pairs import Pair, pairs
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, column, mean
from tokbench.metrics.audio.probed import Probed
from tokbench.probes.kept import content_of, remembered
from tokbench.statistics import Statistic
from tokbench.types import Score

RATE, SECONDS = 16_000, 0.25
THREADS = 2
"""Clips that are rated at once."""


def opinions(encoded: EncodedMedia, name: str) -> Statistic:
    """The probe's facets of the outputs and, with `original:` before, of the originals."""
    from tokbench.probes.speech_quality import speech_quality

    probe = speech_quality(name)
    mark = probe.fingerprint()

    def both(pair: Pair) -> tuple[list[Found], list[Found]]:
        if reason := _unfit(pair):
            refused: list[Found] = [reason] * len(probe.facets)
            return refused, refused
        original, output = (clip.clip(-1, 1) for clip in pair.mono("raw", RATE))
        ask = partial(_rated, probe, original)
        return remembered(probe.name, mark, content_of(original), ask), _rated(probe, output)

    # A network of one thread gives the same whatever runs beside it, and lets go of Python.
    with ThreadPoolExecutor(THREADS if (os.cpu_count() or 1) > 1 else 1) as pool:
        found = list(pool.map(both, pairs(encoded)))
    rows = {"original": [a for a, _ in found], "output": [b for _, b in found]}
    whole = Statistic()
    for side, found_rows in rows.items():
        for facet, values in zip(probe.facets, zip(*found_rows, strict=True), strict=True):
            whole.add(column(encoded, f"{name}:{side}:{facet}", values))
    return whole


def _rated(probe: Any, clip: np.ndarray) -> list[Found]:
    return [float(value) for value in probe.rate(clip)]


def _unfit(pair: Pair) -> str:
    if reason := pair.unfit(speech=True):
        return reason
    if pair.rate < RATE:
        return "narrowband"
    return "short" if min(c.shape[1] for c in pair.raw) < SECONDS * pair.rate else ""


def dnsmos(encoded: EncodedMedia) -> Statistic:
    """DNSMOS of the outputs and the originals."""
    return opinions(encoded, "dnsmos")


def plcmos(encoded: EncodedMedia) -> Statistic:
    """PLCMOS of the outputs and the originals."""
    return opinions(encoded, "plcmos")


class DNSMOS(Probed):
    """Overall opinion of the output alone (1 to 5) that DNSMOS predicts after ITU-T P.835: the
    mean over clips. Facets: `speech` and `background` (P.835's other two scales), `p808` (the
    network after P.808), `original` (overall, of the originals: the ceiling). Channels are
    averaged, clips brought to 16 kHz; clips under 9.01 s are repeated until they are as long,
    longer ones are heard in windows a second apart. For speech only."""

    name = "dnsmos"
    statistics = ("dnsmos",)
    needs = ("reconstruction",)
    unit, better, aggregation = "MOS", "higher", "mean of clips"
    reference = "Reddy et al. 2021 and 2022 (2110.01763), weights of the package speechmos"
    tags = {"probe": "speechmos-dnsmos", "resampler": RESAMPLER}
    _facets: tuple[str, ...] = ("speech", "background", "p808")
    _main = "overall"

    def judge(self) -> str:
        from tokbench.probes.speech_quality import speech_quality

        return speech_quality(self.name).fingerprint()

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(
            measured, self.name, f"{self.name}:output:{self._main}", self.unit, self.better
        )
        for facet, side, which in [
            *((facet, "output", facet) for facet in self._facets),
            ("original", "original", self._main),
        ]:
            better = "neither" if facet == "original" else self.better
            yield from mean(
                measured, f"{self.name}/{facet}", f"{self.name}:{side}:{which}", self.unit,
                better, facets=False,
            )  # fmt: skip


class PLCMOS(DNSMOS):
    """Opinion of the output alone (1 to 5) that PLCMOS v2 predicts, made for concealed packet
    loss: the mean over clips, each the mean of fifteen raters drawn once and for all (the package
    draws new ones every time, ± 0.01). `plcmos/original`: of the originals. Channels are averaged,
    clips brought to 16 kHz. For speech only."""

    name = "plcmos"
    statistics = ("plcmos",)
    reference = "Diener et al. 2023 (2305.15127), weights of the package speechmos"
    tags = {"probe": "speechmos-plcmos-2", "raters": "15 fixed", "resampler": RESAMPLER}
    _facets = ()
    _main = ""


def utmos(encoded: EncodedMedia) -> Statistic:
    """UTMOS of the outputs and the originals."""
    return opinions(encoded, "utmos")


class UTMOS(DNSMOS):
    """Naturalness of the output alone (1 to 5) that UTMOS22's strong learner predicts: the mean
    over clips; `utmos/original`: of the originals. Channels are averaged, clips brought to 16 kHz.
    For speech only. Its weights are a TorchScript file `utmos22_strong.pt` in a folder of
    TOKBENCH_WEIGHTS. It was learnt on English and Chinese and knows other languages badly."""

    name = "utmos"
    statistics = ("utmos",)
    reference = "Saeki et al. 2022 (2204.02152)"
    tags = {"probe": "utmos22-strong", "resampler": RESAMPLER}
    _facets = ()
    _main = ""
