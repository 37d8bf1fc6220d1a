"""What each language and script pays: premiums, the worst of them, and how unequal they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from tokbench.files import slug
from tokbench.metrics.text.fairness import gini
from tokbench.report.page import INK, Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_figures import (
    LINES,
    axes,
    colour,
    legend,
    marker,
    plain_ticks,
    proportional,
    short,
)
from tokbench.tables import interval
from tokbench.text.languages import family_of, script_of, title_of
from tokbench.types import Score

if TYPE_CHECKING:
    pass

WORST = 16
METRICS = ("premium", "bytes-per-token")
"""What is shown by language: the first that the records have."""
_POOLED = ("script-", "family-")


@dataclass
class ByLanguage:
    """One metric of one task by language. scores, pooled: by subject, then by language, or by
    `script-…` and `family-…`."""

    task: str
    metric: str
    unit: str
    labels: list[str]
    scores: dict[str, dict[str, Score]]
    pooled: dict[str, dict[str, Score]]

    @property
    def lower_is_better(self) -> bool:
        return self.metric == "premium"

    @property
    def base(self) -> str:
        """The reference language, whose premium is 1 by definition; else empty."""
        signature = next(iter(self.scores.values()))[self.labels[0]].metric
        return signature.partition("reference:")[2].partition("|")[0]

    def values(self, label: str) -> list[float]:
        """What the subjects have for a language, without those that have nothing."""
        found = (scores.get(label) for scores in self.scores.values())
        return [score.value for score in found if score is not None and score.value is not None]

    def ranked(self) -> list[str]:
        """Languages with a value, the worst first, by the mean over subjects."""
        sign = -1 if self.lower_is_better else 1
        there = [label for label in self.labels if self.values(label)]
        return sorted(there, key=lambda label: sign * float(np.mean(self.values(label))))


def by_language(subjects: Sequence[Subject]) -> Iterator[ByLanguage]:
    """Every task whose records have the metric for two languages or more."""
    for task in dict.fromkeys(task for subject in subjects for task in subject.records):
        for metric in METRICS:
            scores: dict[str, dict[str, Score]] = {}
            pooled: dict[str, dict[str, Score]] = {}
            for subject in subjects:
                if task not in subject.records:
                    continue
                own: dict[str, Score] = {}
                of_several: dict[str, Score] = {}
                for score in subject.records[task][0].scores:
                    name, _, label = score.name.partition("/")
                    if name != metric or label in ("", "max", "mean"):
                        continue
                    (of_several if label.startswith(_POOLED) else own)[label] = score
                if own:
                    scores[subject.name], pooled[subject.name] = own, of_several
            labels = list(dict.fromkeys(label for own in scores.values() for label in own))
            if len(labels) > 1:
                unit = next(iter(scores.values()))[labels[0]].unit
                yield ByLanguage(task, metric, unit, labels, scores, pooled)
                break


def sections(
    page: Page, subjects: Sequence[Subject], shown: Set[str] = frozenset()
) -> Iterator[Section]:
    """One section for each task. shown: groups whose tokens the page shows, to link to."""
    for found in by_language(subjects):
        name = f"languages-{slug(found.task)}"
        ranked = found.ranked()
        plots = []
        if ranked:
            plots.append(_worst_plot(page, found, ranked, name))
        scripts = {label: script_of(label) for label in ranked}
        if len(set(scripts.values())) > 1 and all(scripts.values()):
            plots.append(_script_plot(page, found, scripts, name))
        if found.metric == "premium" and len(ranked) > 2:
            plots.append(_lorenz_plot(page, found, subjects, name))
        body = page.fill(
            "text_languages.html",
            plots=plots,
            tables=[_table(page, found, name, shown), *_pooled_table(page, found, name)],
            found=found,
            missing=[label for label in found.labels if not found.values(label)],
        )
        yield Section(name, f"{found.metric.capitalize()} by language: {found.task}", body)


def _axis_title(found: ByLanguage) -> str:
    if found.metric == "premium":
        return f"tokens relative to {found.base or 'the reference'}, same content"
    return found.unit or found.metric


def _worst_plot(page: Page, found: ByLanguage, ranked: list[str], name: str) -> Markup:
    worst = ranked[:WORST]
    titles = [short(title_of(label, found.labels), 26) for label in worst]
    figure, plot = axes(5.4, 0.9 + 0.24 * len(worst), titles, list(found.scores))
    several = len(found.scores)
    for number, scores in enumerate(found.scores.values()):
        aside = (number - (several - 1) / 2) * min(0.22, 0.7 / several)
        own = [(place + aside, s) for place, s in enumerate(map(scores.get, worst)) if s]
        known = [(y, s.low, s.high) for y, s in own if s.low is not None and s.high is not None]
        if known:  # all in one artist: each takes its time to draw
            plot.hlines(*zip(*known, strict=True), color=colour(number), linewidth=1.4, zorder=3)
        points = [(s.value, y) for y, s in own if s.value is not None]
        plot.plot(
            [x for x, _ in points], [y for _, y in points], marker(number), markersize=4.5,
            color=colour(number), zorder=3, label="subject",
        )  # fmt: skip
    plot.set_xlabel(_axis_title(found), fontsize=9)
    if found.lower_is_better:
        plot.set_xlim(left=0)
    legend(plot, list(found.scores))
    kind = "highest" if found.lower_is_better else "lowest"
    interval = any(
        score.low is not None for scores in found.scores.values() for score in scores.values()
    )
    caption = f"The {len(worst)} languages with the {kind} {found.metric}"
    caption += ", with 95 % intervals." if interval else "."
    first = ", ".join(
        f"{title_of(label, found.labels)} {np.mean(found.values(label)):.3g}" for label in worst[:3]
    )
    return page.figure(f"{name}-worst", figure, caption, f"{caption} First: {first}.")


def _script_plot(page: Page, found: ByLanguage, scripts: dict[str, str], name: str) -> Markup:
    members = defaultdict(list)
    for label, script in scripts.items():
        members[script].append(label)
    means = {s: float(np.mean([found.values(v)[0] for v in m])) for s, m in members.items()}
    order = sorted(members, key=means.__getitem__, reverse=found.lower_is_better)
    named = [f"{script} ({len(members[script])})" for script in order]
    figure, plot = axes(5.4, 0.9 + 0.2 * len(order), named, list(found.scores))
    several = len(found.scores)
    every: list[float] = []
    for number, scores in enumerate(found.scores.values()):
        x, y = [], []
        for place, script in enumerate(order):
            for label in members[script]:
                score = scores.get(label)
                if score is not None and score.value is not None:
                    x.append(score.value)
                    y.append(place + (number - (several - 1) / 2) * min(0.3, 0.8 / several))
        every += x
        plot.plot(x, y, marker(number), markersize=4, alpha=0.55, color=colour(number),
                  markeredgewidth=0, label="subject")  # fmt: skip
    if proportional(every):
        plot.set_xscale("log")
        plain_ticks(plot.xaxis)
    if found.metric == "premium":
        plot.axvline(1, color=INK, linewidth=0.8, alpha=0.6)
    plot.set_xlabel(_axis_title(found), fontsize=9)
    legend(plot, list(found.scores))
    caption = "By script (ISO 15924, number of languages): one mark for each language."
    ends = (
        f"Lowest mean {order[0]} {means[order[0]]:.3g}, highest {order[-1]} {means[order[-1]]:.3g}"
    )
    return page.figure(f"{name}-scripts", figure, caption, f"{caption} {ends}.")


def _lorenz_plot(page: Page, found: ByLanguage, subjects: Sequence[Subject], name: str) -> Markup:
    figure, plot = axes(5.4, 3.6, names=list(found.scores))
    plot.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.5)
    said, shown = [], []
    for number, (subject, scores) in enumerate(found.scores.items()):
        costs = np.sort([s.value for s in scores.values() if s.value is not None])
        curve = np.concatenate(([0.0], np.cumsum(costs) / costs.sum()))
        plot.plot(
            np.linspace(0, 1, len(curve)), curve, color=colour(number), linewidth=1.6,
            linestyle=LINES[number % len(LINES)], label="subject",
        )  # fmt: skip
        value, bounds = _gini(found, subjects, subject, costs)
        said.append(f"{subject}: Gini {value:.3f}{bounds}")
        shown.append(f"{short(subject, 24)}  G = {value:.3f}")
    plot.set_xlim(0, 1)
    plot.set_ylim(0, 1)
    plot.set_xlabel("share of languages, cheapest first", fontsize=9)
    plot.set_ylabel("share of all tokens", fontsize=9)
    legend(plot, shown)
    caption = f"Lorenz curve of the tokens for the same content. {'; '.join(said)}."
    return page.figure(f"{name}-lorenz", figure, caption, f"{caption} The diagonal: all pay alike.")


def _gini(
    found: ByLanguage, subjects: Sequence[Subject], subject: str, costs: np.ndarray
) -> tuple[float, str]:
    """The record's own coefficient with its interval; from the premiums where it has none."""
    one = next(each for each in subjects if each.name == subject)
    score = one.records[found.task][0].score("gini")
    if score is None or score.value is None:
        return float(gini(costs)), ""
    if score.low is None or score.high is None:
        return score.value, ""
    return score.value, f" [{score.low:.3f}, {score.high:.3f}]"


