"""Totals and intervals: what stands between evidence and a metric."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tokbench.evidence import Evidence, Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Measured, jackknife
from tokbench.types import TokenizerSpec

SPEC = TokenizerSpec(modality="text", vocabulary=(10,))


def measured(group, index, parallel=True, groups=2, **columns) -> Measured:
    group, index = np.array(group), np.array(index)
    columns = {name: np.array(values) for name, values in columns.items()}
    columns |= {"samples": np.ones(len(group), dtype=np.int64)}
    labels = [f"g{number}" for number in range(groups)]
    return Measured(Evidence(group, index, columns), labels, parallel, SPEC)


def test_totals_are_exact_and_zero_for_a_group_without_rows() -> None:
    huge = 2**62
    found = measured([0, 0, 2], [0, 1, 0], groups=3, n=[huge, 1, 7])
    assert found.totals("n").tolist() == [huge + 1, 0, 7]
    assert found.totals("n").dtype == np.int64


def test_totals_do_not_depend_on_the_order_of_rows() -> None:
    assert measured([1, 0, 1, 0], [0, 0, 1, 1], n=[1, 2, 4, 8]).totals("n").tolist() == [10, 5]


def test_a_matrix_has_parallel_lines_in_one_row_and_zero_where_a_line_is_missing() -> None:
    found = measured([0, 0, 1], [4, 9, 9], n=[1, 2, 3])
    assert found.matrix("n").tolist() == [[1, 0], [2, 3]]


def test_parallel_groups_are_resampled_together_and_others_apart() -> None:
    group, index, n = [0] * 50 + [1] * 50, [*range(50), *range(50)], [*range(50), *range(50)]
    together = measured(group, index, n=n).replicates("n")
    assert (together[:, 0] == together[:, 1]).all()
    apart = measured(group, index, parallel=False, n=n).replicates("n")
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.1


def test_two_tokenizers_on_the_same_samples_draw_the_same_resamples() -> None:
    group, index = [0] * 30, range(30)
    one = measured(group, index, n=np.arange(30)).replicates("n")
    other = measured(group, index, n=np.arange(30) * 3).replicates("n")
    assert (other == 3 * one).all()


@pytest.mark.parametrize("parallel", [True, False])
def test_the_bootstrap_interval_is_that_of_the_delta_method(parallel: bool) -> None:
    rng = np.random.default_rng(7)
    bottom = rng.poisson(20, 3000) + 1
    top = rng.binomial(3 * bottom, 0.4)
    found = measured([0] * 3000, range(3000), parallel, groups=1, top=top, bottom=bottom)
    score = next(found.ratio("r", "top", "bottom", "", "neither"))
    ratio = top.sum() / bottom.sum()
    error = np.std(top - ratio * bottom, ddof=1) / bottom.mean() / math.sqrt(3000)
    assert score.value == ratio
    assert score.low == pytest.approx(ratio - 1.96 * error, abs=0.25 * error)
    assert score.high == pytest.approx(ratio + 1.96 * error, abs=0.25 * error)
    assert score.interval == "bootstrap"


def test_a_group_with_nothing_to_divide_by_is_null_with_a_reason() -> None:
    found = measured([0, 0, 1, 1], [0, 1, 0, 1], top=[1, 2, 0, 0], bottom=[2, 2, 0, 0])
    scores = {score.name: score for score in found.ratio("r", "top", "bottom", "", "neither")}
    assert scores["r/g1"].value is None
    assert scores["r/g1"].note
    assert (scores["r/g1"].low, scores["r/g1"].high) == (None, None)
    assert scores["r"].value == 0.75


def test_an_interval_is_never_half_there() -> None:
    # The one sample with a denominator is missing from a third of the resamples.
    found = measured([0, 0], [0, 1], groups=1, top=[1, 0], bottom=[2, 0])
    score = next(found.ratio("r", "top", "bottom", "", "neither"))
    assert score.value == 0.5
    assert (score.low, score.high, score.interval) == (None, None, None)
    assert score.note == "no interval: a resample has nothing to divide by"


def test_the_jackknife_of_a_mean_is_its_textbook_interval() -> None:
    values = np.random.default_rng(3).normal(size=JACKKNIFE_BLOCKS)
    left_out = (values.sum() - values) / (JACKKNIFE_BLOCKS - 1)
    low, high = jackknife(left_out, float(values.mean()))
    error = values.std(ddof=1) / math.sqrt(JACKKNIFE_BLOCKS)
    assert (high - low) / 2 == pytest.approx(2.131449545559323 * error, rel=1e-12)
    assert (high + low) / 2 == pytest.approx(values.mean(), rel=1e-12)
    with pytest.raises(ValueError, match="16 blocks"):
        jackknife(left_out[:-1], 0.0)


def test_a_tally_is_read_by_group_and_pooled() -> None:
    keys = np.array([3, 5, (1 << 32) + 3], dtype=np.int64)
    found = measured([0, 1], [0, 0], n=[1, 1])
    found.evidence.tallies["t"] = Tally(keys, np.array([2, 1, 4]))
    assert found.tally("t", 0).keys.tolist() == [3, 5]
    assert found.tally("t", 1).counts.tolist() == [4]
    pooled = found.tally("t")
    assert dict(zip(pooled.keys.tolist(), pooled.counts.tolist(), strict=True)) == {3: 6, 5: 1}
    assert len(found.tally("absent").keys) == 0
