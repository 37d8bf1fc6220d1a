"""How often each code of a codebook is used, as a map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tokbench.files import slug
from tokbench.media import EncodedMedia
from tokbench.report.media_section import Block
from tokbench.report.page import INK, Page
from tokbench.report.shown import Shown

MOST = 12
"""Levels that are drawn each as a grid."""
LARGEST = 1 << 20
"""Codes of the largest codebook that is drawn."""
FEW = 64
"""Codes up to which several levels are drawn as the rows of one table."""


def usage_maps(page: Page, shown: Shown) -> Block | None:
    """A map for each tokenizer with a codebook, of the codes of the samples shown."""
    figures, notes = [], []
    for number, subject in enumerate(shown.subjects, 1):
        media = shown.media.get(subject.name)
        spec = subject.records[shown.task][0].about.tokenizer.spec
        if not spec.vocabulary or (spec.vocabulary == (256,) and spec.variable_length):
            continue  # continuous, or the bytes of a compressed file
        if media is None or not media.codes.levels:
            notes.append(f"{subject.name}: no codes at hand to count.")
        elif max(spec.vocabulary) > LARGEST:
            notes.append(f"{subject.name}: {max(spec.vocabulary):,} codes are too many to draw.")
        else:
            figures.append(_figure(page, shown, subject.name, media, number))
    if not figures and not notes:
        return None
    body = page.fill("media_figures.html", figures=figures)
    return Block("Codebook usage", body, tuple(notes))


def counted(media: EncodedMedia) -> list[np.ndarray]:
    """How often each id of each level occurs, int64."""
    sizes = media.tokenizer.spec.vocabulary
    return [
        np.bincount(level.values.astype(np.int64), minlength=size)
        for level, size in zip(media.codes.levels, sizes, strict=True)
    ]


def grid(counts: np.ndarray) -> np.ndarray:
    """Counts in the order of their ids on ⌈√K⌉ × ⌈√K⌉, row by row; NaN where no id is, or where
    one was not used."""
    side = math.isqrt(max(len(counts) - 1, 0)) + 1
    cells = np.full(side * side, np.nan)
    cells[: len(counts)] = np.where(counts > 0, counts, np.nan)
    return cells.reshape(side, side)


def _figure(page: Page, shown: Shown, name: str, media: EncodedMedia, number: int) -> Any:
    levels = counted(media)
    rows = len(levels) > 4 and max(map(len, levels)) <= FEW
    figure = _rows(levels) if rows else _grids(levels[:MOST])
    used = [int((counts > 0).sum()) for counts in levels]
    tokens, codes = int(sum(c.sum() for c in levels)), sum(map(len, levels))
    told = (
        f"{sum(used):,} of {codes:,} codes used by {tokens:,} tokens of {len(media.batch)} samples"
    )
    way = (
        "One row for each level, one column for each id."
        if rows
        else "Ids row by row from the top left, one square for each level."
    )
    more = f" The first {MOST} of {len(levels)} levels." if len(levels) > MOST and not rows else ""
    caption = f"{name}: {told} (those shown above). {way}{more} Blank: not used."
    alt = f"Codebook usage of {name}: {told}"
    return page.figure(f"codebook-{slug(shown.task)}-{number}", figure, caption, alt)


def _grids(levels: list[np.ndarray]) -> Any:
    from matplotlib.figure import Figure

    across = min(len(levels), 4)
    down = math.ceil(len(levels) / across)
    figure = Figure(figsize=(1.2 + 2.4 * across if across > 1 else 4.4, 2.6 * down + 1.0),
                    layout="constrained")  # fmt: skip
    figure.patch.set_alpha(0)
    top = max(2, max(int(counts.max(initial=1)) for counts in levels))
    drawn, axes = None, []
    for number, counts in enumerate(levels):
        one = figure.add_subplot(down, across, number + 1)
        drawn = _image(one, grid(counts), top, "equal")
        one.set_xticks([])
        one.set_yticks([])
        label = f"level {number + 1}, " if len(levels) > 1 else ""
        one.set_title(f"{label}K = {len(counts):,}", color=INK, fontsize=9)
        axes.append(one)
    _bar(figure, drawn, axes)
    return figure


def _rows(levels: list[np.ndarray]) -> Any:
    from matplotlib.figure import Figure

    size = max(map(len, levels))
    table = np.full((len(levels), size), np.nan)
    for number, counts in enumerate(levels):
        table[number, : len(counts)] = np.where(counts > 0, counts, np.nan)
    figure = Figure(figsize=(6.4, min(1.4 + 0.13 * len(levels), 8)), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    drawn = _image(axes, table, max(2, int(np.nanmax(table, initial=1))), "auto")
    axes.set_xlabel("id", color=INK)
    axes.set_ylabel("level", color=INK)
    step = max(1, len(levels) // 8)
    axes.set_yticks(range(0, len(levels), step), [str(n + 1) for n in range(0, len(levels), step)])
    axes.tick_params(colors=INK)
    _bar(figure, drawn, [axes])
    return figure


def _image(axes: Any, table: np.ndarray, top: int, aspect: str) -> Any:
    from matplotlib.colors import LogNorm

    drawn = axes.imshow(
        table, cmap="viridis", norm=LogNorm(1, top), interpolation="nearest", aspect=aspect
    )
    axes.patch.set_alpha(0)
    for side in axes.spines.values():
        side.set_color(INK)
        side.set_alpha(0.4)
    return drawn


def _bar(figure: Any, drawn: Any, axes: list[Any]) -> None:
    from matplotlib.ticker import LogFormatterSciNotation, NullFormatter, StrMethodFormatter

    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
    wide = drawn.norm.vmax > 1e5
    bar.ax.yaxis.set_major_formatter(
        LogFormatterSciNotation() if wide else StrMethodFormatter("{x:g}")
    )
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    bar.set_label("times used (log)", color=INK)
    bar.ax.tick_params(which="both", colors=INK)
    bar.outline.set_visible(False)
