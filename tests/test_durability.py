"""Interrupted, killed, raced, out of disk: nothing lost, nothing half written, the same numbers."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mocks.command import Done, called, files_in, refused, started

from tokbench.errors import FAILURES, INTERRUPTED
from tokbench.files import atomic_write, cache_dir
from tokbench.record import Record, plain, read_record

SHARDS = 24
TASK = """
name = "own"
title = "own"
modality = "text"
dataset = "numbers"
main = "tokens"
shard_samples = 5
metrics = ["counts", "fertility", "utilisation", "lossless", "shannon-efficiency"]
"""
TOKENIZERS = '''
import os
import time
from multiprocessing import parent_process
from pathlib import Path

from tokbench.tokenizers.text.baselines import Bytes


class Slow(Bytes):
    """Takes its time and keeps a list of what it was asked."""

    name = "slow"

    def encode(self, batch):
        with Path("asked").open("a") as file:
            file.write(f"{batch[0]}\\n")
        time.sleep(float(os.environ.get("SLOW", "0")))
        return super().encode(batch)


class Fragile(Bytes):
    """Refuses two kinds of text."""

    name = "fragile"

    def encode(self, batch):
        for text in batch:
            if "x" in text:
                raise ValueError("an x")
            if text.endswith("7"):
                raise KeyError("seven")
        return super().encode(batch)


class Homesick(Bytes):
    """Cannot be made in a worker."""

    name = "homesick"

    def __init__(self):
        if parent_process() is not None:
            raise OSError("far from home")
        super().__init__()


class Deadly(Bytes):
    """Takes a worker with it."""

    name = "deadly"

    def encode(self, batch):
        if parent_process() is not None:
            os._exit(9)
        return super().encode(batch)
'''
WHAT = "--task", "own.toml", "--data", "text.txt"
SLOW = "eval", "own_tokenizers:Slow", *WHAT
FRAGILE = "eval", "own_tokenizers:Fragile", *WHAT


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task cut into two dozen shards, and tokenizers that misbehave."""
    (tmp_path / "own.toml").write_text(TASK)
    (tmp_path / "own_tokenizers.py").write_text(TOKENIZERS)
    lines = [f"line {number}, sätır {number * 7}" for number in range(5 * SHARDS)]
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    """Each test imports its own copy of the tokenizers."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    sys.modules.pop("own_tokenizers", None)


def record_in(folder: str) -> Record:
    (path,) = Path(folder).glob("*/record.json")
    return read_record(path)


def numbers_of(record: Record) -> dict[str, object]:
    """All of a record that must not depend on how it came about."""
    machine = ("performance", "provenance")
    return {name: value for name, value in plain(record).items() if name not in machine}


def uninterrupted() -> dict[str, object]:
    assert called(*SLOW, "--out", "whole").code == 0
    return numbers_of(record_in("whole"))


def shards() -> list[Path]:
    return sorted(Path("runs").glob("*/shards/*.npz"))


def waited_for(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


@contextlib.contextmanager
def under_way(*options: str) -> Iterator[subprocess.Popen[str]]:
    """A slow run with some of its shards done."""
    with started(*SLOW, *options, SLOW="0.1") as process:
        try:
            waited_for(lambda: len(shards()) >= 4 or process.poll() is not None)
            assert process.poll() is None, process.communicate()
            yield process
        finally:
            process.kill()


def resumed(*options: str) -> int:
    """Finish the run; how many of its shards had to be measured."""
    Path("asked").unlink(missing_ok=True)
    kept = len(shards())
    assert 0 < kept < SHARDS
    done = called(*SLOW, *options)
    assert (done.code, done.err) == (0, "")
    assert len(Path("asked").read_text().splitlines()) == SHARDS - kept
    assert [path.name for path in next(Path("runs").iterdir()).iterdir() if path.is_dir()] == []
    return SHARDS - kept


# Interrupted and killed


def test_ctrl_c_exits_with_130_and_the_same_command_goes_on() -> None:
    with under_way() as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert Done(process.returncode, out, err) == (
        INTERRUPTED,
        "",
        "tokbench: interrupted; the same command goes on where it stopped\n",
    )
    assert not any("record" in name or ".part" in name for name in files_in(Path("runs")))
    resumed()
    assert numbers_of(record_in("runs")) == uninterrupted()


def test_ctrl_c_with_workers_ends_them_all_with_one_line() -> None:
    command = [sys.executable, "-m", "tokbench", *SLOW, "--workers", "2"]
    with subprocess.Popen(
        command, env=os.environ | {"SLOW": "0.1"}, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        waited_for(lambda: len(shards()) >= 2)
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert err == "tokbench: interrupted; the same command goes on where it stopped\n"
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    resumed()
    assert numbers_of(record_in("runs")) == uninterrupted()


def test_a_run_killed_at_once_goes_on_with_identical_scores() -> None:
    with under_way() as process:
        process.send_signal(signal.SIGKILL)
    (folder,) = Path("runs").iterdir()
    (folder / "shards" / ".000020.npz.abcd.part").write_bytes(b"half")  # killed while writing
    (folder / ".record.json.abcd.part").write_bytes(b"half")
    resumed()
    assert numbers_of(record_in("runs")) == uninterrupted()
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "record.json",
        "samples.parquet",
    ]


def test_workers_of_a_killed_run_end_too() -> None:
    with under_way("--workers", "2") as process:
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert psutil.wait_procs(workers, timeout=30)[1] == []
    resumed()
    assert numbers_of(record_in("runs")) == uninterrupted()


def test_a_damaged_shard_is_named() -> None:
    with under_way() as process:
        process.send_signal(signal.SIGKILL)
    process.wait()
    shards()[1].write_bytes(b"PK damaged")
    refused(called(*SLOW), f"{shards()[1]}: damaged", "delete it")
    shards()[1].unlink()
    assert called(*SLOW).code == 0
    assert numbers_of(record_in("runs")) == uninterrupted()


def test_a_second_run_in_the_same_folder_gets_one_line_and_the_first_goes_on() -> None:
    with under_way() as process:
        refused(called(*SLOW), "another tokbench run is writing here", "choose another --out")
        assert called(*SLOW, "--out", "elsewhere").code == 0
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
    assert numbers_of(record_in("runs")) == numbers_of(record_in("elsewhere"))


# Workers


@pytest.mark.parametrize("command, code", [(SLOW, 0), (FRAGILE, FAILURES)])
def test_two_workers_give_the_record_of_one(command: tuple[str, ...], code: int) -> None:
    one = called(*command, "--out", "one")
    two = called(*command, "--out", "two", "--workers", "2")
    assert one.code == two.code == code
    assert numbers_of(record_in("one")) == numbers_of(record_in("two"))


@pytest.mark.parametrize(
    "tokenizer, message",
    [
        ("Homesick", "cannot be made: OSError: far from home"),
        ("Deadly", "a worker process died"),
    ],
)
def test_a_worker_that_fails_is_one_line(tokenizer: str, message: str) -> None:
    command = "eval", f"own_tokenizers:{tokenizer}", *WHAT
    refused(called(*command, "--workers", "2"), message)
    assert not any("record" in name for name in files_in(Path("runs")))
    assert called(*command).code == 0


# A tokenizer that raises


def test_samples_that_fail_are_counted_by_cause_and_the_rest_is_kept(here: Path) -> None:
    lines = ["one", "six", "17", "four", "box", "seven", "27", "eight"]
    (here / "text.txt").write_text("\n".join(lines))
    done = called(*FRAGILE, "--workers", "2")
    record = record_in("runs")
    assert (done.code, record.status) == (FAILURES, "failures")
    assert {cause: (f.count, f.example) for cause, f in record.failures.items()} == {
        "encode: ValueError: an x": (2, "sample 1"),
        "encode: KeyError: 'seven'": (2, "sample 2"),
    }
    assert "failed: 2 samples: encode: ValueError: an x (first: sample 1)" in done.out
    kept = "".join(line for line in lines if "x" not in line and not line.endswith("7"))
    assert record.score("samples").value == 4
    assert record.score("tokens").value == len(kept)


def test_a_premium_is_over_the_samples_that_both_languages_have(here: Path) -> None:
    folder = here / "set"
    folder.mkdir()
    (folder / "eng_Latn.txt").write_text("one\ntwelve\nx\nfour\n")
    (folder / "tur_Latn.txt").write_text("bir\ntaxi\nüç\ndört\n", encoding="utf-8")
    done = called("eval", "own_tokenizers:Fragile", "--data", "set")
    record = record_in("runs")
    premium = record.score("premium/tur_Latn")
    assert done.code == FAILURES
    assert premium.n == 2  # the first and the last
    assert premium.value == (len("bir") + len("dört".encode())) / (len("one") + len("four"))


# Disks


@pytest.fixture
def tmpfs(here: Path) -> Iterator[Path]:
    """A disk of 96 KiB."""
    folder = here / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_later(tmpfs: Path) -> None:
    refused(called(*SLOW, "--out", tmpfs), "No space left on device")
    names = files_in(tmpfs)
    assert any(name.endswith(".npz") for name in names)
    assert not any(".part" in name or "record" in name for name in names)
    subprocess.run(["mount", "-o", "remount,size=8m", str(tmpfs)], check=True)
    assert called(*SLOW, "--out", tmpfs).code == 0
    assert numbers_of(record_in(str(tmpfs))) == uninterrupted()


def test_a_disk_that_is_read_only_is_one_line(tmpfs: Path) -> None:
    assert called(*SLOW, "--out", tmpfs, "--limit", "1").code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    refused(called(*SLOW, "--out", tmpfs), "cannot write: Read-only file system")
    assert called(*SLOW, "--out", tmpfs, "--limit", "1", "--again").code == 2


@pytest.mark.parametrize("room", [0, 1, 7, SHARDS, SHARDS + 2])
def test_wherever_a_disk_fills_up_nothing_is_half_written(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    assert called(*SLOW, "--out", "first").code == 0  # and the words of the text are cached
    sync, left = os.fsync, [2 * room]  # a file and its folder

    def full(number: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = called(*SLOW)
    if room <= SHARDS:
        refused(done, "cannot write: No space left on device")
        assert len(shards()) == room
        assert not any(".part" in n or "record" in n for n in files_in(Path("runs")))
    assert called(*SLOW).code == 0
    assert numbers_of(record_in("runs")) == numbers_of(record_in("first"))


def test_an_out_that_is_a_file_is_one_line(here: Path) -> None:
    (here / "taken").write_text("")
    refused(called(*SLOW, "--out", "taken"), "taken/", "cannot write")
    assert (here / "taken").read_text() == ""


def test_a_cache_that_cannot_be_written_costs_time_only(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = uninterrupted()
    (here / "taken").write_text("")
    monkeypatch.setenv("TOKBENCH_CACHE", str(here / "taken"))
    cache_dir.cache_clear()
    assert called(*SLOW).code == 0
    assert numbers_of(record_in("runs")) == expected


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"other"])
def test_a_damaged_cache_is_made_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    monkeypatch.setenv("TOKBENCH_CACHE", str(here / "cache"))
    cache_dir.cache_clear()
    expected = uninterrupted()
    cached = [path for path in (here / "cache").rglob("*") if path.is_file()]
    assert cached
    for path in cached:
        path.write_bytes(damage)
    assert called(*SLOW).code == 0
    assert numbers_of(record_in("runs")) == expected
    assert all(path.read_bytes() != damage for path in cached)


def test_a_file_is_replaced_whole_or_stays_as_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = here / "folder" / "file"
    atomic_write(path, b"first")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(Exception, match="No space left"):
        patch.setattr(os, "fsync", full)
        atomic_write(path, b"second")
    assert path.read_bytes() == b"first"
    assert files_in(path.parent) == ["file"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
