"""The scores of every task, with intervals, direction, what was left out, and signatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from tokbench import tables
from tokbench.files import slug
from tokbench.record import Record
from tokbench.report.definitions import definition, metric_name
from tokbench.report.groups import by_group, full_name, headlines
from tokbench.report.page import ARROWS, Cell, Page, Section
from tokbench.report.subjects import Subject
from tokbench.types import Score

MOST_TABLES = 4
"""Tokenizers of a task each of which gets a table of all its groups; of more, the main score of
each is shown and the files have the rest."""


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section for each task."""
    for task in dict.fromkeys(task for subject in subjects for task in subject.records):
        asked = [subject for subject in subjects if task in subject.records]
        blocks = [_one(page, subject, task, len(asked) > 1) for subject in asked]
        grouped = [(subject.name, by_group(subject.records[task][0])) for subject in asked]
        body = page.fill(
            "scores.html",
            blocks=blocks,
            groups=[_grouped(page, name, own, task) for name, own in grouped[:MOST_TABLES] if own],
            across=_across(page, asked, task) if len(asked) > 1 else "",
        )
        yield Section(f"scores-{slug(task)}", task, body, "Scores")


def _one(page: Page, subject: Subject, task: str, several: bool) -> dict[str, Any]:
    """What the template shows of one tokenizer on a task."""
    record, _ = subject.records[task]
    header = ["score", "value", "95 % interval", "unit", "n", "note", "signature"]
    rows = [_row(page, record, score) for score in headlines(record)]
    exports = [
        "tokenizer",
        "score",
        "value",
        "low",
        "high",
        "unit",
        "better",
        "n",
        "note",
        "signature",
    ]
    files = [
        [subject.name, s.name, s.value, s.low, s.high, s.unit, s.better, s.n, s.note,
         record.score_signature(s)]
        for s in record.scores
    ]  # fmt: skip
    name = f"scores-{slug(task)}" + (f"-{slug(subject.name)}" if several else "")
    caption = f"{subject.name} on {_data(record)}"
    table = page.table(name, header, rows, caption, (1, 2, 4), exports=(exports, files))
    return {"name": subject.name, "table": table, "record": record, "speed": record.performance}


def _data(record: Record) -> str:
    data = record.about.dataset
    groups = f" in {data.groups:,} groups" if data.groups > 1 else ""
    trial = f", the first {record.limit:,} of each group" if record.limit is not None else ""
    return f"{data.name} ({data.split}): {data.samples:,} samples{groups}{trial}"


def _row(page: Page, record: Record, score: Score) -> list[Any]:
    full = record.score_signature(score)
    interval = Cell(tables.interval(score.low, score.high).replace(" ", "\u00a0"), score.low)
    return [
        term(page, score), score.value, interval, tables.unit(score.unit), score.n, score.note,
        page.fill("signature.html", short=score.metric, full=full),
    ]  # fmt: skip


def term(page: Page, score: Score) -> Cell:
    """A score's name with the direction that is better, leading to its definition."""
    known = definition(metric_name(score))
    shown = page.fill("term.html", name=score.name, arrow=ARROWS[score.better], known=known)
    return Cell(shown, score.name)


def value_cell(score: Score | None) -> Cell:
    """A value with its interval below."""
    if score is None or score.value is None:
        return Cell("—", None)
    return Cell(tables.measured(score.value), score.value, tables.interval(score.low, score.high))


def _grouped(page: Page, name: str, own: dict[str, dict[str, Score]], task: str) -> dict[str, Any]:
    """All groups by all metrics of one tokenizer."""
    metrics = list(dict.fromkeys(metric for scores in own.values() for metric in scores))
    rows = [
        [full_name(group), *(value_cell(scores.get(metric)) for metric in metrics)]
        for group, scores in own.items()
    ]
    right = range(1, len(metrics) + 1)
    table = page.table(
        f"groups-{slug(task)}-{slug(name)}", ["group", *metrics], rows,
        f"{name}: every group, with 95 % intervals", right,
    )  # fmt: skip
    return {"name": name, "count": len(own), "table": table}


def _across(page: Page, asked: Sequence[Subject], task: str) -> Markup | str:
    """The main metric of every group, one column for each tokenizer."""
    metric = asked[0].records[task][0].about.task.main.partition("/")[0]
    found = [by_group(subject.records[task][0]) for subject in asked]
    groups = dict.fromkeys(
        group for own in found for group, scores in own.items() if metric in scores
    )
    if len(groups) < 2:
        return ""
    rows = [
        [full_name(group), *(value_cell(own.get(group, {}).get(metric)) for own in found)]
        for group in groups
    ]
    return page.table(
        f"across-{slug(task)}", ["group", *(subject.name for subject in asked)], rows,
        f"{metric} of every group, side by side", range(1, len(asked) + 1),
    )  # fmt: skip
