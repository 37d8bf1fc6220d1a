"""Two readings of the same thing with their differences marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """What both have, or what was and what came instead of it (either may be empty)."""

    same: str
    was: str = ""
    now: str = ""


def letters(truth: str, read: str) -> list[Piece]:
    """By the least edits of characters (code points)."""
    return _pieces(truth, read, "")


def words(truth: str, heard: str) -> list[Piece]:
    """By the least edits of words, both texts normalised: the alignment of a word error rate."""
    return _pieces(truth.split(), heard.split(), " ")


def _pieces(a: Sequence[str], b: Sequence[str], glue: str) -> list[Piece]:
    from rapidfuzz.distance import Levenshtein

    found: list[Piece] = []
    for edit in Levenshtein.opcodes(a, b):
        was = glue.join(a[edit.src_start : edit.src_end])
        now = glue.join(b[edit.dest_start : edit.dest_end])
        if edit.tag == "equal":
            found.append(Piece(was))
        elif found and not found[-1].same:  # edits side by side are read as one
            before = found.pop()
            sides = ((before.was, was), (before.now, now))
            found.append(Piece("", *(glue.join(filter(None, side)) for side in sides)))
        else:
            found.append(Piece("", was, now))
    return found