def _columns(found: ByLanguage, header: list[str]) -> list[int]:
    """Add the columns of every subject to the header; returns those of numbers."""
    if len(found.scores) == 1:
        header += [found.metric, "low", "high"]
        return [len(header) - 3, len(header) - 2, len(header) - 1]
    right = []
    for subject in found.scores:
        right.append(len(header))
        header += [subject, "95 %"]
    return right


def _cells(found: ByLanguage, score: Score | None) -> list[Any]:
    """The cells of one subject, as `_columns` has them."""
    if len(found.scores) == 1:
        return [None] * 3 if score is None else [score.value, score.low, score.high]
    return (
        [None, ""]
        if score is None
        else [
            score.value,
            interval(score.low, score.high).replace(" ", "\N{NO-BREAK SPACE}"),
        ]
    )


def _table(page: Page, found: ByLanguage, name: str, shown: Set[str]) -> Markup:
    header = ["language", "group", "script", "family"]
    right = _columns(found, header)
    rows: list[list[Any]] = []
    for label in [*found.ranked(), *(one for one in found.labels if not found.values(one))]:
        title: Any = title_of(label)
        if label in shown:
            title = page.fill("text_link.html", group=label, title=title)
        row = [title, label, script_of(label) or None, family_of(label).replace("-", " ") or None]
        for scores in found.scores.values():
            score = scores.get(label)
            row += _cells(found, score)
        rows.append(row)
    caption = f"Every language of {found.task}, the worst first; 95 % intervals."
    return page.table(name, header, rows, caption, right)


def _pooled_table(page: Page, found: ByLanguage, name: str) -> Iterator[Markup]:
    names = dict.fromkeys(label for pooled in found.pooled.values() for label in pooled)
    if not names:
        return
    header = ["kind", "mean over", "languages"]
    right = _columns(found, header)
    rows = []
    for label in names:
        kind, _, what = label.partition("-")
        own = [pooled.get(label) for pooled in found.pooled.values()]
        note = next((score.note for score in own if score is not None), "")
        count = note.split()[0] if note[:1].isdigit() else ""
        row: list[Any] = [kind, what.replace("-", " "), int(count) if count.isdigit() else None]
        for score in own:
            row += _cells(found, score)
        rows.append(row)
    rows.sort(key=lambda row: (row[0] != "script", -(row[3] or 0)))
    yield page.table(
        f"{name}-pooled",
        header,
        rows,
        "Means over the languages of a script or family.",
        [2, *right],
    )
