"""The runner: shard by shard from text to evidence, resumable, then one record."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tokbench import executors
from tokbench.bench import Bench, Job, open_bench
from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence
from tokbench.executors import Executor
from tokbench.files import atomic_write, sha256, slug
from tokbench.record import Record, read_record
from tokbench.results import make_record
from tokbench.samples import samples_parquet
from tokbench.types import Tokenizer

Progress = Callable[[int, int | None], None]
"""Called with (shards done, shards in all; None while that is not known)."""


def evaluate(
    job: Job,
    out: Path,
    workers: int = 1,
    progress: Progress | None = None,
    tokenizer: Tokenizer | None = None,
    again: bool = False,
    executor: Executor | None = None,
) -> tuple[Record, Path]:
    """Run a job in `out` and return its record and the record's path.

    `workers` are processes unless an executor is given.
    Finished shards of an interrupted run are taken up again; a finished record of the same
    key is returned as it is unless `again`. One run at a time may write a run folder.
    """
    started = time.perf_counter()
    bench = open_bench(job, tokenizer)
    folder = out / f"{slug(bench.tokenizer.name)}--{slug(job.task.name)}--{bench.key[:12]}"
    path = folder / "record.json"
    with locked(folder):
        if path.is_file() and not again:
            return read_record(path), path
        chosen = replace(executor or Executor.chosen(None, workers), gpus=_gpus(bench))
        shards = bench.source.planned(job.limit)
        folder_shards = folder / "shards"
        evidence = Evidence.joined(executors.run(bench, shards, folder_shards, chosen, progress))
        if evidence.rows == 0:
            shutil.rmtree(folder_shards)  # nothing to go on from
        record = make_record(bench, evidence, time.perf_counter() - started)
        samples = samples_parquet(evidence, bench.dataset.groups)
        record.evidence = sha256(samples)
        atomic_write(folder / "samples.parquet", samples)
        atomic_write(path, record.to_json())
        shutil.rmtree(folder_shards)
    return record, path


def _gpus(bench: Bench) -> float:
    """GPUs that a worker needs: what the adapter says, else one for `device=cuda`."""
    said = getattr(bench.tokenizer, "gpus", None)
    return float("device=cuda" in bench.job.spec if said is None else said)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder; a second run in it gets a `UserError` instead of a mixture."""
    import filelock

    lock = filelock.FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise UserError(
            f"{folder}: another tokbench run is writing here; wait for it or choose another --out"
        ) from error
    except OSError as error:
        raise UserError(f"{folder}: cannot write: {error.strerror or one_line(error)}") from error
    try:
        for leftover in folder.rglob(".*.part"):  # of a run that was killed while it wrote
            leftover.unlink(missing_ok=True)
        yield
    finally:
        if [path.name for path in folder.glob("*")] == [".lock"]:  # failed before its first shard
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()
