"""The README's own examples run as they stand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tokbench.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_adapter_the_metric_and_the_task_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter, metric = blocks("python")
    (task,) = blocks("toml")
    (tmp_path / "my_tokenizers.py").write_text(adapter + "\n\n" + metric)
    task = task.replace("metrics = [", 'metrics = ["my_tokenizers:TokensPerByte", ')
    (tmp_path / "my-task.toml").write_text(task)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = ["eval", "my_tokenizers:Ascii", "--task", "my-task.toml", "--format", "json"]
    assert main(arguments) == 0
    (record,) = json.loads(capsys.readouterr().out)["records"]
    scores = {score["name"]: score["value"] for score in record["scores"]}
    assert scores["tokens-per-byte"] == pytest.approx(1 / scores["bytes-per-token"])
    assert main(["check", "my_tokenizers:Ascii"]) == 0


def test_every_task_metric_suite_and_option_named_exists() -> None:
    from tokbench.registry import METRICS
    from tokbench.task import load_suites, task_paths

    named = set(re.findall(r"`([a-z][a-z0-9-]+)`", README))
    for name in re.findall(r"--task ([a-z0-9-]+)(?:\s|$)", README):
        assert name in task_paths(), name
    assert {"text-depth"} <= set(load_suites())
    assert {"census", "ngram-bits", "digit-scheme", "lossless", "gini"} <= named & set(METRICS)
