"""Video that is there at once: drawn from a seed, and photographs under a moving camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from tokbench.errors import UserError
from tokbench.files import sha256
from tokbench.image.pictures import read_picture
from tokbench.media_parts import Header, Item, ItemsPart
from tokbench.parts import Part
from tokbench.types import Sample

FPS, FRAMES, HEIGHT, WIDTH = 24.0, 24, 192, 256
"""One second; high enough for MS-SSIM's five scales."""
SEED = 20250301


def motion_mini() -> list[Part]:
    """Six clips of a second, 256 × 192 at 24 frames per second: shapes that move and bounce over a
    gradient, a turning wheel, text-like stripes that flash, and three of scikit-image's
    photographs panned, shaken and cut. Whole numbers throughout: the same on every machine."""
    items = [
        Item(partial(_load, name), partial(int, 3 * FRAMES * HEIGHT * WIDTH),
             partial(_digest, name), partial(Header, name))
        for name in _CLIPS
    ]  # fmt: skip
    return [ItemsPart("", "video", items)]


def _load(name: str) -> Sample:
    return Sample(name, _CLIPS[name](), fps=FPS)


@cache
def _digest(name: str) -> str:
    return sha256(name, str(FPS), _CLIPS[name]().tobytes())


def _gradient() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 200 // WIDTH + 30, y * 200 // HEIGHT + 20, (x + y) % 180 + 40], axis=2)


def _shapes() -> np.ndarray:
    """Discs and squares on their ways, mirrored at the edges."""
    rng = np.random.default_rng(SEED)
    colours = rng.integers(0, 256, (9, 3))
    place, pace = rng.integers(0, 4096, (9, 2)), rng.integers(2, 9, (9, 2))
    radius = rng.integers(8, 28, 9)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    clip = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(FRAMES):
        frame = _gradient()
        for n in range(9):
            row, column = (
                _mirrored(int(place[n, axis] + t * pace[n, axis]), side)
                for axis, side in ((0, HEIGHT), (1, WIDTH))
            )
            dy, dx = y - row, x - column
            inside = dy * dy + dx * dx <= radius[n] ** 2
            if n % 2:
                inside = np.maximum(abs(dy), abs(dx)) <= radius[n]
            frame[inside] = colours[n]
        clip[t] = frame
    return clip


def _mirrored(place: int, side: int) -> int:
    place %= 2 * side
    return place if place < side else 2 * side - 1 - place


def _wheel() -> np.ndarray:
    """Twelve spokes that turn: each pixel's sector by exact comparison of cross products."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    dy, dx = 2 * y - HEIGHT + 1, 2 * x - WIDTH + 1
    clip = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(FRAMES):
        sector = np.zeros((HEIGHT, WIDTH), np.int64)
        for spoke in range(6):
            angle = np.pi * (spoke / 6 + t / 72)
            # Rounded to whole numbers, so that no machine's cosine decides a pixel.
            a, b = round(1024 * np.cos(angle)), round(1024 * np.sin(angle))
            sector += dx * b - dy * a > 0
        grey = np.where(sector % 2 == 0, 220, 35)
        frame = np.stack([grey, 255 - grey, grey // 2 + 60], axis=2)
        frame[dy * dy + dx * dx > (HEIGHT - 20) ** 2] = (70, 90, 110)
        clip[t] = frame
    return clip


def _stripes() -> np.ndarray:
    """Fine stripes that scroll; every eighth frame is brighter."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rng = np.random.default_rng(SEED + 1)
    widths = rng.integers(1, 5, 400).cumsum()
    clip = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(FRAMES):
        on = np.searchsorted(widths, x + 2 * t + y // 16 * 7) % 2
        level = 170 * on + 40 + (30 if t % 8 == 0 else 0)
        clip[t] = np.stack([level, level, 255 - level], axis=2)
    return clip


def _photograph(name: str) -> np.ndarray:
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            "motion-mini uses scikit-image's photographs: pip install 'tokbench[image]'"
        ) from error
    return read_picture(Path(skimage.__file__).parent / "data" / f"{name}.png")


def _seen(picture: np.ndarray, corners: list[tuple[int, int]]) -> np.ndarray:
    return np.stack([picture[top : top + HEIGHT, left : left + WIDTH] for top, left in corners])


def _pan() -> np.ndarray:
    """A steady pan, three pixels a frame across and one down."""
    return _seen(_photograph("coffee"), [(40 + t, 60 + 3 * t) for t in range(FRAMES)])


def _shake() -> np.ndarray:
    """A hand-held camera: a seeded walk of up to four pixels a frame."""
    steps = np.random.default_rng(SEED + 2).integers(-4, 5, (FRAMES, 2)).cumsum(0)
    corners = [(int(100 + dy), int(120 + dx)) for dy, dx in steps]
    return _seen(_photograph("astronaut"), corners)


def _cut() -> np.ndarray:
    """A still, and a cut to another part after half the time."""
    corners = [(20, 20)] * (FRAMES // 2) + [(90, 170)] * (FRAMES - FRAMES // 2)
    return _seen(_photograph("chelsea"), corners)


_CLIPS: dict[str, Callable[[], np.ndarray]] = {
    "shapes": _shapes, "wheel": _wheel, "stripes": _stripes, "pan": _pan, "shake": _shake,
    "cut": _cut,
}  # fmt: skip
