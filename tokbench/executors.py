"""Executors: who measures the shards. Each leaves one file for each shard, whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence
from tokbench.files import atomic_write

if TYPE_CHECKING:
    from tokbench.bench import Bench, Job
    from tokbench.plan import Shard
    from tokbench.runner import Progress


T = TypeVar("T")
Result = TypeVar("Result")


def run(
    bench: Bench, shards: list[Shard], folder: Path, workers: int, progress: Progress | None
) -> Iterator[Evidence]:
    """The evidence of every shard, in order. A shard that has no file yet is measured, in this
    process or in `workers` others, and its file written before the next one is begun."""
    waiting = [n for n in range(len(shards)) if not _path(folder, n).is_file()]
    done = len(shards) - len(waiting)
    if progress:
        progress(done, len(shards))

    def another() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(shards))

    if workers > 1 and len(waiting) > 1:
        jobs = [(shards[n], _path(folder, n)) for n in waiting]
        spread(_work, jobs, workers, _begin, (bench.job, bench.key), another)
        waiting = []
    for number, shard in enumerate(shards):
        path = _path(folder, number)
        if number not in waiting:
            yield _load(path)
            continue
        evidence = bench.evidence(shard)
        atomic_write(path, evidence.to_bytes())
        another()
        yield evidence


def spread(
    work: Callable[[T], Result],
    jobs: Sequence[T],
    workers: int,
    begin: Callable[..., None] | None = None,
    given: tuple[object, ...] = (),
    done: Callable[[], None] | None = None,
) -> list[Result]:
    """Results of `work` on every job, in order, from at most `workers` other processes (one or
    none: in this one); `done` is called here after each.

    Each process is started with `begin(threads, *given)`, where `threads` is its part of the
    cores. A file that `work` leaves is whole or not there: Ctrl-C ends the processes at once.
    """
    if begin is None and (workers <= 1 or len(jobs) <= 1):
        return [work(job) for job in jobs]
    workers = min(workers, len(jobs))
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(threads, begin, given)
    ) as pool:
        with _interrupts_ignored():
            futures = [pool.submit(work, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                if done:
                    done()
            return [future.result() for future in futures]
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()  # a job's file is written whole or not at all
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    "a worker process died (out of memory?); what is finished is kept: run the "
                    "same command again, with fewer --workers"
                ) from error
            raise


def _start(threads: int, begin: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["RAYON_NUM_THREADS"] = str(threads)  # cores are shared, not fought over
    if begin:
        begin(threads, *given)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which a terminal sends to all of them: this
    process does, and stops them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _load(path: Path) -> Evidence:
    try:
        return Evidence.from_bytes(path.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: damaged ({one_line(error)}); delete it and run the same command again"
        ) from error


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.npz"


_bench: Bench | UserError | None = None


def _begin(threads: int, job: Job, key: str) -> None:
    """Load tokenizer and data once in a worker."""
    global _bench
    from tokbench.bench import open_bench

    try:
        bench = open_bench(job)
        bench.tokenizer.max_threads = threads
        if bench.key != key:
            raise UserError(
                f"{job.spec}: a worker loaded another tokenizer or other data (key differs)"
            )
        _bench = bench
    except UserError as error:  # raised by its first shard: a failed start would break the pool
        _bench = error


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: tuple[Shard, Path]) -> None:
    shard, path = job
    if isinstance(_bench, UserError):
        raise _bench
    assert _bench is not None
    atomic_write(path, _bench.evidence(shard).to_bytes())
