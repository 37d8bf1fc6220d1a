"""Pictures as the harness sees them: 8-bit sRGB arrays, whatever the file holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tokbench.errors import UserError, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif",
)  # fmt: skip
LOSSY = (".jpg", ".jpeg", ".avif", ".webp")
"""Suffixes of files that may have lost something already (a webp may not)."""


_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
"""The EXIF tag, and its values that swap height and width."""


def read_picture(source: Path | bytes) -> np.ndarray:
    """uint8 (height, width, 3).

    Turned upright as its EXIF says; CMYK, palettes and greys converted to RGB; 16 bits rounded
    to 8; transparency laid over white. Raises `ValueError` for what is no whole picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            file.load()
            upright = ImageOps.exif_transpose(file) or file
            return _eight_bits(upright)
    except UnidentifiedImageError as error:  # its words name the file: one cause for all of them
        raise ValueError("not a readable picture: of no format that Pillow knows") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable picture: {one_line(error)}") from error


def picture_size(source: Path | bytes) -> tuple[int, int]:
    """Height and width, turned upright, from the header alone; (0, 0) when it cannot be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            turned = file.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
            return (file.width, file.height) if turned else (file.height, file.width)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0, 0


def _eight_bits(image: Image) -> np.ndarray:
    from PIL import Image as pillow

    if image.mode.startswith("I") or image.mode == "F":  # 16 bits, or more in an odd container
        values = np.asarray(image, dtype=np.float64)
        top = 255.0 if image.mode == "F" and values.max(initial=0) <= 255 else 65535.0
        grey = np.floor(np.clip(values / top, 0, 1) * 255 + 0.5).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = pillow.new("RGBA", layer.size, (255, 255, 255, 255))
        return np.asarray(pillow.alpha_composite(paper, layer).convert("RGB")).copy()
    return np.asarray(image.convert("RGB")).copy()


def save_png(pixels: np.ndarray) -> bytes:
    """A lossless PNG of uint8 (height, width, 3)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pillow_needed() -> None:
    """Refuse in one line where Pillow is missing."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise UserError("images need Pillow: pip install 'tokbench[image]'") from error
