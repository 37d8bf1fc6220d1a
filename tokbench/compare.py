"""Paired comparison of tokenizers that answered the same question."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tokbench.errors import UserError
from tokbench.measured import LEVEL, Measured
from tokbench.record import Record
from tokbench.samples import Samples, aligned, read_samples
from tokbench.task import Task
from tokbench.tokenizers.text.adapter import TextTokenizer

ALPHA = 0.05
_FROM_TALLIES = {"ids", "token-bytes"}


@dataclass(frozen=True, slots=True)
class Difference:
    """Score of the other minus that of the baseline.

    low, high: paired-bootstrap interval; p: two-sided, from the bootstrap's standard error;
    adjusted: p after Holm's correction over all differences of the comparison. All None
    where there is no paired evidence.
    """

    task: str
    score: str
    unit: str
    better: str
    baseline: float
    other: float
    other_name: str
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `higher`, `lower`, `equal` or `not distinguishable`."""
        difference = self.other - self.baseline
        if self.adjusted is None:
            return "equal" if difference == 0 else "no paired evidence"
        if difference == 0 and self.low == self.high:
            return "equal"
        if self.adjusted >= ALPHA:
            return "not distinguishable"
        if self.better == "neither":
            return "higher" if difference > 0 else "lower"
        return "better" if (difference > 0) == (self.better == "higher") else "worse"


def unlike(first: Record, second: Record) -> list[tuple[str, str, str]]:
    """The parts of the signature in which two questions differ: what, there and here."""
    a, b = first.about, second.about
    ours, theirs = set(a.task.metrics), set(b.task.metrics)
    parts = [
        ("task", first.task, second.task),
        ("metrics", sorted(ours - theirs) or "-", sorted(theirs - ours) or "-"),
        ("sample unit", a.task.unit, b.task.unit),
        (
            "dataset",
            f"{a.dataset.name}@{a.dataset.version}",
            f"{b.dataset.name}@{b.dataset.version}",
        ),
        ("split", a.dataset.split, b.dataset.split),
        ("data hash", a.dataset.fingerprint[:12], b.dataset.fingerprint[:12]),
        ("limit", str(first.limit), str(second.limit)),
        ("task fingerprint", a.task.fingerprint[:12], b.task.fingerprint[:12]),
    ]
    return [(name, str(one), str(other)) for name, one, other in parts if one != other]


def refuse_unlike(first: Record, second: Record) -> None:
    """Raise `UserError` naming the part of the signature in which two questions differ."""
    for name, one, other in unlike(first, second)[:1]:
        raise UserError(
            f"{first.tokenizer} and {second.tokenizer} answered different questions: "
            f"{name}: {one} against {other}"
        )


def replicates(
    record: Record,
    samples: Samples,
    task: Task,
    parallel: bool,
    only: Collection[str] | None = None,
) -> dict[str, np.ndarray]:
    """Bootstrap replicates of every score that has paired evidence, by score name.

    only: signatures of the metrics wanted; None: all.
    """
    measured = as_measured(record, samples, task, parallel)
    # What was not measured (bits of a tokenizer without codes) has no evidence either.
    known = {s.metric.partition("|K:")[0] for s in record.scores if s.value is not None}
    for metric in task.made:
        signature = metric.signature()
        if signature not in known or (only is not None and signature not in only):
            continue
        if metric.paired and not _FROM_TALLIES & set(metric.statistics):
            deque(metric.result(measured), maxlen=0)
    return measured.kept


def as_measured(record: Record, samples: Samples, task: Task, parallel: bool) -> Measured:
    """A record's evidence, as metrics see it."""
    spec = record.about.tokenizer.spec
    return Measured(samples.evidence, samples.groups, parallel, spec, task.seed)


