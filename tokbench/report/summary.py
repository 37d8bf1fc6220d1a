"""What a reader should know after ten seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tokbench import tables
from tokbench.record import Record
from tokbench.report.groups import extremes, full_name, headlines, main_score
from tokbench.report.page import ARROWS, Cell, Page, Section
from tokbench.report.paired import Comparison, comparisons
from tokbench.report.scores import term, value_cell
from tokbench.report.subjects import Subject
from tokbench.types import Score


@dataclass(frozen=True, slots=True)
class Result:
    """The main score of one record, where it is best and worst, and what the data was.

    edges: words such as `best`, and the groups it holds of with their values.
    """

    task: str
    score: Score | None
    arrow: str
    data: str
    edges: tuple[tuple[str, str], ...]


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """The first section of every report."""
    alone = subjects[0] if len(subjects) == 1 else None
    yield Section("summary", "Summary", page.fill(
        "summary.html",
        results=[_result(record) for record, _ in alone.records.values()] if alone else [],
        table=_side_by_side(page, subjects) if alone is None else "",
        verdicts=[line for found in comparisons(subjects) for line in verdicts(found)],
        failed=_failed(subjects),
        plain=PLAIN,
        missing=_missing(subjects),
    ))  # fmt: skip


def _result(record: Record) -> Result:
    data = record.about.dataset
    groups = f", {data.groups:,} groups" if data.groups > 1 else ""
    score = main_score(record)
    return Result(
        record.task,
        score,
        ARROWS[score.better] if score else "",
        f"{data.name}, {data.samples:,} samples{groups}"
        + (f", first {record.limit:,} of each" if record.limit is not None else ""),
        _edges(record),
    )


def _edges(record: Record) -> tuple[tuple[str, str], ...]:
    found = extremes(record)
    if found is None:
        return ()
    words = ("best", "worst") if found.better != "neither" else ("highest", "lowest")
    return tuple(
        (word, " · ".join(f"{full_name(group)} {tables.number(s.value)}" for group, s in some))
        for word, some in zip(words, (found.best, found.worst), strict=True)
    )


PLAIN = ("", "1", "ratio", "share", "cosine")
"""Units that say nothing beside a number."""

MOST_COLUMNS = 5
"""Tokenizers that stand beside each other; more stand one below the other."""


def _side_by_side(page: Page, subjects: Sequence[Subject]) -> str:
    """Main scores: a row for each task and a column for each tokenizer, or the other way round;
    the best in bold where it is distinguishable from all others."""
    found = comparisons(subjects)
    names = [subject.name for subject in subjects]
    heads = [(one.title, one.records[0].about.task.main) for one in found]
    scores = [
        {name: r.score(main) for name, r in zip(one.names, one.records, strict=True)}
        for one, (_, main) in zip(found, heads, strict=True)
    ]
    bold = {
        (row, names.index(winner))
        for row, (one, (_, main)) in enumerate(zip(found, heads, strict=True))
        if (winner := one.winner(main)) is not None
    }
    cells = [[value_cell(own.get(name)) for name in names] for own in scores]
    if len(names) <= MOST_COLUMNS:
        header = ["task", "main score", *names]
        terms = [_main_term(page, own, main) for own, (_, main) in zip(scores, heads, strict=True)]
        rows = [
            [title, term_, *row] for (title, _), term_, row in zip(heads, terms, cells, strict=True)
        ]
        bold = {(row, column + 2) for row, column in bold}
        right = range(2, len(header))
    else:
        arrows = [
            next((ARROWS[s.better] for s in own.values() if s is not None), "") for own in scores
        ]
        header = ["tokenizer", *(
            f"{title}: {main} {arrow}".rstrip()
            for (title, main), arrow in zip(heads, arrows, strict=True)
        )]  # fmt: skip
        best = [name for name, _ in found[0].ranking(heads[0][1])] if found else []
        order = sorted(range(len(names)), key=lambda n: (
            best.index(names[n]) if names[n] in best else len(best), n
        ))  # fmt: skip
        rows = [[names[place], *(row[place] for row in cells)] for place in order]
        bold = {(order.index(column), row + 1) for row, column in bold}
        right = range(1, len(header))
    caption = (
        "Main scores with 95 % intervals; bold: better than every other, after Holm's correction"
    )
    return page.table(
        "summary", header, rows, caption, right, bold=bold, alike=len(names) > MOST_COLUMNS
    )


def _main_term(page: Page, own: dict[str, Score | None], main: str) -> Cell | str:
    known = next((score for score in own.values() if score is not None), None)
    return term(page, known) if known else main


def verdicts(found: Comparison) -> Iterator[str]:
    """Who has the best main score of a question, in a sentence; nothing of a lone tokenizer."""
    main = found.records[0].about.task.main
    ranked = found.contenders(main)
    if len(ranked) < 2:
        return
    if found.better(main) == "neither":
        return
    (best, value), unit = ranked[0], found.unit(main)
    unlike = [name for name, _ in ranked[1:] if not found.distinct(main, best, name)]
    told = f"{tables.number(value)} {'' if unit in PLAIN else unit}".rstrip()
    line = f"{found.title}: {best} has the best {main}, {told}"
    if not unlike:
        line += f": distinguishable from {'every other' if len(ranked) > 2 else ranked[1][0]}."
    elif any(found.pair(main, best, name) is None for name in unlike):
        line += f"; without paired evidence that says little about {_and(unlike)}."
    else:
        line += f", but is not distinguishable from {_and(unlike)}."
    yield line + found.aside(main)


def _and(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} others"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _failed(subjects: Sequence[Subject]) -> list[tuple[str, int, str, str]]:
    return [
        (f"{one.name} on {task}" if len(subjects) > 1 else task, lost.count, cause, lost.example)
        for one in subjects
        for task, (record, _) in one.records.items()
        for cause, lost in record.failures.items()
    ]


def _missing(subjects: Sequence[Subject]) -> list[tuple[str, str]]:
    """Why something has no value, or which part of the data did not enter, and where."""
    found: dict[str, dict[str, list[str]]] = {}
    asked = Counter(task for one in subjects for task in one.records)
    everyone: dict[str, int] = {}
    for one in subjects:
        for task, (record, _) in one.records.items():
            for score in headlines(record):
                if score.value is None or "left out" in score.note:
                    why = f"{task}: {score.note or 'no reason given'}"
                    everyone[why] = asked[task]
                    found.setdefault(why, {}).setdefault(score.name, []).append(one.name)
    return [
        (why, "; ".join(_of(names, who, everyone[why]) for who, names in _alike(scores)))
        for why, scores in found.items()
    ]


def _alike(scores: dict[str, list[str]]) -> list[tuple[list[str], list[str]]]:
    """Tokenizers, with the scores that all of them are without."""
    by_names: dict[tuple[str, ...], list[str]] = {}
    for score, names in scores.items():
        by_names.setdefault(tuple(names), []).append(score)
    return [([*names], own) for names, own in by_names.items()]


def _of(scores: list[str], names: list[str], of: int) -> str:
    listed = ", ".join(scores)
    if of == 1:
        return listed
    return f"{listed} (all {of} tokenizers)" if len(names) == of else f"{listed} ({_and(names)})"
