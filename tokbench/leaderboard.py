"""The leaderboard: a folder of records, one file each; pandas at the surface."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokbench import tables
from tokbench.errors import UserError, near
from tokbench.files import builtin, sha256, slug
from tokbench.record import Record, read_record
from tokbench.task import task_paths

if TYPE_CHECKING:
    import pandas as pd


MOST_NAMED = 20
"""Tokenizers that one line names."""


def default_folder() -> Path:
    """`leaderboards` here, else the shipped one."""
    here = Path("leaderboards")
    return here if here.is_dir() else builtin("leaderboards")


def find_row(name: str, folder: Path | None = None) -> tuple[Record, Path] | None:
    """The newest leaderboard record for `TASK/TOKENIZER`, or None."""
    task, slash, tokenizer = name.partition("/")
    shelf = (folder or default_folder()) / slug(task)
    if not slash or not tokenizer or not shelf.is_dir():
        return None
    found = [(read_record(path), path) for path in shelf.glob(f"{slug(tokenizer)}--*.json")]
    found = [
        pair
        for pair in found
        if pair[0].tokenizer == tokenizer or slug(tokenizer) == slug(pair[0].tokenizer)
    ]
    return max(found, key=lambda pair: pair[0].provenance.created, default=None)


def refuse_missing_row(name: str) -> None:
    """Raise `UserError` for `TASK/TOKENIZER` where the leaderboard has the task but no such row."""
    task, slash, tokenizer = name.partition("/")
    folder = default_folder()
    if slash and task in task_paths() and (folder / slug(task)).is_dir():
        known = {record.tokenizer for record, _ in records(folder, task)}
        raise UserError(f"{folder}/{slug(task)} has no row '{tokenizer}'{near(tokenizer, known)}")


def records(folder: Path, task: str | None = None) -> list[tuple[Record, Path]]:
    """All records of a leaderboard, or of one task, in a stable order."""
    return [(read_record(path), path) for path in located(folder, task)]


def located(folder: Path, task: str | None = None) -> list[Path]:
    """The files of these records."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no leaderboard here (submit a record, or give --from DIR)")
    if task is not None and not (folder / slug(task)).is_dir():
        names = [p.name for p in folder.iterdir() if p.is_dir()]
        raise UserError(f"no records of task '{task}' in {folder}{near(task, names)}")
    paths = folder.glob(f"{slug(task)}/*.json" if task else "*/*.json")
    return sorted(paths, key=lambda path: (path.parent.name, path.name))


def opened(folder: str | None, task: str | None) -> tuple[Path, list[tuple[Record, Path]]]:
    """A leaderboard's folder, the default one for None, and its records, of which there are."""
    where = opened_folder(folder)
    found = records(where, task)
    if not found:
        raise empty(where)
    return where, found


def opened_folder(folder: str | None) -> Path:
    """A leaderboard's folder, the default one for None."""
    return Path(folder) if folder is not None else default_folder()


def empty(folder: Path) -> UserError:
    """What is said of a leaderboard without records."""
    return UserError(f"{folder}: the leaderboard is empty (tokbench submit RECORD files one)")


def question(record: Record) -> str:
    """Short hash of what was asked: records with the same one are comparable. A codebook size
    that a metric puts into its signature (K) is part of it."""
    within = {
        part for score in record.scores for part in score.metric.split("|") if part[:2] == "K:"
    }
    asked = (record.about.task.fingerprint, record.about.dataset.fingerprint)
    return sha256(*asked, *sorted(within))[:12]


def frame(found: Sequence[tuple[Record, Path]]) -> pd.DataFrame:
    """Long and tidy: one row for each score of each record.

    Columns: task, tokenizer, score, facet, value, low, high, n, unit, better, signature, key,
    question (records with the same question are comparable), created, path.
    """
    import pandas as pd

    tables = [
        record.to_frame().drop(columns="note").assign(
            question=question(record), created=record.provenance.created, path=str(path)
        )
        for record, path in found
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def pivot(table: pd.DataFrame, task: str, scores: Sequence[str]) -> list[pd.DataFrame]:
    """One table for each question of a task (in its `attrs`): tokenizers by rows, scores by
    columns, ranked by the first score; `rank` has ties where intervals overlap with the best
    of the group, and is missing where the first score was not measured."""
    import pandas as pd

    table = table[table["task"] == task]
    everyone = table[["question", "tokenizer", "key"]].drop_duplicates()
    table = table[table["score"].isin({name.partition("/")[0] for name in scores})]
    slash = (table["facet"] != "").map({True: "/", False: ""})
    table = table.assign(full=table["score"] + slash + table["facet"])
    table = table[table["full"].isin(scores)]
    tables = []
    for question, members in everyone.groupby("question", sort=True):
        # One question and one name with two keys: two tokenizers of the same name.
        twins = members.duplicated("tokenizer", keep=False)
        named = members["tokenizer"].where(
            ~twins, members["tokenizer"] + " #" + members["key"].str[:6]
        )
        names = pd.Series(named.to_numpy(), index=members["key"].to_numpy())
        rows = table[table["question"] == question]
        rows = rows.assign(tokenizer=rows["key"].map(names))
        wide = rows.pivot(index="tokenizer", columns="full", values="value").reindex(
            index=sorted(names), columns=list(scores)
        )
        main = rows[rows["full"] == scores[0]].set_index("tokenizer")
        descending = bool((main["better"] == "higher").any())
        main = main.reindex(wide.index).sort_values(
            "value", ascending=not descending, na_position="last", kind="stable"
        )
        wide = wide.loc[main.index]
        places = pd.array(ranks(main, descending), dtype="Int64")
        wide.insert(0, "rank", pd.Series(places, index=main.index))
        wide.attrs["question"] = question
        tables.append(wide)
    return tables


def losing(lossless: Mapping[str, float]) -> str:
    """In words, of tokenizers' scores `lossless`: who loses some of the text, the most first, and
    in which share of the samples. Empty where nobody is known to."""
    lossy = sorted(((value, name) for name, value in lossless.items() if value < 1))
    said = [
        f"{name} ({tables.number(100 * (1 - value))} % of the samples)" for value, name in lossy
    ]
    if len(said) > MOST_NAMED:
        said[MOST_NAMED - 1 :] = [f"{len(said) - MOST_NAMED + 1:,} others"]
    return f"{', '.join(said)}; their scores are of what they kept" if said else ""


def ranks(main: pd.DataFrame, descending: bool) -> list[int | None]:
    """Competition ranks down a sorted column, tied while the interval overlaps the leader's."""
    found: list[int | None] = []
    leader, rank = None, 0
    for place, row in enumerate(main.itertuples(), start=1):
        if math.isnan(row.value):
            found.append(None)
            continue
        low = row.value if math.isnan(row.low) else row.low
        high = row.value if math.isnan(row.high) else row.high
        overlaps = leader is not None and (high >= leader[0] if descending else low <= leader[1])
        if not overlaps:
            rank, leader = place, (low, high)
        found.append(rank)
    return found
