"""Where a tokenizer does worst: words in many pieces, costly samples, texts that are lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_samples import Single, rates_of
from tokbench.report.text_survey import Survey
from tokbench.text.languages import title_of

COSTLY = 12
"""Samples that are listed for each tokenizer, one of a group at most."""


def sections(
    page: Page, subjects: Sequence[Subject], surveys: Sequence[Survey], known: Single | None
) -> Iterator[Section]:
    """One section of everything that there is of it."""
    tables = [*_words(page, surveys), *_round_trips(page, subjects)]
    if known is not None:
        tables.append(_costly(page, known))
    if tables:
        body = page.fill("text_words.html", tables=tables)
        yield Section("worst-words", "Worst words and lost texts", body)


def _words(page: Page, surveys: Sequence[Survey]) -> Iterator[Markup]:
    rows: list[list[Any]] = []
    for one in surveys:
        for subject, found in one.found.items():
            for word in found.words:
                group = title_of(word.group) if word.group else one.name
                cut = page.fill("text_pieces.html", pieces=word.pieces)
                size = len(word.text.encode())
                rows.append([subject, group, word.group, word.text, cut, word.tokens, size])
    rows.sort(key=lambda row: -row[5])
    if rows:
        header = ["tokenizer", "language", "group", "word", "its tokens", "tokens", "bytes"]
        caption = (
            "The word of each language that is cut into most tokens, of the samples encoded "
            "again. Bytes that are no whole character are in hexadecimal."
        )
        yield page.table("worst-words", header, rows, caption, (5, 6))


def _costly(page: Page, known: Single) -> Markup:
    rows: list[list[Any]] = []
    for subject, samples in known.samples.items():
        evidence, rate = samples.evidence, rates_of(samples)
        # The worst of each group, the first of equals; of these the worst.
        order = np.lexsort((evidence.index, rate, evidence.group))
        worst = order[np.flatnonzero(np.diff(evidence.group[order], prepend=-1))]
        worst = worst[np.isfinite(rate[worst])]
        for row in worst[np.argsort(rate[worst], kind="stable")][:COSTLY].tolist():
            group = samples.groups[int(evidence.group[row])]
            own = [evidence.columns[name][row] for name in ("tokens", "bytes")]
            index = int(evidence.index[row]) * evidence.block
            rows.append([subject, title_of(group), group, index, float(rate[row]), *map(int, own)])
    header = ["tokenizer", "language", "group", "sample", "bytes per token", "tokens", "bytes"]
    caption = (
        f"{known.task}: the sample of each group with the fewest bytes per token, the worst of "
        "them; by its number in the group, from 0."
    )
    return page.table("costly-samples", header, rows, caption, (3, 4, 5, 6))


def _round_trips(page: Page, subjects: Sequence[Subject]) -> Iterator[Markup]:
    shares, lost = [], []
    for subject in subjects:
        for task, (record, _) in subject.records.items():
            score = record.score("lossless")
            if score is not None:
                shares.append([subject.name, task, score.value, score.low, score.high, score.n])
            lost += [
                [subject.name, task, example.group or None, example.index, example.note]
                for example in record.examples
                if example.statistic == "round-trip"
            ]
    if shares:
        header = ["tokenizer", "task", "lossless", "low", "high", "samples"]
        caption = "Share of samples that decode to exactly what was encoded."
        yield page.table("lossless", header, shares, caption, (2, 3, 4, 5))
    if lost:
        header = ["tokenizer", "task", "group", "sample", "difference"]
        yield page.table(
            "round-trips",
            header,
            lost,
            "The first samples that did not come back as they were.",
            (3,),
        )
