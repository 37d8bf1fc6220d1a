"""What images of a user's own may be like, and tokenizers that do not keep their word."""

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import Levels, picture
from PIL import Image

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.image.pictures import save_png
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.types import Codes, Ragged


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def run(tokenizer, folder, tmp_path, metrics=("psnr", "ssim", "bits-per-pixel"), **rest):
    task = Task("t", "", "image", "photos-mini", list(metrics), "psnr", **rest)
    loaded = None if isinstance(tokenizer, str) else tokenizer
    name = tokenizer if loaded is None else tokenizer.name
    return evaluate(Job(name, task, str(folder)), tmp_path / "runs", tokenizer=loaded)[0]


@pytest.mark.parametrize("view", [0, 64])
def test_every_kind_of_file_together(folder, tmp_path, view):
    """CMYK, 16 bits, alpha, palette, grey, turned, one pixel, a strip: all are pictures; a torn
    one fails alone."""
    rgb = Image.fromarray(picture(0))
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.arange(768, dtype=np.uint16).reshape(24, 32) * 85).save(folder / "deep.png")
    rgb.convert("RGBA").save(folder / "alpha.webp", lossless=True)
    rgb.quantize(8).save(folder / "palette.gif")
    rgb.convert("L").save(folder / "grey.bmp")
    rgb.save(folder / "turned.jpg", exif=exif)
    rgb.crop((0, 0, 1, 1)).save(folder / "one.png")
    rgb.resize((300, 2)).save(folder / "strip.png")
    (folder / "torn.png").write_bytes(save_png(picture(1))[:200])
    record = run(Levels(), folder, tmp_path, view=view)
    assert record.score("psnr").n == 8
    [(cause, failure)] = record.failures.items()
    assert "not a readable picture" in cause and failure.example == "torn"
    assert record.score("ssim/left-out").value == 2  # the pixel and the strip


def test_twenty_megapixels(folder, tmp_path):
    """One picture larger than a batch may be: it goes through alone."""
    pixels = np.zeros((4000, 5000, 3), np.uint8)
    pixels[::7, ::5] = 200
    Image.fromarray(pixels).save(folder / "large.bmp")
    record = run("jpeg:50", folder, tmp_path, metrics=["psnr"])
    assert 0 < record.score("psnr").value < 40 and record.score("psnr").n == 1


class Liar(Levels):
    """Says 16 ids and gives others."""

    name = "liar"

    def __init__(self, extra):
        super().__init__()
        self._extra = extra

    def encode(self, batch):
        codes = super().encode(batch)
        return Codes(
            tuple(Ragged(v.values.astype(np.int32) + self._extra, v.offsets) for v in codes.levels),
            extra=codes.extra,
        )


@pytest.mark.parametrize("extra", [16, -16])
def test_ids_outside_the_codebook_are_failures_and_not_bits(extra, folder, tmp_path):
    (folder / "0.png").write_bytes(save_png(picture(0)))
    with pytest.raises(UserError, match="outside its codebook of 16") as error:
        run(Liar(extra), folder, tmp_path)
    assert "nothing was encoded" in str(error.value)


def test_another_number_of_levels_than_it_says(folder, tmp_path):
    class Doubled(Levels):
        name = "doubled"

        def encode(self, batch):
            codes = super().encode(batch)
            return Codes(codes.levels * 2, extra=codes.extra)

    (folder / "0.png").write_bytes(save_png(picture(0)))
    with pytest.raises(UserError, match="2 levels of ids for 1 codebooks"):
        run(Doubled(), folder, tmp_path)


def test_too_few_sequences(folder, tmp_path):
    class Short(Levels):
        name = "short"

        def encode(self, batch):
            return super().encode(batch[:-1])

    (folder / "0.png").write_bytes(save_png(picture(0)))
    with pytest.raises(UserError, match="encode returned 0 sequences for 1"):
        run(Short(), folder, tmp_path)


def test_nothing_that_is_a_picture(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (folder / "0.png").write_bytes(b"nothing")
    refused(called("eval", "identity", "--data", folder), "not a readable picture")
