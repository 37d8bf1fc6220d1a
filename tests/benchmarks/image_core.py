"""Pixel metrics of pictures against scikit-image, torchmetrics and piq, on the same pictures.

Every picture is coded as JPEG; all get the same two arrays, whole images one by one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from beside import Row, absent, compared, installed
from PIL import Image

from tokbench.dataset import open_dataset
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image import multiscale, pixels
from tokbench.types import Codes, Sample

Pairs = list[tuple[np.ndarray, np.ndarray]]


def pairs(data: str, quality: int = 25, most: int = 8) -> Pairs:
    """Original and reconstruction of the first pictures of a dataset or folder."""
    found: Pairs = []
    folder = Path(data)
    if folder.is_dir():
        arrays = [np.asarray(Image.open(p).convert("RGB")) for p in sorted(folder.glob("*.png"))]
    else:
        arrays = [
            part.read_samples(piece)[0][0].data
            for part in open_dataset(data).parts
            for piece in part.slices(0, 1, 1 << 62, most)
        ]
    for array in arrays[:most]:
        file = io.BytesIO()
        Image.fromarray(array).save(file, "JPEG", quality=quality)
        found.append((array, np.asarray(Image.open(file))))
    return found


def ours(
    statistic: Callable[[EncodedMedia], object], column: str, found: Pairs
) -> Callable[[], np.ndarray]:
    """A column of a statistic of all pairs."""

    def values() -> np.ndarray:
        samples = [Sample(str(n), a) for n, (a, _) in enumerate(found)]
        batch = MediaBatch(samples, np.zeros(len(found), np.int64), np.arange(len(found)))
        encoded = EncodedMedia(None, batch, Codes(), [b for _, b in found], [""])  # type: ignore[arg-type]
        return statistic(encoded).columns[column]  # type: ignore[attr-defined]

    return values


def on_torch(
    function: Callable[..., object], found: Pairs, **options: object
) -> Callable[[], list[float]]:
    """A function of two batches of one picture, float32 in [0, 255]; the second is the original."""
    import torch

    def batch(picture: np.ndarray) -> object:
        return torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))

    return lambda: [float(function(batch(b), batch(a), **options)) for a, b in found]  # type: ignore[arg-type]


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def rows(data: str, runs: int, most: int = 8) -> Iterator[Row]:
    """PSNR, SSIM (two windows) and MS-SSIM beside each package that has them."""
    found = pairs(data, most=most)
    psnr = ours(pixels.squared_error, "psnr", found)
    gaussian = ours(pixels.ssim, pixels.ssim_name("gaussian-1.5", "rgb", "255"), found)
    uniform = ours(
        lambda e: pixels.ssim(e, "uniform-7"), pixels.ssim_name("uniform-7", "rgb", "255"), found
    )
    scales = ours(multiscale.ms_ssim, "ms-ssim?on=rgb", found)
    window = "ssim (Gaussian 11 × 11)"
    if installed("scikit-image"):
        from skimage.metrics import peak_signal_noise_ratio, structural_similarity

        def theirs(function: Callable[..., float], **options: object) -> Callable[[], list[float]]:
            return lambda: [function(a, b, data_range=255, **options) for a, b in found]

        name = "scikit-image"
        yield compared("psnr", name, psnr, theirs(peak_signal_noise_ratio), runs)
        other = theirs(structural_similarity, channel_axis=2, **GAUSSIAN)
        yield compared(window, name, gaussian, other, runs)
        other = theirs(structural_similarity, channel_axis=2)
        yield compared("ssim (uniform 7 × 7)", name, uniform, other, runs)
    else:
        yield absent("psnr, ssim", "scikit-image")
    if installed("torchmetrics"):
        from torchmetrics.functional.image import (
            multiscale_structural_similarity_index_measure,
            peak_signal_noise_ratio,
            structural_similarity_index_measure,
        )

        name, span = "torchmetrics", {"data_range": 255.0}
        yield compared("psnr", name, psnr, on_torch(peak_signal_noise_ratio, found, **span), runs)
        other = on_torch(structural_similarity_index_measure, found, **span)
        yield compared(window, name, gaussian, other, runs)
        other = on_torch(multiscale_structural_similarity_index_measure, found, **span)
        yield compared("ms-ssim", name, scales, other, runs)
    else:
        yield absent("psnr, ssim, ms-ssim", "torchmetrics")
    if installed("piq"):
        import piq

        name = "piq"
        yield compared("psnr", name, psnr, on_torch(piq.psnr, found, data_range=255), runs)
        other = on_torch(piq.ssim, found, data_range=255, downsample=False)
        yield compared(window, name, gaussian, other, runs)
        other = on_torch(piq.multi_scale_ssim, found, data_range=255)
        yield compared("ms-ssim", name, scales, other, runs)
    else:
        yield absent("psnr, ssim, ms-ssim", "piq")
