"""The hybrid Turkish tokenizer: its losses are measured, its positions exact."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tokbench.conformance import PROBES, conformance
from tokbench.errors import MissingExtra
from tokbench.specs import load_tokenizer
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import token_spans
from tokbench.tokenizers.text.turkish import Turkish


@pytest.fixture(scope="module")
def turkish() -> Turkish:
    return Turkish()


def surfaces(tokenizer: Turkish, text: str) -> list[str]:
    """What each token covers of the text."""
    codes = tokenizer.encode([text])
    batch = TextBatch([text], np.zeros(1, np.int64), np.zeros(1, np.int64))
    spans = token_spans(tokenizer, batch, codes)
    raw = batch.data.tobytes()
    return [raw[a:b].decode() for a, b in zip(spans.starts, spans.stops, strict=True)]


def test_roots_suffixes_and_capitals_at_their_bytes(turkish: Turkish) -> None:
    assert surfaces(turkish, "Evlerimizden ışık") == [
        "", "Ev", "ler", "im", "iz", "den", " ", "ışık",
    ]  # fmt: skip
    assert surfaces(turkish, "a \n 本b") == ["a", " ", " ", "本", "b"]  # the line feed is lost


def test_tokens_come_in_order_and_lie_in_the_text(turkish: Turkish) -> None:
    for text in PROBES:
        covered = "".join(surfaces(turkish, text))
        parts = text.split(" ")
        assert covered == " ".join(part if part.strip() else "" for part in parts)


def test_lower_case_is_as_long_as_capitals_but_for_one_letter() -> None:
    longer = [c for c in map(chr, range(sys.maxunicode + 1)) if len(c.lower()) != 1]
    assert longer == ["İ"]  # which the package replaces first; positions rely on it


def test_the_round_trip_shows_what_it_loses(run, tmp_path, turkish: Turkish) -> None:
    data = tmp_path / "lines.txt"
    data.write_text("ışık\nİzmir\nMerhaba Dünya\n", encoding="utf-8")
    record, _ = run("turkish-tokenizer", data, ["lossless", "unknown"], tokenizer=turkish)
    scores = {score.name: score.value for score in record.scores}
    assert scores["lossless"] == pytest.approx(2 / 3)
    assert "'İzmir' came back as 'Izmir'" in record.examples[0].note


def test_it_keeps_the_promises_of_an_adapter() -> None:
    tokenizer = load_tokenizer("turkish-tokenizer")
    outcomes = {check.name: check.outcome for check in conformance("turkish-tokenizer", tokenizer)}
    assert "fail" not in outcomes.values()
    assert outcomes["offsets tile the text"] == "pass"
    assert outcomes["round trip"] == "note"


def test_without_the_package_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "turkish_tokenizer", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tokbench\[turkish\]'"):
        load_tokenizer("turkish-tokenizer")
