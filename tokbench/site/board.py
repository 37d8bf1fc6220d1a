"""What the pages show: records by task and by question, ranked, with what differs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tokbench.ceilings import is_ceiling
from tokbench.commands.evaluate import headline
from tokbench.compare import unlike
from tokbench.files import sha256, slug
from tokbench.leaderboard import question, ranks
from tokbench.record import Record
from tokbench.types import Score

_HEX = re.compile(r"[0-9a-f]{64}")


def file_name(name: str) -> str:
    """A file name of a name's own: two names never share one, whatever the file system."""
    plain = slug(name)
    return plain if plain == name == name.lower() else f"{plain}-{sha256(name)[:8]}"


@dataclass
class Row:
    """One record on the board. place: its rank within its question, None where its main score
    was not measured."""

    record: Record
    source: Path
    place: int | None = None

    @cached_property
    def scores(self) -> dict[str, Score]:
        """By name; the first of a name."""
        return {score.name: score for score in reversed(self.record.scores)}

    @cached_property
    def main(self) -> Score | None:
        return self.scores.get(self.record.about.task.main)

    @cached_property
    def value(self) -> float:
        """Of the main score, NaN where it was not measured."""
        return number_of(self.main)

    @cached_property
    def lossy(self) -> bool:
        """Does the tokenizer lose some of the text? Its scores are of what it kept."""
        lossless = number_of(self.scores.get("lossless"))
        return lossless < 1  # not so for NaN

    @property
    def ceiling(self) -> bool:
        """Is it the original itself, as tokens?"""
        return is_ceiling(self.record)

    @property
    def created(self) -> str:
        """ISO 8601, so that text sorts by time."""
        return self.record.provenance.created

    @cached_property
    def stem(self) -> str:
        """Its files below the site's folder, without suffix."""
        name = f"{file_name(self.record.tokenizer)}--{self.record.key[:12]}"
        return f"records/{file_name(self.record.task)}/{name}"


def number_of(score: Score | None) -> float:
    """A score's value, NaN where there is none."""
    value = score.value if score else None
    return value if value is not None and math.isfinite(value) else math.nan


@dataclass
class Question:
    """Records that answered the same question, best first. differs: from the task's main one, as
    (what, there, here)."""

    key: str
    rows: list[Row]
    differs: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def first(self) -> Record:
        return self.rows[0].record

    @cached_property
    def main(self) -> str:
        return self.first.about.task.main

    @cached_property
    def better(self) -> str:
        """The direction of the main score."""
        return next((row.main.better for row in self.rows if row.main), "neither")

    def names(self) -> list[str]:
        """Scores of the whole data that some record has, in the order of the first."""
        shown = (score for row in self.rows[:50] for score in headline(row.record, False))
        return list(dict.fromkeys(score.name for score in shown))


@dataclass
class Board:
    """Everything on a leaderboard. left_out: files that cannot be shown, and why."""

    tasks: dict[str, list[Question]]
    left_out: dict[str, str]

    @property
    def rows(self) -> list[Row]:
        """Every record."""
        return [row for several in self.tasks.values() for one in several for row in one.rows]


def board(found: Sequence[tuple[Record, Path]]) -> Board:
    """Records ranked within their questions. The question that most records answered comes
    first; the others say how they differ from it."""
    groups: dict[str, dict[str, list[Row]]] = {}
    left_out = {}
    for record, path in found:
        if not _HEX.fullmatch(record.key):
            left_out[path.name] = "its key is not 64 hexadecimal digits"
            continue
        groups.setdefault(record.task, {}).setdefault(question(record), []).append(
            Row(record, path)
        )
    tasks = {}
    for task, asked in sorted(groups.items()):
        questions = [Question(key, _ranked(rows)) for key, rows in asked.items()]
        questions.sort(key=lambda one: (-len(one.rows), one.key))
        for other in questions[1:]:
            other.differs = unlike(questions[0].first, other.first)
        tasks[task] = questions
    return Board(tasks, left_out)


def _ranked(rows: list[Row]) -> list[Row]:
    """Best first, those without a main score last; with ranks, ties where intervals overlap."""
    import pandas as pd

    down = any(row.main is not None and row.main.better == "higher" for row in rows)
    sign = -1 if down else 1
    rows.sort(key=lambda row: (
        math.isnan(row.value), 0.0 if math.isnan(row.value) else sign * row.value,
        row.record.tokenizer, row.record.key,
    ))  # fmt: skip

    def end(score: Score | None, value: float | None) -> float:
        return math.nan if score is None or value is None else value

    table = pd.DataFrame({
        "value": [row.value for row in rows],
        "low": [end(row.main, row.main.low if row.main else None) for row in rows],
        "high": [end(row.main, row.main.high if row.main else None) for row in rows],
    })  # fmt: skip
    for row, place in zip(rows, ranks(table, down), strict=True):
        row.place = place
    return rows
