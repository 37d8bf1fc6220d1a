"""The page of one suite: the main scores of its tasks side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokbench.site import figures
from tokbench.site.board import Board, Row, file_name
from tokbench.site.pages import SitePage
from tokbench.site.tables import Column, live_table


def suite_pages(found: Board) -> tuple[list[dict[str, Any]], Iterator[dict[str, bytes]]]:
    """The suites that have records, and their pages."""
    from tokbench.task import load_suites

    named: list[dict[str, Any]] = [
        {"name": name, "file": file_name(name), "tasks": tasks}
        for name, tasks in load_suites().items()
        if any(task in found.tasks for task in tasks)
    ]
    return named, (_page(found, each["name"], each["tasks"]) for each in named)


def _page(found: Board, name: str, members: list[str]) -> dict[str, bytes]:
    tasks = [task for task in members if task in found.tasks]
    page = SitePage(f"{name} · tokbench", path=f"suites/{file_name(name)}.html")
    newest: dict[tuple[str, str], Row] = {}
    for task in tasks:
        for row in found.tasks[task][0].rows:
            known = newest.get((row.record.tokenizer, task))
            if known is None or row.created > known.created:
                newest[row.record.tokenizer, task] = row
    columns = [Column("tokenizer"), Column("mean rank", "number", "over all of these tasks")]
    for task in tasks:
        main = found.tasks[task][0].main
        columns += [Column(task, "score", main), Column("rank", "rank", f"on {task}")]
    lines = [_line(tokenizer, tasks, newest) for tokenizer in
             dict.fromkeys(tokenizer for tokenizer, _ in newest)]  # fmt: skip
    lines.sort(key=lambda line: (line[1] is None, line[1] or 0.0, line[0]))
    ranks = {pair: row.place for pair, row in newest.items() if row.place is not None}
    shown = figures.places([line[0] for line in lines], tasks, ranks)
    return page.made(
        "suite.html",
        name=name,
        tasks=[(task, f"../tasks/{file_name(task)}.html") for task in tasks],
        missing=[task for task in members if task not in found.tasks],
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
