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
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any, Literal, TypeVar

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
    hands: list[_Hand] = []
    following = enumerate(jobs)
    try:
        while True:
            hand = min(hands, key=lambda hand: len(hand.numbers), default=None)
            room = len(hands) < workers or (hand and len(hand.numbers) < IN_FLIGHT)
            taken = next(following, None) if room else None
            if taken:
                if hand is None or (hand.numbers and len(hands) < workers):
                    hand = _Hand(work, threads, begin, given)
                    hands.append(hand)
                hand.give(*taken)
            busy = [hand for hand in hands if hand.numbers]
            if not busy:
                break
            # A job may be long in coming: results are not kept waiting for it.
            ready = wait([hand.connection for hand in busy], 0 if taken else None)
            for hand in busy:
                if hand.connection in ready:
                    yield hand.answer()
        for hand in hands:
            with suppress(OSError):  # it died after its last answer
                hand.connection.send_bytes(b"")
    except BaseException:
        for hand in hands:
            hand.process.kill()  # they write no results
        raise
    finally:
        for hand in hands:
            hand.process.join()  # who called may remove what they read and write
            hand.connection.close()


class _Hand:
    """A worker process, and the numbers of the jobs it has, in order.

    Each has a pipe of its own: where several share one, as in `concurrent.futures`, a worker that
    is killed while it sends leaves the others, and this process, waiting for ever.
    """

    def __init__(
        self,
        work: Callable[[T], Result],
        threads: int,
        begin: Callable[..., None] | None,
        given: tuple[object, ...],
    ):
        context = multiprocessing.get_context("spawn")
        self.numbers: deque[int] = deque()
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, work, threads, begin, given))
        with _interrupts_ignored():
            self.process.start()
        other.close()

    def give(self, number: int, job: object) -> None:
        """One more job."""
        self.numbers.append(number)
        with _deaths_told():
            self.connection.send_bytes(pickle.dumps(job))

    def answer(self) -> tuple[int, Any]:
        """Number and result of its oldest job; raises what that raised."""
        with _deaths_told():
            result, error = self.connection.recv()
        if error is not None:
            raise error
        return self.numbers.popleft(), result


@contextmanager
def _deaths_told() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise UserError(
            "a worker process died (out of memory?); what is finished is kept: run the "
            "same command again, with fewer --workers"
        ) from error


def _serve(
    connection: Connection,
    work: Callable[[Any], Any],
    threads: int,
    begin: Callable[..., None] | None,
    given: tuple[object, ...],
) -> None:
    """A worker: does the jobs that come, in order, until there is an empty one."""
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, jobs), daemon=True).start()
    refusal: UserError | None = None
    try:
        started(threads, begin, given)
    except UserError as error:
        refusal = error
    while job := jobs.get():
        try:
            if refusal:
                raise refusal
            answer = pickle.dumps((result_of(work, pickle.loads(job)), None))
        except BaseException as error:  # a panic of a library in Rust is no Exception
            answer = pickle.dumps((None, error))
        with suppress(OSError):  # who asked is gone
            connection.send_bytes(answer)


def _receive(connection: Connection, jobs: SimpleQueue[bytes]) -> None:
    """Take jobs while others are worked on, so that nobody who sends them waits. A worker whose
    parent was killed ends too."""
    try:
        while True:
            jobs.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def result_of(work: Callable[[T], Result], job: T) -> Result:
    """A job's result, in a worker. What it raises can be carried to who gave it the job, with
    the place it comes from: not every exception can be pickled and made again."""
    try:
        return work(job)
    except BaseException as error:
        error.add_note(f"In a worker:\n{traceback.format_exc()}")
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
