"""Words drawn as masks: fonts that matplotlib bundles, our own vocabulary, a little perspective."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "DejaVuSansMono", "DejaVuSansMono-Bold", "STIXGeneral",
    "STIXGeneralBol", "STIXGeneralItalic",
)  # fmt: skip
"""Fonts in matplotlib's wheel, the same everywhere."""

SIZES = (48, 96, 160)
"""Pixels to the em at which a word may be drawn before it is scaled to its place."""

_SHORT = (
    "tea bus inn art map zoo oak fog rye cup hat jam key net owl pie rug sun toy van web ink gym "
    "Exit Open Stop Push Pull Taxi Bank Cafe Park Shop Menu Sale Fish Bread Milk Rice Corn Plum "
    "Hotel Metro Pizza Juice Salad Green River North South Gate Lane Dock Pier Bay Hill Mill"
).split()
_LONG = (
    "bakery garden winter silver copper velvet marble timber harbour village morning evening "
    "station library theatre pharmacy workshop gallery kitchen sandwich mushroom lavender "
    "Cinnamon Chocolate Raspberry Butterfly Telescope Orchestra Waterfall Lighthouse Carpenter "
    "Newspaper Telephone Furniture Breakfast Champion Mountain Standard Quality Discount Gazette "
    "Bicycle Express Platform Customs Arrivals Departures Reception Emergency Basement Elevator"
).split()
_MARKS = list("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
"""Of which codes are made, without those that a font may not tell apart (0 O, 1 I)."""


def _folder() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def _font(name: str, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    path = str(_folder() / f"{name}.ttf")
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def some_text(rng: np.random.Generator, most: int) -> str:
    """A word or number of 2 to `most` characters."""
    while True:
        text = _text(rng)
        if len(text) <= most:
            return text


def _text(rng: np.random.Generator) -> str:
    kind = rng.integers(12)
    if kind < 3:
        return _cased(str(rng.choice(_SHORT)), rng)
    if kind < 7:
        return _cased(str(rng.choice(_LONG)), rng)
    if kind < 9:
        return "".join(rng.choice(_MARKS, int(rng.integers(3, 8))))
    if kind == 9:
        return str(rng.integers(10, 10 ** int(rng.integers(2, 7))))
    if kind == 10:
        return f"{rng.integers(1, 500)}.{rng.integers(100):02}"
    return f"{rng.integers(24):02}:{rng.integers(60):02}"


def _cased(word: str, rng: np.random.Generator) -> str:
    kind = rng.integers(4)
    return word.upper() if kind == 0 else word.capitalize() if kind == 1 else word


def drawn(text: str, rng: np.random.Generator, width: int) -> np.ndarray:
    """The word as coverage in [0, 255], uint8, `width` pixels of ink wide, cropped to its ink: in
    some font, slightly turned and seen slightly from the side."""
    from PIL import Image, ImageDraw

    em = next((size for size in SIZES if size >= 2 * width / len(text)), SIZES[-1])
    font = _font(FONTS[int(rng.integers(len(FONTS)))], em)
    left, top, right, bottom = font.getbbox(text)
    margin = em // 2
    size = (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, fill=255, font=font)
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], dtype=np.float64)
    image = image.transform(
        size, Image.Transform.PERSPECTIVE, _perspective(_tilted(corners, rng), corners),
        Image.Resampling.BICUBIC,
    )  # fmt: skip
    box = image.point([0] * 64 + [255] * 192).getbbox()
    assert box is not None
    image = image.crop(box)
    height = max(round(image.height * width / image.width), 1)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def _tilted(corners: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The corners turned by up to 6° and each moved by up to 12 % of the height."""
    middle, height = corners.mean(0), corners[2, 1]
    angle = np.deg2rad(rng.uniform(-6, 6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (corners - middle) @ turn.T + middle + rng.uniform(-0.12, 0.12, (4, 2)) * height


def _perspective(seen: np.ndarray, source: np.ndarray) -> list[float]:
    """Pillow's eight coefficients of the map that takes points of the result, `seen`, to the
    points of the `source`."""
    rows, values = [], []
    for (x, y), (u, v) in zip(seen, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()
