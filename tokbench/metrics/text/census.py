"""What stands in a vocabulary, without a corpus: classes, scripts, broken and double surfaces."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
import regex

from tokbench.measured import Better, Measured
from tokbench.metrics.metric import Metric
from tokbench.types import Codes, Ragged, Score

CLASSES = """
    control pure-unicode char-alpha spaced-alpha inner-alpha char-other spaced-other inner-other
    unicode-flanks char-errors spaced-errors inner-errors
    """.split()

ALPHABETS = frozenset(
    """ADLAM ARABIC ARABIC-INDIC ARMENIAN BALINESE BAMUM BATAK BENGALI BLACK-LETTER BOPOMOFO
    BRAILLE BUGINESE CANADIAN CHAKMA CHAM CHEROKEE CJK COPTIC CYRILLIC DESERET DEVANAGARI DINGBAT
    EGYPTIAN ETHIOPIC GEORGIAN GLAGOLITIC GOTHIC GREEK GUJARATI GURMUKHI HALFWIDTH HANGUL HEBREW
    HIRAGANA INSCRIPTIONAL JAVANESE KAITHI KANGXI KANNADA KATAKANA KHMER LAO LATIN LEPCHA LIMBU
    LISU MALAYALAM MANDAIC MEETEI MODI MONGOLIAN MYANMAR NKO OGHAM OL OLD ORIYA PHAGS-PA PHOENICIAN
    RUNIC SAMARITAN SHAVIAN SINHALA SUNDANESE SYRIAC TAGALOG TAGBANWA TAI TAMIL TELUGU THAANA THAI
    TIBETAN TIFINAGH YI""".split()
)
"""First words of Unicode character names that Qtok takes for alphabets."""

STAND_INS = frozenset(map(chr, [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144)]))
"""The characters that byte-level vocabularies write bytes with."""

MARKUP = frozenset("br h1 h2 h3 h4 h5 h6 b img li tr td p th u em".split())
"""HTML tags: in angle brackets, but no control tokens."""

SCRIPTS = """
    Latn Hani Cyrl Arab Hira Kana Hang Deva Grek Hebr Thai Beng Taml Telu Gujr Guru Knda Mlym Orya
    Sinh Mymr Khmr Laoo Tibt Geor Armn Ethi Mong Cans Cher Thaa Syrc Nkoo Olck Tfng Adlm Mtei Java
    Sund Bali Bugi Lana Talu Tale Yiii Lisu Bopo Brai Copt Goth Runr Ogam Vaii Bamu Cakm Limb Lepc
    Saur Cham Kali Rjng Batk Tglg Hano Buhd Tagb Phag Glag Egyp Xsux Linb Dsrt Shaw Osge Hmnp Rohg
    Mand Samr Sylo Newa Tirh Sidd Brah Kthi Modi Shrd
    """.split()
"""Scripts told apart; a character of another one counts as having none."""
NO_SCRIPT, MIXED, PARTIAL = "Zyyy", "mixed", "partial"
FIXED = "no interval: a property of the vocabulary"
ABSENT = "needs the tokenizer itself, which is not at hand"
SURFACELESS = "ids have no surfaces of their own (open or unlisted vocabulary)"


@dataclass(frozen=True)
class Surfaces:
    """The vocabulary as text shows it.

    pieces: the bytes of every id. emittable: ids that text can produce and that have bytes.
    size: |V|; its ids that are not emittable are control tokens.
    """

    pieces: Sequence[bytes]
    emittable: np.ndarray
    size: int

    @cached_property
    def ids(self) -> np.ndarray:
        """The emittable ids."""
        return np.flatnonzero(self.emittable)

    @cached_property
    def texts(self) -> dict[int, str]:
        """Emittable ids that are UTF-8 by themselves, and their text."""
        found = {}
        for number in self.ids.tolist():
            try:
                found[number] = self.pieces[number].decode()
            except UnicodeDecodeError:
                continue
        return found

    @cached_property
    def scripts(self) -> dict[int, str]:
        """The script of every emittable id."""
        texts = self.texts
        return {i: script_of(texts[i]) if i in texts else PARTIAL for i in self.ids.tolist()}

    def shown(self, numbers: Sequence[int], most: int = 3) -> str:
        """A few ids with their surfaces, for a note."""
        pieces = [self.pieces[i].decode(errors="backslashreplace") for i in numbers[:most]]
        cut = [piece if len(piece) <= 32 else piece[:31] + "…" for piece in pieces]
        return ", ".join(f"{i} {piece!r}" for i, piece in zip(numbers, cut, strict=False))


@lru_cache(maxsize=1)  # the metrics of one run share it
def surfaces_of(tokenizer: Any) -> Surfaces | None:
    """Surfaces from the byte table; without one, what an id adds to the decoded letter `a`
    (so WordPiece's `##ing` is `ing`, its `the` ` the`). None where ids have no surfaces."""
    mask = tokenizer.text_ids
    if tokenizer.pieces is not None:
        pieces, lengths = tokenizer.pieces.pieces, tokenizer.pieces.lengths
        listed = lengths > 0 if mask is None else (lengths > 0) & mask
        return Surfaces(pieces, listed, sum(tokenizer.spec.vocabulary) or int(listed.sum()))
    if mask is None or not tokenizer.spec.vocabulary:
        return None
    numbers = np.flatnonzero(mask)
    first = tokenizer.encode(["a"]).ids[0].tolist()
    stem = decoded(tokenizer, [first])[0]
    added = [b""] * len(mask)
    running = decoded(tokenizer, [[*first, i] for i in numbers.tolist()])
    for number, text in zip(numbers.tolist(), running, strict=True):
        if text.startswith(stem):
            added[number] = text[len(stem) :].encode(errors="surrogatepass")
    return Surfaces(
        added, np.array([bool(piece) for piece in added]), sum(tokenizer.spec.vocabulary)
    )


def decoded(tokenizer: Any, rows: Sequence[Sequence[int]]) -> list[str]:
    """The library's decoding of some rows of ids."""
    return list(tokenizer.decode(Codes((Ragged.of(rows),))))


@cache
def _name(character: str) -> str:
    """First word of a character's Unicode name; empty for one without a name."""
    return unicodedata.name(character, "").partition(" ")[0]


def class_of(surface: bytes) -> str:
    """Qtok's class of a token's bytes."""
    try:
        text = surface.decode()
    except UnicodeDecodeError:
        return "unicode-flanks"
    if text in STAND_INS:
        return "pure-unicode"
    if "\ufffd" in text:
        return "unicode-flanks"
    if len(text) == 1:
        return _kind("char", text)
    if text[0] == " ":
        return _kind("spaced", text[1:])
    return "control" if _bracketed(text) else _kind("inner", text)


def _kind(place: str, text: str) -> str:
    """`alpha` where all names begin with the same alphabet, `errors` where one has no name."""
    names = set(map(_name, text))
    if "" in names:
        return f"{place}-errors"
    return f"{place}-alpha" if len(names) == 1 and names <= ALPHABETS else f"{place}-other"


def is_control(text: str) -> bool:
    """Is it written as a control token, such as `<s>` or `[CLS]`?"""
    return len(text) > 1 and _bracketed(text)


def _bracketed(text: str) -> bool:
    ends = text[0] + text[-1]
    return ends in ("<>", "[]") and text[1:-1].lower().replace("/", "") not in MARKUP


_SCRIPT = regex.compile("|".join(rf"(?P<{code}>\p{{Script={code}}})" for code in SCRIPTS))


@cache
def _script(character: str) -> str:
    found = _SCRIPT.match(character)
    return found.lastgroup if found else ""


def scripts_in(text: str) -> set[str]:
    """ISO 15924 codes of the scripts of a text's characters."""
    return set(map(_script, text)) - {""}


def script_of(text: str) -> str:
    """ISO 15924 code of a text's script: `Zyyy` without any, `Jpan` for kanji and kana
    together, `mixed` for other mixtures."""
    found = scripts_in(text)
    if len(found) == 1:
        return found.pop()
    if not found:
        return NO_SCRIPT
    return "Jpan" if found <= {"Hani", "Hira", "Kana"} else MIXED


class VocabularyMetric(Metric):
    """A metric of the vocabulary itself: refuses where the tokenizer or surfaces are missing."""

    statistics: tuple[str, ...] = ()
    better: ClassVar[Better] = "neither"
    unit, aggregation = "share", "over the ids"

    def result(self, measured: Measured) -> Iterator[Score]:
        tokenizer: Any = measured.tokenizer
        surfaces = None if tokenizer is None else surfaces_of(tokenizer)
        if surfaces is None or not len(surfaces.ids):
            note = ABSENT if tokenizer is None else SURFACELESS
            yield measured.score(self.name, None, 0, unit=self.unit, better=self.better, note=note)
            return
        yield from self.scores(measured, surfaces)

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        """Scores of a vocabulary that has surfaces."""
        raise AttributeError(f"{type(self).__name__} has no scores()")

    def counted(self, measured: Measured, count: int, n: int, note: str = "") -> Iterator[Score]:
        """`name`: share of `n` ids; `name-ids`: how many."""
        note = "; ".join(filter(None, (note, FIXED)))
        share = count / n if n else None
        yield measured.score(self.name, share, n, unit="share", better=self.better, note=note)
        yield measured.score(
            f"{self.name}-ids", count, n, unit="ids", better=self.better, note=note
        )


class Census(VocabularyMetric):
    """Every id in one of Qtok's twelve classes, by its bytes; shares of |V| (`census/CLASS`) and
    counts (`census-ids/CLASS`). `control`: special, unknown and unused ids, and `<…>` or `[…]`
    that is no HTML tag. `pure-unicode`: a single character of those that byte-level vocabularies
    write bytes with (U+0021–7E, A1–AC, AE–143). `unicode-flanks`: not valid UTF-8 by itself, or
    holding U+FFFD. The others: one character (`char`), beginning with a space (`spaced`), or
    neither (`inner`); `alpha` when the Unicode names of all characters begin with the same
    script, `errors` when one has no name, else `other`. `census/script-XXXX`: share of the
    alphabetic ids in a script (ISO 15924; `Zyyy` none, `Jpan` kanji with kana, `mixed`)."""

    name = "census"
    reference = "Qtok (nup-csai/Qtok @623f4f6), classes; Unicode Script property, scripts"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        classes = {i: class_of(surfaces.pieces[i]) for i in surfaces.ids.tolist()}
        found = Counter(classes.values())
        found["control"] += surfaces.size - len(classes)
        for name in CLASSES:
            share = found[name] / surfaces.size
            yield self._one(measured, f"census/{name}", share, surfaces.size, "share")
            yield self._one(measured, f"census-ids/{name}", found[name], surfaces.size, "ids")
        alphabetic = [i for i, name in classes.items() if name.endswith("-alpha")]
        scripts = Counter(surfaces.scripts[i] for i in alphabetic)
        for script, count in scripts.most_common():
            share = count / len(alphabetic)
            yield self._one(measured, f"census/script-{script}", share, len(alphabetic), "share")

    def _one(self, measured: Measured, name: str, value: float, n: int, unit: str) -> Score:
        return measured.score(name, value, n, unit=unit, better=self.better, note=FIXED)


class PartialUtf8(VocabularyMetric):
    """Emittable ids whose bytes are not valid UTF-8 by themselves (`partial-utf8-ids`), as a share
    of the emittable ids (`partial-utf8`). A byte-level vocabulary has at least 128, one for each
    byte from 0x80. Such ids cannot be shown, searched for or re-encoded alone."""

    name = "partial-utf8"
    better = "lower"
    reference = "Land & Bartolo (2405.05417, cohere-ai/magikarp), partial UTF-8 sequences"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        count = len(surfaces.ids) - len(surfaces.texts)
        yield from self.counted(measured, count, len(surfaces.ids))


class DuplicateSurfaces(VocabularyMetric):
    """Emittable ids whose surface (bytes, leading space included) another emittable id has too
    (`duplicate-surfaces-ids`), as a share of the emittable ids. At most one of them can be what
    the encoder means; the others are dead or make texts with two encodings. Byte-fallback ids
    beside the same ASCII character count."""

    name = "duplicate-surfaces"
    better = "lower"
    reference = "Say Anything but This (2601.14658), duplicate surfaces"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        ids = surfaces.ids.tolist()
        times = Counter(surfaces.pieces[i] for i in ids)
        double = [i for i in ids if times[surfaces.pieces[i]] > 1]
        note = f"such as {surfaces.shown(double)}" if double else ""
        yield from self.counted(measured, len(double), len(ids), note)
