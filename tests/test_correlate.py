"""`tokbench correlate` and `tokbench redundancy`: few points, said plainly."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import msgspec
import numpy as np
import pytest
from mocks.command import called, files_in, refused
from scipy import stats

from tokbench.correlate import _MANY, coefficients, why_not

Values = dict[str, Sequence[float | None]]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run) -> Callable[[Values], Path]:
    """Write a leaderboard of one question with these scores for tokenizers t0, t1, …"""
    monkeypatch.chdir(tmp_path)

    def made(values: Values, task: str = "test") -> Path:
        (tmp_path / "lines.txt").write_text("one\ntwo\n")
        record, _ = run("bytes", tmp_path / "lines.txt", ["counts"])
        folder = tmp_path / "board" / task
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(len(next(iter(values.values())))):
            scores = [
                msgspec.structs.replace(record.scores[0], name=name, value=column[number])
                for name, column in values.items()
            ]
            other = msgspec.structs.replace(
                record, tokenizer=f"t{number}", task=task, key=f"{number:064}", scores=scores
            )
            (folder / f"t{number}--{number:012}.json").write_bytes(other.to_json())
        return tmp_path / "board"

    return made


def table(path: Path, results: Sequence[object], column: str = "score") -> Path:
    rows = [f"t{number},{value}" for number, value in enumerate(results)]
    path.write_text("\n".join([f"tokenizer,{column}", *rows]) + "\n")
    return path


NINE = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5]
RESULTS = [2.0, 7.0, 1.0, 8.0, 2.8, 1.8, 2.81, 8.4, 5.9]


def test_the_coefficients_are_scipys(board, tmp_path: Path) -> None:
    folder = board({"fertility": NINE})
    path = table(tmp_path / "scores.csv", RESULTS)
    done = called("correlate", "fertility", "--with", path, "--from", folder, "--format", "json")
    (found,) = json.loads(done.out)["correlations"]
    assert (done.code, found["n"], found["few"], found["unmatched"]) == (0, 9, False, {})
    expected = {
        "pearson": stats.pearsonr(NINE, RESULTS)[0],
        "spearman": stats.spearmanr(NINE, RESULTS)[0],
        "kendall": stats.kendalltau(NINE, RESULTS)[0],
    }
    for row in found["coefficients"]:
        assert row["value"] == pytest.approx(expected[row["name"]])
        assert row["low"] <= row["value"] <= row["high"]
        assert not row["exact"]
    sampled = {row["name"]: row["p"] for row in found["coefficients"]}
    assert sampled["kendall"] == pytest.approx(stats.kendalltau(NINE, RESULTS)[1], abs=0.03)


def test_p_values_of_few_points_come_from_all_permutations() -> None:
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 3, 2, 4, 5])
    found = {c.name: c for c in coefficients(x, y)}
    rho = stats.spearmanr(x, y)[0]
    orders = [stats.spearmanr(x, y[list(o)])[0] for o in permutations(range(5))]
    assert found["spearman"].p == np.mean(np.abs(orders) >= abs(rho) - 1e-12) == 10 / 120
    assert all(c.exact for c in found.values())


@pytest.mark.parametrize(
    ("name", "of"),
    [("pearson", stats.pearsonr), ("spearman", stats.spearmanr), ("kendall", stats.kendalltau)],
)
def test_many_coefficients_at_once_are_scipys_one_by_one(name: str, of) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (20, 11)).astype(float), rng.normal(size=(20, 11))
    expected = [of(a, b)[0] for a, b in zip(x, y, strict=True)]
    assert _MANY[name](x, y) == pytest.approx(expected)
    assert np.isnan(_MANY[name](np.full((1, 3), 0.1), y[:1, :3])).all()


def test_few_points_get_a_plain_warning_and_unmatched_rows_are_named(board, tmp_path) -> None:
    folder = board({"premium/max": [1.0, 2.0, 3.0, 5.0, None, 7.0]})
    path = table(tmp_path / "scores.csv", [3, 1, 2, "", 5], "mmlu")
    path.write_text(path.read_text() + "t55,4\n")
    arguments = "correlate", "premium/max", "--with", path, "--column", "mmlu", "--from", folder
    done = called(*arguments)
    assert (done.code, done.err) == (0, "")
    assert "warning: 3 points" in done.out
    for line in (
        "test: t3: empty in the table",
        "test: t4: the score was not measured",
        "test: t5: not in the table",
        "test: t55: not on the leaderboard",
    ):
        assert line in done.out
    as_csv = called(*arguments, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert [row["coefficient"] for row in rows] == ["pearson", "spearman", "kendall"]
    assert "warning" in as_csv.err
    assert rows[0]["95 % interval"] == ""  # too many resamples of three points are one point


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_plot_is_written_and_repeats_byte_for_byte(form: str, board, tmp_path: Path) -> None:
    folder = board({"fertility": NINE})
    board({"fertility": NINE[::-1]}, "other")
    path, heads = table(tmp_path / "scores.csv", RESULTS), {"png": b"\x89PNG", "svg": b"<?xml"}
    contents = []
    for name in ("one", "two"):
        plot = tmp_path / f"{name}.{form}"
        done = called(
            "correlate", "fertility", "--with", path, "--from", folder, "--plot", plot,
        )  # fmt: skip
        assert done.code == 0
        assert "not corrected" in done.out
        contents.append(plot.read_bytes())
    assert contents[0].startswith(heads[form])
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("tokenizer,score\nt0,1\n", "fertilty", "did you mean 'fertility'?"),
        ("tokenizer,scores\nt0,1\n", "fertility", "no column 'score'; did you mean 'scores'?"),
        ("name,score\nt0,1\n", "fertility", "no column 'tokenizer'"),
        ("tokenizer,score\n", "fertility", "a header and no rows"),
        ("", "fertility", "the file is empty"),
        ("tokenizer,score\nt0,1\nt1,good\n", "fertility", "line 3: score: 'good' is not a finite"),
        ("tokenizer,score\nt0,nan\n", "fertility", "line 2: score: 'nan' is not a finite number"),
        ("tokenizer,score\nt0,1\nt0,2\n", "fertility", "line 3: 't0' has a row already"),
        ("tokenizer,score\n,1\n", "fertility", "line 2: no tokenizer named"),
        ("tokenizer,score\nt0,1\nt1,2\n", "fertility", "2 points: a correlation takes 3 or more"),
        ("tokenizer,score\nT0,1\n", "fertility", "0 points"),
        ("tokenizer,score\nt0,1\nt1,1\nt2,1\n", "fertility", "the result is the same for all 3"),
        ("tokenizer,score\nt0,1\n", "fertility --plot a.pdf", "write FILE.png or FILE.svg"),
        ("tokenizer,score\nt0,1\n", "fertility --task tset", "did you mean 'test'?"),
        ("tokenizer,score\nt0,1\n", "empty", "was not measured for any tokenizer"),
    ],
)
def test_bad_input_gets_one_line(content, arguments, message, board, tmp_path: Path) -> None:
    board({"fertility": NINE, "empty": [None] * 9})
    (tmp_path / "scores.csv").write_text(content)
    before = files_in(tmp_path)
    refused(
        called("correlate", *arguments.split(), "--with", "scores.csv", "--from", "board"), message
    )
    assert files_in(tmp_path) == before


def test_a_missing_table_or_leaderboard_is_one_line(board, tmp_path: Path) -> None:
    refused(called("correlate", "fertility", "--with", "no.csv"), "no.csv: cannot read")
    table(tmp_path / "scores.csv", RESULTS)
    arguments = "correlate", "fertility", "--with", "scores.csv", "--from", "nowhere"
    refused(called(*arguments), "nowhere: no leaderboard here")
    assert why_not(np.ones(4), np.arange(4.0)).startswith("the score is the same")


TOKENS = [100.0, 130.0, 90.0, 170.0, 111.0, 150.0, 120.0, 95.0, 160.0]


def similar() -> Values:
    """Scores of nine tokenizers on 600 bytes and 80 words in 10 lines."""
    return {
        "tokens": TOKENS,
        "bytes-per-token": [600 / t for t in TOKENS],
        "tokens-per-line": [t / 10 for t in TOKENS],
        "fertility": [t / 80 for t in TOKENS],
        "gini": [0.3, 0.1, 0.7, 0.2, 0.9, 0.6, 0.4, 0.5, 0.8],
        "lossless": [1.0] * 9,
        "premium/max": [*[2.0] * 8, None],
        "premium/tur_Latn": TOKENS,
    }


def test_scores_that_say_the_same_are_grouped_and_the_rest_is_named(board) -> None:
    folder = board(similar())
    done = called("redundancy", "--from", folder, "--format", "json")
    (found,) = json.loads(done.out)["redundancy"]
    names, least = found["groups"][0]
    assert set(names) == {"tokens", "bytes-per-token", "tokens-per-line", "fertility"}
    assert least == pytest.approx(1)
    assert len(found["groups"]) == 1
    assert found["apart"] == ["gini"]
    assert found["constant"] == ["lossless"]
    assert found["missing"] == ["premium/max"]  # one language's premium is no headline
    held = {(h["identity"]["a"], h["identity"]["b"]): h for h in found["identities"]}
    product = held["bytes-per-token", "tokens"]
    assert product["constant"] == pytest.approx(600)
    assert product["spread"] < 1e-12


def test_redundancy_names_identities_in_words(board) -> None:
    out = called("redundancy", "--from", board(similar())).out
    assert "bytes-per-token × tokens = 600: the bytes of the data" in out
    assert "like no other: gini" in out
    assert "left out, not measured for all: premium/max" in out
    assert "warning" not in out
    folder = board({"tokens": TOKENS[:4]}, "few")
    assert "warning: 4 tokenizers" in called("redundancy", "--from", folder, "--task", "few").out


def test_redundancy_of_too_few_tokenizers_is_refused(board, tmp_path: Path) -> None:
    folder = board({"tokens": [1.0, 2.0, 3.0]})
    refused(called("redundancy", "--from", folder), "3 tokenizers at most", "4 are needed")
    refused(called("redundancy", "--from", "nowhere"), "nowhere: no leaderboard here")
    (tmp_path / "bare").mkdir()
    refused(called("redundancy", "--from", "bare"), "the leaderboard is empty")
