"""Gold segmentations of Turkish words by an analyser: zeyrek, a port of Zemberek's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokbench.errors import UserError
from tokbench.parts import Noted, NotedPart, Part
from tokbench.readers import Found, text_lines
from tokbench.text.gold import noted


def zeyrek(found: Found, fields: dict[str, str]) -> list[Part]:
    """Turkish words, one a line, cut at the morphemes that zeyrek finds on their surface. A word
    that it does not know, or that it cuts in several ways, gets no segmentation."""

    def iterate(path: Path) -> Iterator[Noted]:
        return (segmented(word) for line in text_lines(path) if (word := line.strip()))

    return [NotedPart(group or "tur_Latn", [path], iterate) for group, path in found]


def segmented(word: str) -> Noted:
    """A Turkish word with its notes: `segmentation`, `lemma` and `stem_index`, where all of
    zeyrek's analyses cut the word alike (it does not rank them)."""
    analyses = _analyser()._parse(word)
    cuts = {tuple(len(surface) for _, surface in each.morphemes if surface) for each in analyses}
    if len(cuts) != 1 or _surface(analyses[0]) != _lower(word):
        return noted(word, ())
    ends = [0]
    for length in cuts.pop():
        ends.append(ends[-1] + length)
    pieces = [word[start:stop] for start, stop in pairwise(ends)]
    lemmas = {each.dict_item.lemma for each in analyses}
    return noted(word, pieces, lemmas.pop() if len(lemmas) == 1 else "", 0)


def _surface(analysis: Any) -> str:
    return "".join(surface for _, surface in analysis.morphemes)


def _lower(word: str) -> str:
    return word.replace("İ", "i").replace("I", "ı").lower()


@cache
def _analyser() -> Any:
    try:
        import zeyrek
    except ImportError as error:
        raise UserError(
            "reader 'zeyrek' needs a package that is not installed: "
            "pip install 'tokbench[morphology]'"
        ) from error
    # It reports every analysis as a warning.
    logging.getLogger("zeyrek").setLevel(logging.ERROR)
    return zeyrek.MorphAnalyzer()
