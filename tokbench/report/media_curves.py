"""Curves of images and clips: quality over rate, and quality under disturbed codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tokbench.files import slug
from tokbench.rates import curve_name
from tokbench.report.media_section import Block
from tokbench.report.page import INK, Page
from tokbench.report.subjects import Subject
from tokbench.types import Score

RATES = ("bits-per-pixel", "bits-per-second")
COLOURS = ("#2f7fd0", "#d9731a", "#2f9e6e", "#c2559c", "#8a6fd1", "#b08a1e", "#4aa3b5", "#a05a4a")
"""Mid-tones that read on white and near black, apart for the colour-blind too."""
MARKS = "osD^vPX*"


class Point(NamedTuple):
    """A score over something, with its interval where it has one."""

    name: str
    x: float
    score: Score


Lines = dict[str, list[Point]]


def rate_distortion(page: Page, task: str, subjects: Sequence[Subject]) -> Block | None:
    """Quality over rate, the points of one family joined; None where the task has no rate."""
    title = "Rate and distortion"
    first = subjects[0].records[task][0]
    rate_name = next((name for name in RATES if first.score(name)), None)
    quality = _quality(first.about.task.main, [s.name for s in first.scores], first)
    if rate_name is None or quality is None:
        return None
    lines: Lines = {}
    missing = []
    for subject in subjects:
        record = subject.records[task][0]
        x, y = record.score(rate_name), record.score(quality)
        if x is None or y is None or x.value is None or y.value is None:
            missing.append(subject.name)
        else:
            lines.setdefault(curve_name(subject.name), []).append(Point(subject.name, x.value, y))
    left = (f"Without {rate_name} or {quality}: {', '.join(missing)}.",) if missing else ()
    if sum(map(len, lines.values())) < 2:
        one = "One point makes no curve: report several rates together, such as jpeg:10..90:20."
        return Block(title, notes=(*left, one))
    for points in lines.values():
        points.sort(key=lambda point: point.x)
    named = {points[0].name if len(points) == 1 else name: points for name, points in lines.items()}
    found, unit = first.score(quality), first.score(rate_name)
    assert found is not None and unit is not None
    body = _drawn(
        page, f"rate-{slug(task)}", named, f"{rate_name} ({unit.unit})", _axis(found),
        f"{quality} over {rate_name} on {task}. Bars: 95 % intervals of each point by itself.",
        log=True,
    )  # fmt: skip
    return Block(title, body, left)


def _quality(main: str, names: list[str], record: Any) -> str | None:
    """The main score where it is one of quality, else the first that is known."""
    for name in (main, "psnr", "si-sdr", "ssim"):
        score = record.score(name) if name in names else None
        if score is not None and score.better != "neither" and name not in RATES:
            return name
    return None


_SERIES = (
    (r"(pfid.*)/alpha-([\d.]+)", "share of tokens replaced by near ones, α"),
    (r"(perturbed-psnr.*)/alpha-([\d.]+)", "share of tokens replaced by near ones, α"),
    (r"(latent-noise-psnr.*)/sigma-([\d.]+)", "noise on the latents, σ"),
)
"""Scores along a curve (their name and place on it), and the axis."""


def disturbed(page: Page, task: str, subjects: Sequence[Subject]) -> list[Block]:
    """How quality falls when codes are not quite right, for each such score of the records."""
    blocks = []
    for pattern, axis in _SERIES:
        curves: dict[str, Lines] = {}
        for subject in subjects:
            for score in subject.records[task][0].scores:
                hit = re.fullmatch(pattern, score.name)
                if hit and score.value is not None:
                    lines = curves.setdefault(hit[1], {}).setdefault(subject.name, [])
                    lines.append(Point(subject.name, float(hit[2]), score))
        for name, own in curves.items():
            for points in own.values():
                points.sort(key=lambda point: point.x)
            first = next(iter(own.values()))[0].score
            body = _drawn(
                page, f"{slug(name)}-{slug(task)}", own, axis, f"{name} ({first.unit})",
                f"{name} when codes are disturbed, on {task}.",
            )  # fmt: skip
            blocks.append(Block(f"Disturbed codes: {name}", body))
    return blocks


def _axis(score: Score) -> str:
    unit = "" if score.unit in ("1", "share") else f" ({score.unit})"
    way = {"higher": " ↑", "lower": " ↓"}.get(score.better, "")
    return f"{score.name}{unit}{way}"


def _drawn(
    page: Page, name: str, lines: Lines, x: str, y: str, caption: str, log: bool = False
) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(5.4, 3.8), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for number, (label, points) in enumerate(lines.items()):
        values = [float(p.score.value or 0.0) for p in points]
        ends = [(p.score.low, p.score.high) for p in points]
        known = [(low, high) for low, high in ends if low is not None and high is not None]
        bars = None
        if len(known) == len(values):
            both = list(zip(values, known, strict=True))
            bars = [
                [max(v - low, 0.0) for v, (low, _) in both],
                [max(high - v, 0.0) for v, (_, high) in both],
            ]
        axes.errorbar(
            [p.x for p in points], values, yerr=bars, marker=MARKS[number % len(MARKS)],
            color=COLOURS[number % len(COLOURS)], markersize=5, capsize=2, elinewidth=0.9,
            linewidth=1.6, label=_shorter(label),
        )  # fmt: skip
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25, color=INK)
    for side in axes.spines.values():
        side.set_color(INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", colors=INK)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    legend = axes.legend(frameon=False, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)
    told = "; ".join(
        f"{_shorter(label)}: " + ", ".join(f"{p.score.value:.4g} at {p.x:.4g}" for p in points[:12])
        for label, points in list(lines.items())[:8]
    )
    return page.figure(name, figure, caption, f"{y} over {x}. {told}")


def _shorter(label: str) -> str:
    """A name of any length, on one line of a legend."""
    line = " ".join(label.split())
    return line if len(line) <= 40 else line[:39] + "…"
