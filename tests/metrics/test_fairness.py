"""Premium, parity and Gini, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mocks.evidence import scores_of
from mocks.greedy import Greedy

from tokbench.errors import UserError
from tokbench.metrics.text.fairness import Gini, Parity, Premium, gini, lorenz

# Tokens: English 2 + 4, Turkish 3 + 4, German 2 + 6.
LINES = {
    "deu_Latn": ["ab ", "a a a "],
    "eng_Latn": ["hello world", "hello, world!"],
    "tur_Latn": ["wor ld", "éé ab"],
}


def values(metric, groups=None, **rest) -> dict[str, float | None]:
    found = scores_of(metric, Greedy(), groups or LINES, **rest)
    return {name: score.value for name, score in found.items()}


def test_premium_is_one_ratio_of_totals_for_each_language() -> None:
    found = values(Premium())
    assert found["premium/eng_Latn"] == 1
    assert found["premium/deu_Latn"] == pytest.approx(8 / 6)
    assert found["premium/tur_Latn"] == pytest.approx(7 / 6)
    # Summaries leave the reference's own 1 out.
    assert found["premium/max"] == pytest.approx(8 / 6)
    assert found["premium/mean"] == pytest.approx(7.5 / 6)
    assert found["premium/script-Latn"] == pytest.approx(7.5 / 6)
    assert found["premium/family-Turkic"] == pytest.approx(7 / 6)
    assert found["premium/family-Indo-European"] == pytest.approx(8 / 6)
    assert scores_of(Premium(), Greedy(), LINES)["premium/max"].note == "worst: deu_Latn"


def test_the_reference_language_is_an_option() -> None:
    found = values(Premium(reference="tur_Latn"))
    assert found["premium/eng_Latn"] == pytest.approx(6 / 7)
    assert found["premium/max"] == pytest.approx(8 / 7)
    assert "reference:tur_Latn" in Premium(reference="tur_Latn").signature()


def test_premium_counts_only_the_lines_that_both_languages_have() -> None:
    groups = {"eng_Latn": ["hello world", "hello, world!"], "tur_Latn": ["wor ld", ""]}
    score = scores_of(Premium(), Greedy(), groups)["premium/tur_Latn"]
    assert score.value == pytest.approx(3 / 2)
    assert score.n == 1


def test_parity_is_the_mean_of_the_ratios_of_single_lines() -> None:
    found = values(Parity())
    assert found == {
        "parity/deu_Latn": pytest.approx((2 / 2 + 6 / 4) / 2),
        "parity/eng_Latn": 1,
        "parity/tur_Latn": pytest.approx((3 / 2 + 4 / 4) / 2),
    }


@pytest.mark.parametrize("metric", [Premium(), Parity(), Gini()])
def test_unaligned_data_is_refused(metric) -> None:
    with pytest.raises(UserError, match="parallel data"):
        scores_of(metric, Greedy(), LINES, parallel=False)


def test_a_missing_reference_is_named() -> None:
    with pytest.raises(UserError, match="'fra_Latn' is not in the data"):
        scores_of(Premium(reference="fra_Latn"), Greedy(), LINES)


def test_gini_over_lines_and_over_bytes() -> None:
    found = values(Gini())
    # |8-6| + |8-7| + |6-7| = 4, each counted twice; over 2·3²·7.
    assert found["gini"] == pytest.approx(8 / (2 * 9 * 7))
    # The Lorenz curve runs through 0, 6/21, 13/21 and 1.
    assert found["gini/lorenz-50"] == pytest.approx((6 + 13) / 2 / 21)
    assert found["gini/lorenz-25"] == pytest.approx(0.75 * 6 / 21)
    costs = [8 / 9, 6 / 24, 7 / 13]
    spread = sum(abs(a - b) for a in costs for b in costs)
    assert values(Gini(cost="bytes"))["gini-bytes"] == pytest.approx(spread / (6 * sum(costs)))
    assert values(Gini(cost="bytes"), parallel=False)["gini-bytes"] == pytest.approx(
        spread / (6 * sum(costs))
    )


def test_gini_over_lines_uses_the_lines_that_every_language_has() -> None:
    groups = {**LINES, "tur_Latn": ["", "éé ab"]}
    found = scores_of(Gini(), Greedy(), groups)["gini"]
    # Only the second line is everyone's: 6, 4 and 4 tokens.
    assert found.value == pytest.approx(8 / (2 * 9 * (6 + 4 + 4) / 3))
    assert found.n == 1
    # Drawn with replacement, it is missing from some resamples.
    assert (found.low, found.interval) == (None, None)
    assert found.note == "no interval: a resample has nothing to divide by"


def test_one_language_has_no_inequality_to_measure() -> None:
    score = scores_of(Gini(), Greedy(), {"eng_Latn": ["hello", "a"]})["gini"]
    assert (score.value, score.note) == (None, "one language: nothing to compare")


def test_gini_knows_its_two_costs() -> None:
    with pytest.raises(ValueError, match="'lines' or 'bytes'"):
        Gini(cost="words")


def test_gini_of_equal_and_of_concentrated_costs() -> None:
    assert gini(np.full(7, 3.0)) == 0
    assert gini(np.array([0.0, 0, 0, 1])) == pytest.approx(0.75)  # (n - 1)/n
    by_row = gini(np.array([[1.0, 1], [0, 2]]))
    assert by_row.tolist() == [0, 0.5]


@pytest.mark.parametrize("count", [2, 3, 13, 204])
def test_one_minus_twice_the_area_under_lorenz_is_gini(count: int) -> None:
    costs = np.random.default_rng(count).lognormal(size=count)
    curve = np.array([float(lorenz(costs, k / count)) for k in range(count + 1)])
    area = ((curve[1:] + curve[:-1]) / 2).mean()
    assert 1 - 2 * area == pytest.approx(float(gini(costs)), abs=1e-12)
    assert (np.diff(curve) >= 0).all()
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1, abs=1e-12)
