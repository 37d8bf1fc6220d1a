"""Perturbed texts that know what they changed: typos, OCR, casing, normal forms, white space, …

Every perturbation is a list of edits, so the new text and the alignment of old and new come
from the same source. What is drawn depends on the sample's content and the perturbation's name
alone: shards, workers and the samples around it do not matter.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import regex

from tokbench.text.draws import Draws
from tokbench.text.lookalikes import CONFUSED, NEAR_KEYS
from tokbench.text.places import code_points, places

VERSION = 1
"""Raised when a perturbation changes: it is part of every metric's signature."""

EVERY = 50
"""Local perturbations make one edit for each so many characters, and at least one, so that the
noise does not thin out in long samples."""

NEARBY = 150
"""Characters to either side in which a wrong letter is looked for."""

SMILE, ENGINEER = "\U0001f642", "\U0001f469\u200d\U0001f4bb"
ZERO_WIDTH_SPACE, SOFT_HYPHEN, NO_BREAK_SPACE = "\u200b", "\u00ad", "\u00a0"

_CLUSTER = regex.compile(r"\X")
_FIRST_LETTER = regex.compile(r"(?<![\p{L}\p{M}\p{N}'’])\p{Ll}")
_CONFUSABLE = regex.compile("|".join(sorted(map(regex.escape, CONFUSED), key=lambda k: -len(k))))
# Marks of no script of their own; the kana voicing marks make other letters and stay.
_DIACRITIC = regex.compile(r"[[\p{Mn}&&\p{Script=Inherited}]--[\u3099\u309a]]", regex.V1)

Edit = tuple[int, int, str]
"""Characters [start, stop) of the old text and what takes their place."""


class Perturbed(NamedTuple):
    """A changed text. spans: int64 of shape (edits, 4), for each edit in order the characters
    [start, stop) of the old text and [start, stop) of the new one; all characters outside them
    are the same."""

    text: str
    spans: np.ndarray


class Perturbation(NamedTuple):
    """A way to change a text.

    whole: every character that can change does, so old and new are aligned at the edges of the
        edits too; otherwise edits are few, and positions that touch one say nothing.
    """

    summary: str
    change: Callable[[str, Draws], Perturbed | None]
    whole: bool = False


def perturb(name: str, text: str) -> Perturbed | None:
    """The text under a perturbation of `PERTURBATIONS`; None where that changes nothing or
    leaves nothing."""
    changed = PERTURBATIONS[name].change(text, Draws(name, text))
    return changed if changed and changed.text and changed.text != text else None


def _edited(text: str, edits: Sequence[Edit]) -> Perturbed | None:
    if not edits:
        return None
    parts: list[str] = []
    spans, place, made = [], 0, 0
    for start, stop, new in edits:
        parts += (text[place:start], new)
        made += start - place
        spans.append((start, stop, made, made + len(new)))
        place, made = stop, made + len(new)
    parts.append(text[place:])
    return Perturbed("".join(parts), np.array(spans, dtype=np.int64))


