"""The Ray executor: workers are actors on this machine or on a cluster.

An actor holds the tokenizer, the probes and the opened data of a job, and reads the data itself:
nothing but places of samples and finished evidence passes through this process. A worker that
dies, with its machine or alone, is replaced, and its jobs are done again elsewhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tokbench.errors import UserError, one_line
from tokbench.executors import IN_FLIGHT, Executor
from tokbench.ray_connection import connected, shares
from tokbench.ray_worker import Refused, Worker, identity

ATTEMPTS = 3
"""How often a job is tried before it counts as failed."""

MOST_FAILED = 16
"""Failed jobs after which no others are begun."""

START = float(os.environ.get("TOKBENCH_RAY_START", "120"))
"""Seconds to wait for a first worker; a cluster that has to start machines may need more."""

_CARRIED = ("TOKBENCH_DATA", "TOKBENCH_WEIGHTS", "TOKBENCH_CACHE", "TOKBENCH_REFERENCE")


def completed(
    work: Callable[[Any], Any],
    jobs: Iterable[Any],
    executor: Executor,
    begin: Callable[..., None] | None,
    given: tuple[object, ...],
) -> Iterator[tuple[int, Any]]:
    """As `executors.completed`. Raises `UserError` when jobs have failed, after all others."""
    yield from _pool(executor).completed(work, jobs, begin, given)


class _Call(NamedTuple):
    reference: Any
    number: int
    job: Any


class _Hand:
    """One worker as seen from here: its actor, and the calls it has not answered, in order."""

    def __init__(self, actor: Any):
        self.actor, self.calls, self.ready = actor, deque[_Call](), False
        self.machine = ""
        self.calls.append(_Call(actor.about.remote(), ABOUT, None))


ABOUT, BEGIN = -2, -1
"""Numbers of the calls that are no jobs."""


class Jobs:
    """What is still to do, and what has failed."""

    def __init__(self, jobs: Iterable[Any]):
        self._fresh = enumerate(jobs)
        self._again: deque[tuple[int, Any]] = deque()
        self._tried: Counter[int] = Counter()
        self._failed: dict[str, str] = {}
        self._raised: BaseException | None = None

    def empty(self) -> bool:
        """Is there nothing to do at all?"""
        first = self.take()
        if first:
            self._again.append(first)
        return first is None

    def take(self) -> tuple[int, Any] | None:
        """The next job; none after the last, or when too many have failed."""
        if len(self._failed) >= MOST_FAILED:
            return None
        return self._again.popleft() if self._again else next(self._fresh, None)

    def back(self, call: _Call) -> None:
        """A job that its worker never began."""
        if call.number >= 0:
            self._again.append((call.number, call.job))

    def failed_once(self, call: _Call, why: Refused | BaseException | str) -> None:
        """A job that failed, or whose worker died of it."""
        self._tried[call.number] += 1
        if self._tried[call.number] < ATTEMPTS:
            self._again.append((call.number, call.job))
            return
        if isinstance(why, BaseException):
            self._raised, why = why, f"{type(why).__name__}: {one_line(why)}"
        name = getattr(call.job, "label", f"job {call.number}")
        self._failed[name] = why.why if isinstance(why, Refused) else why

    def tell(self) -> None:
        """Raise `UserError` for what has failed, by cause."""
        if not self._failed:
            return
        causes = Counter(self._failed.values())
        shown = "; ".join(f"{count} × {cause}" for cause, count in causes.most_common(3))
        names = list(self._failed)
        which = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise UserError(
            f"{len(names)} {'job' if len(names) == 1 else 'jobs'} ({which}) failed "
            f"{ATTEMPTS} times: {shown}; what is finished is kept: the same command tries the "
            "rest again"
        ) from self._raised


class Pool:
    """The workers of one command; they stay for its next tokenizer or task."""

    def __init__(self, executor: Executor):
        self.ray = connected(executor)
        self.executor = executor
        self.count, self.threads = shares(self.ray.cluster_resources(), executor)
        variables = {name: os.environ[name] for name in _CARRIED if name in os.environ}
        kind = self.ray.remote(num_cpus=1, num_gpus=executor.gpus, max_restarts=0)(Worker)
        self._make = lambda: _Hand(kind.remote(str(Path.cwd()), sys.path, variables))
        self.here = identity()
        self.hands: list[_Hand] = []

    def completed(
        self,
        work: Callable[[Any], Any],
        jobs: Iterable[Any],
        begin: Callable[..., None] | None,
        given: tuple[object, ...],
    ) -> Iterator[tuple[int, Any]]:
        todo = Jobs(jobs)
        try:
            yield from self._completed(work, todo, self.ray.put((begin, given)))
        except BaseException:
            self.close()
            raise
        for hand in [hand for hand in self.hands if not hand.ready]:  # never needed
            self._dropped(hand)
        todo.tell()

    def _completed(
        self, work: Callable[[Any], Any], jobs: Jobs, given: Any
    ) -> Iterator[tuple[int, Any]]:
        if jobs.empty():
            return
        for hand in self.hands:
            self._begun(hand, given)
        while len(self.hands) < self.count:
            self.hands.append(self._make())
        deaths, since = 0, time.monotonic()
        while True:
            ready = [hand for hand in self.hands if hand.ready]
            idle = min(ready, key=lambda hand: len(hand.calls), default=None)
            taken = jobs.take() if idle and len(idle.calls) < IN_FLIGHT else None
            if idle and taken:
                reference = idle.actor.work.remote(work, taken[1])
                idle.calls.append(_Call(reference, *taken))
            if ready and not any(hand.calls for hand in ready):
                break
            if not ready and time.monotonic() > since + START:
                raise UserError(self._no_worker())
            # A job may be long in coming: answers are not kept waiting for it.
            answer = self._answer(0.0 if taken else 1.0)
            if answer is None:
                continue
            hand, value, lost = answer
            call = hand.calls.popleft()
            if lost:
                self._dropped(hand)
                self.hands.append(self._make())
                since = time.monotonic()
                for other in hand.calls:  # they had not begun
                    jobs.back(other)
                if call.number >= 0:
                    jobs.failed_once(call, value)
                    continue
                deaths += 1
                if deaths >= ATTEMPTS * self.count:
                    raise UserError(f"Ray: workers die as they start: {value}")
            elif call.number < 0 and isinstance(value, BaseException):
                raise value
            elif call.number == ABOUT:
                self._refuse_unlike(hand, value)
                self._begun(hand, given)
            elif isinstance(value, Refused) and value.final:
                raise UserError(f"worker on {hand.machine}: {value.why}")
            elif call.number == BEGIN:
                hand.ready, deaths = True, 0
            elif isinstance(value, Refused | BaseException):
                jobs.failed_once(call, value)
            else:
                yield call.number, value

    def _answer(self, seconds: float) -> tuple[_Hand, Any, bool] | None:
        """The next worker that has answered its oldest call, the answer (or what it raised),
        and whether the worker is lost; None when no one has answered for a while."""
        oldest = {hand.calls[0].reference: hand for hand in self.hands if hand.calls}
        done, _ = self.ray.wait(list(oldest), num_returns=1, timeout=seconds)
        if not done:
            return None
        hand = oldest[done[0]]
        try:
            return hand, self.ray.get(done[0]), False
        except self.ray.exceptions.RayTaskError as error:
            return hand, error.cause, False
        except self.ray.exceptions.RayError as error:
            return hand, _death(error), True

    def _begun(self, hand: _Hand, given: Any) -> None:
        hand.ready = False
        reference = hand.actor.begin.remote(self.threads, given)
        hand.calls.append(_Call(reference, BEGIN, None))

    def _refuse_unlike(self, hand: _Hand, there: dict[str, str]) -> None:
        hand.machine = there.pop("machine")
        for name in sorted({*self.here, *there}):
            here, other = self.here.get(name, "none"), there.get(name, "none")
            if here != other:
                raise UserError(
                    f"worker on {hand.machine}: {name} is {other}, here it is {here}: scores "
                    "would depend on the machine; install the same versions everywhere"
                )

    def _no_worker(self) -> str:
        free = {
            name: value
            for name, value in self.ray.cluster_resources().items()
            if name in ("CPU", "GPU")
        }
        has = ", ".join(f"{value:g} {name}" for name, value in free.items()) or "no CPU"
        wants = "1 CPU" + (f" and {self.executor.gpus:g} GPU" if self.executor.gpus else "")
        return (
            f"Ray: no worker has started in {START:.0f} s: each needs {wants}, the cluster has "
            f"{has} (busy with other work?); TOKBENCH_RAY_START=SECONDS waits longer"
        )

    def _dropped(self, hand: _Hand) -> None:
        self.hands.remove(hand)
        with suppress(Exception):
            self.ray.kill(hand.actor)

    def close(self) -> None:
        """End all workers at once; what they were at is lost, which costs time only."""
        for hand in list(self.hands):
            self._dropped(hand)


def _death(error: BaseException) -> str:
    """Why a worker is gone, in one line."""
    name = type(error).__name__
    if "OutOfMemory" in name:
        return "the worker's machine ran out of memory"
    said = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return f"the worker died ({said[-1][:200] if said else f'{name}: killed, or out of memory?'})"


_open: Pool | None = None


def _pool(executor: Executor) -> Pool:
    """The pool of this process; another one where other workers are wanted."""
    global _open
    if _open is None or _open.executor != executor or not _open.ray.is_initialized():
        close()
        _open = Pool(executor)
    return _open


def close() -> None:
    """End the workers of this process's pool."""
    global _open
    if _open is not None and _open.ray.is_initialized():
        _open.close()
    _open = None
