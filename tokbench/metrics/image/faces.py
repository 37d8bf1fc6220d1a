"""F-Sim: is a face still the same person's?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric
from tokbench.probes.faces import PROBES, Faces, face_probe, faces_of
from tokbench.statistics import Statistic
from tokbench.types import Sample, Score, Tokenizer

BUCKETS = ("small", "medium", "large")
EDGES: dict[str, dict[str, tuple[float, ...]]] = {
    "newest": {
        "256": (0.1, 0.2, 0.3, 1), "512": (0.05, 0.1, 0.2, 1), "1024": (0.02, 0.05, 0.1, 1),
        "video-256": (0.05, 0.1, 0.2, 1), "video-480": (0.02, 0.05, 0.1, 1),
    },
    "first": {
        "256": (0, 0.1, 0.2, 1), "512": (0, 0.05, 0.2, 1), "1024": (0, 0.05, 0.1, 1),
    },
}  # fmt: skip
"""TokBench's buckets of a face's relative size, half open, by release and resolution; the newest
are of commit 855802d."""


def ratios(boxes: np.ndarray, notes: list[dict[str, float]] | None, longest: int) -> np.ndarray:
    """The longer side of each face's box over the longer side of the picture, or the annotated
    `ratio`."""
    found = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0.0) / longest
    for row, note in enumerate(notes or ()):
        found[row] = note.get("ratio", found[row])
    return found


def faces(
    encoded: EncodedMedia, probe: str = "dlib", resolution: str = "256", edges: str = "newest"
) -> Statistic:
    """Of each image: faces and the sum of their cosines, in all and by bucket; faces below the
    smallest bucket; whether it has none; faces that are the same person's by the probe."""
    model, bounds = face_probe(probe), EDGES[edges][resolution]
    size = len(encoded.batch)
    counts = {name: np.zeros(size, np.int64) for name in (*BUCKETS, "all", "below", "none", "same")}
    sums = {name: np.zeros(size) for name in (*BUCKETS, "all")}
    for row, (sample, output) in enumerate(
        zip(encoded.batch.samples, encoded.outputs, strict=True)
    ):
        found = faces_of(model, sample)
        counts["all"][row], counts["none"][row] = len(found), not len(found)
        if not len(found):
            continue
        now = model.embed(output, found.keypoints)
        like = cosines(found.embeddings, now)
        sums["all"][row] = like.sum()
        if model.same is not None:
            far = np.linalg.norm(found.embeddings - now, axis=1)
            counts["same"][row] = (far < model.same).sum()
        bucket = buckets_of(found, sample, bounds)
        counts["below"][row] = (bucket < 0).sum()
        for number, name in enumerate(BUCKETS):
            counts[name][row] = (bucket == number).sum()
            sums[name][row] = like[bucket == number].sum()
    stem = faces_name(probe, resolution, edges)
    columns = {f"{stem}:{name}:n": values for name, values in counts.items()}
    return Statistic(columns | {f"{stem}:{name}": exact(values) for name, values in sums.items()})


def buckets_of(found: Faces, sample: Sample, bounds: tuple[float, ...]) -> np.ndarray:
    """Number of each face's bucket; -1 below the smallest."""
    assert sample.data is not None
    of_picture = ratios(found.boxes, sample.notes.get("faces"), max(sample.data.shape[:2]))
    bucket = np.searchsorted(bounds, of_picture, side="right") - 1
    return np.where(bucket >= 0, np.minimum(bucket, 2), -1)  # a face may fill the picture


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row of the one and the same row of the other."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norms, 1e-12)


def faces_name(probe: str, resolution: str, edges: str) -> str:
    """The statistic with these options."""
    return f"faces?probe={probe}&resolution={resolution}&edges={edges}"


