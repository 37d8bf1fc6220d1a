"""Distances of the distributions of originals and reconstructions: rFID, KID, other features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from tokbench import frechet
from tokbench.errors import UserError
from tokbench.frechet import Gaussian
from tokbench.kept import Kept, keys_of
from tokbench.measured import Measured, jackknife
from tokbench.media import EncodedMedia
from tokbench.metrics.metric import Metric
from tokbench.probes.features import INCEPTION, Features, kept_features, load_features
from tokbench.statistics import Statistic
from tokbench.types import Score


def features_of(encoded: EncodedMedia, name: str, original: bool) -> np.ndarray:
    """Features of the originals (cached by content) or of the reconstructions of a batch."""
    made = load_features(name)
    if original:
        return encoded.once(f"features:{name}", lambda: kept_features(made, encoded.inputs))
    return encoded.once(f"features:{name}:decoded", lambda: made(encoded.outputs))


def summed(features: np.ndarray, name: str) -> np.ndarray:
    """`frechet.moments`, with the features named where they do not fit."""
    try:
        return frechet.moments(features)
    except ValueError as error:
        raise UserError(f"features {name}: {error}") from error


def original_moments(encoded: EncodedMedia, features: str) -> Statistic:
    """Moments of the originals' features, as sums."""
    made = features_of(encoded, features, True)
    return Statistic(sums={f"moments:{features}:original": summed(made, features)})


def decoded_moments(encoded: EncodedMedia, features: str) -> Statistic:
    """Moments of the reconstructions' features, as sums."""
    made = features_of(encoded, features, False)
    return Statistic(sums={f"moments:{features}:decoded": summed(made, features)})


def feature_rows(encoded: EncodedMedia, features: str, most: str) -> Statistic:
    """Features of a uniform sample of the images: original and reconstruction side by side."""
    keys = keys_of(encoded.batch.group, encoded.batch.index)
    both = [features_of(encoded, features, original) for original in (True, False)]
    rows = np.concatenate(both, axis=1).astype(np.float32)
    return Statistic(kept={f"features:{features}:{most}": Kept.of(keys, rows, int(most))})


class OnFeatures(Metric):
    """A metric of features; their name and fingerprint are part of its signature."""

    features: str = INCEPTION
    unit, better = "1", "lower"
    needs: ClassVar[tuple[str, ...]] = ("reconstruction",)
    paired = False

    @property
    def made(self) -> Features:
        return load_features(self.features)

    @property
    def label(self) -> str:
        """How its score is called: on other features than Inception's by their name too."""
        return self.name if self.features == INCEPTION else f"{self.name}-{slug_of(self.features)}"

    def check(self, groups: Sequence[str]) -> None:
        super().check(groups)
        self.made.ready()

    def signature(self) -> str:
        name, _, rest = super().signature().partition("|")
        own = f"{name}|features:{self.features}" if "features" not in self.options() else name
        return f"{own}|weights:{self.made.fingerprint()}|{rest}"

    def few(self, n: int, least: int) -> str:
        """Why so few images are not enough, or an empty string."""
        return f"{n:,} images: {self.name} needs {least:,}" if n < least else ""


def slug_of(features: str) -> str:
    """The features' name within a score's name: the function's own for one of the user's."""
    return features.rpartition(":")[2]


NO_INTERVAL = "no interval: only pooled moments are kept"


class FrechetDistance(OnFeatures):
    """Fréchet distance between the features of originals and reconstructions, each taken as
    Gaussian: ‖μ₁ - μ₂‖² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½). features: an extractor of torch-fidelity
    (`dinov2-vit-l-14` for FD-DINOv2, `clip-vit-l-14-336px`, …), or a function of your own,
    `my.pkg:function`, of a uint8 array (1, height, width, 3). least: images below which it
    refuses, for it is biased upwards by few. Scores are named after the features."""

    name = "frechet-distance"
    statistics: tuple[str, ...] = ("original-moments", "decoded-moments")
    aggregation = "moments"
    reference = "Heusel et al. 2017 (1706.08500); Stein et al. 2023 (2306.04675) for DINOv2"

    def __init__(self, *, features: str = "dinov2-vit-l-14", least: int = 2048) -> None:
        self._set(features, least)

    def _set(self, features: str, least: int) -> None:
        load_features(features)
        if least < 2:
            raise ValueError("least: a covariance needs 2 images at least")
        self.features, self.least = features, least
        self.statistics = (
            f"original-moments?features={features}",
            f"decoded-moments?features={features}",
        )

    def result(self, measured: Measured) -> Iterator[Score]:
        stem = f"moments:{self.features}"
        sums = measured.evidence.sums
        n = int(sums[f"{stem}:original"][-1, -1])
        if few := self.few(n, self.least):
            yield measured.score(self.label, None, n, unit=self.unit, better=self.better, note=few)
            return
        original = Gaussian.of(sums[f"{stem}:original"])
        value = frechet.distance(original, Gaussian.of(sums[f"{stem}:decoded"]))
        yield measured.score(
            self.label, value, n, unit=self.unit, better=self.better, note=NO_INTERVAL
        )


