"""`tokbench leaderboard`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tokbench import tables
from tokbench.errors import UserError, near
from tokbench.leaderboard import default_folder, frame, pivot, records

HEADLINE = (
    "bytes-per-token", "tokens", "fertility", "premium/mean", "premium/max", "gini",
    "utilisation", "renyi-efficiency", "lossless",
)  # fmt: skip


def leaderboard(options: argparse.Namespace, given: list[str]) -> int:
    """Print the tables of one task, or of all."""
    folder = Path(options.folder) if options.folder else default_folder()
    found = records(folder, options.task)
    if not found:
        raise UserError(f"{folder}: the leaderboard is empty (tokbench submit RECORD files one)")
    table = frame(found)
    if options.format == "csv" and not options.scores:
        print(table.to_csv(index=False), end="")
        return 0
    for task in sorted(table["task"].unique()):
        rows = table[table["task"] == task]
        names = set((rows["score"] + rows["facet"].map(lambda f: f"/{f}" if f else "")).tolist())
        main = next(r.about.task.main for r, _ in found if r.task == task)
        scores = _scores(options, names, main)
        for number, wide in enumerate(pivot(table, task, scores)):
            first = next(r for r, _ in found if r.task == task)
            if options.format == "table":
                data = first.about.dataset
                print(f"{task} ({data.name}@{data.version}:{data.split}, by {main})" + (f", question {number + 1}" if number else ""))
            cells = [
                ["" if row[0] is None else int(row[0]), name, *map(_cell, row[1:])]
                for name, row in zip(wide.index, wide.itertuples(index=False), strict=True)
            ]
            tables.emit(["rank", "tokenizer", *scores], cells, options.format, range(2, 2 + len(scores)))
            if options.format == "table":
                print()
    return 0


def _scores(options: argparse.Namespace, names: set[str], main: str) -> list[str]:
    if options.scores:
        chosen = options.scores.split(",")
        for name in chosen:
            if name not in names:
                raise UserError(f"--scores: no score '{name}'{near(name, names)}")
        return chosen
    return [main, *(name for name in HEADLINE if name in names and name != main)]


def _cell(value: float) -> str:
    return tables.number(None if value != value else value)
