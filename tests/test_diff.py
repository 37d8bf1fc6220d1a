"""`tokbench diff`: what changed, and gates that fail a build."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mocks.command import called, refused

from tokbench.errors import FAILURES, FINE, UserError
from tokbench.gates import gate
from tokbench.record import Record, read_record

TASK = "parallel-mini"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    assert called("eval", "bytes", "codepoints", "--task", TASK, "--out", folder).code == 0
    return folder


@pytest.fixture
def old(runs: Path) -> Path:
    return next(runs.glob("codepoints--*"))


@pytest.fixture
def new(runs: Path) -> Path:
    return next(runs.glob("bytes--*"))


def changed(old: Path, to: Path, change: Callable[[Record], None]) -> Path:
    """A record with something else in it, and no evidence."""
    record = read_record(old / "record.json")
    change(record)
    to.write_bytes(record.to_json())
    return to


def test_what_changed_comes_with_paired_intervals(old: Path, new: Path) -> None:
    found = json.loads(called("diff", old, new, "--format", "json").out)
    rows = {row["score"]: row for row in found["scores"]}
    tokens = rows["bytes-per-token"]
    assert tokens["new"] == 1 and tokens["old"] > 1
    assert tokens["difference"]["low"] <= tokens["new"] - tokens["old"]
    assert tokens["difference"]["high"] >= tokens["new"] - tokens["old"]
    assert tokens["difference"]["verdict"] == "worse"
    assert [side["tokenizer"] for side in found["records"][0].values()] == ["codepoints", "bytes"]


def test_what_did_not_change_is_counted_not_shown(old: Path) -> None:
    done = called("diff", old, old)
    assert done.code == FINE
    shown = done.out.strip().splitlines()[-1]
    count, whole = shown.split(" of ")[0], shown.split(" of ")[1].split()[0]
    assert count == whole and int(whole) > 20
    assert "fertility" not in done.out


@pytest.mark.parametrize(
    "rule, code",
    [
        ("premium/mean>+2%", FAILURES),
        ("premium/mean>+900%", FINE),
        ("bytes-per-token<-0.5", FAILURES),
        ("bytes-per-token<-5", FINE),
        ("bytes-per-token<-10%", FAILURES),
        ("premium/*>+0.01", FAILURES),
        ("lossless<-0.001", FINE),
        ("tokens>+1e9", FINE),
    ],
)
def test_a_gate_fails_the_build(old: Path, new: Path, rule: str, code: int) -> None:
    done = called("diff", old, new, "--fail-on", rule)
    assert done.code == code
    assert ("failed" in done.err) == (code == FAILURES)


def test_several_gates_each_say_what_failed(old: Path, new: Path) -> None:
    rules = ("--fail-on", "tokens>+1%", "--fail-on", "bytes-per-token<-1%")
    done = called("diff", old, new, *rules, "--scores", "tokens", "--format", "csv")
    assert done.code == FAILURES
    assert done.err.count("gate '") == 2
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [row["score"] for row in rows] == ["tokens", "bytes-per-token"]
    assert all("FAILED" in row["verdict"] for row in rows)


def test_a_gate_on_what_is_no_longer_measured_is_not_passed(old: Path, tmp_path: Path) -> None:
    def lost(record: Record) -> None:
        record.scores = [score for score in record.scores if score.name != "gini"]

    later = changed(old, tmp_path / "later.json", lost)
    done = called("diff", old, later, "--fail-on", "gini>+1%")
    assert done.code == FAILURES
    assert "cannot be judged: gini: new has no such score" in done.err
    assert "new has no such score" in done.out


def test_a_change_of_just_the_limit_passes() -> None:
    assert not gate("x>+2%").failed(1.0, 1.02)
    assert not gate("x>+0.1").failed(0.2, 0.1 + 0.2)
    assert gate("x>+0%").failed(0.0, 1e-9)
    assert not gate("x>+5%").failed(0.0, 0.0)
    assert gate("x<-2%").failed(-1.0, -1.03)


@pytest.mark.parametrize("rule", ["x", "x>", ">+2%", "x=+2%", "x>>+2%", "x>+2%%", "x>+two", ""])
def test_a_rule_that_is_none_says_how_to_write_one(rule: str) -> None:
    with pytest.raises(UserError, match=r"write 'SCORE>\+2%'"):
        gate(rule)


def test_a_limit_without_a_sign_is_asked_for_it() -> None:
    with pytest.raises(UserError, match=r"needs its sign"):
        gate("gini>0.3")


def test_slips_get_one_line(old: Path, new: Path, tmp_path: Path) -> None:
    refused(called("diff", old, new, "--fail-on", "premum/mean>+2%"), "did you mean 'premium/mean'")
    refused(called("diff", old, new, "--scores", "premum/mean"), "did you mean 'premium/mean'")
    refused(called("diff", old, tmp_path), "no record.json here")
    refused(called("diff", old, "nothing/there"), "no such record")
    assert called("diff", old).code == 2


def test_folders_of_runs_are_paired_by_name(runs: Path, tmp_path: Path) -> None:
    done = called("diff", runs, runs, "--format", "json")
    found = json.loads(done.out)
    assert [(r["old"]["tokenizer"], r["new"]["tokenizer"]) for r in found["records"]] == [
        ("bytes", "bytes"),
        ("codepoints", "codepoints"),
    ]


def test_other_questions_are_not_compared(old: Path, tmp_path: Path) -> None:
    def asked(record: Record) -> None:
        record.about.dataset.fingerprint = "0" * 64

    other = changed(old, tmp_path / "other.json", asked)
    refused(called("diff", old, other), "answered different questions: data hash")


def test_markdown_is_a_table(old: Path, new: Path) -> None:
    assert "| task | score | old | new |" in called("diff", old, new, "--format", "md").out
