"""The page of one suite: the main scores of its tasks side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tokbench.site import figures
from tokbench.site.board import Board, Row, file_name
from tokbench.site.pages import SitePage
from tokbench.site.tables import Column, live_table

FIRST = 3
"""Tokenizers that the first page names for each suite."""


def suite_pages(found: Board) -> tuple[list[dict[str, Any]], Iterator[dict[str, bytes]]]:
    """The suites that have records, with the best of each, and their pages."""
    from tokbench.task import load_suites

    shown = [
        _standings(found, name, members)
        for name, members in load_suites().items()
        if any(task in found.tasks for task in members)
    ]
    named = [{"name": each.name, "file": file_name(each.name), "tasks": each.tasks,
              "best": _best(each)} for each in shown]  # fmt: skip
    return named, (_page(found, each) for each in shown)


class Standings(NamedTuple):
    """A suite's tasks that have records, those that have none, the newest row of each tokenizer
    on each task, and a line of the table for each tokenizer, the best mean rank first."""

    name: str
    tasks: list[str]
    missing: list[str]
    newest: dict[tuple[str, str], Row]
    lines: list[list[Any]]


def _standings(found: Board, name: str, members: list[str]) -> Standings:
    tasks = [task for task in members if task in found.tasks]
    newest: dict[tuple[str, str], Row] = {}
    for task in tasks:
        for row in found.tasks[task][0].rows:
            known = newest.get((row.record.tokenizer, task))
            if known is None or row.created > known.created:
                newest[row.record.tokenizer, task] = row
    lines = [_line(tokenizer, tasks, newest) for tokenizer in
             dict.fromkeys(tokenizer for tokenizer, _ in newest)]  # fmt: skip
    lines.sort(key=lambda line: (line[1] is None, line[1] or 0.0, line[0]))
    return Standings(name, tasks, [t for t in members if t not in found.tasks], newest, lines)


def _best(suite: Standings) -> list[tuple[str, float]]:
    """The tokenizers of the best mean ranks, without those that lose text or are the original
    itself."""
    without = {name for (name, _), row in suite.newest.items() if row.ceiling or row.lossy}
    ranked = [line for line in suite.lines if line[1] is not None and line[0] not in without]
    return [(line[0], line[1]) for line in ranked[:FIRST]]


def _page(found: Board, suite: Standings) -> dict[str, bytes]:
    name, tasks, missing, newest, lines = suite
    page = SitePage(f"{name} · tokbench", path=f"suites/{file_name(name)}.html")
    columns = [Column("tokenizer"), Column("mean rank", "number", "over all of these tasks")]
    for task in tasks:
        main = found.tasks[task][0].main
        columns += [Column(task, "score", main), Column("rank", "rank", f"on {task}")]
    ranks = {pair: row.place for pair, row in newest.items() if row.place is not None}
    shown = figures.places([line[0] for line in lines], tasks, ranks)
    return page.made(
        "suite.html",
        name=name,
        tasks=[(task, f"../tasks/{file_name(task)}.html") for task in tasks],
        missing=missing,
        table=live_table(page, file_name(name), columns, lines, f"Tokenizers of suite {name}"),
        figure=page.figure(
            file_name(name),
            shown,
            "Ranks on each task.",
            f"Ranks of tokenizers on {len(tasks)} tasks",
        ),
    )


def _line(tokenizer: str, tasks: list[str], newest: dict[tuple[str, str], Row]) -> list[Any]:
    rows = [newest.get((tokenizer, task)) for task in tasks]
    places = [row.place if row else None for row in rows]
    known = [place for place in places if place is not None]
    line: list[Any] = [tokenizer, sum(known) / len(tasks) if len(known) == len(tasks) else None]
    for row, place in zip(rows, places, strict=True):
        line += [[row.value, f"../{row.stem}.html"] if row else [None, ""], place]
    return line
