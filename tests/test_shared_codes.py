"""Tasks of one call encode a text once; dear ones measure a bounded number of samples."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocks.evidence import make_task
from mocks.greedy import Greedy

from tokbench import executors
from tokbench.bench import Job, open_bench
from tokbench.cli import main
from tokbench.commands import evaluate as command
from tokbench.executors import Executor
from tokbench.runner import evaluate, evaluate_all
from tokbench.shared_codes import SharedCodes, codes_folder
from tokbench.types import Codes, Ragged

LINES = {"deu_Latn": ["hello world", "ab", "é?", "a"], "eng_Latn": ["hello", "b, hello", "!", "ab"]}


class Counting(Greedy):
    """Remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def encode(self, texts):
        self.given += texts
        return super().encode(texts)


class Touchy(Counting):
    """Fails on one sample."""

    def encode(self, texts):
        if any("?" in text for text in texts):
            raise ValueError("no questions")
        return super().encode(texts)


def record_of(tokenizer, data: Path, out: Path, metric: str, codes: Path | str = ""):
    job = Job("greedy", make_task([metric]), str(data), codes=str(codes))
    return evaluate(job, out, tokenizer=tokenizer)[0]


def test_a_text_is_encoded_once_and_the_scores_are_the_same(parallel, tmp_path: Path) -> None:
    data, tokenizer = parallel(**LINES), Counting()
    folder = tmp_path / "codes"
    for metric in ("bytes-per-token", "characters-per-token"):
        alone = record_of(Greedy(), data, tmp_path / "alone", metric)
        shared = record_of(tokenizer, data, tmp_path / "shared", metric, folder)
        assert shared.scores == alone.scores
        assert shared.key == alone.key
        encoding = next(s for s in shared.performance if s.name == "encode-time")
        assert encoding.value and encoding.value > 0
    assert sorted(tokenizer.given) == sorted(line for lines in LINES.values() for line in lines)


def test_other_cuts_of_the_text_and_other_tokenizers_have_codes_of_their_own(
    parallel, tmp_path: Path
) -> None:
    data, folder = parallel(**LINES), tmp_path / "codes"
    tokenizer, other = Counting(), Counting()
    other.identity = lambda: ("another",)  # type: ignore[method-assign]
    for unit in ("line", "spaced"):
        job = Job("greedy", make_task(["tokens-per-line"], unit=unit), str(data), codes=str(folder))
        evaluate(job, tmp_path / "runs", tokenizer=tokenizer)
    assert len(tokenizer.given) == 16
    record_of(other, data, tmp_path / "other", "tokens-per-line", folder)
    assert len(other.given) == 8


def test_codes_with_failures_are_not_kept_and_are_counted_by_every_task(
    parallel, tmp_path: Path
) -> None:
    data, folder = parallel(**LINES), tmp_path / "codes"
    for metric in ("bytes-per-token", "fertility"):
        record = record_of(Touchy(), data, tmp_path / "runs", metric, folder)
        assert [failure.count for failure in record.failures.values()] == [1]


def test_a_damaged_file_is_encoded_again(tmp_path: Path) -> None:
    shared = SharedCodes(tmp_path, "fingerprint")
    codes = Codes((Ragged.of([[3, 1], []]),), spans=np.array([[0, 1], [1, 2]], np.int32))
    assert shared.get("a") is None
    shared.put("a", codes, 0.25)
    found, seconds = shared.get("a") or pytest.fail("not kept")
    assert [row.tolist() for row in found.ids] == [[3, 1], []]
    assert found.spans is not None and found.spans.tolist() == [[0, 1], [1, 2]]
    assert seconds == 0.25
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:40])
    assert shared.get("a") is None


