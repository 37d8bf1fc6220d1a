"""Robustness of a latent space as probes see it: words and faces after tokens were replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.image.faces import EDGES as FACE_EDGES
from tokbench.metrics.image.faces import FaceSimilarity, buckets_of, cosines, faces_name
from tokbench.metrics.image.perturbed import (
    AT,
    Grid,
    codebook_sizes,
    facet,
    pictures_of,
    query_of,
)
from tokbench.metrics.image.words import (
    BUCKETS,
    TextSimilarity,
    in_buckets,
    readings,
    similarity,
)
from tokbench.perturbation import Cell
from tokbench.probes.faces import face_probe, faces_of
from tokbench.probes.ocr import text_probe
from tokbench.statistics import Statistic
from tokbench.types import Score, Tokenizer

ALPHAS, DELTAS = "0.9,0.5,0.1", "280"
"""A smaller grid than the paper's: a probe looks at every cell."""


def perturbed_words(encoded: EncodedMedia, probe: str, resolution: str, **cell: str) -> Statistic:
    """By bucket: words whose picture was decoded from perturbed codes, and the sum of their
    similarities to the ground truth."""
    query, pictures, failures = _decoded(encoded, **cell)
    _, scored = in_buckets(encoded, int(resolution))
    seen = [
        row if picture is not None else [] for row, picture in zip(scored, pictures, strict=True)
    ]
    there = [a if a is not None else b for a, b in zip(pictures, encoded.inputs, strict=True)]
    texts = readings(text_probe(probe), there, seen)
    rows, places, values = [], [], []
    for number, (words, read) in enumerate(zip(seen, texts, strict=True)):
        for (place, word), text in zip(words, read, strict=True):
            rows.append(number)
            places.append(place)
            values.append(similarity(word.text, text))
    stem = f"perturbed-words?probe={probe}&resolution={resolution}&{query}"
    return Statistic(_by_bucket(stem, len(pictures), rows, places, values), failures=failures)


def perturbed_faces(
    encoded: EncodedMedia, probe: str, resolution: str, edges: str, **cell: str
) -> Statistic:
    """By bucket: faces whose picture was decoded from perturbed codes, and the sum of their
    cosines with the original's."""
    query, pictures, failures = _decoded(encoded, **cell)
    model, bounds = face_probe(probe), FACE_EDGES[edges][resolution]
    rows: list[int] = []
    places: list[int] = []
    values: list[float] = []
    for number, (sample, picture) in enumerate(zip(encoded.batch.samples, pictures, strict=True)):
        found = faces_of(model, sample)
        if picture is None or not len(found):
            continue
        like = cosines(found.embeddings, model.embed(picture, found.keypoints))
        bucket = buckets_of(found, sample, bounds)
        kept = np.flatnonzero(bucket >= 0)
        rows += [number] * len(kept)
        places += bucket[kept].tolist()
        values += like[kept].tolist()
    stem = f"perturbed-{faces_name(probe, resolution, edges)}&{query}"
    return Statistic(_by_bucket(stem, len(pictures), rows, places, values), failures=failures)


def _decoded(encoded: EncodedMedia, **given: str) -> tuple[str, list[np.ndarray | None], Any]:
    cell = Cell(
        float(given["alpha"]), int(given["delta"]), given["positions"], given["near"],
        given["itself"],
    )  # fmt: skip
    query = query_of(cell, int(given["at"]))
    return query, *pictures_of(encoded, query, cell, int(given["at"]))


def _by_bucket(
    stem: str, size: int, rows: Sequence[int], places: Sequence[int], values: Sequence[float]
) -> dict[str, np.ndarray]:
    columns: dict[str, np.ndarray] = {}
    row, place, value = np.array(rows, int), np.array(places, int), exact(values)
    for number, bucket in enumerate(BUCKETS):
        here = place == number
        columns[f"{stem}:{bucket}"] = np.bincount(row[here], value[here], minlength=size)
        columns[f"{stem}:{bucket}:n"] = np.bincount(row[here], minlength=size).astype(np.int64)
    return columns


