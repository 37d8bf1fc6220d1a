"""Whoever does the work, in whatever order: the same record to the last byte."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pytest
from mocks.command import called, refused
from mocks.jobs import job, numbers

from tokbench import executors, schedule
from tokbench.bench import Bench
from tokbench.errors import MissingExtra, UserError
from tokbench.executors import IN_FLIGHT, Executor, completed, spread
from tokbench.runner import evaluate

MODALITIES = ("text", "image", "audio")
TIMES = ["1", "1", "1"]


@pytest.mark.parametrize("modality", MODALITIES)
def test_processes_give_the_record_of_one(modality: str, tmp_path: Path) -> None:
    wanted = job(tmp_path, modality)
    serial, path = evaluate(wanted, tmp_path / "serial")
    assert serial.status == "complete"
    assert all(score.value is not None for score in serial.scores if "/" not in score.name)
    for workers in (2, 3) if modality == "text" else (2,):
        other, found = evaluate(wanted, tmp_path / str(workers), workers=workers)
        assert numbers(other) == numbers(serial)
        samples = [each.with_name("samples.parquet").read_bytes() for each in (path, found)]
        assert samples[0] == samples[1]


@pytest.mark.parametrize("modality", MODALITIES)
def test_shards_done_in_any_order_give_the_same_record(
    modality: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job(tmp_path, modality)
    serial, _ = evaluate(wanted, tmp_path / "serial")
    bench = Bench if modality == "text" else None

    def shuffled(work: Any, jobs: Any, executor: Executor, begin: Any) -> Iterator[tuple[int, Any]]:
        begin(1)
        todo = list(enumerate(jobs))
        random.Random(3).shuffle(todo)
        assert len(todo) > 5
        yield from ((number, work(each)) for number, each in todo)

    monkeypatch.setattr(executors, "completed", shuffled)
    other, _ = evaluate(wanted, tmp_path / "shuffled", workers=2)
    assert numbers(other) == numbers(serial)
    assert bench is None or isinstance(schedule._bench, bench)


def test_a_plan_made_while_shards_are_measured_is_the_same_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job(tmp_path, "text")
    totals: list[Any] = []
    whole, _ = evaluate(wanted, tmp_path / "a", progress=lambda done, of: totals.append(of))
    assert totals[-1] == 18
    monkeypatch.setattr("tokbench.plan.CACHED", -1)  # every set is a large one
    asked: list[Any] = []
    lazily, _ = evaluate(wanted, tmp_path / "b", progress=lambda done, of: asked.append((done, of)))
    assert asked[-1] == (18, None)
    spread_out, _ = evaluate(wanted, tmp_path / "c", workers=2)
    assert numbers(lazily) == numbers(whole) == numbers(spread_out)


def _doubled(number: int) -> int:
    return 2 * number


def test_no_more_jobs_are_taken_than_workers_can_hold() -> None:
    taken: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(30):
            taken.append(number)
            yield number

    executor = Executor("processes", 2)
    ahead = 0
    results: dict[int, int] = {}
    for number, result in completed(_doubled, jobs(), executor):
        results[number] = result
        ahead = max(ahead, len(taken) - len(results))
    assert results == {number: 2 * number for number in range(30)}
    assert ahead <= 2 * IN_FLIGHT


def test_results_keep_the_order_of_the_jobs() -> None:
    assert spread(_doubled, range(9), 2) == [2 * number for number in range(9)]
    assert spread(_doubled, [], 2) == []
    assert spread(_doubled, [4], 2) == [8]


def _lacking(number: int) -> int:
    raise MissingExtra(f"library {number}", "some")


def test_a_missing_library_of_a_worker_is_told_here() -> None:
    with pytest.raises(MissingExtra, match=r"library . is not installed; pip install 'tokbench"):
        spread(_lacking, [1, 2], 2)


def _cut_off(number: int) -> bytes:
    """The first is killed in the middle of its answer, as when memory runs out."""
    if number == 0:

        def half(self: connection.Connection, content: bytes) -> None:
            os.write(self.fileno(), bytes(content[: len(content) // 2]))
            os.kill(os.getpid(), signal.SIGKILL)

        connection.Connection._send = half  # type: ignore[attr-defined]
    return bytes(1 << 20)


@pytest.mark.skipif(os.name != "posix", reason="pipes of other systems are written otherwise")
def test_a_worker_killed_as_it_answers_stops_nobody() -> None:
    with pytest.raises(UserError, match="a worker process died"):
        spread(_cut_off, range(9), 2)
    assert multiprocessing.active_children() == []


class _Particular(Exception):
    """Cannot be made again from its message alone, as unpickling would."""

    def __init__(self, what: str, why: str):
        super().__init__(f"{what}: {why}")


def _particular(number: int) -> int:
    raise _Particular(f"job {number}", "out of paper")


def test_an_error_that_cannot_be_pickled_is_no_death_of_a_worker() -> None:
    with pytest.raises(RuntimeError, match=r"_Particular: job .: out of paper"):
        spread(_particular, [1, 2], 2)


@pytest.mark.parametrize(
    "name, workers, executor",
    [
        (None, None, Executor("serial", 1)),
        (None, 3, Executor("processes", 3)),
        ("serial", None, Executor("serial", 1)),
        ("processes", 2, Executor("processes", 2)),
        ("ray", None, Executor("ray", 0)),
        ("ray:head:6379", 5, Executor("ray", 5, "head:6379")),
    ],
)
def test_the_executor_asked_for(name: str | None, workers: int | None, executor: Executor) -> None:
    assert Executor.chosen(name, workers) == executor


def test_wrong_executors_are_one_line() -> None:
    eval_ = ("eval", "bytes", "--task", "text")
    refused(called(*eval_, "--executor", "rya"), "'rya': choose serial, processes, ray", "'ray'?")
    refused(called(*eval_, "--executor", "ray:"), "choose serial, processes, ray or ray:HOST:PORT")
    with pytest.raises(UserError, match="leave --workers out"):
        Executor.chosen("serial", 2)
