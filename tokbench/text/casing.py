"""Folding case as a language does: Turkish has a dotless i."""

from __future__ import annotations

import unicodedata

DOTLESS = frozenset("tur aze azj crh gag".split())
"""Languages whose Latin script pairs I with ı and İ with i."""

_DOTLESS = str.maketrans({"I": "ı", "İ": "i"})


def fold(text: str, language: str) -> str:
    """`text` in NFC without case; `language` is a FLORES code such as `tur_Latn`.

    I becomes ı and İ becomes i in Turkish, Azerbaijani, Crimean Tatar and Gagauz; everywhere
    else this is Unicode's case folding.
    """
    if language.partition("_")[0] in DOTLESS:
        text = text.translate(_DOTLESS)
    return unicodedata.normalize("NFC", text).casefold()
