"""Two or more tokenizers that answered the same question, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from tokbench import tables
from tokbench.files import slug
from tokbench.report.comparison_figures import forest, pareto
from tokbench.report.page import Cell, Page, Section, short
from tokbench.report.paired import Comparison, comparisons, unlike
from tokbench.report.scores import term, value_cell
from tokbench.report.subjects import Subject

RATES = ("bits-per-pixel", "bits-per-second", "bytes-per-token")
"""Scores that say how much a tokenizer spends, the first that a record has."""

SPEEDS = ("encode-speed",)


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section for each question; nothing of a lone tokenizer."""
    found = comparisons(subjects)
    notes = unlike(found)
    for one in found:
        body = page.fill(
            "comparison.html",
            one=one,
            notes=[note for note in notes if one is _first_of(found, one.task)],
            table=_scores(page, one) if len(one.names) > 1 else "",
            differences=_differences(page, one) if one.pairs else "",
            forest=_forest(page, one),
            matrix=_matrix(page, one) if one.pairs and len(one.names) > 2 else "",
            tally=_tally(one) if one.pairs and len(one.names) == 2 else "",
            fronts=_fronts(page, one) if len(one.names) > 1 else [],
        )
        yield Section(f"compare-{slug(one.title)}", one.title, body, "Comparison")


def _first_of(found: Sequence[Comparison], task: str) -> Comparison:
    return next(one for one in found if one.task == task)


def _scores(page: Page, one: Comparison) -> Markup:
    """Headline scores: a row each, a column for each tokenizer."""
    rows: list[list[Any]] = []
    bold = set()
    for name in one.score_names:
        scores = [own.get(name) for own in one.scores]
        known = next(score for score in scores if score is not None)
        winner = one.winner(name)
        if winner is not None:
            bold.add((len(rows), one.names.index(winner) + 2))
        rows.append([term(page, known), tables.unit(known.unit), *map(value_cell, scores)])
    caption = (
        "Headline scores with 95 % intervals; "
        "bold: better than every other, after Holm's correction"
    )
    return page.table(
        f"compare-{slug(one.title)}", ["score", "unit", *one.names], rows, caption,
        range(2, len(one.names) + 2), bold=bold, alike=False,
    )  # fmt: skip


def _differences(page: Page, one: Comparison) -> Markup:
    header = ["score", "first", "second", "difference", "95 % interval", "p (Holm)", "second is"]
    rows = [
        [
            name, first, second, Cell(tables.signed(d.other - d.baseline), d.other - d.baseline),
            Cell(tables.interval(d.low, d.high), d.low),
            Cell(tables.p_value(d.adjusted), d.adjusted), d.verdict,
        ]
        for (name, first, second), d in one.pairs.items()
    ]  # fmt: skip
    return page.table(
        f"differences-{slug(one.title)}", header, rows,
        "Paired differences, second minus first", (3, 4, 5),
    )  # fmt: skip


def _forest(page: Page, one: Comparison) -> Markup | str:
    """Of two: every headline score. Of more: the main score of each against the best."""
    main = one.records[0].about.task.main
    aside = ""
    if len(one.names) == 2:
        named = [(key[0], found) for key, found in one.pairs.items()]
        what = f"{one.names[1]} against {one.names[0]}"
        whom = one.names[0]
    else:
        order = [name for name, _ in one.contenders(main)]
        pairs = [(name, one.against(main, order[0], name)) for name in order[1:]]
        named = [(name, found) for name, found in pairs if found is not None]
        whom = order[0] if order else ""
        what = f"{main} of each against the {_top(one, main)}, {whom}"
        aside = one.aside(main)
    named = [
        (name, d)
        for name, d in named
        if d.baseline and d.low is not None and not name.endswith("/original")  # of the data alone
    ]
    if not named:
        return ""
    told = sum(d.verdict not in ("not distinguishable", "equal") for _, d in named)
    caption = (
        f"{what}: difference in percent of {short(whom)}, with paired 95 % intervals. Filled: "
        f"distinguishable after Holm's correction; green: better, orange: worse.{aside}"
    )
    alt = f"Forest plot of {len(named)} differences, {told} of them distinguishable"
    return page.figure(f"forest-{slug(one.title)}", forest(named), caption, alt)


def _top(one: Comparison, score: str) -> str:
    return "highest" if one.better(score) == "neither" else "best"


def _outcome(one: Comparison, first: str, second: str) -> tuple[int, int, int]:
    """Headline scores on which the first is better, not distinguishable, worse."""
    wins = ties = losses = 0
    for name in one.score_names:
        found = one.pair(name, first, second)
        if found is None or found.better == "neither":
            continue
        better = found.verdict == ("better" if found.other_name == first else "worse")
        worse = found.verdict == ("worse" if found.other_name == first else "better")
        wins, losses, ties = wins + better, losses + worse, ties + (not better and not worse)
    return wins, ties, losses


def _tally(one: Comparison) -> str:
    first, second = one.names
    wins, ties, losses = _outcome(one, first, second)
    return (
        f"{first} is better on {wins} headline score{'s' * (wins != 1)}, {second} on {losses}; "
        f"{ties} are equal or not distinguishable."
    )


def _matrix(page: Page, one: Comparison) -> Markup:
    rows: list[list[Any]] = []
    for first in one.names:
        row: list[Any] = [first]
        for second in one.names:
            if first == second:
                row.append("")
                continue
            wins, ties, losses = _outcome(one, first, second)
            row.append(
                Cell(f"{wins}\u00a0/\u00a0{ties}\u00a0/\u00a0{losses}", f"{wins}/{ties}/{losses}")
            )
        rows.append(row)
    return page.table(
        f"matrix-{slug(one.title)}", ["tokenizer", *one.names], rows,
        "Headline scores on which the row wins, ties and loses against the column",
    )  # fmt: skip


def _fronts(page: Page, one: Comparison) -> list[Markup]:
    """Main score against rate and against speed, where all is there."""
    main = one.records[0].about.task.main
    rate = next((name for name in RATES if name != main and one.ranking(name)), None)
    figures = []
    # The original itself, far off, would leave the others no room.
    shown = {name for name, _ in one.contenders(main)} if one.aside(main) else {*one.names}
    for name in filter(None, (rate, *SPEEDS)):
        points, kinds = [], set()
        for label, record in zip(one.names, one.records, strict=True):
            across = next(
                (s for s in [*record.scores, *record.performance] if s.name == name), None
            )
            up = record.score(main)
            if (
                label in shown
                and across
                and up
                and across.value is not None
                and up.value is not None
            ):
                points.append((label, across, up))
                kinds.add((across.better, up.better))
        if len(points) < 2 or len(kinds) != 1 or "neither" in kinds.pop():
            continue
        machines = {r.provenance.cpu for r in one.records} if name in SPEEDS else set()
        warn = one.aside(main)
        warn += " Measured on different machines: speeds do not compare." * (len(machines) > 1)
        figure, on_front = pareto(points)
        caption = f"{main} against {name}. The line joins what no other beats in both.{warn}"
        alt = f"Scatter plot of {len(points)} tokenizers; on the front: {', '.join(on_front)}"
        figures.append(page.figure(f"pareto-{slug(name)}-{slug(one.title)}", figure, caption, alt))
    return figures
