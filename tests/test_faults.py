"""Faults at random points, many times over: a run that is taken up again gives the same record.

TOKBENCH_FAULTS=N tries N of each fault instead of a few.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocks.jobs import job, numbers

from tokbench import files
from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.record import Record
from tokbench.runner import evaluate

FAULTS = int(os.environ.get("TOKBENCH_FAULTS", "8"))
SHARDS = 18


@pytest.fixture
def wanted(tmp_path: Path) -> Job:
    return job(tmp_path, "text")


@pytest.fixture
def whole(wanted: Job, tmp_path: Path) -> Record:
    return evaluate(wanted, tmp_path / "whole")[0]


def shards(out: Path) -> list[Path]:
    return sorted(out.glob("*/shards/*.npz"))


def _run(wanted: Job, out: Path) -> None:
    evaluate(wanted, out)


def forked(run: Callable[[], None], after: float | None) -> int:
    """Exit code of a forked process that does it, killed with SIGKILL after a while. (Forked, for
    a new interpreter would take longer than the run.)"""
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    if after is not None:
        time.sleep(after)
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    return int(process.exitcode or 0)


def whole_files(out: Path) -> None:
    """Every file that a reader would look at is whole."""
    for path in shards(out):
        Evidence.from_bytes(path.read_bytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_at_any_moment_and_taken_up_again(
    wanted: Job, whole: Record, tmp_path: Path
) -> None:
    started = time.monotonic()
    assert forked(lambda: _run(wanted, tmp_path / "timed"), None) == 0
    length = time.monotonic() - started
    rng = random.Random(1)
    left: set[int] = set()
    for number in range(FAULTS):
        out = tmp_path / f"killed-{number}"
        while forked(lambda out=out: _run(wanted, out), rng.uniform(0, length)):  # type: ignore[misc]
            whole_files(out)
            left.add(len(shards(out)))
            length = max(length, 0.05) * 1.02  # on a busy machine it must get on all the same
        record, _ = evaluate(wanted, out)
        assert numbers(record) == numbers(whole)
        assert not list(out.rglob("*.part"))
    assert len(left) > 2, "the kills all came at the same place"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("modality", ["image", "audio"])
def test_pictures_and_sound_after_a_kill(modality: str, tmp_path: Path) -> None:
    wanted, out = job(tmp_path, modality), tmp_path / "out"
    whole, path = evaluate(wanted, tmp_path / "whole")
    evidence = path.with_name("samples.parquet").read_bytes()
    for stop in (1, 3, 4):

        def run(stop: int = stop) -> None:
            def progress(done: int, total: int | None) -> None:
                if done == stop:
                    os.kill(os.getpid(), signal.SIGKILL)

            evaluate(wanted, out, progress=progress)

        assert forked(run, None) == -signal.SIGKILL
        assert len(shards(out)) == stop
        whole_files(out)
    record, path = evaluate(wanted, out, workers=2)
    assert numbers(record) == numbers(whole)
    assert path.with_name("samples.parquet").read_bytes() == evidence
    assert sorted(each.name for each in path.parent.iterdir()) == [
        ".lock", "record.json", "samples.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_a_worker_that_is_killed_over_pictures_or_sound(modality: str, tmp_path: Path) -> None:
    wanted, out = job(tmp_path, modality), tmp_path / "out"
    whole, _ = evaluate(wanted, tmp_path / "whole")

    def progress(done: int, total: int | None) -> None:
        if done == 2:
            multiprocessing.active_children()[0].kill()

    with pytest.raises(UserError, match="a worker process died"):
        evaluate(wanted, out, workers=2, progress=progress)
    assert multiprocessing.active_children() == []
    whole_files(out)
    assert len(shards(out)) >= 2
    assert numbers(evaluate(wanted, out, workers=2)[0]) == numbers(whole)


def test_killed_as_it_ends_it_leaves_no_shards_for_good(wanted: Job, tmp_path: Path) -> None:
    record, path = evaluate(wanted, tmp_path / "out")
    left = path.parent / "shards" / "000000.npz"
    for workers in (1, 2):
        left.parent.mkdir()
        left.touch()
        assert numbers(evaluate(wanted, tmp_path / "out", workers=workers)[0]) == numbers(record)
        assert not left.parent.exists()


def dying_writes(monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], None]) -> None:
    """`fails` is asked before each step of a write: temporary file, fsync, rename, fsync."""
    sync, replace = os.fsync, Path.replace

    def watched_sync(number: int) -> None:
        fails("sync")
        sync(number)

    def watched_replace(self: Path, target: Any) -> Path:
        fails("replace")
        return replace(self, target)

    monkeypatch.setattr(files.os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_at_every_step_of_a_write(wanted: Job, whole: Record, tmp_path: Path) -> None:
    steps = 3 * (SHARDS + 2)  # shards, the table and the record: sync, rename, sync of the folder
    rng = random.Random(2)
    for step in sorted(rng.sample(range(steps), min(FAULTS, steps))):
        out = tmp_path / f"step-{step}"

        def run(step: int = step, out: Path = out) -> None:
            left = [step]

            def fails(what: str) -> None:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            with pytest.MonkeyPatch.context() as patch:
                dying_writes(patch, fails)
                _run(wanted, out)

        assert forked(run, None) == -signal.SIGKILL
        whole_files(out)
        record, _ = evaluate(wanted, out)
        assert numbers(record) == numbers(whole)
        assert not list(out.rglob("*.part"))


def test_a_disk_that_is_full_at_any_step(wanted: Job, whole: Record, tmp_path: Path) -> None:
    rng = random.Random(3)
    out = tmp_path / "full"
    for _ in range(FAULTS):
        left = [rng.randrange(1, 12)]

        def fails(what: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            dying_writes(patch, fails)
            try:
                evaluate(wanted, out)
                break
            except UserError as error:
                assert "No space left on device" in str(error)
        whole_files(out)
        assert not list(out.rglob("*.part"))
    record, _ = evaluate(wanted, out)
    assert numbers(record) == numbers(whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_files_that_may_not_grow(wanted: Job, whole: Record, tmp_path: Path) -> None:
    import resource

    def run() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does itself
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
        with pytest.raises(UserError, match="cannot write: File too large"):
            _run(wanted, tmp_path / "out")

    assert forked(run, None) == 0
    whole_files(tmp_path / "out")
    assert numbers(evaluate(wanted, tmp_path / "out")[0]) == numbers(whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_of_two_drivers_one_works_and_the_other_is_told(
    wanted: Job, whole: Record, tmp_path: Path
) -> None:
    def second(out: Path) -> None:
        while not list(out.glob("*/.lock")):
            time.sleep(0.001)
        try:
            evaluate(wanted, out)
        except UserError as error:
            assert "another tokbench run is writing here" in str(error)

    context = multiprocessing.get_context("fork")
    for number in range(max(2, FAULTS // 2)):
        out = tmp_path / f"two-{number}"
        processes = [context.Process(target=_run, args=(wanted, out))]
        processes += [context.Process(target=second, args=(out,)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        codes = [process.exitcode for process in processes]
        assert codes[1:] == [0, 0]
        # Whoever comes first has the folder; the first driver may be the one who is refused.
        assert numbers(evaluate(wanted, out)[0]) == numbers(whole)


def test_clocks_that_jump_change_nothing(
    wanted: Job, whole: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    class Enough(Exception):
        pass

    def progress(done: int, total: int | None) -> None:
        if done == 9:
            raise Enough

    with pytest.raises(Enough):
        evaluate(wanted, out, progress=progress)
    rng = random.Random(5)
    for path in shards(out):
        stamp = rng.randrange(0, 1 << 32)  # from 1970 to 2106
        os.utime(path, (stamp, stamp))
    assert len(shards(out)) == 9
    clocks: Iterator[float] = iter(np.random.default_rng(6).uniform(0, 4e9, 1 << 20).tolist())
    monkeypatch.setattr(time, "time", lambda: next(clocks))
    assert numbers(evaluate(wanted, out)[0]) == numbers(whole)
