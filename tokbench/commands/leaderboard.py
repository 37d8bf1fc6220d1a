"""`tokbench leaderboard`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tokbench import tables
from tokbench.board_index import index_of
from tokbench.errors import UserError, near
from tokbench.leaderboard import losing, opened, pivot

if TYPE_CHECKING:
    import pandas as pd

HEADLINE = (
    "bytes-per-token", "tokens", "fertility", "premium/mean", "premium/max", "gini",
    "utilisation", "renyi-efficiency", "lossless",
    "psnr", "ssim", "lpips", "rfid", "t-acc", "f-sim", "frame-ssim", "bits-per-pixel",
    "pesq", "stoi", "wer", "si-sdr", "mel-distance", "bits-per-second", "codebook-usage",
)  # fmt: skip


def leaderboard(options: argparse.Namespace, given: list[str]) -> int:
    """Print the tables of one task, or of all; or write the site."""
    if options.html:
        return _site(options)
    board = index_of(options.folder, options.task)
    table = board.frame()
    for_programs = options.format in ("csv", "json")
    if for_programs and not options.scores:
        _emit(list(table.columns), table.itertuples(index=False), options.format)
        return 0
    flat: list[list[Any]] = []
    columns = _chosen(options.scores, table)
    for task in sorted(table["task"].unique()):
        of_task = [entry for entry in board.entries if entry.task == task]
        main, names = of_task[0].main, _names(table[table["task"] == task])
        scores = columns or [main, *(n for n in HEADLINE if n in names and n != main)]
        if not names & set(scores):
            continue
        for number, wide in enumerate(pivot(table, task, scores)):
            entry = next(e for e in of_task if e.question == wide.attrs["question"])
            rows = zip(wide.index, wide.itertuples(index=False), strict=True)
            if for_programs:
                set_of = f"{entry.data}#{entry.data_hash[:8]}"
                flat += [[task, set_of, row[0], name, *row[1:]] for name, row in rows]
                continue
            note = f", question {number + 1}" if number else ""
            print(f"{task} ({entry.data}, by {scores[0]}){note}\n")
            cells = [[_cell(row[0]), name, *map(_cell, row[1:])] for name, row in rows]
            header = ["rank", "tokenizer", *scores]
            tables.emit(header, cells, options.format, (0, *range(2, len(header))), len(header) - 3)
            print(_lossy(table, task, wide.attrs["question"]))
    if for_programs:
        _emit(["task", "data", "rank", "tokenizer", *columns], flat, options.format)
    return 0


def _site(options: argparse.Namespace) -> int:
    if options.scores:
        raise UserError("--html shows the headline scores; --scores is for printed tables")
    from pathlib import Path

    from tokbench.site.board import board
    from tokbench.site.folder import refuse_other
    from tokbench.site.pages import write

    out = Path(options.html)
    refuse_other(out)  # shows before ten thousand records are read
    _, found = opened(options.folder, options.task)
    print(write(board(found), out))
    return 0


def _lossy(table: pd.DataFrame, task: str, question: str) -> str:
    """A line on who does not give every text back; empty where nobody is known to."""
    asked = table[(table["task"] == task) & (table["question"] == question)]
    lossless = asked[(asked["score"] == "lossless") & (asked["facet"] == "")]
    said = losing(dict(zip(lossless["tokenizer"], lossless["value"], strict=True)))
    return f"\nlose some of the text: {said}\n" if said else ""


def _names(table: pd.DataFrame) -> set[str]:
    """Full names of the scores in a table."""
    pairs = table[["score", "facet"]].drop_duplicates()
    return {
        f"{score}/{facet}" if facet else score
        for score, facet in zip(pairs["score"], pairs["facet"], strict=True)
    }


def _chosen(scores: str | None, table: pd.DataFrame) -> list[str]:
    """The columns asked for with `--scores`."""
    if scores is None:
        return []
    chosen, names = [name.strip() for name in scores.split(",")], _names(table)
    for name in chosen:
        if name not in names:
            raise UserError(f"--scores: no score '{name}'{near(name, names)}")
    return list(dict.fromkeys(chosen))


def _emit(header: list[str], rows: Iterable[Sequence[Any]], form: str) -> None:
    """Raw values for a program; what was not measured is null, or empty in CSV."""
    import pandas as pd

    nothing = None if form == "json" else ""

    def plain(cell: Any) -> Any:
        if pd.isna(cell):
            return nothing
        return cell.item() if hasattr(cell, "item") else cell  # no scalars of numpy's

    tables.emit(header, [[plain(cell) for cell in row] for row in rows], form)


def _cell(value: Any) -> str:
    import pandas as pd

    return tables.measured(None if value is pd.NA or value != value else value)
