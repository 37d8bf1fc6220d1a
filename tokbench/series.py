"""A series of a sweep: one algorithm and amount of text, at every size and equalised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokbench import sweep
from tokbench.equalise import (
    Fit,
    Points,
    Summary,
    changes,
    equalise,
    halves,
    premiums,
    summaries,
)
from tokbench.errors import UserError
from tokbench.executors import Executor
from tokbench.matched import Matched
from tokbench.run import Progress
from tokbench.sweep import Cell, Cells

Bar = Callable[[str], AbstractContextManager[Progress | None]]
"""A progress bar by label."""

Counts = dict[str, np.ndarray]
"""Tokens of every evaluation sentence, by language."""


@dataclass
class Row:
    """Premiums over the languages that have a tokenizer of the size asked for, on the sentences
    that chose no size.

    vocabulary: the size of all, or None where each language has its equalised one.
    mean_vocabulary: over the languages. tokens: for each sentence, mean over the languages.
    missing: languages without such a tokenizer.
    """

    vocabulary: int | None
    mean_vocabulary: float
    tokens: float
    premiums: dict[str, float]
    summaries: list[Summary]
    missing: list[str]


@dataclass
class Comparison:
    """Premiums of the same languages at one size for all and at their equalised sizes.

    before: at the size tried that is nearest to the reference's equalised one.
    change: after minus before, with intervals.
    """

    before: Row
    after: Row
    change: list[Summary]


@dataclass
class Series:
    """What a sweep found for one algorithm and amount of training text.

    level: tokens of the choosing sentences that all languages should need.
    equalised: over all languages that have both sizes; None without any, and `why` says why.
    within_reach: the same without the languages that cannot reach the level; None where all can.
    """

    algorithm: str
    amount: int
    rows: list[Row]
    fits: list[Fit]
    level: float | None
    equalised: Comparison | None = None
    within_reach: Comparison | None = None
    why: str = ""


def sweep_series(
    matched: Matched,
    algorithms: Sequence[str],
    sizes: Sequence[int],
    folder: Path,
    executor: Executor,
    bar: Bar,
    at: int | None = None,
) -> tuple[Cells, Cells, list[Series]]:
    """Measure the grid, fit, train at the fitted sizes and measure these too.

    Returns the cells of the grid, the equalised ones and the series. Raises `UserError` where
    the text is too little for the reference or for all other languages.
    """
    cells = sweep.grid(algorithms, matched.amounts, matched.languages, sizes)
    with bar("sweep") as progress:
        tried = sweep.measured(matched, cells, folder, executor, progress)
    every = list(dict.fromkeys((cell.algorithm, cell.amount) for cell in cells))
    fitted = {}
    for one in every:
        own = _of(tried, *one)
        _enough(own, matched.reference)
        fitted[one] = equalise(_points(own), matched.reference, sweep.LEAST, at)
    wanted = [
        Cell(*one, fit.language, fit.size)
        for one in every
        for fit in fitted[one][0]
        if fit.size is not None
    ]
    with bar("equalised") as progress:
        equalised = sweep.measured(matched, wanted, folder, executor, progress)
    found = [
        _series(matched, _of(tried, *one), _of(equalised, *one), *fitted[one]) for one in every
    ]
    return tried, equalised, found


def _of(cells: Cells, algorithm: str, amount: int) -> Cells:
    return {
        cell: found
        for cell, found in cells.items()
        if (cell.algorithm, cell.amount) == (algorithm, amount)
    }


def _points(cells: Cells) -> dict[str, Points]:
    """By language, every size that was reached, with the choosing sentences' tokens."""
    counts: dict[str, dict[int, np.ndarray]] = {}
    for cell, result in cells.items():
        own = counts.setdefault(cell.language, {})
        if result.reached is not None:
            own[result.reached] = result.counts()[halves(len(result.tokens))[0]]
    points = {}
    for one, own in counts.items():
        sizes = sorted(own)
        points[one] = Points(np.array(sizes, np.float64), np.array([own[v] for v in sizes]))
    return points


def _enough(cells: Cells, reference: str) -> None:
    """Refuse a series that has no premium at any size."""
    full = [cell for cell, found in cells.items() if found.reached == cell.vocabulary]
    common = {cell.vocabulary for cell in full if cell.language == reference}
    if any(cell.vocabulary in common for cell in full if cell.language != reference):
        return
    cell = next(
        (cell for cell in cells if cell not in full and cell.language == reference),
        next(cell for cell in cells if cell not in full),
    )
    raise UserError(
        f"{cell.algorithm}: no size of --vocab is reached by {reference} and another language: "
        f"{cell.language}, {cell.vocabulary}: {cells[cell].note}"
    )


def _series(
    matched: Matched, tried: Cells, equalised: Cells, fits: list[Fit], level: float | None
) -> Series:
    first = next(iter(tried))
    tokens: dict[int, Counts] = {}
    for cell, found in tried.items():
        own = tokens.setdefault(cell.vocabulary, {})
        if found.reached == cell.vocabulary:
            own[cell.language] = found.counts()
    rows = [
        _row(matched, tokens[size], dict.fromkeys(tokens[size], size), size)
        for size in sorted(tokens)
        if matched.reference in tokens[size] and len(tokens[size]) > 1
    ]
    series = Series(first.algorithm, first.amount, rows, fits, level)
    sizes: dict[str, int] = {}
    after: Counts = {}
    placed = {fit.language: fit for fit in fits}
    for cell, found in equalised.items():
        if found.reached is None:
            placed[cell.language].why = found.note
            continue
        sizes[cell.language], after[cell.language] = found.reached, found.counts()
        chosen = after[cell.language][halves(len(found.tokens))[0]].sum()
        placed[cell.language].miss = float(chosen) / level - 1 if level else None
    if matched.reference not in after:
        series.why = placed[matched.reference].why
        return series
    own_size = np.log(sizes[matched.reference])
    middle = min((row.vocabulary or 0 for row in rows), key=lambda v: abs(np.log(v) - own_size))
    before = tokens[middle]
    both = [one for one in matched.languages if one in after and one in before]
    if len(both) < 2:
        series.why = f"no language but {matched.reference} has {middle:,} tokens and a fit"
        return series

    def compared(languages: list[str]) -> Comparison:
        pair = [{one: table[one] for one in languages} for table in (before, after)]
        base = languages.index(matched.reference)
        return Comparison(
            _row(matched, pair[0], dict.fromkeys(languages, middle), middle),
            _row(matched, pair[1], {one: sizes[one] for one in languages}, None),
            changes(_judged(pair[0]), _judged(pair[1]), base),
        )

    series.equalised = compared(both)
    far = {fit.language for fit in fits if fit.status == "out of reach"}
    near = [one for one in both if one not in far]
    if 1 < len(near) < len(both):
        series.within_reach = compared(near)
    return series


def _judged(tokens: Counts) -> np.ndarray:
    """(languages, sentences) counts of the sentences that chose no size."""
    table = np.array(list(tokens.values()))
    return table[:, halves(table.shape[1])[1]]


def _row(matched: Matched, tokens: Counts, sizes: dict[str, int], size: int | None) -> Row:
    table, base = _judged(tokens), list(tokens).index(matched.reference)
    return Row(
        size,
        float(np.mean(list(sizes.values()))),
        float(table.mean()),
        dict(zip(tokens, premiums(table.sum(1), base).tolist(), strict=True)),
        summaries(table, base),
        [one for one in matched.languages if one not in tokens],
    )
