"""Which tokenizers of a report answered the same question, and how they differ."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from tokbench.ceilings import is_ceiling
from tokbench.compare import Difference, corrected, paired, refuse_unlike, replicates
from tokbench.errors import UserError
from tokbench.leaderboard import question
from tokbench.manifest import load_manifest, manifest_names
from tokbench.record import Record
from tokbench.report.groups import headlines
from tokbench.report.subjects import Subject
from tokbench.samples import Samples, aligned
from tokbench.task import Task
from tokbench.types import Score


@dataclass
class Comparison:
    """The tokenizers that answered one question.

    pairs: by score, first and second tokenizer: the difference second − first, Holm-corrected
    over all of them. why: why there are none, where there are none.
    """

    task: str
    title: str
    names: list[str]
    records: list[Record]
    pairs: dict[tuple[str, str, str], Difference] = field(default_factory=dict)
    why: str = ""

    @cached_property
    def score_names(self) -> list[str]:
        """Headline scores that two or more have."""
        found = [score.name for record in self.records for score in headlines(record)]
        return [name for name in dict.fromkeys(found) if len(self.ranking(name)) > 1]

    @cached_property
    def scores(self) -> list[dict[str, Score]]:
        """The scores of each tokenizer, by name."""
        return [{score.name: score for score in record.scores} for record in self.records]

    def better(self, score: str) -> str:
        return next((own[score].better for own in self.scores if score in own), "neither")

    def unit(self, score: str) -> str:
        return next((own[score].unit for own in self.scores if score in own), "")

    def ranking(self, score: str) -> list[tuple[str, float]]:
        """Tokenizers with their values, the best (or highest) first."""
        sign = 1 if self.better(score) == "lower" else -1
        values = [
            (name, value)
            for name, own in zip(self.names, self.scores, strict=True)
            if score in own and (value := own[score].value) is not None
        ]
        return sorted(values, key=lambda pair: sign * pair[1])

    def aside(self, score: str) -> str:
        """A sentence on those that are no contenders, after a space; empty where all are."""
        kept = {name for name, _ in self.contenders(score)}
        names = [name for name, _ in self.ranking(score) if name not in kept]
        return f" Without {', '.join(names)}: the original itself." if names else ""

    def contenders(self, score: str) -> list[tuple[str, float]]:
        """The same without those that are the original itself, where two others remain."""
        names = {n for n, r in zip(self.names, self.records, strict=True) if is_ceiling(r)}
        ranked = self.ranking(score)
        others = [pair for pair in ranked if pair[0] not in names]
        return others if len(others) > 1 else ranked

    def pair(self, score: str, first: str, second: str) -> Difference | None:
        """The difference of two with paired evidence, in either order."""
        return self.pairs.get((score, first, second)) or self.pairs.get((score, second, first))

    def against(self, score: str, baseline: str, other: str) -> Difference | None:
        """The difference other − baseline, with paired evidence."""
        found = self.pairs.get((score, baseline, other))
        turned = self.pairs.get((score, other, baseline))
        if found is not None or turned is None or turned.low is None or turned.high is None:
            return found
        return replace(
            turned, baseline=turned.other, other=turned.baseline, other_name=other,
            low=-turned.high, high=-turned.low,
        )  # fmt: skip

    def distinct(self, score: str, first: str, second: str) -> bool:
        """Do they differ, after Holm's correction?"""
        found = self.pair(score, first, second)
        return found is not None and found.verdict in ("better", "worse", "higher", "lower")

    def winner(self, score: str) -> str | None:
        """The one that is better than every other, after Holm's correction."""
        ranked = self.ranking(score)
        if len(ranked) < 2 or self.better(score) == "neither":
            return None
        best = ranked[0][0]
        return best if all(self.distinct(score, best, name) for name, _ in ranked[1:]) else None


_made: weakref.WeakKeyDictionary[Subject, list[Comparison]] = weakref.WeakKeyDictionary()


def comparisons(subjects: Sequence[Subject]) -> list[Comparison]:
    """One for each question, in the order of the tasks; those of one tokenizer included where
    others answered another question of the task. Empty for a report of one tokenizer."""
    if len(subjects) < 2:
        return []
    if subjects[0] not in _made:
        _made[subjects[0]] = list(_compared(subjects))
    return _made[subjects[0]]


def _compared(subjects: Sequence[Subject]) -> list[Comparison]:
    found = []
    for task in dict.fromkeys(task for subject in subjects for task in subject.records):
        asked: dict[tuple[str, int | None], list[Subject]] = {}
        for subject in subjects:
            if task in subject.records:
                record, _ = subject.records[task]
                asked.setdefault((question(record), record.limit), []).append(subject)
        for number, several in enumerate(asked.values(), 1):
            title = task if len(asked) == 1 else f"{task}, question {number}"
            one = Comparison(
                task, title, [s.name for s in several], [s.records[task][0] for s in several]
            )
            if len(several) > 1:
                try:
                    one.pairs = _differences(several, one)
                except UserError as error:
                    one.why = str(error)
                if not one.pairs and not one.why:
                    one.why = "no evidence by sample lies beside the records"
            found.append(one)
    return found


def unlike(found: Sequence[Comparison]) -> list[str]:
    """How the questions of one task differ: the part of the signature, and both sides."""
    lines = []
    for first, second in combinations(found, 2):
        if first.task == second.task:
            try:
                refuse_unlike(first.records[0], second.records[0])
                lines.append(f"{first.title} and {second.title}: a metric's codebook size differs")
            except UserError as error:
                lines.append(str(error))
    return lines


def _differences(
    subjects: Sequence[Subject], one: Comparison
) -> dict[tuple[str, str, str], Difference]:
    """All pairs on the headline scores, from bootstrap replicates over the samples all have."""
    names = one.score_names
    read = [subject.samples(one.task) for subject in subjects]
    samples = _common([each for each in read if each is not None])
    if len(samples) < len(read):
        return {}
    draws = [_draws(s, one.task, own, names) for s, own in zip(subjects, samples, strict=True)]
    keys, made = [], []
    for a, b in combinations(range(len(subjects)), 2):
        for name in names:
            x, y = one.scores[a].get(name), one.scores[b].get(name)
            if x is None or y is None or x.value is None or y.value is None:
                continue
            if x.metric != y.metric or name not in draws[a] or name not in draws[b]:
                continue
            known = paired(draws[b][name] - draws[a][name], y.value - x.value)
            keys.append((name, one.names[a], one.names[b]))
            made.append(
                Difference(one.task, name, x.unit, x.better, x.value, y.value, one.names[b], *known)
            )
    return dict(zip(keys, corrected(made), strict=True))


def _common(samples: list[Samples]) -> list[Samples]:
    """All on the rows that all have."""
    if len(samples) < 2:
        return samples
    base = samples[0]
    for other in samples[1:]:
        base, _ = aligned(base, other)
    return [aligned(base, each)[1] for each in samples]


def _draws(
    subject: Subject, task: str, samples: Samples, names: Sequence[str]
) -> dict[str, np.ndarray]:
    record, _ = subject.records[task]
    metrics = {score.metric for name in names if (score := record.score(name))}
    asked: Task = subject.tasks[task]
    known = {metric.signature() for metric in asked.made}
    data = record.about.dataset.name
    parallel = data in manifest_names() and load_manifest(data).parallel
    parallel = parallel or any("reference:" in signature for signature in known)
    return replicates(record, samples, asked, parallel, metrics & known)
