"""Executors: who measures the shards, and how many at a time. Numbers never depend on it.

Jobs go to workers a few at a time (a worker works on one while the next waits for it), results
come back in any order, and only this process writes files: each whole, or not at all.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence
from tokbench.files import atomic_write

if TYPE_CHECKING:
    from tokbench.bench import Bench, Job
    from tokbench.plan import Shard
    from tokbench.runner import Progress


T = TypeVar("T")
Result = TypeVar("Result")

IN_FLIGHT = 2
"""Jobs that a worker has at a time, the one that waits included: no more results than this
are ever on their way."""


@dataclass(frozen=True)
class Executor:
    """Who does the work.

    kind: this process, others on this machine, or a Ray cluster. workers: how many; 0 with Ray:
        one for each core (or GPU) of the cluster. address: of a running Ray cluster
        (`host:6379`, or `auto` on one of its machines); empty: Ray on this machine alone.
    gpus: that each worker needs for itself.
    """

    kind: Literal["serial", "processes", "ray"] = "serial"
    workers: int = 1
    address: str = ""
    gpus: float = 0

    @classmethod
    def chosen(cls, name: str | None, workers: int | None) -> Executor:
        """From the options: `serial`, `processes`, `ray` or `ray:ADDRESS`, and how many workers.
        Without a name, several workers are processes."""
        if name is None:
            name = "processes" if (workers or 1) > 1 else "serial"
        kind, _, address = name.partition(":")
        if kind == "ray":
            return cls("ray", workers or 0, address)
        if kind == "processes":
            return cls("processes", workers or os.cpu_count() or 1)
        if (workers or 1) > 1:
            raise UserError("--executor serial is one worker: leave --workers out")
        return cls()


SERIAL = Executor()


def run(
    bench: Bench,
    shards: Iterable[Shard],
    folder: Path,
    executor: Executor = SERIAL,
    progress: Progress | None = None,
) -> Iterator[Evidence]:
    """The evidence of every shard, in order. A shard that has no file yet is measured, and its
    file written before it counts as done. `shards` may be planned as they are asked for."""
    total = len(shards) if isinstance(shards, Sequence) else None
    planned = 0
    done = sum(_path(folder, number).is_file() for number in range(total or 0))
    if progress:
        progress(done, total)

    def another() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    def waiting() -> Iterator[tuple[int, Shard]]:
        nonlocal planned
        for number, shard in enumerate(shards):
            planned = number + 1
            if not _path(folder, number).is_file():
                yield number, shard
            elif total is None:
                another()

    if executor.kind == "serial":
        for number, shard in enumerate(shards):
            path = _path(folder, number)
            if path.is_file():
                yield _load(path)
                continue
            evidence = bench.evidence(shard)
            atomic_write(path, evidence.to_bytes())
            another()
            yield evidence
        return
    given = (bench.job, bench.key)
    for _, (number, content) in completed(_work, waiting(), executor, _begin, given):
        atomic_write(_path(folder, number), content)
        another()
    for number in range(planned):
        yield _load(_path(folder, number))


def spread(
    work: Callable[[T], Result],
    jobs: Sequence[T],
    workers: int,
) -> list[Result]:
    """Results of `work` on every job, in order, from at most `workers` processes (see
    `completed`)."""
    found = dict(completed(work, jobs, Executor("processes", workers)))
    return [found[number] for number in range(len(jobs))]


def completed(
    work: Callable[[T], Result],
    jobs: Iterable[T],
    executor: Executor,
    begin: Callable[..., None] | None = None,
    given: tuple[object, ...] = (),
) -> Iterator[tuple[int, Result]]:
    """Number and result of `work` on every job, as they are done. Jobs are taken from the
    iterable as workers need them.

    Each worker starts with `begin(threads, *given)`, where `threads` is its part of the cores.
    With one worker at most it all happens here.
    """
    if executor.kind == "ray":
        from tokbench import executors_ray

        yield from executors_ray.completed(work, jobs, executor, begin, given)
        return
    jobs = iter(jobs)
    first = list(islice(jobs, executor.workers))
    if begin is None and (executor.workers <= 1 or len(first) <= 1):
        yield from ((number, work(job)) for number, job in enumerate([*first, *jobs]))
        return
    if first:
        yield from _in_processes(work, first, jobs, begin, given)


def _in_processes(
    work: Callable[[T], Result],
    first: list[T],
    jobs: Iterator[T],
    begin: Callable[..., None] | None,
    given: tuple[object, ...],
) -> Iterator[tuple[int, Result]]:
    """In one process for each of the `first` jobs. Ctrl-C ends them at once."""
    workers = len(first)
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(threads, begin, given)
    ) as pool:
        running: dict[Future[Result], int] = {}
        number = 0

        def submit(some: Iterable[T]) -> None:
            nonlocal number
            for job in some:
                with _interrupts_ignored():
                    running[pool.submit(_done, work, job)] = number
                number += 1

        try:
            submit(first)
            submit(islice(jobs, (IN_FLIGHT - 1) * workers))
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    place = running.pop(future)
                    result = future.result()
                    submit(islice(jobs, 1))
                    yield place, result
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()  # they write no results
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    "a worker process died (out of memory?); what is finished is kept: run the "
                    "same command again, with fewer --workers"
                ) from error
            raise


def _start(threads: int, begin: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    global _refusal
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        started(threads, begin, given)
    except UserError as error:  # raised by its first job: a failed start would break the pool
        _refusal = error


_refusal: UserError | None = None


def _done(work: Callable[[T], Result], job: T) -> Result:
    if _refusal:
        raise _refusal
    return work(job)


def started(threads: int, begin: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    """Make a worker ready."""
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


_bench: Bench | None = None


def _begin(threads: int, job: Job, key: str) -> None:
    """Load tokenizer and data once in a worker."""
    global _bench
    from tokbench.bench import open_bench

    _bench = None  # what another job held makes room first
    bench = open_bench(job)
    bench.tokenizer.max_threads = threads
    bench.ahead = threads > 1
    if bench.key != key:
        raise UserError(
            f"{job.spec}: a worker loaded another tokenizer or other data (key differs)"
        )
    _bench = bench


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: tuple[int, Shard]) -> tuple[int, bytes]:
    number, shard = job
    assert _bench is not None
    return number, _bench.evidence(shard).to_bytes()