def test_a_call_with_several_tasks_shares_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("hello world\nab\n")
    folders: list[str] = []
    jobs = command._jobs

    def watched(*given) -> Iterator[tuple[Job, Any]]:
        for job, tokenizer in jobs(*given):
            folders.append(job.codes)
            yield job, tokenizer
            assert not job.codes or list(Path(job.codes).glob("*.npz"))

    monkeypatch.setattr(command, "_jobs", watched)
    call = ["eval", "bytes", "--data", str(tmp_path / "text.txt"), "--out", str(tmp_path / "runs")]
    assert main([*call, "--task", "text", "--task", "numbers"]) == 0
    assert folders[0] == folders[1] != ""
    assert not Path(folders[0]).exists()
    assert main([*call, "--task", "text", "--again"]) == 0
    assert folders[2] == ""
    options = argparse.Namespace(
        suite=None, task=["text", "numbers"], data=None, groups=None, lexicon=None, reference=None,
        split=None, limit=None,
    )  # fmt: skip
    each = jobs(["bytes"], options, [], Executor("ray"), tmp_path)
    assert {job.codes for job, _ in each} == {""}  # machines of a cluster share no folder


def test_workers_leave_no_codes_of_tokenizers_that_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "text.txt"
    data.write_text("".join(f"hello {number} world\n" for number in range(40)))
    tasks = [make_task([metric]) for metric in ("bytes-per-token", "counts")]
    kept: list[int] = []

    def jobs() -> Iterator[tuple[Job, Any]]:
        for number, spec in enumerate(("bytes", "codepoints", "words", "bytes", "codepoints")):
            for limit, task in enumerate(tasks, 10 * number + 1):  # each a run of its own
                codes = str(tmp_path / "codes" / str(number))
                yield Job(spec, task, str(data), limit=limit, codes=codes), None
            kept.append(len(list(tmp_path.glob("codes/*"))))

    def completed(work: Any, pieces: Any, executor: Any, begin: Any) -> Iterator[Any]:
        begin(1)
        yield from ((number, work(piece)) for number, piece in enumerate(pieces))

    monkeypatch.setattr(executors, "completed", completed)
    assert len(evaluate_all(jobs(), tmp_path / "runs", Executor("processes", 2))) == 10
    assert max(kept) == 1
    assert len(list(tmp_path.glob("codes/*"))) == 1  # the last, for the call itself to remove


def test_codes_that_a_killed_call_has_left_go(cache: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal; from tokbench.shared_codes import codes_folder\n"
        "with codes_folder() as folder:\n"
        "    (folder / 'a.npz').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    with codes_folder() as other:
        (other / "b.npz").touch()
        subprocess.run([sys.executable, "-c", code], check=False)
        assert len(list(cache.glob("codes/*/*.npz"))) == 2
        with codes_folder() as folder:
            assert list(cache.glob("codes/*/*.npz")) == [other / "b.npz"]
            assert not any(folder.iterdir())
    assert list(cache.glob("codes/*")) == []


def test_a_bound_is_dealt_evenly_over_the_groups(parallel, run: Callable) -> None:
    data = parallel(**LINES)
    record, _ = run("greedy", data, ["counts"], Greedy(), most_samples=5)
    assert record.about.dataset.samples == 4  # the first two of each
    assert "|most:5|" in record.signature
    assert record.limit is None
    cut, _ = run("greedy", data, ["counts"], Greedy(), limit=2)
    whole, _ = run("greedy", data, ["counts"], Greedy())
    assert record.score("tokens").value == cut.score("tokens").value
    assert len({record.key, cut.key, whole.key}) == 3
    assert run("greedy", data, ["counts"], Greedy(), most_samples=1)[0].about.dataset.samples == 2
    assert run("greedy", data, ["counts"], Greedy(), most_samples=8)[0].about.dataset.samples == 8
    job = Job("greedy", make_task(["counts"], most_samples=6), str(data), limit=1)
    bench = open_bench(job, Greedy())
    assert sum(piece.count for shard in bench.source.plan(1) for piece in shard) == 2


def test_the_bound_of_a_task_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "robustness"]) == 0
    assert "line, the first 2,048, dealt evenly over the groups" in capsys.readouterr().out
