"""Pictures by strips: the same numbers as of the whole, and little memory."""

import tracemalloc

import numpy as np
import pytest
from mocks.images import picture

from tokbench.image import planes
from tokbench.image.fitting import fit, restored
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.image import multiscale, pixels
from tokbench.metrics.image.seams import steps_of
from tokbench.passes import likeness
from tokbench.types import Codes, Sample, TokenizerSpec

MEASURES = {
    "psnr": pixels.squared_error,
    "psnr-luma": pixels.luma_error,
    "ssim": pixels.ssim,
    "ssim-luma": lambda e: pixels.ssim(e, on="luma"),
    "ssim-uniform-7": lambda e: pixels.ssim(e, "uniform-7"),
    "ms-ssim": multiscale.ms_ssim,
    "ms-ssim-luma": lambda e: multiscale.ms_ssim(e, on="luma"),
    "seams": lambda e: steps_of(e.inputs[0], e.outputs[0], 16),
    "largest": lambda e: planes.largest_error(e.inputs[0], e.outputs[0]),
    "likeness": lambda e: likeness(e.inputs[0], e.outputs[0]),
}


def encoded(a, b):
    batch = MediaBatch([Sample("0", a)], np.zeros(1, np.int64), np.zeros(1, np.int64))
    return EncodedMedia(None, batch, Codes(), [b], [""])


def pair(height, width):
    a = picture(0, height, width)
    noise = np.random.default_rng(1).integers(-30, 31, a.shape)
    return a, np.clip(a + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(700, 190), (257, 401), (640, 200)])
@pytest.mark.parametrize("name", MEASURES)
def test_as_of_the_whole(monkeypatch, name, size):
    both = encoded(*pair(*size))
    monkeypatch.setattr(planes, "STRIP", 1 << 40)
    whole = MEASURES[name](both)
    monkeypatch.setattr(planes, "STRIP", 1)  # rows of a strip: the least
    assert len(list(planes.strips(*size))) > 3
    in_strips = MEASURES[name](both)
    if name in ("seams", "likeness", "largest"):
        assert in_strips == whole
    else:  # the evidence, to the last bit
        for column, values in whole.columns.items():
            assert in_strips.columns[column].tobytes() == values.tobytes()


@pytest.mark.parametrize("name", MEASURES)
def test_a_large_picture_is_never_held_in_floats(name):
    """Two megapixels: a channel in float64 takes 16 MB, whole SSIM ten of these and more."""
    both = encoded(*pair(2000, 1000))
    tracemalloc.start()
    MEASURES[name](both)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6


def test_strips_cover_every_row_once():
    for height, width in ((1, 1), (64, 5), (65, 1 << 20), (5472, 3648), (300_000, 2)):
        found = list(planes.strips(height, width))
        assert [row for rows in found for row in range(rows.start, rows.stop)] == list(
            range(height)
        )
        assert all(rows.start % 2 == 0 for rows in found)


def test_restored_in_strips(monkeypatch):
    spec = TokenizerSpec(modality="image", value_range=(-1.0, 1.0), size_multiple=16)
    a = picture(0, 200, 90)
    fitted = fit(a, spec)
    assert np.array_equal(fitted.pixels[:200, :90], a.astype(np.float32) * np.float32(2 / 255) - 1)
    monkeypatch.setattr(planes, "STRIP", 1)
    assert np.array_equal(restored(fitted.pixels, fitted, spec), a)
    fitted.pixels[-1, -1] = np.nan  # in the last strip, outside the picture
    with pytest.raises(ValueError, match="NaN"):
        restored(fitted.pixels, fitted, spec)
