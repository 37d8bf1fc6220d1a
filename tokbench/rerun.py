"""Does a record's claim re-run? Scores from its evidence, and its evidence from the tokenizer."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from tokbench.bench import Bench, Job, open_bench
from tokbench.compare import as_measured
from tokbench.evidence import Evidence
from tokbench.manifest import load_manifest
from tokbench.record import Record
from tokbench.results import measured_of, scores_of
from tokbench.samples import Samples
from tokbench.task import Task
from tokbench.types import Score, Tokenizer

SHOWN = 5
"""Differences that are spelled out."""

TOLERANCE = 1e-4
"""Relative difference that floats may have between machines (networks, transforms); counts are
equal or wrong."""

SUMMED = 1e-9
"""Relative difference of a sum taken in another order."""


def from_evidence(record: Record, samples: Samples, task: Task) -> tuple[list[str], set[str]]:
    """The record's values against those that its own per-sample evidence gives: the differences,
    and the names of the scores that could be compared."""
    parallel = load_manifest(record.about.dataset.name).parallel
    samples.evidence.tallies = samples.evidence.sums = samples.evidence.kept = _Nothing()
    measured = as_measured(record, samples, task, parallel)
    found: dict[str, Score] = {}
    for metric in task.made:
        measured.metric = metric.signature()
        try:
            if metric.paired:
                found |= {score.name: score for score in metric.result(measured)}
        except (_NotKept, KeyError):  # KeyError: a column that this tokenizer cannot give
            continue
    if samples.evidence.block > record.bootstrap.unit:  # too coarse for some
        found = {name: score for name, score in found.items() if score.value is not None}
    return list(_unlike(record, found.values(), SUMMED)), set(found)


class _NotKept(Exception):
    """A metric needs more than per-sample columns."""


class _Nothing(dict[str, Any]):
    """Tallies and sums, which no record keeps: asking for one is no empty answer."""

    def get(self, *about: Any) -> Any:
        raise _NotKept

    __getitem__ = __contains__ = get


def _unlike(record: Record, found: Collection[Score], tolerance: float) -> Iterator[str]:
    claimed = {score.name: score for score in record.scores}
    for score in found:
        said = claimed.get(score.name)
        if said is None:
            yield f"{score.name}: not in the record; it is {_number(score.value)}"
        elif not _same(said.value, score.value, tolerance):
            yield (
                f"{score.name}: the record says {_number(said.value)}, it is {_number(score.value)}"
            )


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6g}"


def _same(a: float | None, b: float | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * 1e-3)


def opened(record: Record, task: Task, tokenizer: Tokenizer, spec: str) -> Bench:
    """The record's job made ready again. Raises `LookupError` where its data is not here, or is
    not what the record names."""
    about = record.about.dataset
    bench = open_bench(Job(spec, task, about.name, about.split), tokenizer)
    if bench.dataset.fingerprint != about.fingerprint:
        raise LookupError(f"{about.name}:{about.split} here is not the data that the record names")
    return bench


def rerun(record: Record, samples: Samples, bench: Bench) -> tuple[list[str], str, bool]:
    """One shard, drawn by the record's key, measured again: the differences from the evidence,
    what was measured, and whether that shard is all there is: then every score is compared."""
    shards = bench.source.plan(None)
    number = random.Random(record.key).randrange(len(shards))
    again = Evidence.joined([bench.evidence(shards[number])])
    count = int(again.columns["samples"].sum()) if again.rows else 0
    what = f"shard {number + 1} of {len(shards)}, {count:,} samples"
    lost = [f"failed here: {cause} ({f.count:,})" for cause, f in again.failures.items()]
    found = lost + compared(samples, again, len(shards) == 1)
    if len(shards) == 1 and not found:
        found = list(_unlike(record, scores_of(bench, measured_of(bench, again)), TOLERANCE))
    return found, what, len(shards) == 1


def compared(samples: Samples, again: Evidence, all_of_it: bool) -> list[str]:
    """Differences between a record's evidence and a shard measured again, both in blocks of the
    same size. Only a block that the shard's end cuts may hold more samples in the record."""
    block = max(samples.evidence.block, again.block)
    claimed, found = samples.evidence.coarsened(block), again.coarsened(block)
    keys = [e.group << 40 | e.index for e in (claimed, found)]
    if not all(len(np.unique(key)) == len(key) for key in keys):  # words of a line: by line
        claimed, found = claimed.grouped(block), found.grouped(block)
        keys = [e.group << 40 | e.index for e in (claimed, found)]
    missing = sorted(found.columns.keys() ^ claimed.columns.keys())
    if missing:
        return [f"columns of one side only: {', '.join(missing[:SHOWN])}"]
    if all_of_it and claimed.rows != found.rows:
        return [f"{claimed.rows:,} rows of evidence; measured again {found.rows:,}"]
    order = np.argsort(keys[0], kind="stable")
    place = np.searchsorted(keys[0][order], keys[1])
    inside = place < len(order)
    inside[inside] = keys[0][order][place[inside]] == keys[1][inside]
    if not inside.all():
        lost = int((~inside).sum())
        return [f"{lost:,} of {found.rows:,} rows are not in the record's evidence"]
    rows = order[place]
    ours, theirs = found.columns["samples"], claimed.columns["samples"][rows]
    cut = np.zeros(found.rows, bool)
    if block > 1 and not all_of_it:
        cut = _ends(found) & (theirs > ours)
    differences = []
    for name, values in found.columns.items():
        a, b = claimed.columns[name][rows], values
        exact = a.dtype.kind == b.dtype.kind == "i"
        same = a == b if exact else np.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
        wrong = np.flatnonzero(~same & ~cut)
        if len(wrong):
            first = int(wrong[0])
            group = samples.groups[int(found.group[first])] or "sample"
            differences.append(
                f"{name}: {len(wrong):,} of {found.rows:,} rows differ; first {group} "
                f"{int(found.index[first]) * block}: the record says {a[first]:g}, "
                f"it is {b[first]:g}"
            )
    if cut.all():
        differences.append("no whole block of the evidence lies in the shard")
    return differences[:SHOWN] + ([f"and {len(differences) - SHOWN} more columns"]
                                  if len(differences) > SHOWN else [])  # fmt: skip


def _ends(evidence: Evidence) -> np.ndarray:
    """The first and the last row of each group."""
    ends = np.zeros(evidence.rows, bool)
    for group in np.unique(evidence.group):
        rows = np.flatnonzero(evidence.group == group)
        ends[rows[[np.argmin(evidence.index[rows]), np.argmax(evidence.index[rows])]]] = True
    return ends


def not_compared(record: Record, known: set[str]) -> Sequence[str]:
    """Metrics of the record none of whose values were compared."""
    bases = dict.fromkeys(score.name.partition("/")[0] for score in record.scores)
    seen = {name.partition("/")[0] for name in known}
    return [name for name in bases if name not in seen]
