"""The picture of a sweep: tokens against vocabulary size, and premiums before and after."""

from __future__ import annotations

import io
from typing import Any

from tokbench.equalise import halves
from tokbench.matched import Matched
from tokbench.series import Series
from tokbench.sweep import Cells

Styles = dict[str, tuple[Any, str]]
"""Colour and line style by language."""

MANY = 20
"""Languages that can be told apart by colour; of more, only the outermost are named."""

NAMED = 6

ROWS = 60
"""Languages whose premiums are drawn; of more, the dearest and the cheapest."""

LINE = 0.15
"""Inches between two names."""


def drawn(
    series: list[Series], tried: Cells, equalised: Cells, matched: Matched, form: str
) -> bytes:
    """A row of two panels for each series, as `png` or `svg`; equal input gives equal bytes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    styles = _styles(matched.languages, pyplot)
    with matplotlib.rc_context({"svg.hashsalt": "tokbench", "svg.fonttype": "none"}):
        height = max(4.2, 0.19 * min(len(matched.languages), ROWS) + 1.4)
        figure, grid = pyplot.subplots(
            len(series), 2, figsize=(12, height * len(series)), squeeze=False, layout="constrained"
        )
        for (left, right), one in zip(grid, series, strict=True):
            _curves(left, one, tried, equalised, styles, len(matched.evaluation), height - 0.8)
            _premiums(right, one, styles)
        file = io.BytesIO()
        about = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(file, format=form, dpi=150, metadata=about)
        pyplot.close(figure)
    return file.getvalue()


def _styles(languages: list[str], pyplot: Any) -> Styles:
    """Ten colours, solid then dashed; grey for all where there are too many."""
    if len(languages) > MANY:
        return dict.fromkeys(languages, ("0.6", "-"))
    palette = pyplot.get_cmap("tab10")
    return {one: (palette(i % 10), "--" if i >= 10 else "-") for i, one in enumerate(languages)}


def _curves(
    axes: Any,
    series: Series,
    tried: Cells,
    equalised: Cells,
    styles: Styles,
    count: int,
    inches: float,
) -> None:
    """Tokens for each of `count` sentences against vocabulary size; rings are equalised.
    inches: height of the panel."""
    many = len(styles) > MANY
    points: dict[str, dict[int, float]] = {}
    for cells in (tried, equalised):
        for cell, found in cells.items():
            if (cell.algorithm, cell.amount) != (series.algorithm, series.amount):
                continue
            if found.reached is None:
                continue
            mean = sum(found.tokens) / count
            if cells is tried:
                points.setdefault(cell.language, {})[found.reached] = mean
            else:
                ring = styles[cell.language][0]
                axes.plot(
                    found.reached,
                    mean,
                    "o",
                    mfc="none",
                    mec=ring,
                    ms=5 if many else 9,
                    mew=0.8 if many else 1.4,
                )
    for one, own in points.items():
        sizes = sorted(own)
        axes.plot(
            sizes,
            [own[v] for v in sizes],
            marker="o",
            color=styles[one][0],
            ls=styles[one][1],
            ms=1.5 if many else 3,
            lw=0.6 if many else 1.2,
        )
    ends = {one: (max(own), own[max(own)]) for one, own in points.items()}
    if series.level is not None:
        level = series.level / len(halves(count)[0])
        reach = min(min(own) for own in points.values()), max(max(own) for own in points.values())
        axes.plot(reach, [level, level], color="0.5", lw=0.8, ls="--", zorder=0)
    axes.set_xscale("log")
    _ticks(axes, sorted({cell.vocabulary for cell in tried}))
    axes.set_xlabel("vocabulary size (rings: equalised)")
    axes.set_ylabel("tokens per sentence")
    amount = f", {series.amount:,} bytes" if series.amount else ""
    axes.set_title(f"{series.algorithm}{amount}", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    _name_ends(axes, ends, styles, inches)


def _ticks(axes: Any, sizes: list[int]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    kept: list[int] = []
    for size in sizes:  # so many that their labels do not touch
        if not kept or size / kept[-1] > (sizes[-1] / sizes[0]) ** (1 / 9):
            kept.append(size)
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{size:,}" for size in kept])


def _name_ends(
    axes: Any, ends: dict[str, tuple[int, float]], styles: Styles, inches: float
) -> None:
    """Names in a column at the right, in the order of the curves' ends, pushed apart."""
    order = sorted(ends, key=lambda one: ends[one][1])
    if len(order) > MANY:
        order = order[:NAMED] + order[-NAMED:]
    if not order:
        return
    low, high = axes.get_ylim()
    step = (high - low) * LINE / inches
    heights: list[float] = []
    for one in order:
        heights.append(max(ends[one][1], heights[-1] + step if heights else low))
    over = max(0.0, heights[-1] - high)
    for number in reversed(range(len(heights))):  # and back from above the top
        limit = heights[number + 1] - step if number + 1 < len(heights) else heights[-1] - over
        heights[number] = min(heights[number], limit)
    right = max(size for size, _ in ends.values())
    for one, height in zip(order, heights, strict=True):
        size, tokens = ends[one]
        axes.plot([size, right * 1.12], [tokens, height], color=styles[one][0], lw=0.5, alpha=0.6)
        axes.annotate(
            one, (right * 1.14, height), fontsize=7, va="center", annotation_clip=False,
            color="black" if len(ends) > MANY else styles[one][0],
        )  # fmt: skip
    left, _ = axes.get_xlim()
    axes.set_xlim(left, right * 1.14 * (right / left) ** 0.16)


def _premiums(axes: Any, series: Series, styles: Styles) -> None:
    """Premiums before (open) and after (filled), a line for each language."""
    axes.spines[["top", "right"]].set_visible(False)
    if series.equalised is None:
        axes.set_axis_off()
        axes.text(
            0.5, 0.5, f"not equalised: {series.why}", ha="center", transform=axes.transAxes,
            fontsize=9, wrap=True,
        )  # fmt: skip
        return
    pair = series.equalised
    before, after = pair.before.premiums, pair.after.premiums
    order = sorted(before, key=lambda one: (before[one], one))
    some = ""
    if len(order) > ROWS:
        cheap = ROWS // 4
        some = f"\n({cheap} cheapest and {ROWS - cheap} dearest of {len(order)})"
        order = order[:cheap] + order[cheap - ROWS :]
    reach = {fit.language: fit.status for fit in series.fits}
    for height, one in enumerate(order):
        axes.plot([before[one], after[one]], [height, height], color="0.8", lw=1.2, zorder=0)
        axes.plot(before[one], height, "o", mfc="white", mec=styles[one][0], ms=5)
        axes.plot(after[one], height, "o", color=styles[one][0], ms=5)
    axes.axvline(1, color="0.5", lw=0.8, ls="--", zorder=0)
    marks = {"out of reach": " (out of reach)", "extrapolated": " (extrapolated)"}
    names = [one + marks.get(reach[one], "") for one in order]
    axes.set_yticks(range(len(order)), names, fontsize=7)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.set_xlabel("premium")
    axes.set_title(
        f"open: {pair.before.vocabulary:,} tokens for all; filled: equalised sizes{some}",
        fontsize=9, loc="left",
    )  # fmt: skip
