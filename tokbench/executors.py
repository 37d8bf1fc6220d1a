"""Executors: who measures the shards. Each leaves one file for each shard, whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from tokbench.errors import UserError
from tokbench.files import atomic_write

if TYPE_CHECKING:
    from tokbench.plan import Shard
    from tokbench.runner import Bench, Job, Progress


def run(
    bench: Bench, shards: list[Shard], folder: Path, workers: int, progress: Progress | None
) -> None:
    """Measure every shard that has no file yet, in this process or in `workers` others."""
    waiting = [n for n in range(len(shards)) if not _path(folder, n).is_file()]
    done = len(shards) - len(waiting)
    if progress:
        progress(done, len(shards))
    if workers <= 1 or len(waiting) <= 1:
        for number in waiting:
            atomic_write(_path(folder, number), bench.evidence(shards[number]).to_bytes())
            done += 1
            if progress:
                progress(done, len(shards))
        return
    workers = min(workers, len(waiting))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(bench.job, bench.key, workers)
    ) as pool:
        futures = [pool.submit(_work, shards[n], _path(folder, n)) for n in waiting]
        try:
            for future in as_completed(futures):
                future.result()
                done += 1
                if progress:
                    progress(done, len(shards))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.npz"


_bench: Bench | None = None


def _begin(job: Job, key: str, workers: int) -> None:
    """Load tokenizer and data once in a worker; cores are shared, not fought over."""
    global _bench
    threads = max(1, (os.cpu_count() or 1) // workers)
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    from tokbench.runner import Bench

    bench = Bench(job)
    bench.tokenizer.max_threads = threads
    if bench.key != key:
        raise UserError(f"{job.spec}: a worker loaded another tokenizer or other data (key differs)")
    _bench = bench


def _work(shard: Shard, path: Path) -> None:
    assert _bench is not None
    atomic_write(path, _bench.evidence(shard).to_bytes())
