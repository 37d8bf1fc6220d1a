"""PSNR and SSIM against scikit-image, published figures on Kodak, and by hand."""

import numpy as np
import pytest
from mocks.images import picture
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tokbench.bench import Job
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image import pixels
from tokbench.runner import evaluate
from tokbench.task import load_task
from tokbench.types import Codes, Sample


def encoded(*pairs):
    samples = [Sample(str(n), a) for n, (a, _) in enumerate(pairs)]
    batch = MediaBatch(samples, np.zeros(len(pairs), np.int64), np.arange(len(pairs)))
    return EncodedMedia(None, batch, Codes(), [b for _, b in pairs], [""])


PAIR = picture(0, 40, 50), picture(1, 40, 50)


def test_psnr_as_scikit_image():
    found = pixels.squared_error(encoded(PAIR)).columns["psnr"][0]
    assert found == pytest.approx(peak_signal_noise_ratio(*PAIR, data_range=255), abs=1e-6)


def test_no_error_counts_100_db():
    assert pixels.squared_error(encoded((PAIR[0], PAIR[0]))).columns["psnr"][0] == 100
    assert pixels.luma_error(encoded((PAIR[0], PAIR[0]))).columns["psnr-luma"][0] == 100


def test_psnr_by_hand():
    a = np.zeros((1, 1, 3), np.uint8)
    found = pixels.squared_error(encoded((a, a + np.uint8(255)))).columns
    assert found["psnr"][0] == 0 and found["squared-error"][0] == 3 * 255**2


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ("uniform-7", {}),
        ("gaussian-1.5", {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
    ],
)
@pytest.mark.parametrize("data_range", [255, 510])
def test_ssim_as_scikit_image(window, options, data_range):
    expected = structural_similarity(
        *(each.astype(float) for each in PAIR), channel_axis=2, data_range=data_range, **options
    )
    name = pixels.ssim_name(window, "rgb", str(data_range))
    found = pixels.ssim(encoded(PAIR), window, "rgb", str(data_range)).columns[name][0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_ssim_of_luma():
    expected = structural_similarity(*map(pixels.luma, PAIR), data_range=255)
    name = pixels.ssim_name("uniform-7", "luma", "255")
    found = pixels.ssim(encoded(PAIR), "uniform-7", "luma").columns[name][0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_smaller_than_the_window_is_left_out():
    small = picture(0, 10, 50), picture(1, 10, 50)
    found = pixels.ssim(encoded(PAIR, small)).columns
    name = pixels.ssim_name("gaussian-1.5", "rgb", "255")
    assert found[f"{name}:n"].tolist() == [1, 0] and found[name][1] == 0


def test_conventions_measured_on_kodak(shared, tmp_path):
    """JPEG q25 on the first twelve: PSNR 30.13, pooled 29.66, luma 31.35 (± .02: libjpeg); SSIM
    .8517 with 7 × 7, .8488 with the Gaussian (± .001)."""
    if not (shared / "images/kodak/kodim12.png").is_file():
        pytest.skip("no Kodak photographs under TOKBENCH_DATA")
    job = Job("jpeg:25", load_task("kodak"), "kodak")
    record, _ = evaluate(job, tmp_path)
    value = {score.name: score.value for score in record.scores}
    assert value["psnr"] == pytest.approx(30.13, abs=0.02)
    assert value["psnr/pooled"] == pytest.approx(29.66, abs=0.02)
    assert value["psnr/luma"] == pytest.approx(31.35, abs=0.02)
    assert value["ssim"] == pytest.approx(0.8488, abs=1e-3)
    assert value["ssim-uniform-7"] == pytest.approx(0.8517, abs=1e-3)
