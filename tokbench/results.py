"""From finished evidence to the record: scores, performance, per-sample parquet."""

from __future__ import annotations

import os
import sys

import numpy as np

from tokbench.bench import ACTIVITIES, Bench
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.measured import LEVEL, REPLICATES, Measured
from tokbench.record import (
    About,
    Bootstrap,
    DatasetAbout,
    Record,
    TaskAbout,
    TokenizerAbout,
    provenance,
)
from tokbench.text.languages import script_of
from tokbench.types import Score

LEAST_DECODED = 4096
"""Bytes below which a decoding speed says nothing."""


def make_record(bench: Bench, evidence: Evidence, seconds: float) -> Record:
    """Scores, signature and provenance from finished evidence."""
    job, dataset, tokenizer = bench.job, bench.dataset, bench.tokenizer
    task = job.task
    if evidence.rows == 0:
        causes = "; ".join(evidence.failures) or "no sample has any text"
        raise UserError(f"{tokenizer.name} on {task.name}: nothing was encoded: {causes}")
    measured = Measured(
        evidence,
        dataset.groups,
        dataset.parallel,
        tokenizer.spec,
        task.seed,
        tokenizer=tokenizer,
    )
    scores = []
    for metric in task.made:
        measured.metric = metric.signature()
        scores += list(metric.result(measured))
    samples = int(evidence.columns["samples"].sum())
    manifest = dataset.manifest
    times = {k: v for k, v in evidence.seconds.items() if k in ACTIVITIES} | {"all": seconds}
    limit = f"|limit:{job.limit}" if job.limit is not None else ""
    return Record(
        tokenizer=tokenizer.name,
        task=task.name,
        key=bench.key,
        signature=f"{dataset.label}|unit:{task.unit}{limit}|tok:{tokenizer.fingerprint()[:8]}",
        status="failures" if evidence.failures else "complete",
        limit=job.limit,
        about=About(
            TokenizerAbout(tokenizer.fingerprint(), tokenizer.spec),
            TaskAbout(
                task.fingerprint(), task.main, task.unit,
                [metric.signature() for metric in task.made],
            ),
            DatasetAbout(
                dataset.name, dataset.version, dataset.split, dataset.fingerprint, dataset.known,
                manifest.licence if manifest else "", len(dataset.parts), samples,
            ),
        ),
        scores=scores,
        performance=performance(bench, evidence),
        failures=evidence.failures,
        examples=evidence.examples + measured.examples,
        bootstrap=Bootstrap(REPLICATES, LEVEL, task.seed, evidence.block),
        provenance=provenance(job.arguments or sys.argv[1:], times),
    )  # fmt: skip


def performance(bench: Bench, evidence: Evidence) -> list[Score]:
    """Speed and memory on this machine: encode (also by script) and decode MB/s of UTF-8 through
    the library's batch calls; seconds to load; peak memory of the process."""
    seconds, groups = evidence.seconds, bench.dataset.groups
    if "bytes" not in evidence.columns:
        return []
    totals = np.zeros(len(groups))
    np.add.at(totals, evidence.group, evidence.columns["bytes"])
    rows: list[Score] = []

    def speed(name: str, size: float, taken: float, note: str) -> None:
        value = float(size / taken / 1e6) if taken > 0 and size > 0 else None
        rows.append(
            Score(
                name=name,
                value=value,
                n=1,
                unit="MB/s",
                better="higher",
                metric="performance",
                note=note,
            )
        )

    taken = {group: seconds.get(f"encode:{group}", 0.0) for group in groups}
    size = dict(zip(groups, totals.tolist(), strict=True))
    by_script: dict[str, list[str]] = {}
    for group in groups:
        by_script.setdefault(script_of(group), []).append(group)
    note = f"{os.cpu_count()} cores, batches"
    speed("encode-speed", sum(size.values()), sum(taken.values()), note)
    for script, members in sorted(by_script.items()):
        if script and len(by_script) > 1:
            total, spent = sum(size[m] for m in members), sum(taken[m] for m in members)
            speed(f"encode-speed/{script}", total, spent, note)
    note = "the library's own decoder, a few samples of each slice"
    decoded = seconds.get("decoded bytes", 0.0)
    if decoded < LEAST_DECODED:  # the call itself would be measured
        decoded, note = 0.0, f"under {LEAST_DECODED:,} bytes decoded: too little to time"
    speed("decode-speed", decoded, seconds.get("decode", 0.0), note)
    for name, value, unit in (
        ("load-time", bench.tokenizer.load_seconds, "s"),
        ("peak-memory", peak_memory(), "MiB"),
    ):
        rows.append(
            Score(name=name, value=value, n=1, unit=unit, better="lower", metric="performance")
        )
    return rows


def peak_memory() -> float:
    """Largest resident set of this process so far, MiB."""
    try:
        import resource
    except ImportError:  # Windows keeps the peak in psutil
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
