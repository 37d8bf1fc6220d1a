"""The plots of the site: one for every table."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from tokbench.report.page import INK
from tokbench.site.board import Question, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tokbench.commands.rate import Panel

COLOURS = ("#3b82c4", "#d9822b", "#2e9e6b", "#b4569c", "#8d7c2e", "#c75450", "#6c70cc", "#3f97a6")
"""Mid-tones that read on white and on near-black; neighbours differ in lightness too."""

SHOWN = 30
"""Rows of a plot; a table has the rest."""

WIDTH = 4.8
"""Inches: what a phone shows without making its words too small to read."""


def shortened(name: str, most: int = 28) -> str:
    """A name as a label: one line, without what an axis cannot show."""
    plain = "".join(c if c.isprintable() and c != "$" else "·" for c in name)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _blank(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axis = figure.subplots()
    axis.patch.set_alpha(0)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color(INK)
        axis.spines[side].set_linewidth(0.6)
    axis.tick_params(colors=INK, labelsize=8, width=0.6)
    axis.grid(visible=True, color=INK, alpha=0.12, linewidth=0.6)
    axis.set_axisbelow(True)
    return figure, axis


def _labelled(axis: Any, x: str = "", y: str = "") -> None:
    if x:
        axis.set_xlabel(x, color=INK, fontsize=9)
    if y:
        axis.set_ylabel(y, color=INK, fontsize=9)


def plotted(question: Question) -> list[Row]:
    """The rows of its plot."""
    rows = [row for row in question.rows if not math.isnan(row.value)]
    return ([row for row in rows if not row.ceiling] or rows)[:SHOWN]


def intervals(question: Question) -> Figure:
    """The main score of the best rows with its 95 % intervals, without the originals
    themselves, which would leave the others no room."""
    rows = plotted(question)
    figure, axis = _blank(WIDTH, 0.8 + 0.22 * max(len(rows), 3))
    leader = [row.place == 1 for row in rows]
    for place, row in enumerate(rows):
        score, colour = row.main, COLOURS[0] if leader[place] else COLOURS[6]
        if score is not None and score.low is not None and score.high is not None:
            axis.plot([score.low, score.high], [place, place], color=colour, linewidth=2, alpha=0.5)
        axis.plot(row.value, place, "o", color=colour, markersize=4.5)
    axis.set_yticks(range(len(rows)), [shortened(row.record.tokenizer) for row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    unit = next((row.main.unit for row in rows if row.main), "")
    _labelled(axis, f"{question.main} ({unit})" if unit else question.main)
    return figure


def curves(panel: Panel, without: Collection[str] = ()) -> Figure:
    """Quality over rate, a line for each codec but those named, the baseline dashed."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure, axis = _blank(WIDTH, 4)
    sign = 1 if panel.metric.better == "higher" else -1
    shown = [panel.anchor, *(curve for curve in panel.others if curve.name not in without)]
    for number, curve in enumerate(shown[:SHOWN]):
        axis.plot(
            curve.rate, sign * curve.quality, "--" if number == 0 else "-",
            marker="osD^vP"[number % 6], markersize=4, linewidth=1.4,
            color=COLOURS[number % len(COLOURS)], label=shortened(curve.name),
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    _labelled(axis, f"{panel.rate.name} ({panel.rate.unit})",
              f"{panel.metric.name} ({panel.metric.unit})")  # fmt: skip
    # Below, where it hides no point.
    figure.legend(frameon=False, labelcolor=INK, fontsize=8, ncols=2, loc="outside lower center")
    return figure


def history(rows: Sequence[Row]) -> Figure:
    """The main score of one tokenizer from record to record, oldest first."""
    figure, axis = _blank(WIDTH, 2.4)
    for place, row in enumerate(rows):
        score = row.main
        if math.isnan(row.value) or score is None:
            continue
        if score.low is not None and score.high is not None:
            axis.plot(
                [place] * 2, [score.low, score.high], color=COLOURS[0], alpha=0.5, linewidth=2
            )
        axis.plot(place, row.value, "o", color=COLOURS[0], markersize=5)
    axis.plot(range(len(rows)), [row.value for row in rows], color=COLOURS[0], linewidth=1)
    labels = [f"{row.created[:10]}\n{row.record.about.tokenizer.fingerprint[:8]}" for row in rows]
    step = max(1, math.ceil(len(rows) / 5))
    axis.set_xticks(range(0, len(rows), step), [shortened(label.replace("\n", " "), 24)
                                                .replace(" ", "\n", 1)
                                                for label in labels[::step]])  # fmt: skip
    axis.set_xlim(-0.5, len(rows) - 0.5)
    _labelled(axis, "", rows[0].record.about.task.main)
    return figure


def places(names: Sequence[str], tasks: Sequence[str], ranks: dict[tuple[str, str], int]) -> Figure:
    """Ranks of the tokenizers of a suite: a mark for each task, the best on the left."""
    names = names[:SHOWN]
    figure, axis = _blank(WIDTH, 1.3 + 0.24 * max(len(names), 3))
    for number, task in enumerate(tasks):
        aside = 0.14 * (number - (len(tasks) - 1) / 2)  # so that equal ranks hide nobody
        found = [
            (ranks[name, task], k + aside)
            for k, name in enumerate(names)
            if (name, task) in ranks
        ]  # fmt: skip
        axis.plot(
            [place for place, _ in found], [k for _, k in found], "osD^vP"[number % 6],
            color=COLOURS[number % len(COLOURS)], markersize=4.5, label=shortened(task),
            alpha=0.85, linestyle="none",
        )  # fmt: skip
    axis.set_yticks(range(len(names)), [shortened(name) for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.xaxis.get_major_locator().set_params(integer=True)
    _labelled(axis, "rank (1 is best)")
    axis.legend(
        frameon=False, labelcolor=INK, fontsize=8, ncols=2, loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip
    return figure