class _Probed(Grid):
    """A grid whose cells are means over size buckets, as those of the plain score are.

    plain: the metric without replacements.
    """

    aggregation = "macro mean of size buckets, mean of cells"
    plain: ClassVar[type]
    every_bucket: ClassVar[bool]
    """Is there no mean while a bucket is empty? Else it is that of the others."""

    def _use(self, plain: Any, statistic: str, stem: str, grid: dict[str, Any]) -> None:
        self._grid(**grid)
        self._plain = plain
        self.label = plain.label.replace(plain.name, self.name, 1)
        self._stems = {cell: f"{stem}&{query_of(cell, self.at)}" for cell in self.cells}
        names = [f"{statistic}&{query_of(cell, self.at)}" for cell in self.cells]
        self.statistics = (*plain.statistics, *names)

    def check(self, groups: Sequence[str]) -> None:
        self._plain.check(groups)

    def lacks(self, tokenizer: Tokenizer) -> str:
        return super().lacks(tokenizer) or self._plain.lacks(tokenizer)

    def result(self, measured: Measured) -> Iterator[Score]:
        first = f"{next(iter(self._stems.values()))}:{BUCKETS[0]}"
        if first not in measured.evidence.columns:
            return
        measured.metric += f"|K:{codebook_sizes(measured.spec)}"
        yield self._mean(measured, self.label, list(self.cells))
        yield self._unperturbed(measured)
        for alpha in self._alphas:
            yield self._mean(measured, f"{self.label}/alpha-{alpha:g}", self.of_alpha(alpha))
        if len(self._deltas) > 1:
            for cell in self.cells:
                yield self._mean(measured, f"{self.label}/{facet(cell)}", [cell])

    def _unperturbed(self, measured: Measured) -> Score:
        """The plain score, as the curve's beginning."""
        there = set(measured.kept)
        plain = next(self._plain.result(measured))
        draws = measured.kept.get(plain.name)
        if plain.name not in there:
            measured.kept.pop(plain.name, None)
        name = f"{self.label}/alpha-0"
        if draws is not None and plain.value is not None:
            measured.kept[name] = draws
        return msgspec.structs.replace(plain, name=name)

    def _mean(self, measured: Measured, name: str, cells: Sequence[Cell]) -> Score:
        """Mean over the cells of the unweighted means of their buckets."""
        values, counts, draws = [], [], np.zeros(measured.draws)
        empty: dict[str, None] = {}
        for cell in cells:
            columns = [f"{self._stems[cell]}:{bucket}" for bucket in BUCKETS]
            n = [int(measured.totals(f"{column}:n").sum()) for column in columns]
            empty |= dict.fromkeys(b for b, count in zip(BUCKETS, n, strict=True) if not count)
            full = [column for column, count in zip(columns, n, strict=True) if count]
            counts.append(sum(n))
            if not full:
                continue
            values.append(np.mean([self._ratio(measured, column) for column in full]))
            with np.errstate(divide="ignore", invalid="ignore"):
                for column in full:
                    top = measured.replicates(column).sum(1)
                    bottom = measured.replicates(f"{column}:n").sum(1)
                    draws += top / bottom / len(full) / len(cells)
        given: dict[str, Any] = {"unit": self.unit, "better": self.better}
        note = f"nothing in bucket {', '.join(empty)}" if empty else ""
        if len(values) < len(cells) or (empty and self.every_bucket):
            why = f"{note}: no mean of three" if len(values) == len(cells) else note
            return measured.score(name, None, min(counts), note=why, **given)
        given["note"] = f"{note}: mean of the others" if note else ""
        value = float(np.mean(values))
        if few := measured.enough() or (
            "" if np.isfinite(draws).all() else "no interval: some resamples have none of a size"
        ):
            given["note"] = "; ".join(filter(None, (given["note"], few)))
            return measured.score(name, value, min(counts), **given)
        low, high = measured.interval(draws)
        return measured.score(
            name, value, min(counts), draws, low=low, high=high, interval="bootstrap", **given
        )

    @staticmethod
    def _ratio(measured: Measured, column: str) -> float:
        return float(measured.totals(column).sum() / measured.totals(f"{column}:n").sum())


