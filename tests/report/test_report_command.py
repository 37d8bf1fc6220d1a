"""`tokbench report`: what it writes, what it refuses, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest
from mocks.command import called, files_in, finished, refused

from tokbench.commands import report as command
from tokbench.errors import FAILURES
from tokbench.files import builtin
from tokbench.report import document, paired
from tokbench.report.groups import extremes
from tokbench.report.subjects import Subject
from tokbench.report.summary import verdicts

FRAGILE = """
from tokbench.tokenizers.text.baselines import Bytes

class Fragile(Bytes):
    name = "fragile"

    def identity(self):
        return "fragile",

    def encode(self, batch):
        if any("x" in text for text in batch):
            raise ValueError("cannot say <x>")
        return super().encode(batch)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with parallel lines in four languages, and records of them."""
    (tmp_path / "text").mkdir()
    for code, lines in {
        "eng_Latn": ["one two", "three four six", "five", "the end of it"] * 5,
        "tur_Latn": ["bir iki", "üç dört altı", "beş", "bunun sonu"] * 5,
        "deu_Latn": ["eins zwei", "drei vier sechs", "fünf", "das Ende davon"] * 5,
        "ell_Grek": ["ένα δύο", "τρία τέσσερα έξι", "πέντε", "το τέλος του"] * 5,
    }.items():
        (tmp_path / "text" / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record_of(spec: str, *more: str) -> str:
    done = called("eval", spec, "--data", "text", "--format", "json", *more)
    assert done.code == 0, done.err
    name = json.loads(done.out)["records"][0]["task"]
    (path,) = Path("runs").glob(f"{spec}--{name}--*/record.json")
    return str(path)


def test_a_record_becomes_a_page_with_its_files(here: Path) -> None:
    done = called("report", record_of("bytes"), "--out", "r")
    assert (done.code, done.err, done.out) == (0, "", "r/index.html\n")
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    listed = json.loads((here / "r" / "report.json").read_text())["files"]
    assert sorted([*listed, "index.html", "report.json"]) == files_in(here / "r")
    for said in ("premium/mean", "ell_Grek Greek", "No sample failed", "text-parallel"):
        assert said in page
    assert str(here) not in page


def test_a_spec_is_measured_first(here: Path) -> None:
    done = called("report", "bytes", "codepoints", "--data", "text", "--out", "r")
    assert done.code == 0, done.err
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    assert "codepoints has the best premium/mean" in page
    assert any(name.startswith("figures/forest-") for name in files_in(here / "r"))


def test_a_single_file_is_one_file(here: Path) -> None:
    record = record_of("bytes")
    assert called("report", record, "--out", "one.html", "--single-file").code == 0
    assert called("report", record, "--out", "r", "--single-file").code == 0
    assert files_in(here / "r") == ["index.html"]
    assert (here / "one.html").read_bytes() == (here / "r" / "index.html").read_bytes()


def test_only_files_of_an_earlier_report_are_replaced(here: Path) -> None:
    record = record_of("bytes")
    assert called("report", record, record_of("codepoints"), "--out", "r").code == 0
    (here / "r" / "mine.txt").write_text("kept")
    (here / "r" / "figures" / "mine.svg").write_text("kept")
    (here / "outside.txt").write_text("kept")
    listing = json.loads((here / "r" / "report.json").read_text())
    listing["files"] += ["../outside.txt", str(here / "outside.txt"), "mine.txt/.."]
    (here / "r" / "report.json").write_text(json.dumps(listing))
    assert called("report", record, "--out", "r").code == 0
    left = files_in(here / "r")
    assert {"mine.txt", "figures/mine.svg"} <= set(left)
    assert not [name for name in left if "forest" in name]
    assert (here / "outside.txt").read_text() == "kept"


def test_what_cannot_be_written_is_refused_before_measuring(here: Path) -> None:
    (here / "file").write_text("")
    (here / "site").mkdir()
    (here / "site" / "index.html").write_text("<p>mine")
    refused(called("report", "bytes", "--data", "text", "--out", "file"), "file", "give a folder")
    refused(called("report", "bytes", "--data", "text", "--out", "file/r"), "is a file")
    refused(
        called("report", "bytes", "--data", "text", "--out", "site"), "not a report of tokbench"
    )
    assert (here / "site" / "index.html").read_text() == "<p>mine"
    assert not (here / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    refused(called("report", "bytes", "--data", "text", "--out", "locked/r"), "no permission")


@pytest.mark.parametrize(
    ("subject", "hint"),
    [("cldr-name", "did you mean 'cldr-names', a task?"), ("runs/none.json", "no such file")],
)
def test_a_typo_is_told(subject: str, hint: str) -> None:
    refused(called("report", subject), hint)
    assert not Path("report").exists()


def test_a_choice_of_what_to_measure_wants_something_to_measure(here: Path) -> None:
    done = called("report", record_of("bytes"), "--groups", "tur_Latn")
    refused(done, "--groups chooses what is measured", "leave it out")
    assert not Path("report").exists()


def test_a_task_is_a_report_of_its_leaderboard(here: Path) -> None:
    for path in (builtin("leaderboards") / "numbers").glob("*ytes--*"):
        (here / "leaderboards" / "numbers").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, here / "leaderboards" / "numbers")
    shelf = sorted((here / "leaderboards" / "numbers").glob("*.json"))
    assert called("report", "numbers", "--out", "r").code == 0
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    assert len(shelf) == 1
    assert "<h1><bdi>bytes</bdi></h1>" in page


def test_failures_are_shown_and_exit_with_3(here: Path) -> None:
    (here / "fragile_tokens.py").write_text(FRAGILE)
    (here / "text" / "eng_Latn.txt").write_text("one\nsix\n" * 2)
    for path in (here / "text").glob("[!e]*.txt"):
        path.unlink()
    path = os.environ.get("PYTHONPATH", str(Path(command.__file__).parents[2]))
    given = ["report", "fragile_tokens:Fragile", "--data", "text", "--out", "r"]
    done = finished(*given, PYTHONPATH=f"{here}{os.pathsep}{path}")
    assert done.code == FAILURES, done.err
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    assert "cannot say &lt;x&gt;" in page
    assert "No sample failed" not in page


def test_questions_that_differ_are_kept_apart(here: Path) -> None:
    whole, trial = record_of("bytes"), record_of("codepoints", "--limit", "5")
    assert called("report", whole, trial, "--out", "r").code == 0
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    assert "limit: None against 5</bdi>; kept apart" in page
    assert "alone answered this question" in page
    assert "has the best" not in page


def test_one_tokenizer_on_two_questions_is_two_subjects(here: Path) -> None:
    whole = record_of("bytes")
    Path("runs").rename("first")
    trial = record_of("bytes", "--limit", "5")
    whole = whole.replace("runs", "first", 1)
    assert called("report", whole, trial, "--out", "r").code == 0
    page = (here / "r" / "index.html").read_text(encoding="utf-8")
    assert "bytes (2)" in page


def test_an_interrupted_report_leaves_nothing_half_written(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of("bytes")
    real, written = document.atomic_write, []

    def interrupted(path: Path, content: bytes, durable: bool = True) -> None:
        written.append(path)
        if len(written) == 4:
            raise KeyboardInterrupt
        real(path, content, durable)

    monkeypatch.setattr(document, "atomic_write", interrupted)
    done = called("report", record, "--out", "r")
    assert done.code == 130
    assert files_in(here / "r") == []


def subjects_of(*paths: str) -> list[Subject]:
    import argparse

    from tokbench.commands.compare import question_of
    from tokbench.record import read_record

    options = argparse.Namespace(task=None, data="text", split=None)
    found = []
    for path in paths:
        record = read_record(Path(path))
        task = question_of(record, options)[0]
        found.append(
            Subject(record.tokenizer, {record.task: (record, Path(path))}, {record.task: task})
        )
    return found


def test_pairs_are_those_of_compare(here: Path) -> None:
    from tokbench.compare import differences

    subjects = subjects_of(record_of("bytes"), record_of("codepoints"))
    (one,) = paired.comparisons(subjects)
    names = [key[0] for key in one.pairs]
    task = subjects[0].tasks[one.task]
    expected = differences([s.records[one.task] for s in subjects], task, True, names)
    assert list(one.pairs.values()) == [e for e in expected if e.score in names]
    turned = one.against("premium/mean", "codepoints", "bytes")
    kept = one.against("premium/mean", "bytes", "codepoints")
    assert turned is not None and kept is not None
    assert (turned.low, turned.high) == (-(kept.high or 0), -(kept.low or 0))
    assert (kept.verdict, turned.verdict) == ("better", "worse")
    assert one.winner("premium/mean") == "codepoints"


def test_the_same_tokenizer_is_not_better_than_itself(here: Path) -> None:
    record = record_of("bytes")
    one, two = subjects_of(record, record)
    two.name = "again"
    (found,) = paired.comparisons([one, two])
    assert found.winner("premium/mean") is None
    assert {each.verdict for each in found.pairs.values()} == {"equal"}


def test_best_and_worst_are_read_in_the_direction_of_the_score(here: Path) -> None:
    (subject,) = subjects_of(record_of("bytes"))
    record, _ = subject.records["text-parallel"]
    found = extremes(record)
    assert found is not None
    assert found.worst[0][0] == "ell_Grek"
    assert found.better == "lower"
    assert found.groups == 4


def test_the_original_itself_is_ranked_but_wins_nothing(here: Path) -> None:
    """Whoever reads a report chooses among the others; the reference language is 1 by definition
    and neither best nor worst."""
    subjects = subjects_of(record_of("bytes"), record_of("codepoints"), record_of("words"))
    spec = subjects[2].records["text-parallel"][0].about.tokenizer
    (before,) = paired.comparisons(subjects)
    assert next(verdicts(before)).startswith("text-parallel: words has the best premium/mean,")
    spec.spec = msgspec.structs.replace(spec.spec, algorithm="raw pixels")
    (found,) = paired.comparisons(subjects[:])
    assert len(found.ranking("premium/mean")) == 3
    assert "words" not in dict(found.contenders("premium/mean"))
    assert next(verdicts(found)).endswith(" Without words: the original itself.")
    edges = extremes(subjects[0].records["text-parallel"][0])
    assert edges is not None
    assert "eng_Latn" not in dict([*edges.best, *edges.worst])


def test_a_damaged_record_is_refused_as_what_it_is(here: Path) -> None:
    run = here / "run"
    run.mkdir()
    (run / "record.json").write_text("[]")
    for name in ("report", "compare"):
        done = called(name, run, run)
        assert done.code == 2
        assert f"{run / 'record.json'}: expected `object`" in done.err