def differences(
    records: Sequence[tuple[Record, Path]], task: Task, parallel: bool, names: Sequence[str]
) -> list[Difference]:
    """Every other record against the first, on the scores `names`, Holm-corrected.

    Where a tokenizer failed on some samples, the interval is over those that both have.
    """
    (first, first_path), *others = records
    base = read_samples(first, first_path)
    found: list[Difference] = []
    for record, path in others:
        refuse_unlike(first, record)
        other = read_samples(record, path)
        draws: dict[str, np.ndarray] = {}
        if base is not None and other is not None:
            one, two = aligned(base, other)
            base_draws = replicates(first, one, task, parallel)
            own_draws = replicates(record, two, task, parallel)
            draws = {
                name: own_draws[name] - base_draws[name] for name in base_draws.keys() & own_draws
            }
        for name in names:
            a, b = first.score(name), record.score(name)
            if a is None or b is None or a.value is None or b.value is None:
                continue
            if a.metric != b.metric:  # perturbed at another codebook size
                continue
            known = paired(draws[name], b.value - a.value) if name in draws else (None, None, None)
            found.append(
                Difference(
                    first.task, name, a.unit, a.better, a.value, b.value, record.tokenizer, *known
                )
            )
    return corrected(found)


def paired(draws: np.ndarray, difference: float) -> tuple[float, float, float]:
    """Percentile interval of paired differences and a two-sided p-value.

    p is from the normal distribution with the bootstrap's standard error: unlike a share of
    replicates it has no floor, which Holm's correction over many scores would run into.
    """
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return math.nan, math.nan, 1.0
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    error = float(finite.std(ddof=1))
    if error < 1e-15:
        return float(low), float(high), 1.0 if difference == 0 else 0.0
    return float(low), float(high), math.erfc(abs(difference) / error / math.sqrt(2))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the given order."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def corrected(found: list[Difference]) -> list[Difference]:
    """The differences with p-values adjusted over all of them."""
    from dataclasses import replace

    tested = [i for i, d in enumerate(found) if d.p is not None]
    for place, value in zip(tested, holm([float(found[i].p or 0.0) for i in tested]), strict=True):
        found[place] = replace(found[place], adjusted=value)
    return found


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two vocabularies share, by surface bytes.

    jaccard: |A∩B|/|A∪B|. covered: share of B's token occurrences on the sample texts whose
    surface A has. numbers: share of 900 whole numbers (100 of each length from 1 to 9 digits)
    that both cut at the same digits.
    """

    shared: int
    jaccard: float
    covered: float | None
    numbers: float | None


def overlap(a: TextTokenizer, b: TextTokenizer, texts: Sequence[str]) -> Overlap | None:
    """Overlap of A and B, or None where a vocabulary has no byte surfaces."""
    surfaces_a, surfaces_b = set(a.vocabulary()), set(b.vocabulary())
    if not surfaces_a or not surfaces_b or b.pieces is None:
        return None
    shared = len(surfaces_a & surfaces_b)
    counts = np.bincount(b.encode(list(texts)).ids.values, minlength=len(b.pieces.pieces))
    seen = np.flatnonzero(counts)
    seen = seen[b.pieces.lengths[seen] > 0]
    total = int(counts[seen].sum())
    kept = sum(int(counts[i]) for i in seen if b.pieces.pieces[i] in surfaces_a)
    return Overlap(
        shared,
        shared / len(surfaces_a | surfaces_b),
        kept / total if total else None,
        _same_numbers(a, b),
    )


def _same_numbers(a: TextTokenizer, b: TextTokenizer) -> float:
    import random

    from tokbench.text.batch import TextBatch
    from tokbench.tokenizers.text.adapter import token_spans

    rng = random.Random(0)
    texts = [
        str(rng.randrange(10 ** (length - 1) if length > 1 else 0, 10**length))
        for length in range(1, 10)
        for _ in range(100)
    ]
    rows = np.zeros(len(texts), np.int64)
    cuts = []
    for tokenizer in (a, b):
        batch = TextBatch(texts, rows, np.arange(len(texts)))
        codes = tokenizer.encode(texts)
        spans = token_spans(tokenizer, batch, codes)
        starts = spans.starts - np.repeat(batch.starts, codes.ids.lengths)
        offsets = codes.ids.offsets
        cuts.append([set(starts[i:j].tolist()) | {0} for i, j in pairwise(offsets)])
    return sum(x == y for x, y in zip(*cuts, strict=True)) / len(texts)
