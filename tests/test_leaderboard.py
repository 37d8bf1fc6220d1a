"""The leaderboard: what is filed, what is refused, and the tables made of it."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from mocks.command import called, files_in, refused

from tokbench import files, submission
from tokbench.errors import UserError
from tokbench.leaderboard import frame, losing, pivot, records
from tokbench.record import Record, read_record, record_key
from tokbench.samples import read_samples

TASK = "parallel-mini"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folders of three baselines on the embedded sentences."""
    folder = tmp_path_factory.mktemp("measured")
    specs = "bytes", "codepoints", "words"
    assert called("eval", *specs, "--task", TASK, "--out", folder).code == 0
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(measured: Path, here: Path) -> Path:
    """A run folder of the test's own."""
    (source,) = measured.glob("bytes--*")
    return shutil.copytree(source, here / "run")


@pytest.fixture
def filed(measured: Path) -> list[tuple[Record, Path]]:
    """All three records, filed in `leaderboards`."""
    assert called("submit", *sorted(measured.iterdir())).code == 0
    return records(Path("leaderboards"))


def changed(run: Path, change: Callable[[Record], object]) -> Path:
    """A record after a change to it."""
    record = read_record(run / "record.json")
    change(record)
    (run / "record.json").write_bytes(record.to_json())
    return run


def rekeyed(record: Record) -> None:
    """Give a record the key of its own fingerprints, as a forger would."""
    about = record.about
    record.key = record_key(
        about.tokenizer.fingerprint, about.task.fingerprint, about.dataset.fingerprint, record.limit
    )


# Submitting


def test_a_record_is_filed_with_its_evidence(run: Path) -> None:
    done = called("submit", run, "--to", "board")
    record = read_record(run / "record.json")
    stem = f"{TASK}/bytes--{record.key[:12]}"
    assert (done.code, done.err) == (0, "")
    assert done.out == f"filed board/{stem}.json\n"
    assert files_in(Path("board")) == [f"{stem}.json", f"{stem}.parquet"]
    filed = Path("board", f"{stem}.json")
    packed = read_record(filed)
    ours, theirs = (samples.evidence.columns for samples in (
        read_samples(record, run / "record.json"), read_samples(packed, filed)
    ))  # fmt: skip
    assert {name: values.tolist() for name, values in theirs.items()} == {
        name: values.tolist() for name, values in ours.items()
    }
    assert msgspec.structs.replace(packed, evidence=record.evidence) == record


def refusal(run: Path) -> list[str]:
    """The names of the checks that refuse a record; nothing is filed then."""
    done = called("submit", run)
    assert (done.code, done.out) == (2, "")
    assert files_in(Path("leaderboards")) == []
    first, *rest = done.err.splitlines()
    assert first == f"tokbench: {run / 'record.json'}: refused:"
    return sorted({line.split(":")[0].strip() for line in rest})


def test_a_trial_with_a_limit_is_refused() -> None:
    assert called("eval", "bytes", "--task", TASK, "--limit", "5").code == 0
    (folder,) = Path("runs").iterdir()
    assert refusal(folder) == ["limit"]


def test_a_limit_that_was_taken_out_shows_in_the_key(here: Path) -> None:
    assert called("eval", "bytes", "--task", TASK, "--limit", "5").code == 0
    (folder,) = Path("runs").iterdir()

    def unlimited(record: Record) -> None:
        record.limit = None

    assert refusal(changed(folder, unlimited)) == ["key"]


def test_a_key_that_is_not_of_its_fingerprints_is_refused(run: Path) -> None:
    def forged(record: Record) -> None:
        record.about.tokenizer.fingerprint = "0" * 64

    assert refusal(changed(run, forged)) == ["key"]


def test_a_record_with_failures_is_refused(run: Path) -> None:
    def failed(record: Record) -> None:
        record.status = "failures"

    assert refusal(changed(run, failed)) == ["complete"]


def test_a_task_that_is_unknown_or_has_changed_is_refused(run: Path) -> None:
    def renamed(record: Record) -> None:
        record.task = "no-such-task"

    def older(record: Record) -> None:
        record.task = TASK
        record.about.task.fingerprint = "0" * 64
        rekeyed(record)

    assert refusal(changed(run, renamed)) == ["task"]
    assert refusal(changed(run, older)) == ["task"]


def test_data_without_a_manifest_or_with_an_unknown_hash_is_refused(run: Path) -> None:
    def unknown(record: Record) -> None:
        record.about.dataset.fingerprint = "0" * 64
        rekeyed(record)

    def own(record: Record) -> None:
        record.about.dataset.name = "own"

    assert refusal(changed(run, unknown)) == ["data"]
    assert refusal(changed(run, own)) == ["data"]