class RFID(FrechetDistance):
    """Reconstruction FID: the Fréchet distance between Inception features (2048, the network of
    2015-12-05 with TensorFlow 1's bilinear resizing, as torch-fidelity has it) of the originals
    and of their reconstructions, at the size that the task gives them. least: images below which
    it refuses; published figures are of 50,000."""

    name = "rfid"
    reference = "Heusel et al. 2017 (1706.08500); torch-fidelity's inception-v3-compat"

    def __init__(self, *, least: int = 2048) -> None:
        self._set(INCEPTION, least)


class KernelDistance(OnFeatures):
    """Squared maximum mean discrepancy between the features of originals and reconstructions,
    unbiased, with the kernel (xᵀy / d + 1)³. It is taken over all pairs of a uniform sample of
    `most` images, the same whatever the shards; torch-fidelity's mean over random subsets of 1000
    has the same expectation and more variance. The interval leaves out sixteenths of the sample
    in turn. least: images below which it refuses."""

    name = "kernel-distance"
    statistics: tuple[str, ...] = ("feature-rows",)
    aggregation = "pairs of a uniform sample"
    reference = "Bińkowski et al. 2018 (1801.01401), with torch-fidelity's kernel"

    def __init__(
        self, *, features: str = "dinov2-vit-l-14", least: int = 1000, most: int = 4000
    ) -> None:
        self._set(features, least, most)

    def _set(self, features: str, least: int, most: int) -> None:
        load_features(features)
        if not 32 <= least <= most <= 20_000:
            raise ValueError(f"32 ≤ least ≤ most ≤ 20000 is needed, not {least} and {most}")
        self.features, self.least, self.most = features, least, most
        self.statistics = (f"feature-rows?features={features}&most={most}",)

    def result(self, measured: Measured) -> Iterator[Score]:
        from tokbench.mmd import mmd2

        rows = measured.evidence.kept[f"features:{self.features}:{self.most}"].rows
        if few := self.few(len(rows), self.least):
            yield measured.score(
                self.label, None, len(rows), unit=self.unit, better=self.better, note=few
            )
            return
        originals, decoded = np.split(rows, 2, axis=1)
        value, left_out = mmd2(originals, decoded)
        low, high = jackknife(left_out, value)
        yield measured.score(
            self.label, value, len(rows), unit=self.unit, better=self.better, low=low, high=high,
            interval="jackknife",
        )  # fmt: skip


class KID(KernelDistance):
    """Kernel inception distance: the unbiased squared maximum mean discrepancy, kernel
    (xᵀy / d + 1)³, between Inception features (as for rfid) of originals and reconstructions. It
    is taken over all pairs of a uniform sample of `most` images, the same whatever the shards;
    torch-fidelity's mean over random subsets of 1000 has the same expectation and more variance.
    The interval leaves out sixteenths of the sample in turn. least: images below which it
    refuses."""

    name = "kid"

    def __init__(self, *, least: int = 1000, most: int = 4000) -> None:
        self._set(INCEPTION, least, most)


def distances(
    sums: dict[str, np.ndarray], original: str, others: Sequence[str]
) -> tuple[int, list[float]]:
    """How many originals, and the distance of each of the other sets to them: the reference is
    factored once."""
    reference = Gaussian.of(sums[original])
    return reference.n, [frechet.distance(reference, Gaussian.of(sums[other])) for other in others]
