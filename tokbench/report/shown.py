"""Which images or clips of a task a report shows, and these through every tokenizer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tokbench.bench import Bench
from tokbench.errors import UserError
from tokbench.media import EncodedMedia
from tokbench.report.per_sample import Measure, measures
from tokbench.report.subjects import Subject, through
from tokbench.samples import Samples
from tokbench.types import Sample

Place = tuple[int, int]
"""Group and index of a sample."""
MOST = 4
"""Tokenizers that are shown side by side."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample and what one tokenizer gave back; `row` is its place in the batch."""

    sample: Sample
    output: np.ndarray
    row: int


@dataclass
class Shown:
    """Samples of one task and what became of them.

    subjects: those on the same samples. values: per-sample statistics of each, by its name.
    measure: what the worst are worst by; None where nothing tells. worst, drawn: which samples.
    media: the shown samples through each tokenizer. absent: why a tokenizer shows none.
    """

    task: str
    subjects: list[Subject]
    values: dict[str, Samples]
    measure: Measure | None = None
    worst: list[Place] = field(default_factory=list)
    drawn: list[Place] = field(default_factory=list)
    media: dict[str, EncodedMedia] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def places(self) -> list[Place]:
        """The worst, then those drawn."""
        return [*self.worst, *self.drawn]

    @property
    def shown(self) -> list[Subject]:
        """The subjects that show samples."""
        return [subject for subject in self.subjects if subject.name in self.media]

    def pairs(self, name: str) -> dict[Place, Pair]:
        """Original and output of each shown sample of one tokenizer."""
        media = self.media[name]
        if not media.outputs:
            return {}
        at = zip(media.batch.group.tolist(), media.batch.index.tolist(), strict=True)
        both = zip(at, media.batch.samples, media.outputs, strict=True)
        return {place: Pair(s, out, row) for row, (place, s, out) in enumerate(both)}

    def versions(self) -> dict[Place, dict[str, Pair]]:
        """Of each shown sample what every tokenizer gave back, by the tokenizer's name."""
        own = {subject.name: self.pairs(subject.name) for subject in self.shown}
        found = {
            place: {name: pairs[place] for name, pairs in own.items() if place in pairs}
            for place in self.places
        }
        return {place: versions for place, versions in found.items() if versions}

    def value(self, name: str, place: Place) -> float | None:
        """The measure of one sample of one tokenizer."""
        samples = self.values.get(name)
        if samples is None or self.measure is None:
            return None
        rows = samples.evidence
        at = np.flatnonzero((rows.group == place[0]) & (rows.index == place[1]))
        if not len(at):
            return None
        found = float(self.measure.of(rows.rows_of(at[:1]))[0])
        return None if np.isnan(found) else found


def show(task: str, subjects: Sequence[Subject], worst: int, drawn: int) -> Shown:
    """The `worst` samples by the main score (the mean of the tokenizers) and `drawn` others,
    seeded by the task, through each of the tokenizers."""
    first = subjects[0].records[task][0]
    same = [s for s in subjects if _question(s, task) == _question(subjects[0], task)]
    found = Shown(task, same[:MOST], {})
    others = [s for s in subjects if _question(s, task) != _question(subjects[0], task)]
    for subject in others:
        found.absent[subject.name] = "it was measured on other samples, or otherwise"
    for subject in same[MOST:]:
        found.absent[subject.name] = f"only the first {MOST} are shown side by side"
    benches: dict[str, Bench] = {}
    for subject in found.subjects:
        try:
            samples = subject.samples(task)
            if samples is not None:
                found.values[subject.name] = samples
            benches[subject.name] = subject.bench(task)
        except UserError as error:
            found.absent[subject.name] = str(error).removeprefix(f"{subject.name}: ")
    known = [s for s in found.values.values() if s.evidence.block == 1]
    if known:
        _worst_of(found, known, first.about.task.main, worst)
    rest = sorted(set(_all_places(found, benches)) - set(found.worst))
    found.drawn = sorted(random.Random(f"{task} report").sample(rest, min(drawn, len(rest))))
    for name, bench in benches.items():
        media = through(bench, found.places) if found.places else None
        if media is None:
            found.absent[name] = "none of the samples chosen came through it"
        elif not media.outputs:
            found.absent[name] = "the tokenizer does not decode"
        if media is not None:
            found.media[name] = media
    return found


def _question(subject: Subject, task: str) -> tuple[object, ...]:
    record = subject.records[task][0]
    return record.about.dataset.fingerprint, record.about.task.fingerprint, record.limit


def _worst_of(found: Shown, known: list[Samples], main: str, count: int) -> None:
    """Set the measure and the worst samples, of those that every tokenizer has."""
    options = measures(main, known[0].evidence.columns)
    if not options:
        return
    found.measure = options[0]
    sums: dict[Place, list[float]] = {}
    for samples in known:
        rows = samples.evidence
        values = options[0].of(rows).tolist()
        for place, value in zip(
            zip(rows.group.tolist(), rows.index.tolist(), strict=True), values, strict=True
        ):
            sums.setdefault(place, []).append(value)
    sign = 1 if options[0].better == "higher" else -1
    means = {
        place: sign * float(np.mean(values))
        for place, values in sums.items()
        if len(values) == len(known) and not np.isnan(values).any()
    }
    found.worst = sorted(means, key=lambda place: (means[place], place))[:count]


def _all_places(found: Shown, benches: dict[str, Bench]) -> list[Place]:
    """Every sample of the task: by the evidence, else by the data."""
    for samples in found.values.values():
        rows, block = samples.evidence, samples.evidence.block
        # Of a block only the first sample is known to be there.
        return list(zip(rows.group.tolist(), (rows.index * block).tolist(), strict=True))
    from tokbench.media_bench import MediaBench

    for bench in benches.values():
        assert isinstance(bench, MediaBench)
        return [
            (piece.part, index)
            for shard in bench.source.shards(bench.job.limit)
            for piece in shard
            for index in range(piece.first, piece.first + piece.count)
        ]
    return []