class FaceSimilarity(Metric):
    """Cosine between the face embeddings of original and reconstruction (TokBench's F-Sim): the
    mean over the faces of each size bucket, then the unweighted mean of the buckets. The faces are
    those annotated in the original, else those that the probe detects there; their keypoints in the
    original align both pictures, and nothing is detected in the reconstruction, so a face that is
    gone scores low and not out. probe: `dlib` (offline; cosines of different people are 0.8 to 0.9,
    so read differences from 1) or `insightface` (ArcFace, TokBench's own). resolution: 256, 512,
    1024, video-256 or video-480, edges: `newest` or `first`: TokBench's buckets. A face's size is
    the longer side of its box over that of the picture. Facets: each bucket, `pooled` over all
    faces; `same-person`, the share whose embeddings the probe's authors would call one person's;
    `below`, faces smaller than the smallest bucket; `no-face`, images without any."""

    name = "f-sim"
    statistics = ("faces",)
    needs = ("reconstruction",)
    unit, better, aggregation = "cosine", "higher", "macro mean of size buckets"
    reference = "TokBench, Wu et al. 2025 (2505.18142); buckets of its code by release"

    def __init__(
        self, *, probe: str = "dlib", resolution: str | int = "256", edges: str = "newest"
    ) -> None:
        resolution = str(resolution)
        if probe not in PROBES:
            raise ValueError(f"probe: choose {' or '.join(PROBES)}, not '{probe}'")
        if edges not in EDGES:
            raise ValueError(f"edges: choose {' or '.join(EDGES)}, not '{edges}'")
        if resolution not in EDGES[edges]:
            known = ", ".join(EDGES[edges])
            raise ValueError(f"resolution: choose {known}, not '{resolution}' (edges: {edges})")
        self.probe, self.resolution, self.edges = probe, resolution, edges
        self._stem = faces_name(probe, resolution, edges)
        self.statistics = (self._stem,)
        told = [probe] * (probe != "dlib") + [resolution] * (resolution != "256")
        self.label = "-".join([self.name, *told, *([edges] if edges != "newest" else [])])

    @cached_property
    def _missing(self) -> str:
        return face_probe(self.probe).missing()

    @property
    def tags(self) -> dict[str, str]:  # type: ignore[override]
        """The probe's weights, which every value depends on."""
        digest = "missing" if self._missing else face_probe(self.probe).fingerprint()[:8]
        return {"weights": digest}

    def lacks(self, tokenizer: Tokenizer) -> str:
        return super().lacks(tokenizer) or self._missing

    def result(self, measured: Measured) -> Iterator[Score]:
        n = {name: self._total(measured, f"{name}:n") for name in (*BUCKETS, "all", "below")}
        images = int(measured.totals("samples").sum())
        without = self._total(measured, "none:n")
        if not n["all"]:
            yield measured.score(
                self.label, None, 0, unit=self.unit, better=self.better,
                note="no face in any image",
            )  # fmt: skip
            return
        full = [name for name in BUCKETS if n[name]]
        means = [self._total(measured, name) / n[name] for name in full]
        draws = {name: self._drawn(measured, name, f"{name}:n") for name in (*full, "all")}
        note = ""
        if len(full) < len(BUCKETS):
            empty = ", ".join(name for name in BUCKETS if name not in full)
            note = f"no face in bucket {empty}" + (": mean of the others" if full else "")
        yield self._score(
            measured, self.label, float(np.mean(means)) if full else None,
            sum(n[name] for name in full),
            np.mean([draws[name] for name in full], axis=0) if full else None, note,
        )  # fmt: skip
        for name, mean in zip(full, means, strict=True):
            yield self._score(measured, f"{self.label}/{name}", mean, n[name], draws[name])
        pooled = self._total(measured, "all") / n["all"]
        yield self._score(measured, f"{self.label}/pooled", pooled, n["all"], draws["all"])
        if face_probe(self.probe).same is not None:
            share = self._total(measured, "same:n") / n["all"]
            drawn = self._drawn(measured, "same:n", "all:n")
            yield self._score(
                measured, f"{self.label}/same-person", share, n["all"], drawn, unit="share"
            )
        for name, count, unit in (("below", n["below"], "faces"), ("no-face", without, "images")):
            if count:
                of = n["all"] if unit == "faces" else images
                yield measured.score(
                    f"{self.label}/{name}",
                    count,
                    int(of),
                    unit=unit,
                    note="left out of the buckets",
                )

    def _total(self, measured: Measured, name: str) -> float:
        return measured.totals(f"{self._stem}:{name}").sum()

    def _drawn(self, measured: Measured, top: str, bottom: str) -> np.ndarray:
        tops = measured.replicates(f"{self._stem}:{top}").sum(1)
        bottoms = measured.replicates(f"{self._stem}:{bottom}").sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return tops / bottoms

    def _score(
        self, measured: Measured, name: str, value: float | None, n: float,
        draws: np.ndarray | None, note: str = "", unit: str = "cosine",
    ) -> Score:  # fmt: skip
        few = measured.enough()
        if draws is None or few or not np.isfinite(draws).all():
            why = few or "no interval: too few faces, some resamples have none of this size"
            told = "; ".join(filter(None, (note, why if value is not None else "")))
            return measured.score(name, value, int(n), unit=unit, better=self.better, note=told)
        low, high = measured.interval(draws)
        return measured.score(
            name, value, int(n), draws, unit=unit, better=self.better, note=note,
            low=low, high=high, interval="bootstrap",
        )  # fmt: skip
