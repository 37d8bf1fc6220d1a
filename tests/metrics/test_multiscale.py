"""MS-SSIM against the paper's formula in torch, by hand, and what is too small for it."""

import numpy as np
import pytest
from mocks.images import picture

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.metrics.image.multiscale import LEAST, WEIGHTS, ms_ssim_of
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task


def by_formula(a: np.ndarray, b: np.ndarray) -> float:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x, y = (torch.from_numpy(plane)[None, None] for plane in (a, b))
    bell = torch.exp(-((torch.arange(11).double() - 5) ** 2) / 4.5)
    kernel = torch.outer(bell, bell)[None, None] / bell.sum() ** 2
    value = 1.0
    for scale, weight in enumerate(WEIGHTS):
        mean_x, mean_y, xx, yy, xy = (
            functional.conv2d(each, kernel) for each in (x, y, x * x, y * y, x * y)
        )
        structure = 2 * (xy - mean_x * mean_y) + 58.5225
        structure /= xx - mean_x**2 + yy - mean_y**2 + 58.5225
        luminance = (2 * mean_x * mean_y + 6.5025) / (mean_x**2 + mean_y**2 + 6.5025)
        term = luminance * structure if scale == 4 else structure
        value *= term.mean().item() ** weight
        x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return value


@pytest.mark.parametrize("size", [(200, 240), (177, 191), (176, 176)])
def test_as_the_formula(size):
    a = picture(0, *size)[:, :, 0].astype(float)
    noise = np.random.default_rng(1).normal(0, 25, a.shape)
    b = np.clip(a + noise, 0, 255).round()
    assert ms_ssim_of(a, b) == pytest.approx(by_formula(a, b), abs=1e-12)


def test_by_hand():
    """Of two flat planes only the luminance of the coarsest scale differs."""
    flat = np.full((LEAST, LEAST), 100.0)
    luminance = (2 * 100 * 110 + 6.5025) / (100**2 + 110**2 + 6.5025)
    assert ms_ssim_of(flat, flat + 10) == pytest.approx(luminance**0.1333)
    assert ms_ssim_of(flat, flat) == 1


def test_inverted_is_0_and_not_a_complex_number():
    wave = 127 + 100 * np.sin(np.arange(LEAST) * 2.0)[:, None] * np.ones(LEAST)
    assert ms_ssim_of(wave, 254 - wave) == 0


def test_too_small_is_left_out(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "0.png").write_bytes(save_png(picture(0, 175, 300)))
    uses = ["ms-ssim", MetricUse("ms-ssim", {"on": "luma"})]
    task = Task("t", "", "image", "photos-mini", uses, "ms-ssim")
    record, _ = evaluate(Job("jpeg:20", task, str(folder)), tmp_path / "one")
    assert record.score("ms-ssim").value is None and "176" in record.score("ms-ssim").note
    (folder / "1.png").write_bytes(save_png(picture(1, 176, 180)))
    record, _ = evaluate(Job("jpeg:20", task, str(folder)), tmp_path / "two")
    assert 0 < record.score("ms-ssim").value < 1 and 0 < record.score("ms-ssim-luma").value < 1
    assert record.score("ms-ssim/left-out").value == 1
