"""How figures of the text sections look: colours told apart by everyone, on light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokbench.report.page import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2a7fc4", "#d0662b", "#1f9270", "#b0619c", "#96801f", "#7672d6")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


def colour(number: int) -> str:
    """Of the subject in this place."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Of the subject in this place."""
    return MARKERS[number % len(MARKERS)]


def axes(
    width: float = 5.4, height: float = 3.2, labels: Sequence[str] = (), names: Sequence[str] = ()
) -> tuple[Figure, Axes]:
    """One empty plot, in inches; text and lines follow the page's own colour. labels: of the
    vertical axis, one below the other from the top, else it has numbers. names: of what is drawn,
    for which the legend gets room above.

    Margins are reckoned here: the library's own layout draws every text several times.
    """
    from matplotlib.figure import Figure

    head = 0.12 + (0.2 * len(names) if len(names) > 1 else 0)
    height += head - 0.12
    figure = Figure((width, height))
    left = 0.2 + 0.078 * max(map(len, labels)) if labels else 0.62
    figure.subplots_adjust(
        left=left / width, right=1 - 0.15 / width, bottom=0.52 / height, top=1 - head / height
    )
    figure.patch.set_alpha(0)
    found = figure.add_subplot()
    found.patch.set_alpha(0)
    for side in ("top", "right"):
        found.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        found.spines[side].set_color(INK)
        found.spines[side].set_linewidth(0.6)
    found.tick_params(colors=INK, labelsize=9, width=0.6)
    found.xaxis.label.set_color(INK)
    found.yaxis.label.set_color(INK)
    found.grid(color=INK, alpha=0.12, linewidth=0.6)
    found.set_axisbelow(True)
    if labels:
        found.set_yticks(range(len(labels)), labels)
        found.set_ylim(len(labels) - 0.4, -0.6)
    return figure, found


def legend(found: Axes, names: Sequence[str]) -> None:
    """Say which is which where there are several."""
    if len(names) < 2:
        return
    handles, _ = found.get_legend_handles_labels()
    found.legend(
        handles, [short(name, 60) for name in names], frameon=False, fontsize=9, labelcolor=INK,
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, labelspacing=0.25,
    )  # fmt: skip


def short(name: str, most: int = 32) -> str:
    """A name that fits into a figure, on one line, and as it is: no dollar begins a formula."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    cut = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    return cut.replace("\\", "\N{REVERSE SOLIDUS OPERATOR}").replace("$", r"\$")


def proportional(values: Sequence[float]) -> bool:
    """Should they be drawn on a logarithmic axis: all positive, and far apart?"""
    return min(values) > 0 and max(values) / min(values) > 4


def plain_ticks(axis: object) -> None:
    """Numbers as people write them on a logarithmic axis: 1, 2, 5, 10."""
    from matplotlib.axis import Axis
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    assert isinstance(axis, Axis)
    low, high = axis.get_view_interval()
    wide = high / low > 200
    axis.set_major_locator(LogLocator(10, subs=(1,) if wide else (1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
