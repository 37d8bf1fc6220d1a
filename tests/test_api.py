"""tokbench from Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

import tokbench


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tokbench.Records:
    out = tmp_path_factory.mktemp("api") / "runs"
    return tokbench.evaluate("bytes", "codepoints", task="parallel-mini", limit=4, out=out)


def test_evaluate_gives_what_the_command_gives(found: tokbench.Records, tmp_path: Path) -> None:
    import json

    from tokbench.cli import main

    arguments = ["eval", "bytes", "--task", "parallel-mini", "--limit", "4", "--out", str(tmp_path)]
    assert main(arguments) == 0
    (path,) = tmp_path.glob("*/record.json")
    theirs = {s["name"]: s.get("value") for s in json.loads(path.read_text())["scores"]}
    assert {score.name: score.value for score in found[0].scores} == theirs
    assert tokbench.load_record(path.parent).key == tokbench.load_record(path).key == found[0].key


def test_frames_are_long_and_tidy(found: tokbench.Records) -> None:
    table = found.to_frame()
    assert isinstance(table, pd.DataFrame)
    assert len(table) == sum(len(record.scores) for record in found)
    own = table[(table["tokenizer"] == "bytes") & (table["score"] == "bytes-per-token")]
    assert own.set_index("facet")["value"][""] == 1.0
    assert table["value"].dtype == table["low"].dtype == "float64"
    assert (table.loc[table["value"].isna(), "note"] != "").all()


def test_a_notebook_shows_scores_and_nothing_runs(found: tokbench.Records) -> None:
    hostile = msgspec.structs.replace(found[0], tokenizer="<script>alert(1)</script>")
    shown = tokbench.Records([hostile, found[1]])._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert shown.count("<table") == 2 and "bytes-per-token" in shown


def test_a_notebook_shows_the_main_score_first_and_no_powers_of_ten(
    found: tokbench.Records,
) -> None:
    record = found[0]
    cells = re.findall(r"<td>(.*?)</td>", record._repr_html_())
    assert cells[0] == record.about.task.main
    large = msgspec.structs.replace(record.scores[0], name="bits-per-second", value=65_455.2)
    assert "<td>65,455</td>" in msgspec.structs.replace(record, scores=[large])._repr_html_()


def test_the_shipped_leaderboard_is_a_frame() -> None:
    table = tokbench.load_leaderboard(task="cldr-names")
    assert {"task", "tokenizer", "score", "value", "question", "created", "path"} <= set(table)
    assert set(table["task"]) == {"cldr-names"} and table["tokenizer"].nunique() > 3
    pd.testing.assert_frame_equal(table, tokbench.load_leaderboard("cldr-names"))


def test_what_the_command_refuses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tokbench.UserError, match="did you mean 'parallel-mini'"):
        tokbench.evaluate("bytes", task="paralel-mini", out=tmp_path)
    with pytest.raises(tokbench.UserError, match="limit=0: give a whole number above 0"):
        tokbench.evaluate("bytes", task="numbers", limit=0, out=tmp_path)
    with pytest.raises(tokbench.UserError, match="a suite or tasks, not both"):
        tokbench.evaluate("bytes", suite="text", task="numbers", out=tmp_path)
    with pytest.raises(tokbench.UserError, match="none: no folder, and no task of"):
        tokbench.load_leaderboard(tmp_path / "none")
    with pytest.raises(tokbench.UserError, match=r"did you mean 'cldr-names'.*it has cldr-names"):
        tokbench.load_leaderboard("cldr-name")
    for wrong, hint in ((3, "as int: give its spec as text"), (["bytes"], "one by one")):
        with pytest.raises(tokbench.UserError, match=hint):
            tokbench.evaluate(wrong, task="numbers", out=tmp_path)
    with pytest.raises(tokbench.UserError, match="no tokenizer"):
        tokbench.evaluate(out=tmp_path)
    with pytest.raises(tokbench.UserError, match=r"no group 'xxx'; it has eng_Latn, .* 12 more"):
        tokbench.evaluate("bytes", task="parallel-mini", groups=["xxx"], out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_importing_tokbench_imports_nothing_heavy() -> None:
    code = (
        "import sys, tokbench; dir(tokbench); "
        "print({'numpy', 'pandas', 'msgspec', 'torch'} & set(sys.modules) or 'light')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "light", done.stdout + done.stderr
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        tokbench.evalute  # noqa: B018