def _spread(
    text: str,
    draws: Draws,
    where: Sequence[int],
    edit: Callable[[str, int, Draws], Edit | None],
) -> list[Edit]:
    """One edit in each stretch of about `EVERY` characters, at one of the places in it. Edits
    never touch: a character between them stays as it is."""
    edits: list[Edit] = []
    if not where:
        return edits
    windows = max(1, len(text) // EVERY)
    free, first = 0, 0
    for window in range(windows):
        last = bisect_left(where, (window + 1) * len(text) // windows, first)
        if last > first:
            at = where[first + draws.below(last - first)]
            made = edit(text, at, draws) if at >= free else None
            if made is not None and made[0] >= free:
                edits.append(made)
                free = made[1] + 1
        first = last
    return edits


def _at(
    kind: str, edit: Callable[[str, int, Draws], Edit | None]
) -> Callable[[str, Draws], Perturbed | None]:
    """Local edits at the places of a kind."""
    return lambda text, draws: _edited(
        text, _spread(text, draws, getattr(places(text), kind), edit)
    )


@cache
def _script(letter: str) -> str:
    """First word of the character's name: LATIN, CYRILLIC, CJK, HANGUL, …"""
    return unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]


def _another(text: str, place: int, draws: Draws) -> str | None:
    """What a finger might hit instead: a key beside it, or for letters that are not on an
    English keyboard another letter of the same script and case that stands nearby."""
    letter = text[place]
    keys = NEAR_KEYS.get(letter.lower())
    if keys:
        key = keys[draws.below(len(keys))]
        return key.upper() if letter.isupper() else key
    script, upper = _script(letter), letter.isupper()
    same = sorted(
        c
        for c in set(text[max(0, place - NEARBY) : place + NEARBY])
        if c != letter and c.isalpha() and c.isupper() == upper and _script(c) == script
    )
    return same[draws.below(len(same))] if same else None


def _swap(text: str, place: int, draws: Draws) -> Edit:
    return place, place + 2, text[place + 1] + text[place]


def _delete(text: str, place: int, draws: Draws) -> Edit:
    return place, place + 1, ""


def _insert(text: str, place: int, draws: Draws) -> Edit | None:
    extra = _another(text, place, draws)
    return None if extra is None else (place + 1, place + 1, extra)


def _substitute(text: str, place: int, draws: Draws) -> Edit | None:
    other = _another(text, place, draws)
    return None if other is None else (place, place + 1, other)


def _misread(text: str, draws: Draws) -> Perturbed | None:
    where = [found.start() for found in _CONFUSABLE.finditer(text)]

    def edit(text: str, place: int, draws: Draws) -> Edit:
        pair = text[place : place + 2]
        read = pair if pair in CONFUSED else text[place]
        others = CONFUSED[read]
        return place, place + len(read), others[draws.below(len(others))]

    return _edited(text, _spread(text, draws, where, edit))


def _put(new: str) -> Callable[[str, int, Draws], Edit]:
    """Something new at the right of a place."""
    return lambda text, place, draws: (place + 1, place + 1, new)


def _instead(new: str) -> Callable[[str, int, Draws], Edit]:
    """Something new in the place of one character."""
    return lambda text, place, draws: (place, place + 1, new)


def _trail(text: str, draws: Draws) -> Perturbed | None:
    return None if text[-1:].isspace() else _edited(text, [(len(text), len(text), " ")])


def _cased(change: Callable[[str], str]) -> Callable[[str, Draws], Perturbed | None]:
    def changed(text: str, draws: Draws) -> Perturbed | None:
        whole = change(text)
        if len(whole) != len(text):  # ß to SS: character by character
            by_one = [(place, place + 1, change(c)) for place, c in enumerate(text)]
            return _edited(text, [edit for edit in by_one if edit[2] != text[edit[0]]])
        at = np.flatnonzero(code_points(text) != code_points(whole))
        return Perturbed(whole, np.stack((at, at + 1, at, at + 1), axis=1)) if len(at) else None

    return changed


def _titled(text: str, draws: Draws) -> Perturbed | None:
    found = _FIRST_LETTER.finditer(text)
    edits = [(m.start(), m.end(), m[0].title()) for m in found]
    return _edited(text, [edit for edit in edits if edit[2] != text[edit[0]]])


def _by_cluster(change: Callable[[str], str], text: str) -> list[Edit]:
    """The change of every grapheme cluster; of all between the first and the last difference
    where clusters are not changed independently of each other."""
    whole, made, edits = change(text), [], []
    for found in _CLUSTER.finditer(text):
        old = found[0]
        new = old if old.isascii() else change(old)
        made.append(new)
        if new != old:
            edits.append((found.start(), found.end(), new))
    if "".join(made) == whole:
        return edits
    shorter, front, back = min(len(text), len(whole)), 0, 0
    while front < shorter and text[front] == whole[front]:
        front += 1
    while back < shorter - front and text[-1 - back] == whole[-1 - back]:
        back += 1
    return [(front, len(text) - back, whole[front : len(whole) - back])]


def _stripped(cluster: str) -> str:
    """Without diacritics; a cluster of nothing else keeps them."""
    if cluster.isascii():
        return cluster
    apart = unicodedata.normalize("NFD", cluster)
    bare = _DIACRITIC.sub("", apart)
    return unicodedata.normalize("NFC", bare) if bare and bare != apart else cluster


def _bare(text: str, draws: Draws) -> Perturbed | None:
    if text.isascii():
        return None
    clusters = ((m.start(), m.end(), m[0]) for m in _CLUSTER.finditer(text))
    edits = [(a, b, new) for a, b, old in clusters if (new := _stripped(old)) != old]
    return _edited(text, edits)


def _normal(form: str) -> Callable[[str, Draws], Perturbed | None]:
    def normalised(text: str) -> str:
        return unicodedata.normalize(form, text)  # type: ignore[arg-type]

    def changed(text: str, draws: Draws) -> Perturbed | None:
        if unicodedata.is_normalized(form, text):  # type: ignore[arg-type]
            return None
        return _edited(text, _by_cluster(normalised, text))

    return changed


PERTURBATIONS: dict[str, Perturbation] = {
    "swap": Perturbation("two neighbouring letters swapped", _at("swappable", _swap)),
    "delete": Perturbation("a letter left out", _at("letters", _delete)),
    "insert": Perturbation("a letter too many", _at("letters", _insert)),
    "substitute": Perturbation("a wrong letter", _at("letters", _substitute)),
    "ocr": Perturbation("a letter misread: rn for m, 1 for l, 0 for O", _misread),
    "lower": Perturbation("all lower case", _cased(str.lower), whole=True),
    "upper": Perturbation("all upper case", _cased(str.upper), whole=True),
    "title": Perturbation("every word's first letter upper case", _titled, whole=True),
    "diacritics": Perturbation("diacritics left out", _bare, whole=True),
    "nfc": Perturbation("composed (NFC)", _normal("NFC"), whole=True),
    "nfd": Perturbation("decomposed (NFD)", _normal("NFD"), whole=True),
    "double-blank": Perturbation("a blank doubled", _at("blanks", _instead("  "))),
    "tab": Perturbation("a tab for a blank", _at("blanks", _instead("\t"))),
    "no-break-space": Perturbation("U+00A0 for a blank", _at("blanks", _instead(NO_BREAK_SPACE))),
    "trailing-blank": Perturbation("a blank at the end", _trail),
    "emoji": Perturbation("an emoji after a word", _at("word_ends", _put(SMILE))),
    "emoji-zwj": Perturbation(
        "an emoji joined by U+200D after a word",
        _at("word_ends", _put(ENGINEER)),
    ),
    "zero-width-space": Perturbation(
        "U+200B between two letters",
        _at("inner", _put(ZERO_WIDTH_SPACE)),
    ),
    "soft-hyphen": Perturbation("U+00AD between two letters", _at("inner", _put(SOFT_HYPHEN))),
}

TYPOS = ("swap", "delete", "insert", "substitute")
"""The perturbations that are summed up as `typo`."""
