"""Places in a text where noise may strike: letters, inner letters, word ends, blanks."""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_LETTER, _JOINED, _BLANK, _KNOWN = 1, 2, 4, 8
_KINDS = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
"""Of the code points met so far: there are a million, and texts use few."""


def _kinds(points: np.ndarray) -> np.ndarray:
    """Of each code point: is it a letter; a letter, mark or number; a blank (U+0020)?"""
    kinds = _KINDS[points]
    new = np.unique(points[kinds == 0])
    if not len(new):
        return kinds
    for point in new.tolist():
        major = unicodedata.category(chr(point))[0]
        kind = _LETTER | _JOINED if major == "L" else _JOINED * (major in "MN")
        _KINDS[point] = _KNOWN | kind | _BLANK * (point == 0x20)
    return _KINDS[points]


class Places(NamedTuple):
    """Characters of a text by number: letters; letters followed by a letter; of these, those
    followed by another one; letters at whose right no letter, mark or number stands; blanks."""

    letters: list[int]
    inner: list[int]
    swappable: list[int]
    word_ends: list[int]
    blanks: list[int]


def code_points(text: str) -> np.ndarray:
    """The characters as numbers."""
    return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype="<u4")


@lru_cache(maxsize=1)  # all perturbations of one text come one after the other
def places(text: str) -> Places:
    """The places of a text."""
    points = code_points(text)
    kinds = _kinds(points)
    letter = (kinds & _LETTER) > 0
    inner = letter[:-1] & letter[1:]
    unjoined = np.append((kinds[1:] & _JOINED) == 0, True)[: len(letter)]
    return Places(
        np.flatnonzero(letter).tolist(),
        np.flatnonzero(inner).tolist(),
        np.flatnonzero(inner & (points[:-1] != points[1:])).tolist(),
        np.flatnonzero(letter & unjoined).tolist(),
        np.flatnonzero(kinds & _BLANK).tolist(),
    )
