"""One Fréchet distance by this package and by those that publish it, on the same made-up features:
statistics of both sets, then the distance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from beside import Row, absent, compared, installed

from tokbench.frechet import Gaussian, distance, moments


def made(seed: int, n: int, d: int) -> np.ndarray:
    """Features with the falling spectrum of a network's."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(0, 1, (d, d)) / np.arange(1, d + 1)[:, None] ** 0.7
    return np.maximum(rng.normal(0, 1, (n, d)) @ mix * 0.2 + 0.3, 0).astype(np.float32)


def rows(runs: int, images: int = 5000, dimensions: int = 2048) -> Iterator[Row]:
    """Moments of the features and the distance, beside each package. Theirs takes minutes."""
    x, y = (made(seed, images, dimensions) for seed in (0, 1))
    what = f"Fréchet distance, {images:,} × {dimensions:,} features twice"

    def ours() -> list[float]:
        return [distance(Gaussian.of(moments(x)), Gaussian.of(moments(y)))]

    def gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wide = features.astype(np.float64)
        return wide.mean(0), np.cov(wide, rowvar=False)

    if installed("torch-fidelity"):
        import torch
        from torch_fidelity import metric_fid

        def fidelity() -> list[float]:
            stats = [
                metric_fid.fid_features_to_statistics(torch.from_numpy(each.astype(np.float64)))
                for each in (x, y)
            ]
            found = metric_fid.fid_statistics_to_metric(*stats, False)
            return [found["frechet_inception_distance"]]

        yield compared(what, "torch-fidelity", ours, fidelity, runs)
    else:
        yield absent(what, "torch-fidelity")
    if installed("pytorch-fid"):
        from pytorch_fid.fid_score import calculate_frechet_distance

        def pytorch() -> list[float]:
            return [calculate_frechet_distance(*gaussian(x), *gaussian(y))]

        yield compared(what, "pytorch-fid", ours, pytorch, runs)
    else:
        yield absent(what, "pytorch-fid")
    if installed("clean-fid"):
        from cleanfid.fid import frechet_distance

        def clean() -> list[float]:
            return [frechet_distance(*gaussian(x), *gaussian(y))]

        yield compared(what, "clean-fid", ours, clean, runs)
    else:
        yield absent(what, "clean-fid")
