"""Perturbed Fréchet distances: pFID."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.image.distribution import NO_INTERVAL, OnFeatures, distances, summed
from tokbench.metrics.image.perturbed import (
    ALPHAS,
    AT,
    DELTAS,
    Grid,
    codebook_sizes,
    facet,
    pictures_of,
    query_of,
)
from tokbench.perturbation import Cell
from tokbench.probes.features import INCEPTION, load_features
from tokbench.statistics import Statistic
from tokbench.types import Score


def perturbed_moments(
    encoded: EncodedMedia,
    features: str,
    alpha: str,
    delta: str,
    at: str,
    positions: str,
    near: str,
    itself: str,
) -> Statistic:
    """Moments of the features of the images decoded from perturbed codes."""
    cell = Cell(float(alpha), int(delta), positions, near, itself)
    query = query_of(cell, int(at))
    pictures, failures = pictures_of(encoded, query, cell, int(at))
    there = [picture for picture in pictures if picture is not None]
    sums = {}
    if there:
        sums[f"moments:{features}:{query}"] = summed(load_features(features)(there), features)
    return Statistic(sums=sums, failures=failures)


class PerturbedFrechetDistance(OnFeatures, Grid):
    """Fréchet distance between the features of the originals and of the images decoded after a
    share alpha of the tokens of each was replaced by near codes; the mean over the cells of the
    grid. Options and facets as of perturbed-psnr; `/alpha-0` is the distance without
    replacements. features, least: as of frechet-distance."""

    name = "perturbed-frechet-distance"
    statistics: tuple[str, ...] = ("original-moments", "decoded-moments", "perturbed-moments")
    aggregation = "moments, mean of cells"
    reference = "Robust Latent Matters (2503.08354): 15 cells; K = 4096 is read as its reference"
    needs = Grid.needs

    def __init__(
        self,
        *,
        features: str = "dinov2-vit-l-14",
        least: int = 2048,
        alphas: str = ALPHAS,
        deltas: str = DELTAS,
        at: int = AT,
        positions: str = "exact",
        near: str = "code",
        itself: str = "in",
    ) -> None:
        self._set(features, least)
        self._grid(alphas, deltas, at, positions, near, itself)
        self._name_statistics()

    def _set(self, features: str, least: int) -> None:
        load_features(features)
        if least < 2:
            raise ValueError("least: a covariance needs 2 images at least")
        self.features, self.least = features, least

    def _name_statistics(self) -> None:
        given = f"features={self.features}"
        self.statistics = (
            f"original-moments?{given}",
            f"decoded-moments?{given}",
            *(f"perturbed-moments?{given}&{query_of(c, self.at)}" for c in self.cells),
        )

    def result(self, measured: Measured) -> Iterator[Score]:
        sums, stem = measured.evidence.sums, f"moments:{self.features}"
        names = {cell: f"{stem}:{query_of(cell, self.at)}" for cell in self.cells}
        measured.metric += f"|K:{codebook_sizes(measured.spec)}"
        given: dict[str, Any] = {"unit": self.unit, "better": self.better}
        fewest = min(int(sums[name][-1, -1]) if name in sums else 0 for name in names.values())
        if few := self.few(fewest, self.least):
            yield measured.score(self.label, None, fewest, note=few, **given)
            return
        others = [f"{stem}:decoded", *names.values()]
        n, found = distances(sums, f"{stem}:original", others)
        cells = dict(zip(self.cells, found[1:], strict=True))
        given["note"] = NO_INTERVAL
        yield measured.score(self.label, float(np.mean(found[1:])), n, **given)
        yield measured.score(f"{self.label}/alpha-0", found[0], n, **given)
        for alpha in self._alphas:
            column = float(np.mean([cells[cell] for cell in self.of_alpha(alpha)]))
            yield measured.score(f"{self.label}/alpha-{alpha:g}", column, n, **given)
        for cell, value in cells.items():
            yield measured.score(f"{self.label}/{facet(cell)}", value, n, **given)


class PFID(PerturbedFrechetDistance):
    """Perturbed FID: rFID after a share alpha of the tokens of each image was replaced, each by a
    uniform draw from the delta codes nearest to it; the mean over the cells of the paper's grid.
    Deltas are for a codebook of `at` = 4096 codes and scaled linearly with its size. The paper's
    text has `near` = code and exact positions; its code `near` = latent and Bernoulli positions;
    in both the token itself is in. Facets: each cell, the curve over alpha. Of use only within
    one codebook size, K in the signature."""

    name = "pfid"

    def __init__(
        self,
        *,
        least: int = 2048,
        alphas: str = ALPHAS,
        deltas: str = DELTAS,
        at: int = AT,
        positions: str = "exact",
        near: str = "code",
        itself: str = "in",
    ) -> None:
        self._set(INCEPTION, least)
        self._grid(alphas, deltas, at, positions, near, itself)
        self._name_statistics()
