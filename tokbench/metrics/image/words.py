"""T-ACC and T-NED: can a probe still read the words of a picture? (TokBench, arXiv 2505.18142)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tokbench.image.fitting import fit, restored
from tokbench.image.words import Word, crop, scale, words_of
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric
from tokbench.probes.ocr import TextProbe, kept_readings, known_probe, text_probe
from tokbench.statistics import Statistic
from tokbench.types import Score, TokenizerSpec

EDGES = {
    256: (0.02, 0.03, 0.04, 1.0),
    512: (0.01, 0.02, 0.03, 1.0),
    1024: (0.005, 0.01, 0.02, 1.0),
}
"""TokBench's half-open buckets of `scale`, by resolution; the same in all its releases so far."""
BUCKETS = ("small", "medium", "large")
SEEN = ("", "-original", "-resized")
"""The reconstruction; the original; the original only scaled to the resolution and back."""


def accuracy(truth: str, read: str) -> int:
    """1 for exactly the same string (case, accents, punctuation), else 0."""
    return int(truth == read)


def similarity(truth: str, read: str) -> float:
    """1 − Levenshtein distance over the longer length (ICDAR 2019); 1 for two empty strings."""
    from rapidfuzz.distance import Levenshtein

    longer = max(len(truth), len(read))
    return 1 - Levenshtein.distance(truth, read) / longer if longer else 1.0


def bucket(ratio: float, resolution: int) -> int | None:
    """Number of the bucket of a `scale`; None outside of all of them."""
    number = int(np.searchsorted(EDGES[resolution], ratio, side="right")) - 1
    return number if 0 <= number < len(BUCKETS) else None


def recognised(
    encoded: EncodedMedia, probe: str = "rapidocr", resolution: str = "256"
) -> Statistic:
    """For each picture `words` and, in each bucket, words and what the probe makes of them: hits
    and similarities on the reconstruction, the original, and the original scaled to the
    resolution and back. Words outside of the buckets are counted and not read."""
    reader, side = text_probe(probe), int(resolution)
    words, scored = in_buckets(encoded, side)
    read = {
        "": readings(reader, encoded.outputs, scored),
        "-original": [
            kept_readings(reader, picture, [word.box for _, word in row])
            for picture, row in zip(encoded.inputs, scored, strict=True)
        ],
        "-resized": [
            kept_readings(reader, scaled(picture, side), [word.box for _, word in row])
            for picture, row in zip(encoded.inputs, scored, strict=True)
        ],
    }
    return Statistic(_columns(prefix(probe, side), words, scored, read))


def in_buckets(
    encoded: EncodedMedia, resolution: int
) -> tuple[np.ndarray, list[list[tuple[int, Word]]]]:
    """How many words each picture has, and those of them that a bucket takes, with its number."""
    scored: list[list[tuple[int, Word]]] = []
    words = np.zeros(len(encoded.batch), np.int64)
    for row, sample in enumerate(encoded.batch.samples):
        found = words_of(sample)
        words[row] = len(found)
        height, width = encoded.inputs[row].shape[:2]
        places = [(bucket(scale(word, height, width), resolution), word) for word in found]
        scored.append([(place, word) for place, word in places if place is not None])
    return words, scored


def scaled(picture: np.ndarray, resolution: int) -> np.ndarray:
    """A picture scaled to fit the resolution and back, and nothing else."""
    spec = TokenizerSpec(modality="image")
    fitted = fit(picture, spec, resolution)
    return restored(fitted.pixels, fitted, spec)


def prefix(probe: str, resolution: int) -> str:
    """With which the columns of these options begin."""
    return f"words-{probe}-{resolution}"


def readings(
    reader: TextProbe, pictures: Sequence[np.ndarray], scored: list[list[tuple[int, Word]]]
) -> list[list[str]]:
    """All words of a batch at once, given back picture by picture."""
    crops = [
        crop(picture, word.box)
        for picture, row in zip(pictures, scored, strict=True)
        for _, word in row
    ]
    texts = iter(reader.recognise(crops) if crops else [])
    return [[next(texts) for _ in row] for row in scored]


def _columns(
    name: str,
    words: np.ndarray,
    scored: list[list[tuple[int, Word]]],
    read: dict[str, list[list[str]]],
) -> dict[str, np.ndarray]:
    shape = (len(words), len(BUCKETS))
    counts = np.zeros(shape, np.int64)
    for row, found in enumerate(scored):
        for place, _ in found:
            counts[row, place] += 1
    columns = {f"{name}:all": words, f"{name}:outside": words - counts.sum(1)}
    columns |= {f"{name}:{b}:n": counts[:, i] for i, b in enumerate(BUCKETS)}
    for seen, texts in read.items():
        hits, similar = np.zeros(shape, np.int64), np.zeros(shape)
        for row, found in enumerate(scored):
            for (place, word), text in zip(found, texts[row], strict=True):
                hits[row, place] += accuracy(word.text, text)
                similar[row, place] += exact([similarity(word.text, text)])[0]
        for i, b in enumerate(BUCKETS):
            columns[f"{name}:{b}:t-acc{seen}"] = hits[:, i]
            columns[f"{name}:{b}:t-ned{seen}"] = similar[:, i]
    return columns


