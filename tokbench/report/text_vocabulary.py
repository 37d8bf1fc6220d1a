"""What stands in the vocabularies, and how they cut numbers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tokbench.metrics.text.census import CLASSES, class_of, surfaces_of
from tokbench.metrics.text.numbers import (
    CONSISTENT,
    TELLING,
    digit_runs,
    dominant,
    schemes_of,
    shown,
)
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_figures import axes, colour, legend, marker, plain_ticks
from tokbench.report.text_survey import text_tokenizer
from tokbench.statistics import EncodedText
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer

NUMBERS, LONGEST = 100, 9
"""Whole numbers of each length that are cut, and digits of the longest."""
SCRIPTS = 20
"""Scripts in the figure, the largest."""
_MEANING = {
    "control": "special, unknown and unused ids, and those written as <…> or […]",
    "pure-unicode": "one character that byte-level vocabularies write bytes with",
    "char-alpha": "one letter",
    "spaced-alpha": "a space and letters of one script",
    "inner-alpha": "letters of one script",
    "char-other": "one character that is no letter",
    "spaced-other": "a space and other characters",
    "inner-other": "other characters",
    "unicode-flanks": "not valid UTF-8 by itself",
    "char-errors": "one character without a name in Unicode",
    "spaced-errors": "a space and characters without a name",
    "inner-errors": "characters without a name",
}
Counts = dict[str, float]
Cut = tuple[str, float, str]
"""The most frequent cut of numbers of one length, the share that has it, the schemes it follows."""


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """The census and the digit schemes, of the subjects that have them."""
    tokenizers = {subject.name: text_tokenizer(subject) for subject in subjects}
    yield from _census(page, subjects, tokenizers)
    yield from _digits(page, subjects, tokenizers)


def _census(
    page: Page, subjects: Sequence[Subject], tokenizers: dict[str, TextTokenizer | None]
) -> Iterator[Section]:
    classes: dict[str, Counts] = {}
    scripts: dict[str, Counts] = {}
    missing = []
    for subject in subjects:
        found = _recorded(subject) or _counted(tokenizers[subject.name])
        if found is None:
            missing.append(subject.name)
        else:
            classes[subject.name], scripts[subject.name] = found
    if not classes:
        return
    header = ["class", "meaning"]
    for name in classes:
        header += [f"{name}, %"] if len(classes) > 1 else ["ids", "share of |V|, %"]
    rows: list[list[Any]] = []
    for one in CLASSES:
        row: list[Any] = [one, _MEANING[one]]
        for counts in classes.values():
            share = round(100 * counts[one] / (sum(counts.values()) or 1), 3)
            row += [share] if len(classes) > 1 else [int(counts[one]), share]
        rows.append(row)
    caption = "Every id of the vocabulary in one class by its bytes, after Qtok."
    body = page.fill(
        "text_vocabulary.html",
        plots=list(_scripts(page, scripts)),
        table=page.table("census", header, rows, caption, range(2, len(header))),
        missing=missing,
    )
    yield Section("census", "Vocabulary census", body)


def _recorded(subject: Subject) -> tuple[Counts, Counts] | None:
    """Classes and script shares as a record of the subject has them."""
    for record, _ in subject.records.values():
        own = {score.name: score.value for score in record.scores if score.value is not None}
        if all(f"census-ids/{one}" in own for one in CLASSES):
            scripts = {
                name.removeprefix("census/script-"): value
                for name, value in own.items()
                if name.startswith("census/script-")
            }
            return {one: own[f"census-ids/{one}"] for one in CLASSES}, scripts
    return None


def _counted(tokenizer: TextTokenizer | None) -> tuple[Counts, Counts] | None:
    """The same from the tokenizer itself, None where it has no surfaces."""
    surfaces = None if tokenizer is None else surfaces_of(tokenizer)
    if surfaces is None or not len(surfaces.ids):
        return None
    found = {i: class_of(surfaces.pieces[i]) for i in surfaces.ids.tolist()}
    classes = Counter(found.values())
    classes["control"] += surfaces.size - len(found)
    of_script = surfaces.scripts
    letters = Counter(of_script[i] for i, one in found.items() if one.endswith("-alpha"))
    total = letters.total() or 1
    return {one: classes[one] for one in CLASSES}, {s: n / total for s, n in letters.items()}


def _scripts(page: Page, scripts: dict[str, Counts]) -> Iterator[Markup]:
    largest = {
        s: max(own.get(s, 0.0) for own in scripts.values()) for s in set().union(*scripts.values())
    }
    order = sorted(largest, key=lambda s: (-largest[s], s))[:SCRIPTS]
    if not order:
        return
    figure, plot = axes(5.4, 0.9 + 0.2 * len(order), order, list(scripts))
    several = len(scripts)
    for number, own in enumerate(scripts.values()):
        there = [(n, own[s]) for n, s in enumerate(order) if own.get(s)]
        shift = (number - (several - 1) / 2) * min(0.24, 0.8 / several)
        plot.plot(
            [100 * value for _, value in there], [n + shift for n, _ in there], marker(number),
            color=colour(number), markersize=4.5, label="subject",
        )  # fmt: skip
    plot.set_xscale("log")
    plain_ticks(plot.xaxis)
    plot.set_xlabel("share of the alphabetic tokens, %", fontsize=9)
    legend(plot, list(scripts))
    first = [
        f"{name}: {max(own, key=own.__getitem__)} {max(own.values()):.1%}"
        for name, own in scripts.items()
        if own
    ]
    caption = (
        f"Alphabetic tokens by script (ISO 15924), the {len(order)} largest. {'; '.join(first)}."
    )
    yield page.figure("census-scripts", figure, caption, caption)


def _digits(
    page: Page, subjects: Sequence[Subject], tokenizers: dict[str, TextTokenizer | None]
) -> Iterator[Section]:
    cut = {}
    for subject in subjects:
        tokenizer = tokenizers[subject.name]
        found = _cut(tokenizer) if tokenizer is not None else _noted(subject)
        if found:
            cut[subject.name] = found
    if not cut:
        return
    header = ["digits"]
    for name in cut:
        header += [name] if len(cut) > 1 else ["cut", "share, %", "scheme"]
    rows = []
    for length in range(1, LONGEST + 1):
        row: list[Any] = [length]
        for found in cut.values():
            pattern, share, scheme = found.get(length, (None, 0.0, None))
            if len(cut) == 1:
                row += [pattern, 100 * share if pattern else None, scheme]
            else:
                row.append(f"{pattern} · {share:.0%}" if pattern else None)
        rows.append(row)
    right = [0, 2] if len(cut) == 1 else [0]
    body = page.fill(
        "text_digits.html",
        table=page.table("digits", header, rows, "", right),
        verdicts=[*_own_verdicts(cut), *_verdicts(subjects)],
        numbers=NUMBERS,
    )
    yield Section("digits", "How numbers are cut", body)


def _cut(tokenizer: TextTokenizer) -> dict[int, Cut] | None:
    """By length: the most frequent cut, the share of numbers that have it, its scheme."""
    rng = random.Random(0)
    texts = [
        str(rng.randrange(10 ** (length - 1) if length > 1 else 0, 10**length))
        for length in range(1, LONGEST + 1)
        for _ in range(NUMBERS)
    ]
    rows = np.zeros(len(texts), np.int64)
    batch = TextBatch(texts, rows, np.arange(len(texts)), content=None)
    try:
        codes = tokenizer.encode(texts)
    except Exception:  # an encoder that refuses numbers: the table leaves it out
        return None
    tally = digit_runs(EncodedText(tokenizer, batch, codes, [""])).tallies["digit-cuts"]
    found: dict[int, Cut] = {}
    for length in range(1, LONGEST + 1):
        cuts, count, total = dominant(tally, length)
        if total:
            found[length] = shown(length, cuts), count / total, _scheme(length, cuts)
    return found


def _scheme(length: int, cuts: int) -> str:
    return "" if length == 1 else " or ".join(schemes_of(length, cuts)) or "irregular"


def _noted(subject: Subject) -> dict[int, Cut] | None:
    """The same as a record of the subject notes it."""
    for record, _ in subject.records.values():
        found: dict[int, Cut] = {}
        for length in range(1, LONGEST + 1):
            score = record.score(f"digit-consistency/{length}-digits")
            if score is not None and score.value is not None:
                cut, _, scheme = score.note.rpartition(" (")[0].partition(": ")
                found[length] = (cut, score.value, scheme) if scheme else ("1", score.value, "")
        if found:
            return found
    return None


def _own_verdicts(cut: dict[str, dict[int, Cut]]) -> Iterator[tuple[str, str]]:
    """The scheme that the lengths agree on which tell the schemes apart."""
    for name, found in cut.items():
        telling = [found[length] for length in sorted(TELLING) if length in found]
        schemes = {scheme for _, _, scheme in telling}
        kept = min((share for _, share, _ in telling), default=0.0)
        one = schemes.pop() if len(schemes) == 1 and kept >= CONSISTENT else "irregular"
        if telling:
            digits = ", ".join(str(length) for length in sorted(TELLING) if length in found)
            yield name, f"{one}, by numbers of {digits} digits"


def _verdicts(subjects: Sequence[Subject]) -> Iterator[tuple[str, str]]:
    """What the records say of the scheme as a whole."""
    for subject in subjects:
        for task, (record, _) in subject.records.items():
            score = record.score("digit-scheme")
            if score is not None and score.value is not None:
                verdict = score.note.partition(";")[0]
                yield subject.name, f"{verdict}, {score.value:.1%} of the telling runs of {task}"
