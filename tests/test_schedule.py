"""Several jobs on several workers: one queue, each record as if its job had been alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mocks.command import called
from mocks.jobs import SPECS, job, numbers

from tokbench import executors, schedule
from tokbench.bench import Job, open_bench
from tokbench.errors import UserError
from tokbench.executors import Executor
from tokbench.run import unseen
from tokbench.runner import evaluate, evaluate_all

PAIR = Executor("processes", 2)


def several(folder: Path) -> list[Job]:
    """Long and short jobs of every modality, one of them twice."""
    jobs = [job(folder, "text", spec) for spec in ("mocks.greedy:Greedy", "bytes", "codepoints")]
    short = [job(folder, "text", "bytes", shard_samples=5000), job(folder, "image")]
    return [*jobs, *short, jobs[1], job(folder, "audio")]


def alone(jobs: list[Job], out: Path) -> list[Any]:
    return [evaluate(each, out) for each in jobs]


def test_every_record_is_that_of_its_job_alone(tmp_path: Path) -> None:
    jobs = several(tmp_path)
    expected = alone(jobs, tmp_path / "alone")
    found = evaluate_all([(each, None) for each in jobs], tmp_path / "together", PAIR)
    assert [path.parent.name for _, path in found] == [path.parent.name for _, path in expected]
    for (record, path), (other, there) in zip(found, expected, strict=True):
        assert numbers(record) == numbers(other)
        samples = [each.with_name("samples.parquet").read_bytes() for each in (path, there)]
        assert samples[0] == samples[1]
        assert sorted(each.name for each in path.parent.iterdir() if each.suffix) == [
            "record.json", "samples.parquet",
        ]  # fmt: skip


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, workers: int) -> Iterator[list[tuple[str, int]]]:
    """Pieces in the order they were taken, measured here; results come `workers` later."""
    taken: list[tuple[str, int]] = []

    def completed(work: Any, pieces: Any, executor: Any, begin: Any) -> Iterator[Any]:
        begin(1)
        waiting: list[Any] = []
        for number, piece in enumerate(pieces):
            taken.append((piece.job.spec, piece.number))
            waiting.append((number, piece))
            if len(waiting) > workers:
                number, piece = waiting.pop(0)
                yield number, work(piece)
        for number, piece in waiting:
            yield number, work(piece)

    monkeypatch.setattr(executors, "completed", completed)
    yield taken


def test_the_next_job_begins_while_the_last_shards_of_this_one_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(tmp_path, "text", spec, shard_samples=40) for spec in ("bytes", "codepoints")]
    done: list[str] = []

    @contextmanager
    def bar(label: str) -> Iterator[None]:
        yield None
        done.append(f"{label.split(' ')[0]} after {len(taken)}")

    with watched(monkeypatch, 2) as taken:
        evaluate_all([(each, None) for each in jobs], tmp_path / "out", PAIR, bar=bar)
    assert taken == [(spec, number) for spec in ("bytes", "codepoints") for number in range(3)]
    assert done == ["bytes after 5", "codepoints after 6"]


def test_a_worker_holds_one_job_and_loads_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, bool]] = []

    def opening(wanted: Job, tokenizer: Any = None) -> Any:
        assert schedule._bench is None, "what was held makes room first"
        made.append((wanted.spec, tokenizer is not None))
        return open_bench(wanted, tokenizer)

    monkeypatch.setattr(schedule, "open_bench", opening)
    jobs = [job(tmp_path, "text", spec) for spec in ("bytes", "codepoints")]
    jobs.insert(1, job(tmp_path, "text", "bytes", shard_samples=9))
    with watched(monkeypatch, 3):
        evaluate_all([(each, None) for each in jobs], tmp_path / "out", PAIR)
    assert made == [("bytes", False), ("bytes", True), ("codepoints", False)]


def test_few_tokenizers_are_held_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "HELD", 1)
    held: list[int] = []
    jobs = [job(tmp_path, "text", "bytes", shard_samples=5000 + n) for n in range(6)]
    expected = alone(jobs, tmp_path / "alone")
    with watched(monkeypatch, 5):
        plan = schedule.Schedule(
            [(each, None) for each in jobs], tmp_path / "out", PAIR, False, unseen
        )
        pieces = plan._pieces

        def counted() -> Iterator[Any]:
            for piece in pieces():
                held.append(sum(run._bench is not None for run in plan._open.values()))
                yield piece

        monkeypatch.setattr(plan, "_pieces", counted)
        found = plan.results()
    assert max(held) == 2
    assert [numbers(record) for record, _ in found] == [numbers(record) for record, _ in expected]


def test_what_was_finished_before_a_job_that_is_refused_is_kept(tmp_path: Path) -> None:
    first, last = job(tmp_path, "text"), job(tmp_path, "text", "codepoints")
    wrong = Job("bytes", first.task, str(tmp_path / "nowhere.txt"))
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"nowhere.txt': no file, folder"):
        evaluate_all([(first, None), (wrong, None), (last, None)], out, PAIR)
    [path] = out.glob("*/record.json")
    assert path.parent.name.startswith("greedy--")
    assert not list(out.glob("codepoints*"))


def test_a_job_of_which_nothing_can_be_encoded_is_told_after_those_under_way(
    tmp_path: Path,
) -> None:
    (tmp_path / "own_stubborn.py").write_text(
        "from tokbench.tokenizers.text.baselines import Bytes\n"
        "class Stubborn(Bytes):\n"
        "    name = 'stubborn'\n"
        "    def encode(self, batch):\n"
        "        raise ValueError('no')\n"
    )
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        bad = job(tmp_path, "text", "own_stubborn:Stubborn", shard_samples=5000)
        good = job(tmp_path, "text", shard_samples=5000)
        with pytest.raises(UserError, match="nothing was encoded: encode: ValueError: no"):
            evaluate_all([(bad, None), (good, None)], tmp_path / "out", PAIR)
    finally:
        sys.path.remove(str(tmp_path))
    assert [path.parent.name.partition("--")[0] for path in tmp_path.glob("out/*/record.json")] == [
        "greedy"
    ]


def test_an_interrupted_call_goes_on(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "text", spec) for spec in (SPECS["text"], "bytes", "codepoints")]
    pairs = [(each, None) for each in jobs]
    expected = alone(jobs, tmp_path / "alone")
    out = tmp_path / "out"
    seen: list[str] = []

    class Enough(Exception):
        pass

    @contextmanager
    def bar(label: str) -> Iterator[Any]:
        def progress(done: int, total: int | None) -> None:
            seen.append(label)
            if label.startswith("codepoints") and done > 2:
                raise Enough

        yield progress

    with pytest.raises(Enough):
        evaluate_all(pairs, out, PAIR, bar=bar)
    assert list(out.glob("codepoints*/shards/*.npz"))
    found = evaluate_all(pairs, out, PAIR)
    assert [numbers(record) for record, _ in found] == [numbers(record) for record, _ in expected]
    assert not list(out.glob("*/shards"))


@pytest.mark.parametrize("command", ["compare", "report"])
def test_what_is_compared_is_measured_in_one_call(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def watched(jobs: Any, *given: Any) -> Any:
        pairs = list(jobs)
        calls.append([job.spec for job, _ in pairs])
        return evaluate_all(pairs, *given)

    monkeypatch.setattr("tokbench.commands.evaluate.evaluate_all", watched)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("hello world\n")
    found = called(command, "bytes", "codepoints", "words", "--task", "text", "--data", "text.txt")
    assert (found.code, calls) == (0, [["bytes", "codepoints", "words"]]), found.err