def test_evidence_that_is_missing_or_another_is_refused(run: Path) -> None:
    (run / "samples.parquet").write_bytes(b"other")
    assert refusal(run) == ["evidence"]
    (run / "samples.parquet").unlink()
    assert refusal(run) == ["evidence"]


def test_an_interval_upside_down_is_refused(run: Path) -> None:
    def flipped(record: Record) -> None:
        number = next(n for n, score in enumerate(record.scores) if score.low is not None)
        score = record.scores[number]
        record.scores[number] = msgspec.structs.replace(score, low=2.0, high=1.0)

    assert refusal(changed(run, flipped)) == ["scores"]


def test_every_check_that_fails_is_named(run: Path) -> None:
    def everything(record: Record) -> None:
        record.status, record.limit, record.task, record.key = "failures", 3, "x", "0" * 64
        record.about.dataset.name = "own"

    (run / "samples.parquet").unlink()
    names = ["complete", "data", "evidence", "key", "limit", "task"]
    assert refusal(changed(run, everything)) == names


def test_data_of_one_machine_is_refused_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert called("eval", "bytes", "--task", "executables").code == 0
    (run,) = Path("runs").glob("bytes--*")
    done = called("submit", run, "--to", "board")
    assert done.code == 2
    assert "data: executables depends on the machine: nobody else could check it" in done.err


def test_a_second_record_of_the_same_key_is_refused(run: Path) -> None:
    assert called("submit", run).code == 0
    before = files_in(Path("leaderboards"))
    done = called("submit", run)
    assert done.code == 2
    assert "duplicate: leaderboards/parallel-mini/bytes--" in done.err
    assert files_in(Path("leaderboards")) == before


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"schema": 1', '"schema": 99', "schema 99 is not the schema 1 of this tokbench"),
        ('"schema": 1,', "", "is no record of tokbench (no `schema`)"),
        ('"signature"', '"signatur"', "no key 'signatur'; did you mean 'signature'?"),
        ('"status": "complete"', '"status": 1', "status: expected `str`, got `int`"),
        ('"value":', '"valu":', "scores[0]: no key 'valu'; did you mean 'value'?"),
        ("}\n", "", "not valid JSON"),
    ],
)
def test_a_file_that_is_no_record_is_refused_with_the_place(
    run: Path, old: str, new: str, message: str
) -> None:
    path = run / "record.json"
    content = path.read_text()
    place = content.rindex(old) if old == "}\n" else content.index(old)
    path.write_text(content[:place] + new + content[place + len(old) :])
    refused(called("submit", run), f"{path}: ", message)
    assert not Path("leaderboards").exists()


def test_a_refused_record_does_not_stop_the_others(measured: Path, run: Path) -> None:
    (run / "samples.parquet").unlink()
    (words,) = measured.glob("words--*")
    done = called("submit", run, words)
    assert done.code == 2
    assert "evidence" in done.err
    assert done.out.startswith("filed leaderboards/parallel-mini/words--")


