"""The scores of every task, with intervals, direction, what was left out, and signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokbench.files import slug
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section for each task."""
    for task in dict.fromkeys(task for subject in subjects for task in subject.records):
        rows = [
            (subject.name, score.name, score.value, score.low, score.high, score.n, score.unit)
            for subject in subjects
            if task in subject.records
            for score in subject.records[task][0].scores
        ]
        header = ["tokenizer", "score", "value", "low", "high", "n", "unit"]
        table = page.table(f"scores-{slug(task)}", header, rows, right=(2, 3, 4, 5))
        yield Section(f"scores-{slug(task)}", task, table)
