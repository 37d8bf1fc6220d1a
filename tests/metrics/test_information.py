"""Entropies of the id distribution against tokenization-scorer's own test values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mocks.evidence import scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text.information import (
    PercentileFrequency,
    RenyiEfficiency,
    ShannonEfficiency,
    percentile_frequency,
    renyi_entropy,
)

# The two tokenizations of tokenization-scorer's tests, as a vocabulary each.
A = "pick @@ed pick @@l @@ed pick @@les"
B = "pick @@e @@d pick @@l @@e @@d pick @@l @@e @@s"


def counts(text: str) -> np.ndarray:
    tokens = text.split()
    return np.array([tokens.count(token) for token in sorted(set(tokens))])


@pytest.mark.parametrize(
    ("text", "alpha", "entropy", "efficiency"),
    [
        (A, 2.5, 1.65301, 0.82651),
        (A, 1.0, 1.84237, 0.92119),
        (B, 2.5, 2.13730, 0.92048),
        (B, 1.0, 2.23127, 0.96096),
    ],
)
def test_entropy_and_efficiency_of_the_scorers_texts(text, alpha, entropy, efficiency) -> None:
    found = counts(text)
    assert renyi_entropy(found, alpha) == pytest.approx(entropy, abs=1e-5)
    assert renyi_entropy(found, alpha) / math.log2(len(found)) == pytest.approx(
        efficiency, abs=1e-5
    )


@pytest.mark.parametrize(("text", "printed"), [(A, 0.80315), (B, 0.91057)])
def test_the_scorers_readme_prints_alpha_3_where_it_says_2_5(text: str, printed: float) -> None:
    found = counts(text)
    assert renyi_entropy(found, 3.0) / math.log2(len(found)) == pytest.approx(printed, abs=1e-5)
    assert renyi_entropy(found, 2.5) / math.log2(len(found)) != pytest.approx(printed, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "low", "high", "expected"),
    [
        (A, 0.03, 0.83, 0.857143),
        (A, 0.3, 0.6, 0.285714),
        (B, 0.03, 0.83, 0.909091),
        (B, 0.3, 0.6, 0.454545),
    ],
)
def test_percentile_frequency_of_the_scorers_texts(text, low, high, expected) -> None:
    assert percentile_frequency(counts(text), low, high) == pytest.approx(expected, abs=1e-5)


def test_the_metrics_give_the_scorers_values_over_observed_ids() -> None:
    tokenizer = Greedy([*sorted(set(A.split())), " "])
    text = A.replace(" ", "")  # the pieces fit without the blanks between them
    for metric, name, expected in (
        (RenyiEfficiency(), "renyi-efficiency-observed", 0.82651),
        (RenyiEfficiency(alpha=3), "renyi-efficiency-observed", 0.80315),
        (ShannonEfficiency(), "shannon-efficiency-observed", 0.92119),
        (ShannonEfficiency(), "shannon-entropy", 1.84237),
        (PercentileFrequency(), "percentile-frequency", 0.857143),
        (PercentileFrequency(low=0.3, high=0.6), "percentile-frequency", 0.285714),
    ):
        score = scores_of(metric, tokenizer, {"": [text]})[name]
        assert score.value == pytest.approx(expected, abs=1e-5), name
        assert score.low is None
        assert score.note.startswith("no interval")


def test_the_other_denominator_is_the_whole_vocabulary() -> None:
    found = scores_of(ShannonEfficiency(), Greedy(), {"": ["ab,!"]})  # three ids of 14, once each
    assert found["shannon-efficiency"].value == pytest.approx(math.log2(3) / math.log2(14))
    assert found["shannon-efficiency-observed"].value == pytest.approx(1)


def test_renyi_entropy_approaches_shannons_at_alpha_1() -> None:
    found = np.array([5, 3, 1, 1, 0, 40])
    assert renyi_entropy(found, 1 + 1e-7) == pytest.approx(renyi_entropy(found, 1.0), abs=1e-5)
    orders = [renyi_entropy(found, alpha) for alpha in (0.5, 1.0, 2.0, 2.5, 3.0)]
    assert orders == sorted(orders, reverse=True)  # never rises with alpha


def test_a_single_id_has_no_efficiency_over_observed_ids() -> None:
    found = scores_of(ShannonEfficiency(), Greedy(), {"": ["aaaa"]})
    assert found["shannon-entropy"].value == 0
    assert found["shannon-efficiency"].value == 0
    assert found["shannon-efficiency-observed"].value is None
    assert found["shannon-efficiency-observed"].note


def test_intervals_need_sixteen_samples_and_hold_the_value() -> None:
    lines = ["hello world", "ab,", "hello, wor", "a b ab!"] * 8
    few = scores_of(ShannonEfficiency(), Greedy(), {"": lines[:15]})["shannon-entropy"]
    assert (few.low, few.interval) == (None, None)
    enough = scores_of(ShannonEfficiency(), Greedy(), {"": lines})["shannon-entropy"]
    assert enough.interval == "jackknife"
    assert enough.low < enough.value < enough.high


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        RenyiEfficiency(alpha=0)
    with pytest.raises(ValueError, match="low below high"):
        PercentileFrequency(low=0.9, high=0.1)


def test_no_tokens_at_all_is_said_and_not_divided_by() -> None:
    class Mute(Greedy):
        def _tokens(self, text):
            return []

    score = scores_of(ShannonEfficiency(), Mute(), {"": ["hello", "a"]})["shannon-entropy"]
    assert (score.value, score.note) == (None, "no tokens")
