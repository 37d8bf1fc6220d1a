"""Ray on a cluster of several nodes in this machine: the same numbers, whoever dies."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from mocks.command import called, refused, started
from mocks.jobs import SPECS, job, numbers

from tokbench import executors, executors_ray, ray_connection
from tokbench.errors import INTERRUPTED, MissingExtra, UserError
from tokbench.executors import Executor
from tokbench.record import Record
from tokbench.runner import evaluate, evaluate_all

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'tokbench[ray]'")
HERE = str(Path(__file__).parent)


PATIENCE = 300
"""Seconds that a machine may be busy with other things; nothing here takes as long by itself."""


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """No limit of time that a busy machine breaks, here and in the processes started here."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((ray_connection, "ANSWER"), (executors_ray, "START")):
            patch.setattr(module, name, float(PATIENCE))
            patch.setenv(f"TOKBENCH_RAY_{name}", str(PATIENCE))
        for name, value in ray_connection._QUIET.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def cluster(patience: None) -> Iterator[Any]:
    """A head with two cores; the driver is this process. Tests with as many workers share them:
    it is their start that takes the time."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield made
    executors_ray.close()
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def spread(cluster: Any) -> Callable[..., Record]:
    """Run a job on the cluster."""

    def run(wanted: Any, out: Path, workers: int = 2, **more: Any) -> Record:
        executor = Executor("ray", workers, cluster.address)
        return evaluate(wanted, out, executor=executor, **more)[0]

    return run


def kill_one() -> list[int]:
    """Kill a process of the pool's actors: its number; nothing where none is left."""
    for process in psutil.process_iter(["cmdline"]):
        if any(part.startswith("ray::Worker") for part in process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                return [process.pid]
    return []


@pytest.mark.parametrize("modality", SPECS)
def test_ray_gives_the_record_of_one_process(modality: str, tmp_path: Path, spread: Any) -> None:
    wanted = job(tmp_path, modality)
    serial, _ = evaluate(wanted, tmp_path / "serial")
    assert numbers(spread(wanted, tmp_path / "ray")) == numbers(serial)


def test_jobs_of_one_call_share_the_workers(tmp_path: Path, cluster: Any) -> None:
    jobs = [(job(tmp_path, modality), None) for modality in SPECS]
    jobs.insert(1, (job(tmp_path, "text", "bytes", shard_samples=5000), None))
    alone = evaluate_all(jobs, tmp_path / "serial")
    found = evaluate_all(jobs, tmp_path / "ray", Executor("ray", 2, cluster.address))
    assert [numbers(record) for record, _ in found] == [numbers(record) for record, _ in alone]


def test_a_shard_that_kills_its_worker_is_tried_elsewhere_and_then_given_up(
    tmp_path: Path, spread: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lives = tmp_path / "lives"
    lives.mkdir()
    spec = f"mocks.jobs:Mortal?folder={lives}&lives="
    with pytest.raises(UserError) as caught:
        spread(job(tmp_path, "text", spec + "99"), tmp_path / "given-up", 2)
    assert "1 job (" in str(caught.value)
    assert "failed 3 times: 1 × the worker died" in str(caught.value)
    kept = list((tmp_path / "given-up").glob("*/shards/*.npz"))
    assert len(kept) == 17
    assert not list((tmp_path / "given-up").glob("*/record.json"))
    record = spread(job(tmp_path, "text", spec + "0"), tmp_path / "given-up", 2)
    serial, _ = evaluate(job(tmp_path, "text", spec + "0"), tmp_path / "serial")
    assert numbers(record) == numbers(serial)
    assert capsys.readouterr().out == ""


def test_workers_and_nodes_that_die_are_replaced(tmp_path: Path, spread: Any, cluster: Any) -> None:
    serial, _ = evaluate(job(tmp_path, "text", "mocks.jobs:Slow?seconds=0"), tmp_path / "serial")
    doomed = cluster.add_node(num_cpus=1)  # three workers need its core
    steps: list[tuple[int, Any]] = []
    killed: list[int] = []
    wanted = job(tmp_path, "text", "mocks.jobs:Slow?seconds=0.15")

    def progress(done: int, total: int | None) -> None:
        steps.append((done, total))
        if len(steps) == 4:
            killed.extend(kill_one())
        if len(steps) == 9:
            cluster.remove_node(doomed)

    record = spread(wanted, tmp_path / "ray", 3, progress=progress)
    assert killed
    assert record.scores == serial.scores
    assert record.evidence == serial.evidence
    assert steps[-1] == (18, 18)


def test_a_worker_of_another_version_is_refused(
    tmp_path: Path, spread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = executors_ray.identity()
    monkeypatch.setattr(executors_ray, "identity", lambda: here | {"tokenizers": "0.0.1"})
    with pytest.raises(UserError, match=r"worker on \S+: tokenizers is \S+, here it is 0.0.1: "):
        spread(job(tmp_path, "text"), tmp_path / "out", 1)
    executors_ray.close()  # what it takes this place for stays with the pool


def test_data_that_a_worker_cannot_read_is_named_after_the_rest(
    tmp_path: Path, spread: Any
) -> None:
    wanted = job(tmp_path, "text")
    serial, _ = evaluate(wanted, tmp_path / "serial")
    data = tmp_path / "text-data" / "tur_Latn.txt"
    content = data.read_bytes()
    steps = []

    def progress(done: int, total: int | None) -> None:
        steps.append(done)
        if len(steps) == 2:
            data.chmod(0)
            data.rename(data.with_suffix(".gone"))

    with pytest.raises(UserError, match=r"failed 3 times: . × .*tur_Latn.txt: cannot read"):
        spread(wanted, tmp_path / "ray", 1, progress=progress)
    data.write_bytes(content)
    data.with_suffix(".gone").unlink()
    assert numbers(spread(wanted, tmp_path / "ray", 1)) == numbers(serial)


def test_a_worker_that_finds_other_data_is_refused(
    tmp_path: Path, spread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = job(tmp_path, "text")
    completed = executors.completed

    def changed(*given: Any) -> Any:
        data = tmp_path / "text-data" / "eng_Latn.txt"
        data.write_text(data.read_text().replace("hello", "Hello"))
        return completed(*given)

    monkeypatch.setattr(executors, "completed", changed)
    with pytest.raises(UserError, match=r"worker on .*loaded another tokenizer or other data"):
        spread(wanted, tmp_path / "out", 1)


def test_ctrl_c_ends_it_with_one_line_and_the_same_command_goes_on(
    tmp_path: Path, cluster: Any
) -> None:
    wanted = job(tmp_path, "text")
    task = tmp_path / "own.toml"
    task.write_text(
        'name = "own"\ntitle = "own"\nmodality = "text"\ndataset = "numbers"\nmain = "tokens"\n'
        'shard_samples = 7\nmetrics = ["counts"]\n'
    )
    steps = tmp_path / "steps"
    steps.mkdir()
    command = (
        "eval", f"mocks.jobs:Held?folder={steps}", "--task", task, "--data", wanted.data,
        "--out", tmp_path / "runs", "--workers", 2, "--executor", f"ray:{cluster.address}",
    )  # fmt: skip
    path = os.pathsep.join([HERE, *sys.path])
    with started(*command, PYTHONPATH=path) as process:
        end = time.monotonic() + PATIENCE
        while len(list(tmp_path.glob("runs/*/shards/*.npz"))) < 2 and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (INTERRUPTED, "")
    assert err == "tokbench: interrupted; the same command goes on where it stopped\n"
    (steps / "go").touch()
    assert len(list(tmp_path.glob("runs/*/shards/*.npz"))) >= 2
    done = called(*command[:-2])
    assert (done.code, done.err) == (0, "")
    assert not list(tmp_path.glob("runs/*/shards"))


def test_an_address_that_does_not_answer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eval_ = ("eval", "bytes", "--task", "text", "--out", tmp_path, "--executor")
    refused(called(*eval_, "ray:127.0.0.1:9"), "ray:127.0.0.1:9: does not answer", "ray start")
    monkeypatch.setattr(ray_connection, "ANSWER", 1.0)
    with socket.socket() as silent:  # it takes the call and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match="no Ray answers there in 1 s"):
            ray_connection._refuse_silence(address)
    for wrong in ("ray://head:10001", "head", "head:99999"):
        with pytest.raises(UserError, match=r"host:port|HOST:PORT"):
            ray_connection._refuse_silence(wrong)


def test_ray_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tokbench\[ray\]'"):
        ray_connection.connected(Executor("ray", 1))


def test_ray_that_cannot_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**how: object) -> None:
        raise OSError("AF_UNIX path length cannot exceed 107 bytes: /a/long/TMPDIR")

    stub = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setitem(sys.modules, "ray", stub)
    with pytest.raises(UserError, match="Ray cannot start: AF_UNIX path length"):
        ray_connection.connected(Executor("ray", 1))


def test_what_workers_need_and_the_cluster_has() -> None:
    assert ray_connection.shares({"CPU": 8.0}, Executor("ray", 0, "a:1")) == (8, 1)
    assert ray_connection.shares({"CPU": 8.0, "GPU": 2.0}, Executor("ray", 0, "a:1", 0.5)) == (4, 1)
    with pytest.raises(UserError, match=r"wants 1 GPU, the cluster has 0; say device=cpu"):
        ray_connection.shares({"CPU": 8.0}, Executor("ray", 0, "a:1", 1.0))
