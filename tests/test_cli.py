"""The command line: exit codes, formats, near matches."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mocks.command import called, files_in, finished, refused, started

from tokbench import own_version
from tokbench.commands import listing
from tokbench.errors import BUG, FAILURES, INTERRUPTED
from tokbench.registry import METRICS, TOKENIZERS
from tokbench.tokenizers.text.mistral import packaged

KINDS = ("tokenizers", "tasks", "datasets", "metrics", "suites")
SCORE = {"name", "value", "low", "high", "n", "unit", "better"}
FRAGILE = """
from tokbench.tokenizers.text.baselines import Bytes

class Fragile(Bytes):
    name = "fragile"

    def identity(self):
        return "fragile",

    def encode(self, batch):
        if any("x" in text for text in batch):
            raise ValueError("cannot say x")
        return super().encode(batch)
"""


EVAL = "eval", "bytes", "--data", "text"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a few lines in two languages that are no translations."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "eng_Latn.txt").write_text("one two\nthree, four\n")
    (tmp_path / "text" / "tur_Latn.txt").write_text("bir\niki üç\nİstanbul\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_of(kind: str) -> list[str]:
    return [name for name, _, _ in listing._rows(kind)]


def test_a_command_that_went_well_exits_with_0() -> None:
    done = called(*EVAL)
    assert (done.code, done.err) == (0, "")
    assert "tokens-per-line" in done.out


def test_a_bug_of_ours_exits_with_1_and_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_rows", lambda kind: [][1])
    done = called("list")
    assert done.code == BUG
    assert "Traceback" in done.err
    assert done.err.endswith(
        "tokbench: this is a bug of tokbench: IndexError: list index out of range\n"
    )


def test_samples_that_a_tokenizer_refuses_exit_with_3(here: Path) -> None:
    (here / "own_fragile.py").write_text(FRAGILE)
    (here / "text.txt").write_text("plain\nhex\nfine\nbox\n")
    arguments = "eval", "own_fragile:Fragile", "--data", "text.txt", "--format", "json"
    done = called(*arguments)
    (record,) = json.loads(done.out)["records"]
    assert done.code == FAILURES
    assert record["failures"] == {
        "encode: ValueError: cannot say x": {"count": 2, "example": "sample 1"}
    }
    assert {score["name"]: score["value"] for score in record["scores"]}["samples"] == 2
    assert called(*arguments).code == FAILURES  # and the finished record still says so


def test_an_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(kind: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "_rows", interrupted)
    done = called("list")
    assert done == (
        INTERRUPTED,
        "",
        "tokbench: interrupted\n",  # only runs are taken up where they stopped
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("evl bytes", "did you mean 'eval'?"),
        ("eval bytes --fromat json", "did you mean '--format'?"),
        ("eval bytes --workres=2", "did you mean '--workers'?"),
        ("eval bytes --foo", "did you mean '--format'? (see tokbench eval --help)"),
        ("eval bytes --task numbers --lexicon my.tsv", "no metric of numbers uses a word list"),
        ("eval bytes --format jsn", "did you mean 'json'?"),
        ("eval bytes --limit 0", "not a whole number above 0"),
        ("eval bytes --workers two", "not a whole number above 0"),
        ("eval", "SPEC"),
        ("eval bytse", "did you mean 'bytes'?"),
        ("eval bytes bytse", "did you mean 'bytes'?"),
        ("eval mistrall:v3", "did you mean 'mistral'?"),
        ("eval mistral:tekken-24091", "did you mean 'tekken-240911'?"),
        ("eval tiktoken:cl100k_bas", "did you mean 'cl100k_base'?"),
        ("eval hf", "what hf tokenizer?"),
        ("eval bytes:utf8", "write bytes"),
        ("eval bytes?specials=add", "no option 'specials'"),
        ("eval mistral:v3?specials=add", "no option 'specials'"),
        ("eval bytes?specials", "write specials=VALUE"),
        ("eval org/name", "did you mean 'hf:org/name'?"),
        ("eval bytes --task numbesr", "did you mean 'numbers'?"),
        ("eval bytes --task none.toml", "none.toml: no such task file"),
        ("eval bytes --suite txt", "did you mean 'text'?"),
        ("eval bytes --suite text-xyz", "no suite named 'text-xyz'"),
        ("eval bytes --suite text-jpn", "no lexicon for 'jpn_Jpan'"),
        ("eval bytes --task parallel-mini --groups tur_Latin", "did you mean 'tur_Latn'?"),
        ("eval bytes --task language-tokens --lexicon none.txt", "none.txt"),
        ("eval bytes --data numbrs", "did you mean 'numbers'?"),
        ("eval bytes --data some/where.txt", "no file, folder or dataset of that name"),
        ("eval bytes --task text-depht", "did you mean 'text-depth', a suite (--suite)?"),
        ("eval bytes --suite numbers", "it is a task (--task)"),
        ("eval bytes --data numbers --split al", "did you mean 'all'?"),
        ("eval bytes --task parallel-mini --reference eng_latn", "did you mean 'eng_Latn'?"),
        ("eval bytes --task text-parallel --data numbers", "needs parallel data"),
        ("compare bytes", "two or more"),
        ("compare bytes codepoitns --task numbers", "did you mean 'codepoints'?"),
        ("check bytse", "did you mean 'bytes'?"),
        ("show premum", "did you mean 'premium'?"),
        ("list taks", "did you mean 'tasks'?"),
        ("data fetch numbrs", "did you mean 'numbers'?"),
        ("data verify", "which dataset?"),
        ("data vrify numbers", "did you mean 'verify'?"),
        ("data fetch numbers --split al", "did you mean 'all'?"),
        ("submit nothing.json", "nothing.json: cannot read: No such file"),
        ("leaderboard --from nowhere", "nowhere: no leaderboard here"),
    ],
)
def test_a_slip_gets_one_line_with_the_way_out(here: Path, arguments: str, message: str) -> None:
    refused(called(*arguments.split()), message)
    assert files_in(here) == ["text/eng_Latn.txt", "text/tur_Latn.txt"]


def test_debugging_shows_where_a_refusal_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKBENCH_DEBUG", "1")
    with pytest.raises(Exception, match="bytse"):
        called("eval", "bytse")


@pytest.mark.parametrize("kind", KINDS)
def test_list_prints_every_name_of_a_kind(kind: str) -> None:
    done = called("list", kind)
    assert [line.split()[0] for line in done.out.splitlines()] == names_of(kind)
    as_json = json.loads(called("list", kind, "--format", "json").out)
    assert [row["name"] for row in as_json[kind]] == names_of(kind)
    assert all(row["about"] for row in as_json[kind])


def test_list_alone_prints_every_kind() -> None:
    lines = called("list").out.splitlines()
    assert [line for line in lines if line in KINDS] == list(KINDS)
    assert set(json.loads(called("list", "--format", "json").out)) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_show_knows_every_name_that_list_prints(kind: str) -> None:
    for name in names_of(kind):
        done = called("show", name)
        assert (done.code, done.err) == (0, ""), name
        assert name in done.out.splitlines()[0]
        assert len(done.out.splitlines()) > 1 and "None" not in done.out.split(), name


@pytest.mark.parametrize("kind", ["tokenizers", "tasks", "datasets", "metrics"])
def test_list_goes_modality_by_modality(kind: str) -> None:
    rows = json.loads(called("list", kind, "--format", "json").out)[kind]
    given = [row["modality"] for row in rows]
    assert list(dict.fromkeys(given))[:3] == ["text", "image", "audio"]
    assert [m for m, _ in itertools.groupby(given)] == list(dict.fromkeys(given))
    for row, line in zip(rows, called("list", kind).out.splitlines(), strict=True):
        assert line.split(None, 1)[1].startswith(row["modality"])


def test_show_wraps_every_line_alike() -> None:
    for name in ("flores200", "premium", "train"):
        lines = called("show", name).out.splitlines()
        assert max(map(len, lines)) <= 98, name


def test_show_says_what_a_metric_is_and_where_it_comes_from() -> None:
    out = called("show", "premium").out
    for part in ("definition", "unit", "better", "aggregation", "Petrov", "reference = 'eng_Latn'"):
        assert part in out


def test_show_says_what_a_dataset_is_and_how_to_get_it() -> None:
    out = called("show", "flores200").out
    for part in ("licence", "CC-BY-SA-4.0", "citation", "how to get it", "https://", "here now"):
        assert part in out


def test_show_describes_a_tokenizer_by_its_spec() -> None:
    out = called("show", "mistral:v3").out
    for part in ("vocabulary", "32,768", "fingerprint", "mistral-common"):
        assert part in out
    assert "SentencePiece" in called("show", packaged()["v1"]).out


def test_json_holds_the_records_and_nothing_else_is_printed() -> None:
    done = called("eval", "bytes", "codepoints", "--task", "parallel-mini", "--format", "json")
    found = json.loads(done.out)
    assert (done.code, done.err, list(found)) == (0, "", ["records"])
    assert [record["tokenizer"] for record in found["records"]] == ["bytes", "codepoints"]
    for record in found["records"]:
        assert record["task"] == "parallel-mini"
        assert record["signature"].startswith("parallel-mini@1:all#")
        assert record["failures"] == {}
        assert record["provenance"]["arguments"][0] == "eval"
        assert all(set(score) >= SCORE for score in record["scores"] + record["performance"])
        names = [score["name"] for score in record["scores"]]
        assert len(set(names)) == len(names)
        assert {"tokens", "premium/max", "premium/tur_Latn"} <= set(names)


def test_csv_and_markdown_hold_the_same_rows() -> None:
    arguments = "eval", "bytes", "codepoints", "--data", "text", "--format"
    rows = list(csv.DictReader(called(*arguments, "csv").out.splitlines()))
    assert {row["tokenizer"] for row in rows} == {"bytes", "codepoints"}
    assert set(rows[0]) >= SCORE - {"name"} | {"score", "signature"}
    markdown = called(*arguments, "md").out.splitlines()
    assert len(markdown) == len(rows) + 2
    assert {line.replace("\\|", "").count("|") for line in markdown} == {len(rows[0]) + 1}


def test_a_table_has_value_interval_count_unit_and_signature() -> None:
    header = called(*EVAL).out.splitlines()[1]
    assert header.split("  ")[0] == "score"
    places = [header.find(word) for word in ("value", "95 % interval", "  n", "unit", "signature")]
    assert -1 not in places
    assert places == sorted(places)


def test_a_table_of_groups_is_asked_for_with_full() -> None:
    assert "tokens/tur_Latn" not in called(*EVAL).out
    assert "tokens/tur_Latn" in called(*EVAL, "--full").out


def test_a_record_names_no_folder_of_this_machine(here: Path) -> None:
    model = packaged()["v1"]
    done = called(
        "eval", f"sentencepiece:{model}", f"--data={here / 'text'}", "--out", here / "runs",
        "--format", "json",
    )  # fmt: skip
    assert done.code == 0
    assert str(here) not in done.out
    assert str(model.parent) not in done.out
    (record,) = json.loads(done.out)["records"]
    assert record["tokenizer"] == model.name


def test_a_tokenizer_of_ones_own_is_named_by_module_and_class(here: Path) -> None:
    (here / "own_bytes.py").write_text(
        "from tokbench.tokenizers.text.baselines import Bytes as Theirs\n\n"
        "class Bytes(Theirs):\n    def __init__(self, *, shout='no'):\n        super().__init__()\n"
    )
    done = called("eval", "own_bytes:Bytes?shout=yes", "--data", "text")
    assert done.code == 0
    refused(called("eval", "own_bytes:Bytse"), "did you mean 'Bytes'?")
    refused(called("eval", "own_bytes:Bytes?shuot=1"), "did you mean 'shout'?")


def test_a_terminal_shows_progress_and_a_pipe_does_not(here: Path) -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    (here / "own_slow.py").write_text(
        "import time\nfrom tokbench.tokenizers.text.baselines import Bytes\n\n"
        "class Slow(Bytes):\n    name = 'slow'\n\n"
        "    def encode(self, batch):\n        time.sleep(0.3)\n"
        "        return super().encode(batch)\n"
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tokbench", "eval", "own_slow:Slow", "--data", "text"]
    terminal = {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | terminal, text=True
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode(errors="replace")
    os.close(ours)
    assert "slow · text" in shown
    assert "shards" in shown
    assert out.startswith("slow on text")


@pytest.mark.parametrize(
    "arguments", [("list",), ("--help",), (*EVAL, "--full")], ids=lambda arguments: arguments[0]
)
def test_a_reader_that_goes_away_is_no_error(arguments: tuple[str, ...]) -> None:
    called(*EVAL)
    with started(*arguments) as process:
        assert process.stdout and process.stderr
        process.stdout.close()  # | head -0
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_to_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tokbench", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "tokbench: cannot write: No space left on device\n"


def test_a_terminal_without_arrows_gets_escapes_and_no_error() -> None:
    called(*EVAL)
    done = finished(*EVAL, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.code, done.err) == (0, "")
    assert "\\u2191" in done.out


def test_the_version_is_printed() -> None:
    assert called("--version").out == f"tokbench {own_version()}\n"


def test_no_command_prints_the_help() -> None:
    done = called()
    assert done.code == 0
    for name in ("eval", "compare", "submit", "leaderboard", "list", "show", "check", "data"):
        assert re.search(rf"^    {name}\s", done.out, re.MULTILINE)


def test_check_finds_nothing_against_the_baselines() -> None:
    done = called("check", "bytes", "codepoints", "--format", "json")
    assert done.code == 0
    assert set(json.loads(done.out)) == {"bytes", "codepoints"}


def test_check_exits_with_3_when_a_promise_is_broken(here: Path) -> None:
    (here / "own_moody.py").write_text(
        "from tokbench.tokenizers.text.baselines import Bytes\n\n"
        "class Moody(Bytes):\n    name = 'moody'\n    calls = 0\n\n"
        "    def encode(self, batch):\n        self.calls += 1\n"
        "        return super().encode([text[self.calls % 2:] for text in batch])\n"
    )
    done = called("check", "own_moody:Moody")
    assert done.code == FAILURES
    assert "✗" in done.out


def test_a_finished_record_is_not_measured_again_unless_asked(here: Path) -> None:
    first = json.loads(called(*EVAL, "--format", "json").out)["records"][0]
    second = json.loads(called(*EVAL, "--format", "json").out)["records"][0]
    third = json.loads(called(*EVAL, "--format", "json", "--again").out)["records"][0]
    assert first == second
    assert third["provenance"] != first["provenance"]
    assert third["scores"] == first["scores"]


def test_registries_and_listing_agree() -> None:
    assert sorted(names_of("metrics")) == sorted(METRICS)
    assert sorted(names_of("tokenizers")) == sorted(TOKENIZERS)
    assert os.environ.get("TOKBENCH_CACHE")  # the tests never use the user's cache


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKBENCH_WEIGHTS", "/elsewhere")
    assert "--weights: no folder" in called("eval", "bytes", "--weights", tmp_path / "none").err
    asked = ["eval", "bytes", "--task", "numbers", "--limit", "1", "--out", tmp_path / "runs"]
    assert called(*asked, "--weights", tmp_path).code == 0
    first, second = os.environ["TOKBENCH_WEIGHTS"].split(os.pathsep)
    assert first == str(tmp_path.resolve()) and second == "/elsewhere"


def test_a_folder_of_somebody_else_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*about: object) -> int:
        raise PermissionError(13, "Permission denied", "/cache/words")

    monkeypatch.setattr("tokbench.commands.listing.list_names", refused)
    done = called("list")
    assert done.code == 2
    assert done.err == "tokbench: /cache/words: cannot read or write: Permission denied\n"
