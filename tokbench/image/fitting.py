"""What the harness does to a picture around a tokenizer, and undoes afterwards.

The tokenizer sees a picture in its own value range and of a size that it takes; what comes back
is cropped, clamped, rounded half up to 8 bits and, where the view asked for it, scaled back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokbench.image.planes import strips
from tokbench.types import TokenizerSpec


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prepared picture and how to get back.

    size: height and width of the original. box: top, left, height and width of the picture
    within what the tokenizer sees.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    box: tuple[int, int, int, int]


def fit(picture: np.ndarray, spec: TokenizerSpec, view: int = 0) -> Fitted:
    """The picture as the tokenizer takes it.

    view: 0 for the picture's own size; else TokBench's protocol (2505.18142): scaled to fit
    view × view (Lanczos, rounded up) and centred on black. A tokenizer of one fixed size sees
    every picture that way. A size multiple is met by repeating the last row and column.
    """
    size = picture.shape[:2]
    target = spec.size or ((view, view) if view else None)
    box = (0, 0, *size)
    if target:
        scale = min(target[0] / size[0], target[1] / size[1])
        inner = [
            min(math.ceil(side * scale), most) for side, most in zip(size, target, strict=True)
        ]
        top, left = (target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2
        canvas = np.zeros((*target, 3), dtype=np.uint8)
        canvas[top : top + inner[0], left : left + inner[1]] = resized(picture, inner[0], inner[1])
        picture, box = canvas, (top, left, inner[0], inner[1])
    multiple = spec.size_multiple or 1
    missing = [-side % multiple for side in picture.shape[:2]]
    if any(missing):
        picture = np.pad(picture, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    if spec.value_range is None:
        return Fitted(picture, size, box)
    low, high = spec.value_range
    values = picture.astype(np.float32)
    values *= np.float32((high - low) / 255)
    values += low
    return Fitted(values, size, box)


def restored(output: np.ndarray, fitted: Fitted, spec: TokenizerSpec) -> np.ndarray:
    """The reconstruction as uint8 of the original's size.

    Raises `ValueError` for NaN, infinities or another size than went in.
    """
    output = np.asarray(output)
    if output.shape != fitted.pixels.shape:
        raise ValueError(f"decoded {output.shape} where {fitted.pixels.shape} went in")
    if spec.value_range is not None:
        output = _eight_bits(output, *spec.value_range)
    elif output.dtype != np.uint8:
        raise ValueError(f"decoded {output.dtype} where 8-bit integers went in")
    top, left, height, width = fitted.box
    output = output[top : top + height, left : left + width]
    if output.shape[:2] != fitted.size:
        output = resized(output, *fitted.size)
    return output


def _eight_bits(output: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values of a range as uint8, strip by strip: of a large picture the whole thing in floats
    is held once, by the decoder, and not four times."""
    picture = np.empty(output.shape, np.uint8)
    for rows in strips(*output.shape[:2]):
        if not np.isfinite(output[rows]).all():
            raise ValueError("the decoder gave NaN or infinity")
        scaled = (output[rows].astype(np.float32) - low) * np.float32(255 / (high - low))
        picture[rows] = np.floor(np.clip(scaled, 0, 255) + np.float32(0.5))
    return picture


def central(picture: np.ndarray, side: int) -> np.ndarray:
    """The side × side of the centre, the shorter side scaled to it first: halved by averaging
    while it is twice as long, then bicubic. The convention of guided diffusion (2105.05233), in
    which published ImageNet figures of tokenizers are."""
    from PIL import Image

    image = Image.fromarray(picture)
    while min(image.size) >= 2 * side:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = side / min(image.size)
    size = round(image.width * scale), round(image.height * scale)
    table = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    top, left = (table.shape[0] - side) // 2, (table.shape[1] - side) // 2
    return table[top : top + side, left : left + side].copy()


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Lanczos, as Pillow does it."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS)).copy()
