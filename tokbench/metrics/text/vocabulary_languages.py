"""Whose words a vocabulary holds: Qtok's Latin and Cyrillic tables, with simplemma's lexicons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tokbench.errors import MissingExtra
from tokbench.files import cache_dir, cache_write, sha256
from tokbench.measured import Measured
from tokbench.metrics.text.census import FIXED, Surfaces, VocabularyMetric, class_of
from tokbench.text.casing import DOTLESS, fold
from tokbench.text.lexicon import SIMPLEMMA, installed, label_of
from tokbench.types import Score

SCRIPTS = {"Latn": "latin", "Cyrl": "cyrillic"}
SMALL = 0.005
"""Languages with at most this share are counted as `other`, as in Qtok."""

_UNUSED = ("enm_Latn", "ekk_Latn", "hrv_Latn", "srp_Latn")
"""Middle English, whose spellings are English ones; and codes that share another's list
(`bos_Latn` stands for Bosnian, Croatian and Serbian in Latin script)."""


def languages_of(script: str) -> list[str]:
    """The languages of a script that have a list, one code for each list."""
    return [code for code in SIMPLEMMA if code.endswith(f"_{script}") and code not in _UNUSED]


def credit(words: Sequence[str], languages: Iterable[str]) -> dict[str, float]:
    """Words that each language is credited with: 1/k for a word in k languages' lists."""
    from tokbench.text.wordlists import found, unpack_missing

    languages = list(languages)
    unpack_missing(SIMPLEMMA[language] for language in languages)
    places: dict[bool, dict[str, list[int]]] = {True: {}, False: {}}
    for dotless, table in places.items():
        for number, word in enumerate(words):
            table.setdefault(fold(word, "tur_Latn" if dotless else ""), []).append(number)
    owned: list[list[int]] = []
    for language in languages:
        table = places[language.partition("_")[0] in DOTLESS]
        known = found(table.keys(), language)
        owned.append([number for word in known for number in table[word]])
    times = Counter(number for numbers in owned for number in numbers)
    return {
        language: sum(1 / times[number] for number in numbers)
        for language, numbers in zip(languages, owned, strict=True)
    }


class VocabularyLanguages(VocabularyMetric):
    """For the alphabetic ids in Latin and in Cyrillic script, the share that is words of each
    language (`vocabulary-languages/latin-eng_Latn`): an id in the word lists of k languages gives
    1/k to each, as in Qtok; `none`: in no list (pieces of words, other languages); `other`:
    languages with at most 0.5 %. Surfaces without the space before them, case folded. The lists
    are simplemma's full-form lexicons and not Qtok's look-up tables, so the shares are not
    Qtok's. Bosnian, Croatian and Serbian are one list (`bos_Latn`, `srp_Cyrl`)."""

    name = "vocabulary-languages"
    reference = "Qtok (nup-csai/Qtok @623f4f6), language tables; lexicons of simplemma"

    def signature(self) -> str:
        """With the version of the lexicons."""
        return f"{self.name}|lexicon:{label_of('eng_Latn')}|v{self.version}"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        try:
            label = f"simplemma-{installed('simplemma')}"
        except MissingExtra as error:
            yield measured.score(self.name, None, 0, unit="share", note=str(error))
            return
        alphabetic = [i for i in surfaces.texts if class_of(surfaces.pieces[i]).endswith("-alpha")]
        for script, title in SCRIPTS.items():
            words = [surfaces.texts[i].strip() for i in alphabetic if surfaces.scripts[i] == script]
            stem = f"{self.name}/{title}"
            if not words:
                note = f"no alphabetic id in {title} script"
                yield measured.score(f"{stem}-none", None, 0, unit="share", note=note)
                continue
            shares = _shares(words, script, label)
            small = sum(share for share in shares.values() if share <= SMALL)
            large = [(name, share) for name, share in shares.items() if share > SMALL]
            large.sort(key=lambda row: -row[1])
            rows = [*large, ("other", small), ("none", max(0.0, 1 - sum(shares.values())))]
            for name, share in rows:
                yield measured.score(
                    f"{stem}-{name}", share, len(words), unit="share", better=self.better,
                    note=FIXED,
                )  # fmt: skip


def _shares(words: list[str], script: str, label: str) -> dict[str, float]:
    """Share of each language, from the cache where this vocabulary was measured before."""
    languages = languages_of(script)
    name = sha256("1", label, *languages, *sorted(words))
    path = cache_dir() / "vocabulary-languages" / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        credits = credit(words, languages)
    shares = {language: credits[language] / len(words) for language in languages}
    cache_write(path, msgspec.json.encode(shares))
    return shares
