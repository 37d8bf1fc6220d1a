"""Fréchet and kernel distances against torch-fidelity's formulas, by hand, and cut into shards."""

import numpy as np
import pytest

from tokbench import frechet
from tokbench.frechet import Gaussian, distance, moments
from tokbench.kept import Kept, keys_of
from tokbench.measured import jackknife
from tokbench.mmd import mmd2


def features(seed: int, n: int, d: int = 24, shift: float = 0.0) -> np.ndarray:
    """Correlated and skewed, as features of a network are."""
    rng = np.random.default_rng([seed, 9])
    mix = np.random.default_rng(1).normal(0, 0.6, (d, d))
    return np.maximum(rng.normal(0, 1, (n, d)) @ mix + shift, 0).astype(np.float32)


@pytest.mark.parametrize(("n", "m", "d"), [(400, 300, 24), (90, 90, 64), (40, 40, 64)])
def test_frechet_as_torch_fidelity(n, m, d):
    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    import torch
    from torch_fidelity import metric_fid

    x, y = features(0, n, d).astype(np.float64), features(1, m, d, 0.3).astype(np.float64)
    stats = [metric_fid.fid_features_to_statistics(torch.from_numpy(each)) for each in (x, y)]
    expected = metric_fid.fid_statistics_to_metric(*stats, False)["frechet_inception_distance"]
    found = distance(Gaussian.of(moments(x)), Gaussian.of(moments(y)))
    # Where n < d, the roots of eigenvalues that should be 0 are the reference's rounding.
    close = 1e-6 if n > d else 1e-4
    assert found == pytest.approx(expected, rel=close)
    assert frechet.of_features(x, y) == pytest.approx(found, rel=1e-6)


def test_equal_sets_are_0_apart():
    one = Gaussian.of(moments(features(0, 200)))
    assert distance(one, one) == pytest.approx(0, abs=1e-9)


def test_diagonal_gaussians_by_hand():
    a, b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 0.25])
    first = Gaussian(9, np.zeros(3), np.diag(a))
    other = Gaussian(9, np.array([0.0, 3.0, 4.0]), np.diag(b))
    assert distance(first, other) == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum() + 25)


def test_a_shift_is_its_square():
    x = features(0, 100).astype(np.float64)
    found = distance(Gaussian.of(moments(x)), Gaussian.of(moments(x + 0.5)))
    assert found == pytest.approx(24 * 0.25, abs=1e-6)


def test_moments_add_up_in_any_cut_and_order():
    x = features(3, 1300) * 4
    whole = moments(x)
    cuts = np.split(x[::-1], [1, 17, 600, 1111])
    assert (sum(moments(part) for part in cuts) == whole).all()
    assert whole[-1, -1] == 1300
    exact = np.round(x[:, 0].astype(np.float64) / frechet.STEP).astype(int).tolist()
    assert whole[0, 0] == sum(each * each for each in exact) and whole[0, -1] == sum(exact)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 64.0, -64.0])
def test_features_that_would_not_add_up_are_refused(wrong):
    with pytest.raises(ValueError, match="below 64"):
        moments(np.array([[0.0, wrong]]))


def test_the_largest_sums_are_exact():
    """The bound of the docstring, at its edge: 512 of the largest products."""
    x = np.full((512, 2), 64 - frechet.STEP)
    largest = 2**22 - 1
    assert moments(x)[0, 1] == 512 * largest**2


def test_kernel_distance_as_torch_fidelity():
    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    import torch
    from torch_fidelity import metric_kid

    x, y = features(0, 600), features(1, 600, shift=0.2)
    expected = metric_kid.kid_features_to_metric(
        *(torch.from_numpy(each.astype(np.float64)) for each in (x, y)),
        kid_subsets=1, kid_subset_size=600, verbose=False, rng_seed=0,
    )["kernel_inception_distance_mean"]  # fmt: skip
    assert mmd2(x, y)[0] == pytest.approx(expected, abs=1e-9, rel=1e-6)


def test_kernel_distance_of_two_halves_is_about_0():
    x = features(0, 2000)
    value, left_out = mmd2(x[:1000], x[1000:])
    low, high = jackknife(left_out, value)
    assert low < 0 < high and abs(value) < 0.05
    assert mmd2(x[:1000], features(1, 1000, shift=0.5))[0] > 10 * abs(value)


def test_blocks_left_out_are_left_out():
    x, y = features(0, 40), features(1, 50)
    rest_x, rest_y = (each[np.arange(len(each)) % 16 != 3] for each in (x, y))
    assert mmd2(x, y)[1][3] == pytest.approx(mmd2(rest_x, rest_y)[0], rel=1e-9)


def test_the_rows_kept_do_not_depend_on_the_cut():
    group, index = np.repeat([0, 1, 2], 500), np.tile(np.arange(500), 3)
    keys = keys_of(group, index)
    rows = np.stack([group, index], 1).astype(np.float32)
    whole = Kept.of(keys, rows, 100)
    parts = [Kept.of(keys[at], rows[at], 100) for at in np.split(np.arange(1500)[::-1], [7, 900])]
    nested = Kept.joined([parts[2], Kept.joined(parts[:2])])
    for found in (Kept.joined(parts), nested):
        assert (found.keys == whole.keys).all() and (found.rows == whole.rows).all()
    assert len(set(keys.tolist())) == 1500
    shares = np.bincount(whole.rows[:, 0].astype(int), minlength=3)
    assert shares.min() > 20 and 150 < whole.rows[:, 1].mean() < 350


def test_features_that_never_change():
    """A covariance of rank 0 or less than full, on either side."""
    flat = np.full((30, 4), 0.5)
    half = features(0, 30, 4) * [1, 1, 0, 0]
    found = [Gaussian.of(moments(each)) for each in (flat, half)]
    apart = ((half.mean(0) - 0.5) ** 2).sum() + half.var(0, ddof=1).sum()
    assert distance(*found) == pytest.approx(apart, rel=1e-6) == distance(*found[::-1])
    assert distance(found[0], found[0]) == 0
