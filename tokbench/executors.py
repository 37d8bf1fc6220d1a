"""Executors: who measures the shards, and how many at a time. Numbers never depend on it.

Jobs go to workers a few at a time (a worker works on one while the next waits for it), results
come back in any order, and only this process writes files: each whole, or not at all.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, TypeVar

from tokbench.errors import UserError, one_line

T = TypeVar("T")
Result = TypeVar("Result")

IN_FLIGHT = 2
"""Jobs that a worker has at a time, the one that waits included: no more results than this
are ever on their way."""


class Unready(UserError):
    """A worker cannot be made ready for a job at all, so that trying again is of no use."""


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
) -> Generator[tuple[int, Result], None, None]:
    """Number and result of `work` on every job, as they are done. Jobs are taken from the
    iterable as workers need them.

    Each worker starts with `begin(threads, *given)`, where `threads` is its part of the cores.
    Without `begin`, a single worker is this process.
    """
    if executor.kind == "ray":
        from tokbench import executors_ray

        yield from executors_ray.completed(work, jobs, executor, begin, given)
        return
    workers = executor.workers
    if isinstance(jobs, Sequence):
        workers = min(workers, len(jobs))
    jobs = iter(jobs)
    first = list(islice(jobs, 2))
    if len(first) == 1:
        workers = 1
    if begin is None and workers <= 1:
        yield from ((number, work(job)) for number, job in enumerate([*first, *jobs]))
    elif first:
        yield from _in_processes(work, chain(first, jobs), workers, begin, given)


def _in_processes(
    work: Callable[[T], Result],
    jobs: Iterator[T],
    workers: int,
    begin: Callable[..., None] | None,
    given: tuple[object, ...],
) -> Iterator[tuple[int, Result]]:
    """In at most so many processes, each started when there is a job for it. Ctrl-C ends them at
    once."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    following = enumerate(jobs)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(threads, begin, given)
    ) as pool:
        running: dict[Future[Result], int] = {}

        def submit() -> bool:
            for number, job in islice(following, 1):
                with _interrupts_ignored():
                    running[pool.submit(_done, work, job)] = number
                return True
            return False

        try:
            while True:
                while len(running) < IN_FLIGHT * workers and submit():
                    if wait(running, 0).done:  # a job may be long in coming: results are not
                        break
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    place = running.pop(future)
                    result = future.result()
                    submit()
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
    return result_of(work, job)


def result_of(work: Callable[[T], Result], job: T) -> Result:
    """A job's result, in a worker. What it raises can be carried to who gave it the job: an
    exception that cannot be pickled and made again would look like the death of the worker."""
    try:
        return work(job)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise RuntimeError(f"{type(error).__name__}: {one_line(error)}") from error
        raise


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


def _end_with_parent() -> None:
    """A worker whose parent was killed ends too, instead of waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
