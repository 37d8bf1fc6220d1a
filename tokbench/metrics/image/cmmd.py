"""CMMD: maximum mean discrepancy of CLIP embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured, jackknife
from tokbench.metrics.image.distribution import OnFeatures, slug_of
from tokbench.probes.features import load_features
from tokbench.types import Score

CLIP = "clip-vit-l-14-336px"
"""The network of the paper."""
SIGMA, SCALE = 10.0, 1000.0
"""The paper's width of the kernel, and the factor that makes values readable."""


def unit(features: np.ndarray) -> np.ndarray:
    """Rows of length 1, as CLIP compares them; a row of zeros stays."""
    rows = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


class CMMD(OnFeatures):
    """CMMD: 1000 times the squared maximum mean discrepancy between the CLIP embeddings (ViT-L/14
    at 336 pixels, of length 1) of originals and reconstructions, with the kernel
    exp(-‖x - y‖² / 2σ²), σ = 10. estimator: `biased`, pairing each image with itself too, as the
    authors' code does; or `unbiased`, as the paper's equation is. It is taken over all pairs of a
    uniform sample of `most` images, the same whatever the shards. The interval leaves out
    sixteenths of the sample in turn. features: others, which name the score. least: images below
    which it refuses. Pictures are scaled to CLIP's size by torch-fidelity (bilinear), by the
    authors' code bicubically: values differ in the last digits."""

    name = "cmmd"
    statistics: tuple[str, ...] = ("feature-rows",)
    aggregation = "pairs of a uniform sample"
    reference = "Jayasumana et al. 2024 (2401.09603)"

    def __init__(
        self,
        *,
        features: str = CLIP,
        estimator: str = "biased",
        least: int = 1000,
        most: int = 4000,
    ) -> None:
        load_features(features)
        if estimator not in ("biased", "unbiased"):
            raise ValueError(f"estimator: choose biased or unbiased, not '{estimator}'")
        if not 32 <= least <= most <= 20_000:
            raise ValueError(f"32 ≤ least ≤ most ≤ 20000 is needed, not {least} and {most}")
        self.features, self.estimator, self.least, self.most = features, estimator, least, most
        self.statistics = (f"feature-rows?features={features}&most={most}",)

    @property
    def label(self) -> str:
        told = [slug_of(self.features)] * (self.features != CLIP)
        return "-".join([self.name, *told, *(["unbiased"] * (self.estimator == "unbiased"))])

    def result(self, measured: Measured) -> Iterator[Score]:
        from tokbench.mmd import gaussian, mmd2

        rows = measured.evidence.kept[f"features:{self.features}:{self.most}"].rows
        if few := self.few(len(rows), self.least):
            yield measured.score(
                self.label, None, len(rows), unit=self.unit, better=self.better, note=few
            )
            return
        originals, decoded = np.split(rows, 2, axis=1)
        biased = self.estimator == "biased"
        value, left_out = mmd2(unit(originals), unit(decoded), gaussian(SIGMA), biased)
        low, high = jackknife(SCALE * left_out, SCALE * value)
        yield measured.score(
            self.label, SCALE * value, len(rows), unit=self.unit, better=self.better, low=low,
            high=high, interval="jackknife",
        )  # fmt: skip
