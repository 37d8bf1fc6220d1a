"""Pixel metrics of pictures against scikit-image on the same pictures: seconds for each metric.

    python tests/benchmarks/image_core.py FOLDER [--quality 25] [--runs 3]

Every picture of FOLDER is coded as JPEG; both sides get the same two arrays. Prints a Markdown
table of median seconds over all pictures, and of the largest difference between the two values.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image import multiscale, pixels
from tokbench.types import Codes, Sample

Pairs = list[tuple[np.ndarray, np.ndarray]]


def pairs(folder: Path, quality: int) -> Pairs:
    """Original and reconstruction of every picture."""
    found = []
    for path in sorted(folder.glob("*.png")):
        picture = Image.open(path).convert("RGB")
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        found.append((np.asarray(picture), np.asarray(Image.open(file))))
    return found


def ours(statistic: Callable[[EncodedMedia], object], column: str) -> Callable[[Pairs], np.ndarray]:
    """A column of a statistic of all pairs."""

    def values(found: Pairs) -> np.ndarray:
        samples = [Sample(str(n), a) for n, (a, _) in enumerate(found)]
        batch = MediaBatch(samples, np.zeros(len(found), np.int64), np.arange(len(found)))
        encoded = EncodedMedia(None, batch, Codes(), [b for _, b in found], [""])  # type: ignore[arg-type]
        return statistic(encoded).columns[column]  # type: ignore[attr-defined]

    return values


def theirs(function: Callable[..., float], **options: object) -> Callable[[Pairs], np.ndarray]:
    """A function of two pictures over all pairs."""
    return lambda found: np.array([function(a, b, data_range=255, **options) for a, b in found])


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
ROWS = (
    ("psnr", ours(pixels.squared_error, "psnr"), theirs(peak_signal_noise_ratio)),
    (
        "ssim (Gaussian 11 × 11)",
        ours(pixels.ssim, pixels.ssim_name("gaussian-1.5", "rgb", "255")),
        theirs(structural_similarity, channel_axis=2, **GAUSSIAN),
    ),
    (
        "ssim (uniform 7 × 7)",
        ours(lambda e: pixels.ssim(e, "uniform-7"), pixels.ssim_name("uniform-7", "rgb", "255")),
        theirs(structural_similarity, channel_axis=2),
    ),
    ("ms-ssim", ours(multiscale.ms_ssim, "ms-ssim?on=rgb"), None),
)  # fmt: skip


def timed(function: Callable[[Pairs], np.ndarray], found: Pairs, runs: int):
    """Median seconds and the values."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        values = function(found)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), values


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quality", type=int, default=25)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    found = pairs(options.folder, options.quality)
    print(
        f"{len(found)} pictures, {sum(a.shape[0] * a.shape[1] for a, _ in found) / 1e6:.1f} Mpixel"
    )
    print("| metric | tokbench s | scikit-image s | largest difference |\n|---|---:|---:|---:|")
    for name, one, other in ROWS:
        seconds, values = timed(one, found, options.runs)
        if other is None:
            print(f"| {name} | {seconds:.2f} | – | – |")
            continue
        reference, expected = timed(other, found, options.runs)
        print(f"| {name} | {seconds:.2f} | {reference:.2f} | {abs(values - expected).max():.1e} |")


if __name__ == "__main__":
    main()
