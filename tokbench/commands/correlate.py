"""`tokbench correlate`."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from tokbench import tables
from tokbench.board_index import index_of
from tokbench.correlate import FEW, Coefficient, Joined, coefficients, join, read_column, why_not
from tokbench.errors import UserError, near
from tokbench.files import atomic_write
from tokbench.leaderboard import pivot


class Panel(NamedTuple):
    """One question of one task: its points, and what they give or why nothing."""

    task: str
    question: str
    points: Joined
    found: list[Coefficient]
    why: str


def correlate(options: argparse.Namespace, given: list[str]) -> int:
    """Correlate one leaderboard score with a column of a table."""
    plot = plot_path(options.plot)
    results = read_column(Path(options.results), options.column)
    panels = _panels(options, results)
    if all(panel.why for panel in panels):
        where = f"{options.metric} and {options.column}"
        names = "; ".join(f"{n}: {w}" for n, w in list(panels[0].points.unmatched.items())[:4])
        raise UserError(f"{where}: {panels[0].why}" + (f" ({names})" if names else ""))
    _print(panels, options)
    if plot:
        atomic_write(plot, _drawn(panels, options.metric, options.column, plot.suffix[1:]))
    return 0


def plot_path(given: str | None) -> Path | None:
    """Where the plot goes; refused before anything is computed."""
    path = Path(given) if given else None
    if path is not None and path.suffix not in (".png", ".svg"):
        raise UserError(f"--plot {given}: write FILE.png or FILE.svg")
    return path


def _panels(options: argparse.Namespace, results: dict[str, float | None]) -> list[Panel]:
    """One panel for each question that has the score."""
    board = index_of(options.folder, options.task)
    folder, table = board.folder, board.frame()
    full = table["score"] + table["facet"].map(lambda facet: f"/{facet}" if facet else "")
    if options.metric not in set(full):
        hint = near(options.metric, set(full))
        raise UserError(f"no score '{options.metric}' in {folder}{hint}")
    panels = []
    for task in sorted(set(table["task"][full == options.metric])):
        for wide in pivot(table, task, [options.metric]):
            column = wide[options.metric]
            scores = {str(n): None if math.isnan(v) else float(v) for n, v in column.items()}
            if all(value is None for value in scores.values()):
                continue
            points = join(scores, results)
            why = why_not(points.x, points.y)
            answer = [] if why else coefficients(points.x, points.y)
            panels.append(Panel(task, wide.attrs["question"], points, answer, why))
    if not panels:
        raise UserError(f"{options.metric} was not measured for any tokenizer in {folder}")
    return sorted(panels, key=lambda panel: bool(panel.why))


def _print(panels: list[Panel], options: argparse.Namespace) -> None:
    if options.format == "json":
        rows = [
            {
                "task": p.task, "question": p.question, "score": options.metric,
                "with": options.column, "n": len(p.points.names), "why": p.why,
                "few": len(p.points.names) < FEW, "coefficients": [asdict(c) for c in p.found],
                "points": [
                    {"tokenizer": n, "score": x, "result": y}
                    for n, x, y in zip(
                        p.points.names, p.points.x.tolist(), p.points.y.tolist(), strict=True
                    )
                ],
                "unmatched": p.points.unmatched,
            }
            for p in panels
        ]  # fmt: skip
        print(json.dumps({"correlations": rows}, ensure_ascii=False))
        return
    header = ["task", "coefficient", "value", "95 % interval", "n", "p", "permutations"]
    table = [
        [
            p.task, c.name, tables.number(c.value), tables.interval(c.low, c.high),
            len(p.points.names), f"{c.p:.2g}", "all" if c.exact else "sampled",
        ]
        for p in panels
        for c in p.found
    ]  # fmt: skip
    if options.format == "table":
        print(f"{options.metric} with {options.column}, over tokenizers\n")
    tables.emit(header, table, options.format, (2, 4, 5))
    _say(panels, sys.stderr if options.format == "csv" else sys.stdout)


def _say(panels: list[Panel], out: object) -> None:
    """What a reader of the numbers has to know."""
    lines = []
    for panel in panels:
        n = len(panel.points.names)
        if panel.why:
            lines.append(f"{panel.task}: no correlation: {panel.why}")
        elif n < FEW:
            lines.append(
                f"{panel.task}: warning: {n} points. Under {FEW}, chance alone gives large "
                "coefficients; this is no evidence of anything"
            )
        by_reason: dict[str, list[str]] = {}
        for name, reason in panel.points.unmatched.items():
            by_reason.setdefault(reason, []).append(name)
        lines += [f"{panel.task}: {', '.join(by_reason[r])}: {r}" for r in by_reason]
    if sum(not panel.why for panel in panels) > 1:
        lines.append("p-values are not corrected for the number of tasks and coefficients")
    for line in lines:
        print(line, file=out)  # type: ignore[call-overload]


def _drawn(panels: list[Panel], metric: str, column: str, form: str) -> bytes:
    """A scatter plot for each question, tokenizers named; equal input gives equal bytes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    shown = [panel for panel in panels if panel.found]
    with matplotlib.rc_context({"svg.hashsalt": "tokbench", "svg.fonttype": "none"}):
        width = min(len(shown), 3)
        rows = -(-len(shown) // width)
        size = (4.5 * width, 3.8 * rows)
        figure, grid = pyplot.subplots(
            rows, width, figsize=size, squeeze=False, layout="constrained"
        )
        for axes, panel in zip(grid.flat, shown, strict=False):
            points = panel.points
            axes.scatter(points.x, points.y, s=18)
            for name, x, y in zip(points.names, points.x, points.y, strict=True):
                axes.annotate(
                    name.replace("$", r"\$"), (x, y), (3, 3), textcoords="offset points", fontsize=7
                )
            rho = next(c for c in panel.found if c.name == "spearman")
            n = len(points.names)
            few = ", too few points" if n < FEW else ""
            axes.set_title(
                f"{panel.task}\nSpearman {rho.value:.2f}, p = {rho.p:.2g}, n = {n}{few}",
                fontsize=9,
            )
            axes.set_xlabel(metric)
            axes.set_ylabel(column)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in list(grid.flat)[len(shown) :]:
            axes.set_visible(False)
        file = io.BytesIO()
        about = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, dpi=150, metadata=about)
        pyplot.close(figure)
    return file.getvalue()
