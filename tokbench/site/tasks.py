"""The page of one task: its questions, each with ranks, a plot, and codecs at equal rate."""

from __future__ import annotations

from typing import Any

from tokbench import tables
from tokbench.commands.leaderboard import HEADLINE
from tokbench.errors import UserError
from tokbench.leaderboard import losing
from tokbench.site import figures
from tokbench.site.board import Question, Row, file_name, number_of
from tokbench.site.pages import SitePage
from tokbench.site.rates import has_rates, rates
from tokbench.site.tables import Column, live_table

COLUMNS = 6
"""Scores of one table at most; a record has the rest."""


def task_page(task: str, questions: list[Question]) -> dict[str, bytes]:
    """The page, with the files beside it."""
    from tokbench.task import load_task, task_paths

    page = SitePage(
        f"{figures.shortened(task, 60)} · tokbench", path=f"tasks/{file_name(task)}.html"
    )
    shown = [_shown(page, one, number) for number, one in enumerate(questions, start=1)]
    about = load_task(task) if task in task_paths() else None
    return page.made("task.html", task=task, about=about, questions=shown)


def _shown(page: SitePage, question: Question, number: int) -> dict[str, Any]:
    stem = f"{page.path.rpartition('/')[2].removesuffix('.html')}-{number}"
    data = question.first.about.dataset
    facts = [
        ("data", f"{data.name}@{data.version}:{data.split}, {data.samples:,} samples"),
        ("licence", data.licence or "not said"),
        ("ranked by", f"{question.main} ({_direction(question.better)})"),
        ("question", question.key),
    ]
    kept = {r.record.tokenizer: number_of(r.scores.get("lossless")) for r in question.rows}
    if lost := losing(kept):
        facts.append(("lose some of the text", lost))
    names = [question.main, *(n for n in HEADLINE if n in question.names() and n != question.main)]
    names.sort(key=lambda name: (name != question.main, name != "lossless"))  # beside the main one
    names = names[:COLUMNS]
    rows = [_line(row, names) for row in question.rows]
    measured = sum(1 for row in question.rows if row.value == row.value)
    more = f" The best {figures.SHOWN} of {measured:,}." if measured > figures.SHOWN else ""
    plotted = figures.plotted(question)
    ceilings = [row for row in question.rows if row.ceiling and row.value == row.value]
    if ceilings and not plotted[0].ceiling:
        said = ", ".join(f"{r.record.tokenizer} ({tables.number(r.value)})" for r in ceilings)
        more += f" Without {said}: the original itself."
    found: dict[str, Any] = {
        "differs": question.differs,
        "facts": facts,
        "table": live_table(page, stem, _columns(question, names), rows, "Records, best first"),
        "figure": page.figure(
            stem,
            figures.intervals(question),
            f"{question.main} with 95 % intervals, where there are any.{more}",
            f"{question.main} of the best {min(measured, figures.SHOWN)} records, with intervals",
        ),
        "rates": None,
        "no_rates": "",
    }
    if has_rates(question):
        try:
            found["rates"] = rates(page, question, stem)
        except UserError as error:
            found["no_rates"] = str(error)
    return found


def _direction(better: str) -> str:
    return {"higher": "higher is better", "lower": "lower is better"}.get(better, "lowest first")


def _columns(question: Question, names: list[str]) -> list[Column]:
    units = {name: _unit(question, name) for name in names}
    return [
        Column("rank", "rank", "tied where the 95 % intervals overlap the leader's"),
        Column("tokenizer", "name"),
        Column(names[0], "number", units[names[0]]),
        Column("95 % interval", "interval"),
        *(Column(name, "number", units[name]) for name in names[1:]),
        Column("n", "number", "samples that entered the main score"),
        Column("vocabulary", "number", "ids, over all levels"),
        Column("date", "date"),
        Column("record", "links"),
        Column("signature", "copy"),
    ]


def _unit(question: Question, name: str) -> str:
    return next((row.scores[name].unit for row in question.rows if name in row.scores), "")


def _line(row: Row, names: list[str]) -> list[Any]:
    record, main = row.record, row.main
    interval = tables.interval(main.low, main.high) if main else ""
    return [
        row.place,
        [record.tokenizer, f"../{row.stem}.html"],
        row.value,
        interval,
        *(number_of(row.scores.get(name)) for name in names[1:]),
        main.n if main else None,
        sum(record.about.tokenizer.spec.vocabulary) or None,
        row.created,
        [["JSON", f"../{row.stem}.json"]],
        record.score_signature(main) if main else record.signature,
    ]
