"""Whatever a file holds, the harness sees upright 8-bit RGB, or says why not."""

import io

import numpy as np
import pytest
from mocks.images import picture
from PIL import Image

from tokbench.image.fitting import fit, resized, restored
from tokbench.image.pictures import read_picture
from tokbench.types import TokenizerSpec


def coded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_rgb_is_itself():
    pixels = picture(0)
    assert (read_picture(coded(Image.fromarray(pixels), "PNG")) == pixels).all()


def test_grey_and_palette_become_rgb():
    grey = picture(1)[:, :, 0]
    assert (read_picture(coded(Image.fromarray(grey), "PNG")) == grey[:, :, None]).all()
    palette = Image.fromarray(picture(1)).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert (read_picture(coded(palette, "PNG")) == expected).all()


def test_sixteen_bits_are_rounded():
    deep = np.array([[0, 128, 129, 65535]], dtype=np.uint16)
    found = read_picture(coded(Image.fromarray(deep), "PNG"))
    # 128/257 = 0.498 rounds down, 129/257 = 0.502 up
    assert found[0, :, 0].tolist() == [0, 0, 1, 255]


def test_transparency_lies_over_white():
    layer = np.zeros((1, 2, 4), np.uint8)
    layer[0, 1] = (10, 20, 30, 255)
    found = read_picture(coded(Image.fromarray(layer), "PNG"))
    assert found.tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_turned_upright():
    pixels = picture(2, 16, 24)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to show
    found = read_picture(coded(Image.fromarray(pixels), "PNG", exif=exif))
    assert (found == np.rot90(pixels, -1)).all()


def test_cmyk_becomes_rgb():
    image = Image.fromarray(picture(3)).convert("CMYK")
    found = read_picture(coded(image, "TIFF"))
    assert found.shape == (24, 32, 3) and found.dtype == np.uint8


def test_truncated_says_so():
    whole = coded(Image.fromarray(picture(4, 64, 64)), "PNG")
    with pytest.raises(ValueError, match="not a readable picture"):
        read_picture(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a readable picture"):
        read_picture(b"nothing")


FLOATS = TokenizerSpec(modality="image", value_range=(-1.0, 1.0), size_multiple=16)


@pytest.mark.parametrize("size", [(1, 1), (16, 32), (17, 31), (100, 3)])
@pytest.mark.parametrize("view", [0, 64])
def test_back_and_forth(size, view):
    """Without a tokenizer between them, `restored` undoes `fit`; scaled down, nearly."""
    pixels = picture(5, *size)
    fitted = fit(pixels, FLOATS, view)
    assert fitted.pixels.shape[0] % 16 == fitted.pixels.shape[1] % 16 == 0
    assert fitted.pixels.min() >= -1 and fitted.pixels.max() <= 1
    back = restored(fitted.pixels, fitted, FLOATS)
    assert back.shape == pixels.shape and back.dtype == np.uint8
    if not view:
        assert (back == pixels).all()


def test_view_is_tokbenchs_protocol():
    """Scaled to fit, rounded up, centred on black."""
    pixels = np.full((30, 100, 3), 200, np.uint8)
    fitted = fit(pixels, TokenizerSpec(modality="image"), 64)
    assert fitted.box == (22, 0, 20, 64)  # 30 × 0.64 = 19.2, up to 20
    assert fitted.pixels.shape == (64, 64, 3)
    assert (fitted.pixels[22:42] == 200).all() and not fitted.pixels[:22].any()


def test_rounds_half_up_and_clamps():
    spec = TokenizerSpec(modality="image", value_range=(0.0, 1.0))
    fitted = fit(np.zeros((1, 4, 3), np.uint8), spec)
    out = np.array([-1, 0.5 / 255, 1.49 / 255, 9], np.float32)
    assert restored(np.repeat(out[None, :, None], 3, 2), fitted, spec)[0, :, 0].tolist() == [
        0,
        1,
        1,
        255,
    ]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.full((16, 16, 3), np.nan, np.float32), "NaN"),
        (np.zeros((8, 8, 3), np.float32), "decoded"),
    ],
)
def test_what_is_no_picture(output, message):
    fitted = fit(picture(6, 16, 16), FLOATS)
    with pytest.raises(ValueError, match=message):
        restored(output, fitted, FLOATS)


def test_lanczos_of_the_same_size_is_itself():
    pixels = picture(7)
    assert resized(pixels, *pixels.shape[:2]) is pixels