class WordReading(Metric):
    """What T-ACC and T-NED share: options, buckets, their mean, ceilings."""

    statistics = ("words-read",)
    needs = ("reconstruction",)
    better, aggregation = "higher", "mean of bucket means"
    reference = "TokBench (Wu et al. 2025), arXiv 2505.18142: buckets of 256, 512 and 1024"
    tags = {"buckets": "tokbench-1"}

    def __init__(self, *, probe: str = "rapidocr", resolution: int = 256) -> None:
        if resolution not in EDGES:
            raise ValueError(f"resolution: choose {', '.join(map(str, EDGES))}, not {resolution}")
        known_probe(probe)
        self.probe, self.resolution = probe, resolution
        self.statistics = (f"words-read?probe={probe}&resolution={resolution}",)
        told = [probe] * (probe != "rapidocr") + [str(resolution)] * (resolution != 256)
        self.label = "-".join([self.name, *told])

    def check(self, groups: Sequence[str]) -> None:
        text_probe(self.probe)

    def signature(self) -> str:
        """With the fingerprint of the probe."""
        told = f"probe:{self.probe}"
        return super().signature().replace(told, f"{told}#{_short(self.probe)}", 1)

    def result(self, measured: Measured) -> Iterator[Score]:
        if not measured.totals(f"{prefix(self.probe, self.resolution)}:all").sum():
            none = "no picture's words are annotated"
            yield self._score(measured, self.label, 0, None, None, None, none)
            return
        yield self._macro(measured, self.label, "")
        columns = [f"{prefix(self.probe, self.resolution)}:{b}" for b in BUCKETS]
        for b, column, low, high in zip(
            BUCKETS, columns, EDGES[self.resolution], EDGES[self.resolution][1:], strict=False
        ):
            n = int(measured.totals(f"{column}:n").sum())
            yield self._score(
                measured, f"{self.label}/{b}", n,
                measured.totals(f"{column}:{self.name}").sum() / n if n else None,
                measured.replicates(f"{column}:{self.name}").sum(1),
                measured.replicates(f"{column}:n").sum(1),
                f"no word has a scale from {low:g} up to {high:g}",
            )  # fmt: skip
        yield self._macro(measured, f"{self.label}/original", "-original")
        yield self._macro(measured, f"{self.label}/resized", "-resized")
        if measured.grouped:
            for number, group in enumerate(measured.groups):
                yield self._macro(measured, f"{self.label}/{group}", "", number)
        yield self._outside(measured)

    def _macro(self, measured: Measured, name: str, seen: str, group: int | None = None) -> Score:
        """The unweighted mean of the bucket means, all groups pooled or one of them."""
        columns = [f"{prefix(self.probe, self.resolution)}:{b}" for b in BUCKETS]
        pick: Any = slice(None) if group is None else [group]
        n = np.array([measured.totals(f"{c}:n")[pick].sum() for c in columns])
        empty = [b for b, count in zip(BUCKETS, n, strict=True) if not count]
        if empty:
            return self._score(
                measured, name, int(n.sum()), None, None, None,
                f"no word in bucket {', '.join(empty)}: no mean of three",
            )  # fmt: skip
        tops = np.array([measured.totals(f"{c}:{self.name}{seen}")[pick].sum() for c in columns])
        drawn = np.zeros(measured.draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            for column in columns:
                top = measured.replicates(f"{column}:{self.name}{seen}")[:, pick].sum(1)
                drawn += top / measured.replicates(f"{column}:n")[:, pick].sum(1) / len(BUCKETS)
        return self._score(
            measured, name, int(n.sum()), float((tops / n).mean()), drawn, None, "", group
        )

    def _score(
        self,
        measured: Measured,
        name: str,
        n: int,
        value: float | None,
        tops: np.ndarray | None,
        bottoms: np.ndarray | None,
        why: str,
        group: int | None = None,
    ) -> Score:
        if value is None or tops is None:
            return measured.score(name, None, n, unit=self.unit, better=self.better, note=why)
        if few := measured.enough(group):
            return measured.score(name, value, n, unit=self.unit, better=self.better, note=few)
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = tops if bottoms is None else tops / bottoms
        low, high = measured.interval(draws)
        return measured.score(
            name, value, n, draws, unit=self.unit, better=self.better, low=low, high=high,
            interval="bootstrap",
        )  # fmt: skip

    def _outside(self, measured: Measured) -> Score:
        name = prefix(self.probe, self.resolution)
        words = int(measured.totals(f"{name}:all").sum())
        out = int(measured.totals(f"{name}:outside").sum())
        return measured.score(
            f"{self.label}/unscored", out, words,
            unit="words", note="characters smaller than the smallest bucket: left out" * bool(out),
        )  # fmt: skip


def _short(probe: str) -> str:
    return text_probe(probe).fingerprint()[:8]


class TextAccuracy(WordReading):
    """T-ACC: share of the words that a probe (OCR) reads exactly right in their ground-truth
    boxes on the reconstruction: case, accents and punctuation count. Words are bucketed by the
    size of their characters relative to the picture (longer side of the box / characters / longer
    side of the picture), with edges that belong to the resolution; the value is the unweighted
    mean of the three bucket means, pictures pooled. `/small`, `/medium`, `/large`: each bucket.
    `/original`: the same words on the original, the probe's own ceiling. `/resized`: on the
    original only scaled to the resolution and back, the ceiling of any tokenizer at it.
    `/unscored`: words below the smallest bucket, which do not enter. TokBench keeps only words
    that its own OCR reads on the original; here all words enter and the ceiling is told.
    probe: `rapidocr` or `easyocr` (TokBench's is docTR's PARSeq). resolution: 256, 512 or 1024,
    to go with the task's view. Other options than these name the score: `t-acc-512`."""

    name = "t-acc"
    unit = "share"


class TextSimilarity(WordReading):
    """T-NED: mean over words of 1 − Levenshtein distance / longer length between the ground truth
    and what a probe (OCR) reads in its box on the reconstruction, characters being code points;
    1 for two empty strings. Buckets, mean, facets and options are those of `t-acc`."""

    name = "t-ned"
    unit = "1"
