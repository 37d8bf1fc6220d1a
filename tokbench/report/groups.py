"""The scores of a record's groups (languages, kinds of pictures): which belong to which."""

from __future__ import annotations

from dataclasses import dataclass

from tokbench.commands.evaluate import headline
from tokbench.record import Record
from tokbench.text.languages import is_code, languages
from tokbench.types import Score


def headlines(record: Record) -> list[Score]:
    """The scores of the whole data, the main one first, without mere counts."""
    return [score for score in headline(record, False) if not score.metric.startswith("counts|")]


def main_score(record: Record) -> Score | None:
    """The score to rank by."""
    return record.score(record.about.task.main)


def by_group(record: Record) -> dict[str, dict[str, Score]]:
    """Group -> score's name -> score, in the order of the record. Families and scripts of
    languages are groups of their own, after the languages."""
    shown = {score.name for score in headline(record, False)}
    found: dict[str, dict[str, Score]] = {}
    for score in record.scores:
        name, slash, group = score.name.partition("/")
        if slash and score.name not in shown and not score.metric.startswith("counts|"):
            found.setdefault(group, {})[name] = score
    order = {True: 0, False: 1}
    if any(map(is_code, found)):
        return dict(sorted(found.items(), key=lambda pair: order[is_code(pair[0])]))
    return found


def full_name(group: str) -> str:
    """A language's code with its English name, where it is one."""
    known = languages().get(group.partition("_")[0]) if is_code(group) else None
    return f"{group} {known.name}" if known else group


@dataclass(frozen=True, slots=True)
class Extremes:
    """Groups with the best and the worst score of the main metric, the most extreme first."""

    best: list[tuple[str, Score]]
    worst: list[tuple[str, Score]]
    better: str
    groups: int


def extremes(record: Record, most: int = 3) -> Extremes | None:
    """Where the main score is best and worst; None with fewer than four groups. Where no
    direction is better, best is highest."""
    metric = record.about.task.main.partition("/")[0]
    main = main_score(record)
    groups = by_group(record)
    coded = any(map(is_code, groups))
    scores = [
        (group, score)
        for group, own in groups.items()
        if (score := own.get(metric)) is not None
        and score.value is not None
        and (is_code(group) or not coded)
    ]
    if main is None or len(scores) < 4:
        return None
    told = [(g, s) for g, s in scores if f"reference:{g}" not in s.metric.split("|")]  # it is 1
    ordered = sorted(told, key=lambda pair: pair[1].value or 0.0, reverse=main.better != "lower")
    most = min(most, len(ordered) // 2)
    return Extremes(ordered[:most], ordered[-most:][::-1], main.better, len(scores))
