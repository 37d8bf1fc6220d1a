"""Where a prompt may end: one place of each kind in a text, drawn from its content alone."""

from __future__ import annotations

import regex

from tokbench.text.draws import Draws

VERSION = 1
"""Raised when the places change: it is part of every metric's signature."""

PLACES = {
    "inside-word": regex.compile(r"(?<=[\p{L}\p{M}])(?=\p{L})"),
    "before-blank": regex.compile(r"(?<=\S)(?=\s)"),
    "after-blank": regex.compile(r"(?<=\s)(?=\S)"),
}
"""Between two letters (in a script without blanks a word may end there), at the end of a word or
of punctuation before white space, and behind white space; never inside a character."""


def cut(kind: str, text: str) -> int | None:
    """The number of characters before the cut, or None where the text has no such place."""
    found = [m.start() for m in PLACES[kind].finditer(text)]
    return found[Draws(kind, text).below(len(found))] if found else None
