"""The merges of a BPE in the order learnt, and the words inside which pairs were counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import regex

BLANKS = "▁ "
"""The characters with which vocabularies of characters write a space."""

SCRIPTS = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Gurmukhi",
    "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao",
    "Tibetan", "Myanmar", "Khmer", "Hangul", "Ethiopic", "Georgian", "Armenian", "Mongolian",
    "Tifinagh", "Ol_Chiki",
)  # fmt: skip
"""Scripts that SentencePiece's trainer keeps apart; those not listed count as one. It takes
kanji and kana for one script, and a combining mark has that of the character before it."""

FEW = 0.01
"""Share of the tokens that may break a rule which still counts as the trainer's own (tokens
added by hand, such as markup)."""


class Merges:
    """The merges of a BPE in the order learnt.

    products: the id that each merge makes. parts: the two ids that merge number k joins, or
    None where the vocabulary has no such pair.
    letters: the ids with which encoding begins, by character, or by byte for pretokens of bytes.
    """

    def __init__(
        self,
        products: Sequence[int],
        parts: Callable[[int], tuple[int, int] | None],
        letters: Mapping[Any, int],
    ):
        self.products, self.parts, self.letters = products, parts, letters


def listed(vocabulary: Mapping[str, int], merges: Iterable[Sequence[str]]) -> Merges:
    """Merges from a file's list.

    Files converted from SentencePiece list every way to put a token together, one after the
    other; the one that was learnt is then the one that the earlier tokens yield.
    """
    pairs: dict[int, tuple[int, int]] = {}
    twice = False
    for left, right in merges:
        product = vocabulary.get(left + right)
        if product is not None and left in vocabulary and right in vocabulary:
            twice = twice or product in pairs
            pairs.setdefault(product, (vocabulary[left], vocabulary[right]))
    if twice:
        names = {number: token for token, number in vocabulary.items()}
        return ranked([names[product] for product in pairs], vocabulary)
    products = list(pairs)
    return Merges(products, lambda place: pairs[products[place]], _single(vocabulary))


def ranked(tokens: Sequence[Any], vocabulary: Mapping[Any, int]) -> Merges:
    """Merges from tokens (text or bytes) in the order learnt: a token's parts are what the
    merges before its own leave of it. The ids are `vocabulary`'s."""
    learnt = [token for token in tokens if len(token) > 1]
    ranks = {token: number for number, token in enumerate(learnt)}

    def parts(place: int) -> tuple[int, int] | None:
        left, right = (vocabulary.get(part) for part in halves(learnt[place], ranks))
        return None if left is None or right is None else (left, right)

    return Merges([vocabulary[token] for token in learnt], parts, _single(vocabulary))


def _single(vocabulary: Mapping[Any, int]) -> dict[Any, int]:
    single = ((token, number) for token, number in vocabulary.items() if len(token) == 1)
    return {token if isinstance(token, str) else token[0]: number for token, number in single}


def halves(token: Any, ranks: Mapping[Any, int]) -> tuple[Any, Any]:
    """The two parts that the merges of lower rank leave of a token (text or bytes); where they
    leave more, parts that are in no vocabulary."""
    own = ranks[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(parts[i] + parts[i + 1], own) for i in range(len(parts) - 1)]
        at = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[at] >= own:
            return token, token[:0]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


class Words:
    """Where a trainer of characters (SentencePiece) cut its words, as the tokens tell: before a
    space, between scripts and around digits, each unless tokens reach across."""

    def __init__(self, tokens: Iterable[str]):
        self._tokens = [token for token in tokens if len(token) > 1]

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        blank = f"[{BLANKS}]"
        if not self._few(rf"[^{BLANKS}]{blank}"):
            return regex.compile(r"(?s).+")
        other = rf"[^\p{{L}}\p{{M}}{BLANKS}]"
        if not self._few(rf"\p{{L}}{other}|{other}\p{{L}}"):
            return regex.compile(f"{blank}*[^{BLANKS}]+|{blank}+")
        digits = r"\d" if self._few(r"\d\d") else r"\d+"
        han = r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Inherited}]+"
        runs = [rf"[\p{{Script={name}}}\p{{Inherited}}]+" for name in SCRIPTS]
        common = rf"(?:[^\P{{Common}}\d{BLANKS}]|\p{{Inherited}})+"
        either = "|".join([digits, han, *runs, common, f"[^{BLANKS}]"])
        return regex.compile(f"{blank}*(?:{either})|{blank}+")

    def _few(self, pattern: str) -> bool:
        """Do so few tokens hold the pattern that the trainer cannot have allowed it?"""
        found = regex.compile(pattern)
        return sum(bool(found.search(token)) for token in self._tokens) <= FEW * len(self._tokens)

    def split(self, text: str) -> list[str]:
        return self._pattern.findall(text)