def test_a_full_disk_files_all_or_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.atomic_write

    def full(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise UserError(f"{path}: cannot write: No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(submission, "atomic_write", full)
        refused(called("submit", run), "No space left on device")
    assert files_in(Path("leaderboards")) == []
    assert called("submit", run).code == 0


# Tables


def test_the_frame_is_long_and_tidy(filed: list[tuple[Record, Path]]) -> None:
    table = frame(filed)
    assert list(table.columns) == [
        "task", "tokenizer", "score", "facet", "value", "low", "high", "n", "unit", "better",
        "signature", "key", "question", "created", "path",
    ]  # fmt: skip
    assert len(table) == sum(len(record.scores) for record, _ in filed)
    assert {str(table[column].dtype) for column in ("value", "low", "high")} == {"float64"}
    assert not table.duplicated(["key", "score", "facet"]).any()
    assert table["question"].nunique() == 1
    row = table[(table["tokenizer"] == "bytes") & (table["facet"] == "tur_Latn")].iloc[0]
    record = next(record for record, _ in filed if record.tokenizer == "bytes")
    assert row["value"] == record.score(f"{row['score']}/tur_Latn").value


def test_the_table_ranks_by_the_main_score_and_keeps_everyone(
    filed: list[tuple[Record, Path]],
) -> None:
    (wide,) = pivot(frame(filed), TASK, ["premium/mean", "tokens", "utilisation"])
    assert list(wide.columns) == ["rank", "premium/mean", "tokens", "utilisation"]
    assert set(wide.index) == {"bytes", "codepoints", "words"}
    assert wide["premium/mean"].is_monotonic_increasing
    assert wide["rank"].iloc[0] == 1


def test_a_tokenizer_without_the_main_score_stays_without_a_rank(
    filed: list[tuple[Record, Path]],
) -> None:
    (wide,) = pivot(frame(filed), TASK, ["utilisation", "tokens"])  # open vocabulary: no such share
    assert wide.index[-1] == "words"
    assert wide["rank"].isna().tolist() == [False, False, True]
    assert wide["tokens"].notna().all()


def test_records_that_answer_different_questions_never_share_a_table(
    filed: list[tuple[Record, Path]],
) -> None:
    (record, path), *others = filed
    record.about.dataset.fingerprint = hashlib.sha256().hexdigest()
    tables = pivot(frame([(record, path), *others]), TASK, ["tokens"])
    assert sorted(len(table) for table in tables) == [1, 2]
    assert len({table.attrs["question"] for table in tables}) == 2


def test_two_tokenizers_of_one_name_both_stand_each_with_its_own_scores(
    filed: list[tuple[Record, Path]],
) -> None:
    record, path = filed[0]
    older = msgspec.json.decode(record.to_json(), type=Record)
    older.key = "0" * 64
    record.scores = [score for score in record.scores if score.name != "gini"]
    (wide,) = pivot(frame([(older, path), (record, path)]), TASK, ["tokens", "gini"])
    assert sorted(wide.index) == sorted([f"bytes #{key[:6]}" for key in (older.key, record.key)])
    assert wide["gini"].isna().tolist().count(True) == 1


def test_the_leaderboard_prints_every_format(filed: list[tuple[Record, Path]]) -> None:
    count = sum(len(record.scores) for record, _ in filed)
    table = called("leaderboard", TASK)
    assert (table.code, table.err) == (0, "")
    assert table.out.startswith(f"{TASK} ({TASK}@1:all, by premium/mean)\n")
    assert len(json.loads(called("leaderboard", "--format", "json").out)) == count
    assert (
        len(list(csv.DictReader(called("leaderboard", "--format", "csv").out.splitlines())))
        == count
    )
    markdown = called("leaderboard", "--format", "md").out.splitlines()
    assert len([line for line in markdown if line.startswith("| ")]) == 5


def test_chosen_scores_are_raw_values_for_programs(filed: list[tuple[Record, Path]]) -> None:
    arguments = "leaderboard", "--scores", "tokens,utilisation", "--format"
    rows = json.loads(called(*arguments, "json").out)
    assert [list(row) for row in rows] == [
        ["task", "data", "rank", "tokenizer", "tokens", "utilisation"]
    ] * 3
    known = {record.tokenizer: record for record, _ in filed}
    for row in rows:
        for name in ("tokens", "utilisation"):
            assert row[name] == known[row["tokenizer"]].score(name).value
    written = list(csv.DictReader(called(*arguments, "csv").out.splitlines()))
    assert [row["tokenizer"] for row in written] == [row["tokenizer"] for row in rows]
    assert next(row["utilisation"] for row in written if row["tokenizer"] == "words") == ""


def test_an_unknown_task_or_score_gets_a_near_match(filed: list[tuple[Record, Path]]) -> None:
    refused(called("leaderboard", "paralel-mini"), "did you mean 'parallel-mini'?")
    refused(called("leaderboard", "--scores", "tokns"), "did you mean 'tokens'?")
    refused(called("leaderboard", "--from", "nowhere"), "nowhere: no leaderboard here")


def test_an_empty_leaderboard_says_how_to_fill_it(here: Path) -> None:
    (here / "leaderboards").mkdir()
    refused(called("leaderboard"), "the leaderboard is empty (tokbench submit RECORD files one)")


def test_a_damaged_record_in_a_leaderboard_is_named(filed: list[tuple[Record, Path]]) -> None:
    path = filed[0][1]
    path.write_text(path.read_text()[:100])
    refused(called("leaderboard"), f"{path}: not valid JSON")


def test_of_many_that_lose_text_the_worst_are_named() -> None:
    assert losing({"whole": 1.0, "unknown": math.nan}) == ""
    few = losing({"half": 0.5, "most": 0.25, "whole": 1.0})
    assert few.startswith("most (75 % of the samples), half (50 % of the samples); their scores")
    many = losing({f"t{number}": number / 10_000 for number in range(10_000)})
    assert many.startswith("t0 (100 % of the samples), t1 ") and ", 9,981 others; " in many
    assert many.count("% of") == 19
