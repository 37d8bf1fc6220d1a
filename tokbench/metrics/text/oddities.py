"""The longest and the oddest tokens of a vocabulary, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import regex

from tokbench.evidence import EXAMPLES, Example
from tokbench.measured import Measured
from tokbench.metrics.text.census import (
    FIXED,
    MIXED,
    Surfaces,
    VocabularyMetric,
    scripts_in,
)
from tokbench.types import Score

Ranked = list[tuple[int, int]]
"""(measure, id), the worst first."""


def _worst(found: dict[int, int], texts: dict[int, str]) -> Ranked:
    """By measure, then by length; equals in the order of the ids."""
    order = sorted(found, key=lambda i: (-found[i], -len(texts.get(i, "")), i))
    return [(found[i], i) for i in order]


def _shown(
    measured: Measured, name: str, facet: str, surfaces: Surfaces, worst: Ranked, unit: str
) -> None:
    """The first few into the record's examples; their index is the id."""
    for value, number in worst[:EXAMPLES]:
        counted = f"{value} {unit if value > 1 else unit.removesuffix('s')}"
        note = f"{surfaces.shown([number])} ({counted})"
        measured.examples.append(Example(name, facet, number, note))


class LongestToken(VocabularyMetric):
    """The longest emittable token: in bytes (`longest-token/bytes`) and, among those that are
    UTF-8 by themselves, in code points (`longest-token/characters`). The note shows it; the
    record's examples are the five longest of each."""

    name = "longest-token"
    unit, aggregation = "characters", "maximum"
    reference = "usual vocabulary inspection (Qtok, magikarp)"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        lengths = {i: len(surfaces.pieces[i]) for i in surfaces.ids.tolist()}
        characters = {i: len(text) for i, text in surfaces.texts.items()}
        for unit, table in (("bytes", lengths), ("characters", characters)):
            worst = _worst(table, {})
            value = worst[0][0] if worst else None
            note = f"id {surfaces.shown([worst[0][1]])}; {FIXED}" if worst else ""
            note = note or "no id is UTF-8 by itself"
            name = f"longest-token/{unit}"
            _shown(measured, self.name, unit, surfaces, worst, unit)
            yield measured.score(name, value, len(table), unit=unit, note=note)


_PLAIN = regex.compile(r" ?[A-Za-z]*")
_INVISIBLE = regex.compile(r"[\p{Cc}\p{Cf}\p{Co}\p{Cn}--\p{White_Space}]", regex.V1)
_INNER = regex.compile(r"(?<=\S\s*)\s(?=\s*\S)")
_BREAK = regex.compile(r"[\n\v\f\r\x85\u2028\u2029]")
_SEEN = regex.compile(r"\S")


class OddTokens(VocabularyMetric):
    """Emittable ids that make one look twice, as a share of those that are UTF-8 by themselves
    (`odd-tokens`) and counted by kind (`odd-tokens-ids/KIND`; an id may be of several):
    `mixed-scripts`: letters of two or more scripts (kanji with kana count as one);
    `invisible`: control characters that are no white space, format, private-use or unassigned
    characters (Unicode Cc, Cf, Co, Cn), joiners included; the 28 control bytes of a byte-level
    vocabulary are among them;
    `repeats`: one character `run` times or more in a row;
    `inner-space`: white space between other characters, as in multi-word tokens;
    `line-breaks`: a line break beside something that is not white space;
    `replacement`: U+FFFD, the trace of text that was decoded wrongly.
    Odd is not wrong: look at the record's examples, the worst of each kind (most scripts,
    longest run, most such characters; then the longest)."""

    name = "odd-tokens"
    aggregation = "over the ids that are UTF-8 by themselves"
    reference = "tokbench; kinds after magikarp's and Qtok's inspections"

    def __init__(self, *, run: int = 8):
        if run < 2:
            raise ValueError("run is 2 or more")
        self.run = int(run)
        self._runs = regex.compile(rf"(?s)(.)\1{{{self.run - 1},}}")

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        texts, n = surfaces.texts, len(surfaces.texts)
        if not n:
            note = "no id is UTF-8 by itself"
            yield measured.score(self.name, None, 0, unit=self.unit, note=note)
            return
        kinds = self.kinds(surfaces)
        odd = set().union(*kinds.values())
        yield from self.counted(measured, len(odd), n)
        for kind, (unit, _) in self._measures.items():
            worst = _worst(kinds[kind], texts)
            _shown(measured, self.name, kind, surfaces, worst, unit)
            such = f"such as {surfaces.shown([i for _, i in worst])}; " if worst else ""
            yield measured.score(
                f"{self.name}-ids/{kind}", len(worst), n, unit="ids", note=such + FIXED
            )

    def kinds(self, surfaces: Surfaces) -> dict[str, dict[int, int]]:
        """For each kind its ids, and how odd each is."""
        found: dict[str, dict[int, int]] = {kind: {} for kind in self._measures}
        measures = [(found[kind], measure) for kind, (_, measure) in self._measures.items()]
        scripts, run = surfaces.scripts, self.run
        for number, text in surfaces.texts.items():
            if len(text) < run and _PLAIN.fullmatch(text):
                continue  # most of a vocabulary: no kind is looked for
            for ids, measure in measures:
                value = measure(text)
                if value:
                    ids[number] = value
            if scripts[number] == MIXED:
                found["mixed-scripts"][number] = len(scripts_in(text))
        return found

    @property
    def _measures(self) -> dict[str, tuple[str, Callable[[str], int]]]:
        """Of each kind: the unit and the measure; 0 for a text that is not of the kind."""
        return {
            "mixed-scripts": ("scripts", lambda text: 0),
            "invisible": ("characters", lambda text: len(_INVISIBLE.findall(text))),
            "repeats": ("in a row", self._longest_run),
            "inner-space": ("white spaces", lambda text: len(_INNER.findall(text))),
            "line-breaks": ("line breaks", _breaks),
            "replacement": ("characters", lambda text: text.count("\ufffd")),
        }

    def _longest_run(self, text: str) -> int:
        if len(text) < self.run:
            return 0
        return max((len(found[0]) for found in self._runs.finditer(text)), default=0)


def _breaks(text: str) -> int:
    return len(_BREAK.findall(text)) if _SEEN.search(text) else 0
