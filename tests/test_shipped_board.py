"""The leaderboard that tokbench ships, and `leaderboards/regenerate.py`, which makes it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tokbench.files import builtin, sha256
from tokbench.leaderboard import records
from tokbench.registry import TOKENIZERS
from tokbench.samples import read_samples, samples_parquet, samples_path, smaller
from tokbench.specs import resolve
from tokbench.submission import check_record
from tokbench.task import load_task

BOARD = builtin("leaderboards")


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with a stand-in for every file that it names."""
    about = importlib.util.spec_from_file_location("regenerate", BOARD / "regenerate.py")
    assert about is not None and about.loader is not None
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    for place, variable in module.PLACES.items():
        monkeypatch.setenv(variable, str(tmp_path / place))
    for row in module.rows():
        if row.missing:
            Path(os.path.expandvars(row.missing)).mkdir(parents=True, exist_ok=True)
    return module


def test_every_row_is_a_tokenizer_and_a_task_of_one_modality(script: ModuleType) -> None:
    rows = list(script.rows())
    assert {row.task for row in rows} == set(script.BOARDS)
    assert not any(row.missing for row in rows)
    for row in rows:
        about = TOKENIZERS.table[resolve(row.spec).family]
        assert load_task(row.task).modality in about.modality, row
    named = [(row.task, row.tokenizer) for row in rows]
    assert len(set(named)) == len(named)


def test_what_is_filed_is_in_the_table(script: ModuleType) -> None:
    assert script.unlisted() == []


def test_small_records_shipped_pass_what_submit_asks() -> None:
    for task in ("tones-mini", "photos-mini"):
        for record, path in records(BOARD, task):
            assert check_record(record, path, BOARD) == [], path


def test_what_is_missing_is_measured_filed_and_then_left_alone(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    board = tmp_path / "board"
    board.mkdir()
    monkeypatch.setattr(script, "BOARD", board)
    monkeypatch.setattr(script, "BOARDS", {"numbers": ("bytes", "tokenizers:{weights}/none.json")})
    runs = ["--runs", str(tmp_path / "runs")]
    assert script.main([*runs, "--dry-run"]) == 3
    assert "numbers: bytes: not filed" in capfd.readouterr().out
    assert list(board.iterdir()) == []
    assert script.main(runs) == 3
    said = capfd.readouterr().out
    assert "left out, there is no $TOKBENCH_WEIGHTS/none.json" in said
    assert said.endswith("1 filed, 0 left alone, 1 failed\n")
    ((record, path),) = records(board)
    assert check_record(record, path, board) == []
    assert script.main(runs) == 3
    assert capfd.readouterr().out.endswith("0 filed, 1 left alone, 1 failed\n")

    text = path.read_text().replace(record.key, "0" * 64)
    path.with_name("bytes--stale.json").write_text(text)
    path.unlink()
    samples_path(path).rename(path.with_name("bytes--stale.parquet"))
    assert script.main(runs) == 3
    assert "numbers: bytes: key: 000000000000 is not" in capfd.readouterr().out
    assert {file.name for file in path.parent.iterdir()} == {path.name, samples_path(path).name}


def test_filed_evidence_is_packed_without_loss(tmp_path: Path) -> None:
    record, path = records(BOARD, "numbers")[0]
    whole = read_samples(record, path)
    assert whole is not None
    content = samples_parquet(whole.evidence, whole.groups)
    packed = smaller(content, len(content))
    assert len(packed) < 0.95 * len(content)
    beside = tmp_path / "bytes.parquet"
    beside.write_bytes(packed)
    record.evidence = sha256(packed)
    found = read_samples(record, beside.with_suffix(".json"))
    assert found is not None
    assert (found.groups, found.evidence.block) == (whole.groups, whole.evidence.block)
    assert list(found.evidence.columns) == list(whole.evidence.columns)
    for name, values in whole.evidence.columns.items():
        assert np.array_equal(found.evidence.columns[name], values)
