"""From finished evidence to the record: scores, performance, per-sample parquet."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

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
from tokbench.types import Score, Tokenizer

LEAST_DECODED = 4096
"""Bytes below which a decoding speed says nothing."""


def make_record(bench: Bench, evidence: Evidence, seconds: float) -> Record:
    """Scores, signature and provenance from finished evidence."""
    job, dataset, tokenizer = bench.job, bench.dataset, bench.tokenizer
    task = job.task
    if evidence.rows == 0:
        causes = "; ".join(evidence.failures) or "no sample has any text"
        raise UserError(f"{tokenizer.name} on {task.name}: nothing was encoded: {causes}")
    measured = measured_of(bench, evidence)
    scores = scores_of(bench, measured)
    samples = int(evidence.columns["samples"].sum())
    manifest = dataset.manifest
    times = {k: v for k, v in evidence.seconds.items() if k in ACTIVITIES} | {"all": seconds}
    kind = "unit" if task.modality == "text" else "view"
    limit = f"|limit:{job.limit}" if job.limit is not None else ""
    if task.most_samples:
        limit = f"|most:{task.most_samples}{limit}"
    groups = f"|groups:{','.join(task.groups)}" if task.groups else ""
    return Record(
        tokenizer=tokenizer.name,
        task=task.name,
        key=bench.key,
        signature=f"{dataset.label}|{kind}:{task.cut}{groups}{limit}"
        f"|tok:{tokenizer.fingerprint()[:8]}",
        status="failures" if evidence.failures else "complete",
        limit=job.limit,
        about=About(
            TokenizerAbout(tokenizer.fingerprint(), tokenizer.spec),
            TaskAbout(
                task.fingerprint(), task.main, task.cut,
                [metric.signature() for metric in task.made],
            ),
            DatasetAbout(
                dataset.name, dataset.version, dataset.split, dataset.fingerprint, dataset.known,
                manifest.licence if manifest else "", len(dataset.parts), samples,
            ),
        ),
        scores=scores,
        performance=bench.performance(evidence),
        failures=evidence.failures,
        examples=evidence.examples + measured.examples,
        bootstrap=Bootstrap(REPLICATES, LEVEL, task.seed, evidence.block),
        provenance=provenance(job.arguments or sys.argv[1:], times),
    )  # fmt: skip


def measured_of(bench: Bench, evidence: Evidence) -> Measured:
    """Finished evidence, as metrics see it."""
    dataset, tokenizer = bench.dataset, bench.tokenizer
    return Measured(
        evidence,
        dataset.groups,
        dataset.parallel,
        tokenizer.spec,
        bench.job.task.seed,
        tokenizer=tokenizer,
    )


def scores_of(bench: Bench, measured: Measured) -> list[Score]:
    """Every score of the bench's task."""
    scores: list[Score] = []
    for metric in bench.job.task.made:
        measured.metric = metric.signature()
        if why := bench.lacking.get(metric.signature()):
            scores.append(measured.score(metric.name, None, 0, note=why))
            continue
        scores += list(metric.result(measured))
    return scores


def performance(bench: Bench, evidence: Evidence) -> list[Score]:
    """Speed and memory on this machine: encode (also by script) and decode MB/s of UTF-8 through
    the library's batch calls; seconds to encode all of it, and to load; peak memory."""
    seconds, groups = evidence.seconds, bench.dataset.groups
    if "bytes" not in evidence.columns:
        return []
    totals = np.bincount(evidence.group, evidence.columns["bytes"], minlength=len(groups))
    taken = {group: seconds.get(f"encode:{group}", 0.0) for group in groups}
    size = dict(zip(groups, (totals / 1e6).tolist(), strict=True))
    by_script: dict[str, list[str]] = {}
    for group in groups:
        by_script.setdefault(script_of(group), []).append(group)
    note = f"{os.cpu_count()} cores, batches"
    rows = [speed("encode-speed", sum(size.values()), sum(taken.values()), "MB/s", note)]
    for script, members in sorted(by_script.items()):
        if script and len(by_script) > 1:
            total, spent = sum(size[m] for m in members), sum(taken[m] for m in members)
            rows.append(speed(f"encode-speed/{script}", total, spent, "MB/s", note))
    note = "the library's own decoder, a few samples of each slice"
    decoded = seconds.get("decoded bytes", 0.0)
    if decoded < LEAST_DECODED:  # the call itself would be measured
        decoded, note = 0.0, f"under {LEAST_DECODED:,} bytes decoded: too little to time"
    rows.append(speed("decode-speed", decoded / 1e6, seconds.get("decode", 0.0), "MB/s", note))
    encoding = Score(
        name="encode-time", value=seconds.get("encode"), n=1, unit="s", better="lower",
        metric="performance",
    )  # fmt: skip
    return [*rows, encoding, *cost(bench.tokenizer)]


def speed(name: str, amount: float, seconds: float, unit: str, note: str = "") -> Score:
    """An amount over the seconds it took; no value where either is 0."""
    value = float(amount / seconds) if seconds > 0 and amount > 0 else None
    return Score(
        name=name, value=value, n=1, unit=unit, better="higher", metric="performance", note=note
    )


def cost(tokenizer: Tokenizer) -> list[Score]:
    """Seconds to load and peak memory of the process; for a trained model its parameters."""
    found: list[tuple[str, float | None, str]] = [
        ("load-time", tokenizer.load_seconds, "s"),
        ("peak-memory", peak_memory(), "MiB"),
    ]
    if (device := device_memory()) is not None:
        found.append(("peak-device-memory", device, "MiB"))
    if tokenizer.spec.parameters is not None:
        found.append(("parameters", float(tokenizer.spec.parameters), ""))
    return [
        Score(name=name, value=value, n=1, unit=unit, better="lower", metric="performance")
        for name, value, unit in found
    ]


def device_memory() -> float | None:
    """Most memory that PyTorch's tensors held on a CUDA device so far, MiB, of all devices of this
    process; None where none was used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    devices = range(torch.cuda.device_count())
    peak = sum(torch.cuda.max_memory_allocated(device) for device in devices)
    return peak / 2**20 if peak else None


def peak_memory() -> float:
    """Largest resident set of this process so far, MiB."""
    try:
        import resource
    except ImportError:  # Windows keeps the peak in psutil
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    if sys.platform == "linux":
        # The kernel's count for this program alone; getrusage takes over what the process held
        # before it became this program, such as the parent that it was forked from.
        with suppress(OSError):
            status = Path("/proc/self/status").read_text()
            if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
                return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)
