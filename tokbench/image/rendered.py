"""`text-render`: pictures with words in them, drawn from a seed; the ground truth is exact."""

from __future__ import annotations

import platform
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra
from tokbench.files import cache_dir, sha256, sha256_file
from tokbench.image import fitting, lettering
from tokbench.image.drawn import sample_of, stored_digest
from tokbench.image.fitting import resized
from tokbench.image.lettering import drawn, some_text
from tokbench.image.pictures import read_picture
from tokbench.media_parts import Item, ItemsPart
from tokbench.parts import Part
from tokbench.types import Sample

SEED = 20250518
PICTURES = 40
SIZES = ((960, 1280), (1280, 960), (1024, 1024), (720, 1280))
"""Height and width, in turn."""
PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "chelsea.png", "coffee.png", "grass.png", "gravel.png",
    "ihc.png", "motorcycle_left.png", "rocket.jpg",
)  # fmt: skip
"""Backgrounds from scikit-image's wheel."""
SCALES = ((0.042, 0.065), (0.031, 0.039), (0.021, 0.029), (0.011, 0.019), (0.006, 0.0095))
"""Ranges of the size of a character, as `words.scale` has it: together they fill every bucket of
every resolution."""
WORDS = (2, 2, 2, 2, 1)
"""Words of each range in a picture, as far as there is room."""
LONGEST = (6, 8, 10, 10, 10)
"""Characters of the longest word of each range."""
LEAST_CONTRAST, MOST_CONTRAST = 20, 120
"""Between a word and the mean of its ground, in 8-bit steps; an uneven ground adds its spread."""
TRIES = 60


def text_render() -> list[Part]:
    """40 pictures of about a megapixel with words and numbers of our own in eleven fonts, on
    photographs, textures and paper, slightly turned, in strong and weak contrast. They are drawn
    once and stay in the cache."""
    folder = cache_dir() / "text-render" / _recipe()
    items = []
    for number in range(PICTURES):
        kept, draw = folder / f"{number:02}.bin", partial(_draw, number)
        load, digest = partial(sample_of, kept, draw), partial(stored_digest, kept, draw)
        items.append(Item(load, partial(_weight, number), digest))
    return [ItemsPart("", "image", items)]


def _weight(number: int) -> int:
    height, width = SIZES[number % len(SIZES)]
    return 3 * height * width


@cache
def _recipe() -> str:
    """Hash of all that the drawing depends on: the code, the libraries, the machine's floats."""
    import matplotlib
    import PIL
    from PIL import features

    code = [sha256_file(Path(module.__file__ or "")) for module in (fitting, lettering)]
    code.append(sha256_file(Path(__file__)))
    releases = [PIL.__version__, np.__version__, matplotlib.__version__]
    releases.append(str(features.version("freetype2")))
    for name in PHOTOGRAPHS:
        releases.append(sha256_file(_folder() / name))
    return sha256(platform.machine(), *releases, *code)


def _draw(number: int) -> Sample:
    """Picture `number` with its words: a function of the seed and the number alone."""
    rng = np.random.default_rng([SEED, number])
    height, width = SIZES[number % len(SIZES)]
    picture = _background(number, rng, height, width)
    taken = np.zeros((height, width), dtype=bool)
    words: list[dict[str, Any]] = []
    for (low, high), count, longest in zip(SCALES, WORDS, LONGEST, strict=True):
        for _ in range(count):
            text = some_text(rng, longest)
            extent = round(rng.uniform(low, high) * len(text) * max(height, width))
            mask = drawn(text, rng, extent)
            place = _free(taken, mask.shape, rng)
            if place is None or mask.shape[0] > extent:  # a tall one would be of another scale
                continue
            top, left = place
            bottom, right = top + mask.shape[0], left + mask.shape[1]
            _lay(picture, mask, top, left, rng)
            taken[top:bottom, left:right] = True
            words.append({"text": text, "box": [left, top, right, bottom]})
    return Sample(f"{number:02}", picture, notes={"words": words})


