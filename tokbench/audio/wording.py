"""Words: how transcripts are brought to one form, and how two of them are compared."""

from __future__ import annotations

import unicodedata
from dataclasses import astuple, dataclass

import regex

NORMALISER = "nfkc-lower-no-punctuation"
_NOT_WORDS = regex.compile(r"[^\p{L}\p{M}\p{N}'\s]+")
_LOOSE = regex.compile(r"(?<![\p{L}\p{M}\p{N}])'+|'+(?![\p{L}\p{M}\p{N}])")


def normalised(text: str) -> str:
    """NFKC, small letters, words apart by one space: whatever is no letter, mark or digit parts
    words, but for apostrophes inside them. Numbers are not spelt out."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return " ".join(_LOOSE.sub(" ", _NOT_WORDS.sub(" ", text)).split())


@dataclass(frozen=True, slots=True)
class Edits:
    """The least edits that make one row of words (or characters) of another."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    def counts(self) -> tuple[int, ...]:
        """In the order of the fields."""
        return astuple(self)


NAMES = tuple(Edits.__dataclass_fields__)


def word_edits(reference: str, heard: str) -> Edits:
    """Of words, both texts normalised. An empty reference makes every word heard an insertion."""
    return _edits("process_words", reference, heard)


def character_edits(reference: str, heard: str) -> Edits:
    """Of characters, spaces included."""
    return _edits("process_characters", reference, heard)


def _edits(function: str, reference: str, heard: str) -> Edits:
    from tokbench.errors import optional

    if not reference:
        units = heard.split() if function == "process_words" else heard
        return Edits(insertions=len(units))
    found = getattr(optional("jiwer", "audio"), function)(reference, heard)
    return Edits(found.hits, found.substitutions, found.deletions, found.insertions)
