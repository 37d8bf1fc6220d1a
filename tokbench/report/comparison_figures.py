"""Figures of a comparison: paired differences, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tokbench.compare import Difference
from tokbench.report.page import INK, unmarked
from tokbench.types import Score

COLOURS = {"better": "#1f8f6b", "worse": "#cf5b2e", "higher": "#4c7fc4", "lower": "#4c7fc4"}
NEUTRAL = "#868e98"
MOST = 40
"""Rows of a forest plot; the table has all."""


def plain_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of one panel in the page's ink, on no ground."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    for spine in axes.spines.values():
        spine.set_edgecolor(INK)
        spine.set_linewidth(0.7)
    axes.tick_params(colors=INK, labelsize=9, width=0.7)
    axes.grid(visible=True, color=NEUTRAL, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def forest(named: Sequence[tuple[str, Difference]]) -> Figure:
    """Relative differences with intervals, one row each, in the given order from the top."""
    named = named[:MOST]
    figure, axes = plain_axes(5.4, 0.9 + 0.27 * len(named))
    axes.axvline(0, color=INK, linewidth=0.8)
    for row, (_, found) in enumerate(named):
        low, value, high = (
            100 * (number or 0.0) / abs(found.baseline)
            for number in (found.low, found.other - found.baseline, found.high)
        )
        colour = COLOURS.get(found.verdict, NEUTRAL)
        axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
        filled = found.verdict in COLOURS
        axes.plot(
            [value], [row], "o", markersize=5.5, color=colour,
            markerfacecolor=colour if filled else "none", clip_on=False,
        )  # fmt: skip
    axes.set_yticks(range(len(named)), [unmarked(name, 30) for name, _ in named])
    axes.set_ylim(len(named) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("difference, %", color=INK, fontsize=9)
    extreme = max(abs(edge) for edge in axes.get_xlim())
    if extreme > 200:
        axes.set_xscale("symlog", linthresh=10)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Points that no other beats in one coordinate without losing in the other, both read as
    higher is better; in order of the first coordinate."""
    order = sorted(range(len(points)), key=lambda n: (-points[n][0], -points[n][1]))
    kept, highest = [], float("-inf")
    for place in order:
        if points[place][1] > highest:
            kept.append(place)
            highest = points[place][1]
    return kept[::-1]


def pareto(points: Sequence[tuple[str, Score, Score]]) -> tuple[Figure, list[str]]:
    """A point for each tokenizer (name, horizontal, vertical score) with intervals, and the names
    on the front."""
    figure, axes = plain_axes(5.4, 4)
    signs = [1 if score.better == "higher" else -1 for score in points[0][1:]]
    places = [(float(x.value or 0), float(y.value or 0)) for _, x, y in points]
    best = front([(x * signs[0], y * signs[1]) for x, y in places])
    axes.plot(*zip(*(places[n] for n in best), strict=True), color=NEUTRAL, linewidth=1, zorder=1)
    for number, ((_, _, vertical), (x, y)) in enumerate(zip(points, places, strict=True)):
        colour = COLOURS["better"] if number in best else NEUTRAL
        if vertical.low is not None and vertical.high is not None:
            axes.plot([x, x], [vertical.low, vertical.high], color=colour, linewidth=1)
        axes.plot([x], [y], "o", color=colour, markersize=6)
    axes.margins(0.08, 0.1)
    order = [*best, *(n for n in range(len(points)) if n not in best)]
    _label(axes, [(points[n][0], *places[n]) for n in order])
    for axis, score in ((axes.xaxis, points[0][1]), (axes.yaxis, points[0][2])):
        arrow = "↑" if score.better == "higher" else "↓"
        axis.set_label_text(unmarked(f"{score.name} ({score.unit}) {arrow}"), color=INK, fontsize=9)
    return figure, [points[n][0] for n in best]


def _label(axes: Axes, named: Sequence[tuple[str, float, float]]) -> None:
    """Names beside their points; a name that would lie over an earlier one is left out."""
    axes.autoscale_view()
    (left, right), taken = axes.get_xlim(), list[tuple[float, float, float]]()
    for name, x, y in named:
        shown = unmarked(name, 28)
        across, up = axes.transData.transform((x, y))
        backwards = x > (left + right) / 2
        width = 5.2 * len(shown) + 10  # of 8-point letters, near enough
        start = across - width if backwards else across
        if any(abs(up - v) < 11 and start < e and b < start + width for v, b, e in taken):
            continue
        taken.append((up, start, start + width))
        axes.annotate(
            shown, (x, y), xytext=(-7 if backwards else 7, 3), color=INK, fontsize=8,
            textcoords="offset points", ha="right" if backwards else "left",
        )  # fmt: skip
