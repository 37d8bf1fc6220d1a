"""Odd tokens whose oddities can be counted by hand, and what GPT-2 hides."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from mocks.evidence import evidence_of
from mocks.greedy import Greedy

from tokbench.bench import Job
from tokbench.commands import evaluate as command
from tokbench.evidence import Example
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.census import Surfaces, surfaces_of
from tokbench.metrics.text.oddities import LongestToken, OddTokens
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import load_task
from tokbench.types import Score

ODD = [
    "plain", " plain", "日本のカナ", "aя", "aяα", "a\u200db", "\ue000", "\t\n", "x\x01\x02",
    "--------", "-------", "        ", "in the", "in  the", " a ", ";\n", "}\r\n\r\n", "\n\n",
    "\ufffd\ufffd", "\u0378", b"\xff", b"a\xc3",
]  # fmt: skip


def found(metric: Metric, tokenizer) -> tuple[dict[str, Score], list[Example]]:
    evidence = evidence_of(tokenizer, {"": ["hello"]}, metric.statistics)
    measured = Measured(evidence, [""], True, tokenizer.spec, tokenizer=tokenizer)
    return {score.name: score for score in metric.result(measured)}, measured.examples


def test_kinds_by_hand() -> None:
    surfaces = surfaces_of(Greedy(ODD))
    kinds = {
        kind: {surfaces.texts[i]: value for i, value in ids.items()}
        for kind, ids in OddTokens().kinds(surfaces).items()
    }
    assert kinds == {
        "mixed-scripts": {"aя": 2, "aяα": 3},
        "invisible": {"a\u200db": 1, "\ue000": 1, "x\x01\x02": 2, "\u0378": 1},
        "repeats": {"--------": 8, "        ": 8},
        "inner-space": {"in the": 1, "in  the": 2},
        "line-breaks": {";\n": 1, "}\r\n\r\n": 4},
        "replacement": {"\ufffd\ufffd": 2},
    }


def test_counts_shares_and_the_worst_first() -> None:
    scores, examples = found(OddTokens(run=7), Greedy(ODD))
    assert scores["odd-tokens-ids/repeats"].value == 3
    assert scores["odd-tokens-ids/mixed-scripts"].value == 2
    assert scores["odd-tokens"].n == len(ODD) - 2  # two are not UTF-8 by themselves
    assert scores["odd-tokens-ids"].value == 14
    assert scores["odd-tokens"].value == 14 / 20
    mixed = [example for example in examples if example.group == "mixed-scripts"]
    assert [example.note for example in mixed] == ["5 'aяα' (3 scripts)", "4 'aя' (2 scripts)"]
    assert [example.index for example in mixed] == [5, 4]
    hidden = next(example for example in examples if example.group == "invisible")
    assert hidden.note == "9 'x\\x01\\x02' (2 characters)"  # nothing unprintable is printed
    with pytest.raises(ValueError, match="run"):
        OddTokens(run=1)


def test_nothing_but_fragments_is_refused() -> None:
    scores, examples = found(OddTokens(), Greedy([b"\xff", b"\xfe"]))
    assert scores["odd-tokens"].value is None
    assert scores["odd-tokens"].note == "no id is UTF-8 by itself"
    assert not examples


def test_the_longest_of_gpt2(shared: Path) -> None:
    gpt2 = load_tokenizer(str(shared / "tokenizers/gpt2.tokenizer.json"))
    scores, examples = found(LongestToken(), gpt2)
    assert scores["longest-token/bytes"].value == 128
    notes = [example.note for example in examples if example.group == "bytes"]
    assert len(notes) == 5 and all(note.endswith("bytes)") for note in notes)
    assert notes[0].startswith("35496 'ÃÂÃÂ")
    odd, examples = found(OddTokens(), gpt2)
    assert odd["odd-tokens-ids/replacement"].value == 8
    assert odd["odd-tokens-ids/inner-space"].value == 0  # its pretokeniser splits at spaces
    assert not [example for example in examples if example.group == "inner-space"]


def test_a_large_vocabulary_is_quick() -> None:
    pieces = [f" {number:x}·".encode() for number in range(200_000)]
    surfaces = Surfaces(pieces, np.ones(len(pieces), dtype=bool), len(pieces))
    assert len(surfaces.scripts) == 200_000  # made once for all metrics
    started = time.process_time()
    OddTokens().kinds(surfaces)
    assert time.process_time() - started < 4


def test_eval_prints_them_and_the_record_keeps_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("hello\nworld\n")
    record, path = evaluate(Job("bytes", load_task("vocabulary"), str(text)), tmp_path / "runs")
    command.show([(record, path)], "table", False)
    said = capsys.readouterr().out
    assert "odd-tokens/invisible: 0 '\\x00' (1 character) · 1 '\\x01'" in said
    assert "longest-token/bytes: 0 '\\x00' (1 byte)" in said
    assert "first lossy" not in said
    assert "this machine" not in said  # nothing was timed that the task measures
