"""Readers of the MorphScore data sets of Arnett and others, as they are published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tokbench.annotated import rows
from tokbench.parts import Noted, NotedPart, Part
from tokbench.readers import Found
from tokbench.text.gold import noted

V1_LANGUAGES = {
    "armenian": "hye_Armn", "basque": "eus_Latn", "bulgarian": "bul_Cyrl", "cebuano": "ceb_Latn",
    "english": "eng_Latn", "georgian": "kat_Geor", "greek": "ell_Grek", "gujarati": "guj_Gujr",
    "hungarian": "hun_Latn", "icelandic": "isl_Latn", "indonesian": "ind_Latn",
    "irish": "gle_Latn", "japanese": "jpn_Jpan", "korean": "kor_Hang", "kurdish": "kmr_Latn",
    "persian": "pes_Arab", "slovenian": "slv_Latn", "spanish": "spa_Latn", "tamil": "tam_Taml",
    "turkish": "tur_Latn", "urdu": "urd_Arab", "zulu": "zul_Latn",
}  # fmt: skip
"""The names of v1's files, as language codes."""


def v1(found: Found, fields: dict[str, str]) -> list[Part]:
    """MorphScore v1: CSV with the columns full_word, pt1, rest. An empty `rest` (five Turkish
    rows) is a word of one morpheme; parts that do not spell the word are no segmentation."""

    def iterate(path: Path) -> Iterator[Noted]:
        for _, row in rows(path, ("full_word", "pt1", "rest")):
            pieces = [piece for piece in (row["pt1"], row["rest"]) if piece]
            yield noted(row["full_word"], pieces)

    return [NotedPart(V1_LANGUAGES.get(group, group), [path], iterate) for group, path in found]


def v2(found: Found, fields: dict[str, str]) -> list[Part]:
    """MorphScore v2: CSV with preceding_part, stem, following_part, lemma, wordform, unique,
    word_freq_norm. Its own filters hold: first occurrences only, stem equal to lemma, no digits.
    The weight is the word's share of the treebank."""
    needed = ("wordform", "lemma", "preceding_part", "stem", "following_part")

    def iterate(path: Path) -> Iterator[Noted]:
        for _, row in rows(path, needed):
            word, stem = row["wordform"].strip(), row["stem"]
            if not word or stem != row["lemma"] or any(map(str.isdigit, word)):
                continue
            if row.get("unique", "unique") != "unique":
                continue
            before, after = row["preceding_part"], row["following_part"]
            pieces = [piece for piece in (before, stem, after) if piece]
            yield noted(word, pieces, row["lemma"], int(bool(before)), _weight(row))

    return [NotedPart(_code(group), [path], iterate) for group, path in found]


def _weight(row: dict[str, str]) -> str:
    try:
        share = float(row.get("word_freq_norm") or 0)
    except ValueError:
        return ""
    return repr(share) if 0 < share <= 1 else ""


def _code(label: str) -> str:
    """`eng_latn` as the language code `eng_Latn`."""
    language, _, script = label.partition("_")
    return f"{language}_{script.title()}" if script else label
