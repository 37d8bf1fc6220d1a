"""One Fréchet distance by this package and by torch-fidelity, on the same made-up features.

    python tests/benchmarks/frechet.py [--dimensions 2048] [--images 5000] [--runs 3] [--theirs]

Prints a Markdown table of the least wall and processor seconds of each step, and by how much the
two distances differ. `--theirs` takes minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tokbench.frechet import Gaussian, distance, moments


def least(function: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Wall and processor seconds of the fastest of several runs, and the result."""
    times = []
    for _ in range(runs):
        wall, processor = time.perf_counter(), time.process_time()
        result = function()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(w for w, _ in times), min(p for _, p in times), result


def made(seed: int, n: int, d: int) -> np.ndarray:
    """Features with the falling spectrum of a network's."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(0, 1, (d, d)) / np.arange(1, d + 1)[:, None] ** 0.7
    return np.maximum(rng.normal(0, 1, (n, d)) @ mix * 0.2 + 0.3, 0).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--theirs", action="store_true")
    given = parser.parse_args()
    x, y = (made(seed, given.images, given.dimensions) for seed in (0, 1))
    rows = []
    wall, processor, sums = least(lambda: moments(x), given.runs)
    rows.append(("moments of all images", wall, processor))
    wall, processor, _ = least(lambda: moments(x[:16]), given.runs)
    rows.append(("moments of 16 images", wall, processor))
    other = Gaussian.of(moments(y))

    def whole() -> float:
        return distance(Gaussian.of(sums), other)

    wall, processor, value = least(whole, given.runs)
    rows.append(("distance", wall, processor))
    reference = Gaussian.of(sums)
    distance(reference, other)
    wall, processor, _ = least(lambda: distance(reference, other), given.runs)
    rows.append(("distance to a factored reference", wall, processor))
    if given.theirs:
        import torch
        from torch_fidelity import metric_fid

        stats = [
            metric_fid.fid_features_to_statistics(torch.from_numpy(each.astype(np.float64)))
            for each in (x, y)
        ]
        wall, processor, found = least(
            lambda: metric_fid.fid_statistics_to_metric(*stats, False), 1
        )
        rows.append(("distance, torch-fidelity", wall, processor))
        theirs = found["frechet_inception_distance"]
        print(f"tokbench {value:.9f}, torch-fidelity {theirs:.9f}\n")
    print("| step | wall s | processor s |\n|---|---:|---:|")
    for name, wall, processor in rows:
        print(f"| {name} | {wall:.3f} | {processor:.3f} |")


if __name__ == "__main__":
    main()