class PerturbedTextSimilarity(_Probed):
    """T-NED on pictures decoded after a share alpha of the tokens of each was replaced, each by a
    uniform draw from the delta codes nearest to it; the mean over the cells of the grid. Facets:
    the curve over alpha (`/alpha-0` is the plain T-NED), and each cell where there are several
    deltas. Grid options as of perturbed-psnr, on a smaller grid; probe, resolution: as of t-ned.
    Scores are comparable only at equal codebook size, K in the signature."""

    name = "perturbed-t-ned"
    statistics: tuple[str, ...] = ("words-read", "perturbed-words")
    unit, better = "1", "higher"
    reference = "TokBench's T-NED (2505.18142) on the grid of Robust Latent Matters (2503.08354)"
    tags = TextSimilarity.tags
    every_bucket = True

    def __init__(
        self,
        *,
        probe: str = "rapidocr",
        resolution: int = 256,
        alphas: str = ALPHAS,
        deltas: str = DELTAS,
        at: int = AT,
        positions: str = "exact",
        near: str = "code",
        itself: str = "in",
    ) -> None:
        plain = TextSimilarity(probe=probe, resolution=resolution)
        self.probe, self.resolution = probe, resolution
        name = f"perturbed-words?probe={probe}&resolution={resolution}"
        self._use(plain, name, name, {
            "alphas": alphas, "deltas": deltas, "at": at, "positions": positions, "near": near,
            "itself": itself,
        })  # fmt: skip

    def signature(self) -> str:
        """With the fingerprint of the probe."""
        told = f"probe:{self.probe}"
        digest = text_probe(self.probe).fingerprint()[:8]
        return super().signature().replace(told, f"{told}#{digest}", 1)


class PerturbedFaceSimilarity(_Probed):
    """F-Sim on pictures decoded after a share alpha of the tokens of each was replaced, each by a
    uniform draw from the delta codes nearest to it; the mean over the cells of the grid. Facets:
    the curve over alpha (`/alpha-0` is the plain F-Sim), and each cell where there are several
    deltas. Grid options as of perturbed-psnr, on a smaller grid; probe, resolution, edges: as of
    f-sim. Scores are comparable only at equal codebook size, K in the signature."""

    name = "perturbed-f-sim"
    statistics: tuple[str, ...] = ("faces", "perturbed-faces")
    unit, better = "cosine", "higher"
    reference = "TokBench's F-Sim (2505.18142) on the grid of Robust Latent Matters (2503.08354)"
    every_bucket = False

    def __init__(
        self,
        *,
        probe: str = "dlib",
        resolution: str | int = "256",
        edges: str = "newest",
        alphas: str = ALPHAS,
        deltas: str = DELTAS,
        at: int = AT,
        positions: str = "exact",
        near: str = "code",
        itself: str = "in",
    ) -> None:
        plain = FaceSimilarity(probe=probe, resolution=resolution, edges=edges)
        self.probe, self.resolution, self.edges = plain.probe, plain.resolution, plain.edges
        name = f"perturbed-{plain.statistics[0]}"
        self._use(plain, name, name, {
            "alphas": alphas, "deltas": deltas, "at": at, "positions": positions, "near": near,
            "itself": itself,
        })  # fmt: skip

    @property
    def tags(self) -> dict[str, str]:  # type: ignore[override]
        """The probe's weights, which every value depends on."""
        return self._plain.tags
