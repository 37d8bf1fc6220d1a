"""Ratios of counts, worked out by hand on four short lines."""

from __future__ import annotations

import pytest
from mocks.evidence import evidence_of, scores_from, scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text import rates

# hello| world and hello|,| world|!; then wor| |ld and é|é| |ab.
LINES = {"eng_Latn": ["hello world", "hello, world!"], "tur_Latn": ["wor ld", "éé ab"]}
TOKENS, BYTES, CHARACTERS, WORDS = (6, 7), (24, 13), (24, 11), (4, 4)


def values(metric) -> dict[str, float | None]:
    return {name: score.value for name, score in scores_of(metric, Greedy(), LINES).items()}


def test_counts_are_sums_over_samples() -> None:
    found = values(rates.Counts())
    for name, (eng, tur) in (
        ("tokens", TOKENS),
        ("bytes", BYTES),
        ("characters", CHARACTERS),
        ("words", WORDS),
        ("samples", (2, 2)),
    ):
        assert found[name] == eng + tur
        assert (found[f"{name}/eng_Latn"], found[f"{name}/tur_Latn"]) == (eng, tur)


@pytest.mark.parametrize(
    ("metric", "top", "bottom"),
    [
        (rates.BytesPerToken(), BYTES, TOKENS),
        (rates.CharactersPerToken(), CHARACTERS, TOKENS),
        (rates.WordsPerToken(), WORDS, TOKENS),
        (rates.TokensPerLine(), TOKENS, (2, 2)),
        (rates.Fertility(), TOKENS, WORDS),
        (rates.SingleTokenRetention(), (4, 3), WORDS),  # all words but éé, which is é|é
        (rates.ContinuedWords(), (0, 1), WORDS),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else "",
)
def test_rates_are_ratios_of_sums(metric, top, bottom) -> None:
    assert values(metric) == {
        metric.name: pytest.approx(sum(top) / sum(bottom)),
        f"{metric.name}/eng_Latn": pytest.approx(top[0] / bottom[0]),
        f"{metric.name}/tur_Latn": pytest.approx(top[1] / bottom[1]),
    }


@pytest.mark.parametrize(
    "kind",
    [rates.Fertility, rates.WordsPerToken, rates.SingleTokenRetention, rates.ContinuedWords],
)
def test_words_are_refused_where_the_script_has_no_spaces(kind) -> None:
    groups = {**LINES, "tha_Thai": ["สวัสดี", "ชาวโลก"]}
    found = scores_of(kind(), Greedy(), groups)
    refused = found[f"{kind.name}/tha_Thai"]
    assert refused.value is None
    assert refused.note == "script without spaces between words"
    # The pool is that of the other groups, and says so.
    assert found[kind.name].value == pytest.approx(values(kind())[kind.name])
    assert found[kind.name].n == 4
    assert "1 of 3 groups left out" in found[kind.name].note


def test_a_group_without_words_is_refused_with_its_own_reason() -> None:
    found = scores_of(rates.Fertility(), Greedy(), {"eng_Latn": ["hello"], "zxx_Zyyy": ["!!", ","]})
    assert (found["fertility/zxx_Zyyy"].value, found["fertility/zxx_Zyyy"].note) == (
        None, "no words",
    )  # fmt: skip
    counted = scores_of(rates.Counts(), Greedy(), {"eng_Latn": ["hello"], "zxx_Zyyy": ["!!", ","]})
    assert counted["words/zxx_Zyyy"].value is None
    assert counted["words"].value == 1


def test_a_few_foreign_words_do_not_refuse_a_group() -> None:
    line = "hello " * 9  # nine words and one ideograph: exactly 10 %, not over
    assert scores_of(rates.Fertility(), Greedy(), {"": [line + "語"]})["fertility"].value
    assert scores_of(rates.Fertility(), Greedy(), {"": [line + "語語"]})["fertility"].value is None


def test_where_positions_are_unknown_words_cannot_be_placed() -> None:
    class Blind(Greedy):
        pieces = None

        def __init__(self) -> None:
            super().__init__()
            self.pieces = None

        def offsets(self, batch):
            return None

    for kind in (rates.SingleTokenRetention, rates.ContinuedWords):
        score = scores_of(kind(), Blind(), {"": ["hello world"] * 2})[kind.name]
        assert (score.value, score.note) == (None, "token positions unknown")


def test_one_sample_has_a_value_but_no_interval() -> None:
    score = scores_of(rates.BytesPerToken(), Greedy(), {"": ["hello world"]})["bytes-per-token"]
    assert score.value == 5.5
    assert (score.low, score.high, score.interval) == (None, None, None)
    assert score.note == "no interval: one sample"


def test_an_empty_line_keeps_its_number_and_is_no_sample() -> None:
    evidence = evidence_of(Greedy(), {"": ["a", "", "ab"]}, ["tokens", "size"])
    assert evidence.index.tolist() == [0, 2]
    found = scores_from(rates.TokensPerLine(), evidence, [""], Greedy().spec)
    assert (found["tokens-per-line"].value, found["tokens-per-line"].n) == (1.0, 2)