def _free(
    taken: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Top and left of a place where nothing is yet, with a margin."""
    room = max(shape[0] // 4, 4)
    bottom, right = taken.shape[0] - shape[0] - room, taken.shape[1] - shape[1] - room
    if bottom <= room or right <= room:
        return None
    for _ in range(TRIES):
        top, left = int(rng.integers(room, bottom)), int(rng.integers(room, right))
        around = taken[top - room : top + shape[0] + room, left - room : left + shape[1] + room]
        if not around.any():
            return top, left
    return None


def _lay(
    picture: np.ndarray, mask: np.ndarray, top: int, left: int, rng: np.random.Generator
) -> None:
    """Put a word on a picture, in a colour that stands out; where the ground is uneven, or now
    and then, on a plate of one colour."""
    height, width = mask.shape
    room = max(height // 4, 3)
    around = picture[top - room : top + height + room, left - room : left + width + room]
    ground = around.reshape(-1, 3).mean(0)
    uneven = float(around.mean(2).std())
    if rng.random() < 0.15 or uneven > 40:
        ground = np.clip(ground + rng.uniform(-50, 50, 3), 0, 255)
        around[:] = np.round(0.2 * around + 0.8 * ground)
        ground, uneven = around.reshape(-1, 3).mean(0), 0.2 * uneven
    contrast = rng.uniform(LEAST_CONTRAST, MOST_CONTRAST) + uneven
    lighter = ground.mean() < 128
    ink = np.clip(ground + (contrast if lighter else -contrast) + rng.uniform(-15, 15, 3), 0, 255)
    part = picture[top : top + height, left : left + width]
    cover = mask[:, :, None] / 255.0
    part[:] = np.round(part * (1 - cover) + ink * cover)


def _background(number: int, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    kind = number % 3
    if kind == 0:
        return _photograph(PHOTOGRAPHS[number // 3 % len(PHOTOGRAPHS)], rng, height, width)
    return _texture(rng, height, width, rough=kind == 1)


def _photograph(name: str, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A part of a photograph, scaled to the size."""
    source = _packaged(name)
    zoom = rng.uniform(0.7, 1.0) * min(source.shape[0] / height, source.shape[1] / width)
    rows, columns = int(height * zoom), int(width * zoom)
    top = int(rng.integers(source.shape[0] - rows + 1))
    left = int(rng.integers(source.shape[1] - columns + 1))
    return resized(source[top : top + rows, left : left + columns], height, width).copy()


def _folder() -> Path:
    try:
        import skimage
    except ImportError as error:
        raise MissingExtra("scikit-image, whose photographs text-render uses,", "image") from error
    return Path(skimage.__file__).parent / "data"


@cache
def _packaged(name: str) -> np.ndarray:
    return read_picture(_folder() / name)


def _texture(rng: np.random.Generator, height: int, width: int, rough: bool) -> np.ndarray:
    """A slope between two colours, with grain of several sizes (strong when `rough`); made at
    half the size."""
    colours = rng.uniform(30, 225, (2, 3)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = height // 2, width // 2
    y = np.linspace(0, np.sin(angle), rows, dtype=np.float32)
    x = np.linspace(0, np.cos(angle), columns, dtype=np.float32)
    slope = y[:, None] + x
    slope -= slope.min()
    slope /= slope.max()
    for size, strength in ((32, 0.10), (8, 0.05), (2, 0.03)) if rough else ((32, 0.02),):
        coarse = rng.uniform(-strength, strength, (rows // size + 2, columns // size + 2))
        slope += _enlarged(coarse, rows, columns)
    picture = colours[0] + (colours[1] - colours[0]) * slope[:, :, None]
    return resized(np.clip(np.round(picture), 0, 255).astype(np.uint8), height, width).copy()


def _enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
