"""Word boundaries of Unicode Standard Annex #29, whole arrays of code points at a time.

Properties come from the `regex` library's Unicode database; the rules WB1-WB999 are
evaluated by array operations, about ten times as fast as any scanner reachable from Python.
`tests/text/test_uax29.py` holds it against `regex` and `uniseg`.
"""

from __future__ import annotations

import numpy as np
import regex

VERSION = 1
"""Raised when the segmentation changes: it is part of every word metric's signature."""

_CLASSES = [
    "Other",
    "CR",
    "LF",
    "Newline",
    "Extend",
    "Format",
    "ZWJ",
    "Regional_Indicator",
    "Katakana",
    "Hebrew_Letter",
    "ALetter",
    "Single_Quote",
    "Double_Quote",
    "MidNumLet",
    "MidLetter",
    "MidNum",
    "Numeric",
    "ExtendNumLet",
    "WSegSpace",
]
_ID = {name: number for number, name in enumerate(_CLASSES)}
_UNKNOWN, _PICTOGRAPHIC, _WORDLIKE, _CLASS = 255, 64, 128, 31

# A table over all code points, filled for the characters that actually occur.
_table = np.full(0x110000, _UNKNOWN, dtype=np.uint8)


def _is(*names: str) -> np.ndarray:
    """A look-up table over classes: is the class one of `names`?"""
    member = np.zeros(32, dtype=bool)
    member[[_ID[name] for name in names]] = True
    return member


_NEWLINE = _is("CR", "LF", "Newline")
_IGNORED = _is("Extend", "Format", "ZWJ")
_LETTER = _is("ALetter", "Hebrew_Letter")
_MID_LETTER = _is("MidLetter", "MidNumLet", "Single_Quote")
_MID_NUMBER = _is("MidNum", "MidNumLet", "Single_Quote")
_EXTENDS = _is("ALetter", "Hebrew_Letter", "Numeric", "Katakana")


def _joined_pairs() -> np.ndarray:
    """joined[a, b]: no boundary between classes a and b, whatever stands around them."""
    joined = np.zeros((32, 32), dtype=bool)
    joined |= np.outer(_LETTER, _LETTER)  # WB5
    number = _is("Numeric")
    joined |= np.outer(number, number)  # WB8
    joined |= np.outer(_LETTER, number)  # WB9
    joined |= np.outer(number, _LETTER)  # WB10
    joined |= np.outer(_is("Katakana"), _is("Katakana"))  # WB13
    underscore = _is("ExtendNumLet")
    joined |= np.outer(_EXTENDS | underscore, underscore)  # WB13a
    joined |= np.outer(underscore, _EXTENDS)  # WB13b
    joined |= np.outer(_is("Hebrew_Letter"), _is("Single_Quote"))  # WB7a
    return joined


_JOINED = _joined_pairs()


def _properties(points: np.ndarray) -> np.ndarray:
    """Class and flags of each code point."""
    found = _table[points]
    if (found == _UNKNOWN).any():
        _learn(np.unique(points[found == _UNKNOWN]))
        found = _table[points]
    return found


def _learn(points: np.ndarray) -> None:
    # Lone surrogates cannot be matched; they have no word property.
    proper = points[(points < 0xD800) | (points > 0xDFFF)]
    _table[points] = 0
    characters = "".join(map(chr, proper.tolist()))
    for name in _CLASSES[1:]:
        for match in regex.finditer(rf"\p{{WB={name}}}", characters):
            _table[ord(match[0])] = _ID[name]
    for match in regex.finditer(r"\p{Extended_Pictographic}", characters):
        _table[ord(match[0])] |= _PICTOGRAPHIC
    for match in regex.finditer(r"[\p{Alphabetic}\p{N}]", characters):
        _table[ord(match[0])] |= _WORDLIKE


def segment(points: np.ndarray) -> np.ndarray:
    """Start index of every UAX-29 segment of a sequence of code points (uint32), int64."""
    if len(points) == 0:
        return np.empty(0, dtype=np.int64)
    flags = _properties(points)
    return _starts(flags)


def _starts(flags: np.ndarray) -> np.ndarray:
    raw = flags & _CLASS
    # WB4: Extend, Format and ZWJ belong to what precedes them, except after a line break.
    skipped = _IGNORED[raw]
    skipped[0] = False
    skipped[1:] &= ~_NEWLINE[raw[:-1]]
    kept = np.flatnonzero(~skipped)
    seen = raw[kept]
    before, after = seen[:-1], seen[1:]
    joined = _JOINED[before, after]
    adjacent = np.diff(kept) == 1
    joined |= (before == _ID["CR"]) & (after == _ID["LF"]) & adjacent  # WB3
    joined |= (before == _ID["WSegSpace"]) & (after == _ID["WSegSpace"]) & adjacent  # WB3d
    pictures = np.flatnonzero(flags[kept] & _PICTOGRAPHIC)
    pictures = pictures[pictures > 0]
    joined[pictures - 1] |= raw[kept[pictures] - 1] == _ID["ZWJ"]  # WB3c

    def bridge(outer: np.ndarray, middle: np.ndarray) -> None:
        """No boundary on either side of a `middle` that stands between two `outer`s."""
        at = np.flatnonzero(middle[seen[1:-1]]) + 1
        at = at[outer[seen[at - 1]] & outer[seen[at + 1]]]
        joined[at - 1] = True
        joined[at] = True

    bridge(_LETTER, _MID_LETTER)  # WB6, WB7
    bridge(_is("Hebrew_Letter"), _is("Double_Quote"))  # WB7b, WB7c
    bridge(_is("Numeric"), _MID_NUMBER)  # WB11, WB12

    flags_at = np.flatnonzero(seen == _ID["Regional_Indicator"])
    if len(flags_at):  # WB15, WB16: regional indicators pair up from the start of their run
        run_start = np.ones(len(flags_at), dtype=bool)
        run_start[1:] = np.diff(flags_at) > 1
        place = flags_at - np.maximum.accumulate(np.where(run_start, flags_at, 0))
        joined[flags_at[place % 2 == 1] - 1] = True

    boundary = np.ones(len(kept), dtype=bool)
    boundary[1:] = ~joined
    return kept[boundary]


def words(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words among the segments: those with a letter or a number.

    Returns (starts, stops, unsegmented), all over words, in code points. `unsegmented`
    marks words that UAX-29 could not delimit, being ideographs, kana, or letters of scripts
    written without spaces (Thai, Lao, Khmer, Burmese), or Tibetan syllables.
    """
    if len(points) == 0:
        none = np.empty(0, dtype=np.int64)
        return none, none, np.empty(0, dtype=bool)
    flags = _properties(points)
    starts = _starts(flags)
    stops = np.append(starts[1:], len(points))
    wordlike = np.maximum.reduceat(flags & _WORDLIKE, starts) > 0
    starts, stops = starts[wordlike], stops[wordlike]
    first = flags[starts] & _CLASS
    tibetan = (points[starts] >= 0x0F00) & (points[starts] <= 0x0FFF)
    return starts, stops, (first == _ID["Other"]) | (first == _ID["Katakana"]) | tibetan
