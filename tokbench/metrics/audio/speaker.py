"""Speakers: is the output still the same voice, and can voices still be told apart?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tokbench.audio.clips import RESAMPLER
from tokbench.audio.pairs import pairs
from tokbench.files import sha256
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.audio.clipwise import Found, column, mean
from tokbench.metrics.audio.probed import Probed
from tokbench.probes.kept import content_of, remembered
from tokbench.statistics import Statistic
from tokbench.types import Score

SECONDS = 0.5


def encoder(name: str) -> Any:
    """The speaker encoder `resemblyzer`, or a WavLM-SV of the hub or a folder, loaded once in a
    process."""
    from tokbench.probes import resemblyzer, xvector

    return resemblyzer.resemblyzer() if name == "resemblyzer" else xvector.xvector(name)


def voices(encoded: EncodedMedia, embeddings: str = "no", probe: str = "resemblyzer") -> Statistic:
    """Cosine of the voice in the output and in the original; with `embeddings`, those too and a
    number for the speaker (0 where the clip has none or cannot be used)."""
    judge = encoder(probe)
    mark = judge.fingerprint()
    found: list[Found] = []
    table = np.zeros((2, judge.size, len(encoded.batch)))
    speakers = np.zeros(len(encoded.batch), np.int64)
    for row, pair in enumerate(pairs(encoded)):
        reason = pair.unfit(speech=True)
        reason = reason or ("narrowband" if pair.rate < judge.rate else "")
        if not reason and min(c.shape[1] for c in pair.raw) < SECONDS * pair.rate:
            reason = "short"
        if reason:
            found.append(reason)
            continue
        before, after = pair.mono("raw", judge.rate)
        kept = remembered(judge.name, mark, content_of(before), partial(_embedded, judge, before))
        table[:, :, row] = kept, judge.embed(after)
        found.append(float(table[0, :, row] @ table[1, :, row]))
        speaker = pair.sample.notes.get("speaker")
        speakers[row] = int(sha256(str(speaker))[:10], 16) if speaker else 0
    name = f"voice:{probe}"
    whole = column(encoded, name, found)
    if embeddings == "yes":
        whole.columns[f"{name}:speaker"] = speakers
        for number in range(judge.size):
            for side, which in enumerate(("original", "output")):
                whole.columns[f"{name}:{which}:{number}"] = exact(table[side, number])
    return whole


def _embedded(probe: Any, clip: np.ndarray) -> list[float]:
    return [float(value) for value in probe.embed(clip)]


class SpeakerSimilarity(Probed):
    """Cosine of the voice embeddings of output and original: the mean over clips. probe:
    `resemblyzer` (256 numbers, none below 0, so different speakers have 0.5 and more; weights in
    its wheel), or a WavLM-SV of the hub or a folder (`microsoft/wavlm-base-plus-sv`). Channels are
    averaged, clips brought to 16 kHz, silence is not cut out. eer: also `speaker-similarity/eer`,
    the equal error rate of telling the set's own speakers apart, each output against each original
    of another clip, and `/eer-original`, the same among the originals. For speech only; clips
    under half a second have none."""

    name = "speaker-similarity"
    statistics = ("voices",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "higher", "mean of clips"
    reference = "Wan et al. 2018 (1710.10467); Chen et al. 2022 (2110.13900)"
    tags = {"vad": "none", "resampler": RESAMPLER}

    def __init__(self, *, eer: bool = False, probe: str = "resemblyzer") -> None:
        if probe != "resemblyzer" and "/" not in probe:
            raise ValueError(
                "probe: choose resemblyzer or a WavLM-SV (microsoft/wavlm-base-plus-sv, or a "
                f"folder), not '{probe}'"
            )
        self.eer, self.probe = eer, probe
        self.statistics = (f"voices?embeddings={'yes' if eer else 'no'}&probe={probe}",)
        self._column = f"voice:{probe}"

    def judge(self) -> str:
        return encoder(self.probe).fingerprint()

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, self._column, self.unit, self.better)
        if not self.eer:
            return
        for facet, side in (("eer", "output"), ("eer-original", "original")):
            value, n, note = self._error(measured, side)
            yield measured.score(
                f"{self.name}/{facet}", value, n, unit="1",
                better="lower" if side == "output" else "neither", note=note,
            )  # fmt: skip

    def _error(self, measured: Measured, side: str) -> tuple[float | None, int, str]:
        evidence = measured.evidence
        if evidence.block > 1:
            return None, 0, "too many clips to keep their embeddings one by one"
        speaker = evidence.columns[f"{self._column}:speaker"]
        rows = np.flatnonzero(speaker)
        speaker = speaker[rows]
        if len(rows) == 0:
            return None, 0, "no clip says who speaks (note speaker)"
        size = encoder(self.probe).size
        enrolled, tried = (
            np.stack([evidence.columns[f"{prefix}:{n}"][rows] for n in range(size)], axis=1)
            for prefix in (f"{self._column}:original", f"{self._column}:{side}")
        )
        same = speaker[:, None] == speaker
        other = ~np.eye(len(rows), dtype=bool)
        cosines = enrolled @ tried.T
        targets, strangers = cosines[same & other], cosines[~same]
        if not len(targets) or not len(strangers):
            return None, 0, "wants two speakers, one of them with two clips"
        note = f"no interval: {len(targets)} and {len(strangers)} trials share their clips"
        return equal_error_rate(targets, strangers), len(rows), note


def equal_error_rate(targets: np.ndarray, strangers: np.ndarray) -> float:
    """The error rate at the threshold where as large a share of targets is refused as of
    strangers is let in; the mean of the two where no threshold makes them equal."""
    thresholds = np.unique(np.concatenate([targets, strangers]))
    refused = np.searchsorted(np.sort(targets), thresholds) / len(targets)
    let_in = 1 - np.searchsorted(np.sort(strangers), thresholds) / len(strangers)
    best = int(np.argmin(np.abs(refused - let_in)))
    return float((refused[best] + let_in[best]) / 2)
