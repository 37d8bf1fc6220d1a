"""Tasks on some groups only, and the suites of one language."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from mocks.command import called, refused
from mocks.evidence import make_task

from tokbench.bench import Bench, Job
from tokbench.dataset import open_dataset
from tokbench.demands import answered
from tokbench.errors import UserError
from tokbench.runner import evaluate
from tokbench.submission import check_record
from tokbench.suites import suite
from tokbench.task import load_suites, load_task


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKBENCH_DATA", raising=False)


def test_a_task_on_one_group_measures_what_the_whole_says_of_it(run, parallel) -> None:
    data = parallel(deu_Latn=["Haus am Meer", "a"], tur_Latn=["ev bark", "b", "c"])
    metrics = ["bytes-per-token", "fertility"]
    whole, _ = run("bytes", data, metrics)
    some, _ = run("bytes", data, metrics, groups=["tur"])
    values = {score.name: score.value for score in whole.scores}
    for score in some.scores:
        assert score.value == values[f"{score.name}/tur_Latn"]
    assert some.about.dataset.groups == 1
    assert "|groups:tur_Latn|" in some.signature
    assert some.key != whole.key


def test_a_language_and_its_label_are_one_question(parallel) -> None:
    data = str(parallel(deu_Latn=["Haus"], tur_Latn=["ev"]))
    keys = {
        Bench(Job("bytes", make_task(["counts"], groups=groups), data)).key
        for groups in (["tur"], ["tur_Latn"])
    }
    assert len(keys) == 1


def test_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"no group 'tur_Latin'; did you mean 'tur_Latn'"):
        open_dataset("parallel-mini").only(["eng_Latn", "tur_Latin"])


def test_a_record_of_one_group_can_be_filed(tmp_path: Path) -> None:
    task = msgspec.structs.replace(load_task("parallel-mini"), groups=["eng_Latn"])
    record, path = evaluate(Job("bytes", task, task.dataset), tmp_path)
    assert check_record(record, path, tmp_path / "board") == []


def test_named_suites_are_what_the_file_lists() -> None:
    for name, tasks in load_suites().items():
        assert [task.name for task in suite(name)] == tasks


@pytest.mark.parametrize("name", ["text-tur", "text-tur_Latn"])
def test_the_suite_of_a_language_is_restricted_to_it(name: str) -> None:
    tasks = suite(name)
    assert "language" in [task.name for task in tasks]
    for task in tasks:
        assert task.groups == ["tur_Latn"]
        assert task.by_language


def test_it_takes_the_best_data_that_is_here(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKBENCH_DATA", str(shared))
    by_name = {task.name: task for task in suite("text-glg")}
    assert by_name["language"].dataset == "flores200"
    assert by_name["language"].groups == ["glg_Latn"]


def test_it_measures_data_of_ones_own(tmp_path: Path, parallel) -> None:
    path = tmp_path / "my.txt"
    path.write_text("ev\n", encoding="utf-8")
    (task,) = (task for task in suite("text-tur", str(path)) if task.name == "language")
    assert {metric.options().get("language_code") for metric in task.made} == {None, "tur_Latn"}
    assert task.groups == []
    folder = parallel(deu_Latn=["Haus"], tur_Latn=["ev"])
    (task,) = (task for task in suite("text-tur", str(folder)) if task.name == "language")
    assert task.groups == ["tur_Latn"]
    with pytest.raises(UserError, match="no group in 'fra_Latn'"):
        suite("text-fra_Latn", str(folder))


def test_a_language_without_data_says_which_have_some() -> None:
    with pytest.raises(UserError, match=r"no data in 'glg_Latn' here.*tur_Latn.*data fetch flores"):
        suite("text-glg_Latn")


def test_a_suite_leaves_out_what_other_data_cannot_answer(tmp_path: Path) -> None:
    path = tmp_path / "my.txt"
    path.write_text("one line\nanother\n", encoding="utf-8")
    for depth in ("text", "text-depth"):
        kept, lines = answered(suite(depth), open_dataset(str(path)))
        names = {task.name for task in kept}
        if depth == "text":  # python-stdlib and executables ask less than numbers
            assert names == {"numbers"}
            assert "cldr-names, parallel-mini: metric 'premium' needs parallel data" in lines[0]
            assert lines[1] == (
                "left out python-stdlib, executables: every metric is in numbers too"
            )
        else:
            assert names == {"vocabulary", "information", "robustness", "ambiguity"}
            (line,) = lines
            assert "morphology, morphology-spaced: metric 'scored-words' needs words with" in line


def test_of_equal_tasks_the_first_is_kept(parallel) -> None:
    dataset = open_dataset(str(parallel(deu_Latn=["Haus"], eng_Latn=["house"])))
    kept, _ = answered(suite("text"), dataset)
    assert [task.name for task in kept] == ["cldr-names", "numbers"]
    spaced = msgspec.structs.replace(kept[0], name="other", unit="joined")
    assert len(answered([*kept, spaced], dataset)[0]) == 3  # of other samples


def test_gold_is_asked_for_before_anything_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "my.txt"
    path.write_text("evler\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"task morphology: .*gold segmentation"):
        answered([load_task("morphology")], open_dataset(str(path)))
    out = tmp_path / "runs"
    done = called("eval", "bytes", "--task", "morphology", "--data", path, "--out", out)
    refused(done, "needs words with a gold segmentation")
    assert not out.exists()


def test_what_is_left_out_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "my.txt"
    path.write_text("one line\nanother\n", encoding="utf-8")
    done = called(
        "eval", "bytes", "codepoints", "--suite", "text", "--data", path, "--out", tmp_path / "runs"
    )
    assert done.code == 0 and done.err.count("left out cldr-names, parallel-mini: ") == 1
    assert done.out.count("record: ") == 2
