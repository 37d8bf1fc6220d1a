"""Words in pictures: what annotations say of them, their crops, the order they are read in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tokbench.errors import UserError
from tokbench.types import Sample

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, the last two exclusive."""


class Word(NamedTuple):
    """A word, the box around it and, where the annotation has it, its `scale`."""

    text: str
    box: Box
    ratio: float | None = None


def words_of(sample: Sample) -> list[Word]:
    """The words that a picture's annotation gives (`words`: `text`, `box` [x0, y0, x1, y1] and,
    if wanted, `ratio`, the `scale` to use instead of the box's).

    Boxes become integers outwards, as TokBench's crops are, and end at the picture's edge.
    Raises `UserError` for what is no word: no text, no box, a box outside of the picture.
    """
    assert sample.data is not None
    height, width = sample.data.shape[:2]
    found = []
    for number, noted in enumerate(sample.notes.get("words") or []):
        where = f"{sample.name}: words[{number}]"
        try:
            text, (left, top, right, bottom) = noted["text"], noted["box"]
            ratio = None if noted.get("ratio") is None else float(noted["ratio"])
            box = (
                max(math.floor(left), 0),
                max(math.floor(top), 0),
                min(math.ceil(right), width),
                min(math.ceil(bottom), height),
            )
        except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(
                f'{where}: not {{"text": …, "box": [x0, y0, x1, y1]}} (numbers, in pixels)'
            ) from error
        if not isinstance(text, str) or not text:
            raise UserError(f"{where}: its text is empty: leave out what cannot be read")
        if box[0] >= box[2] or box[1] >= box[3]:
            raise UserError(
                f"{where}: no part of box [{left}, {top}, {right}, {bottom}] lies within the "
                f"picture of {width} × {height} pixels"
            )
        found.append(Word(text, box, ratio))
    return found


def scale(word: Word, height: int, width: int) -> float:
    """Size of a character relative to the picture, TokBench's ratio: the longer side of the box
    over the number of characters (code points) and the longer side of the picture.

    TokBench does not say which side of the box it takes. Its published ratios are integer extents
    divided so; for words of a line that is the box's width. A `ratio` of the annotation goes first.
    """
    if word.ratio is not None:
        return word.ratio
    left, top, right, bottom = word.box
    return max(right - left, bottom - top) / len(word.text) / max(height, width)


def crop(picture: np.ndarray, box: Box) -> np.ndarray:
    """The part of a picture within a box."""
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def in_reading_order(words: Sequence[Word]) -> list[Word]:
    """Line by line from above, and from the left within a line. What shares half its height with
    the first piece of a line belongs to it."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.box[1] + word.box[3], word.box[0])):
        if lines and _shared(lines[-1][0].box, word.box) >= 0.5:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [word for line in lines for word in sorted(line, key=lambda word: word.box[0])]


def _shared(one: Box, other: Box) -> float:
    """Common height over the lesser height."""
    common = min(one[3], other[3]) - max(one[1], other[1])
    return common / max(min(one[3] - one[1], other[3] - other[1]), 1)
