"""CMMD: the published equation on made-up embeddings, shards, refusals, offline."""

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import Levels, picture

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.metrics.image.cmmd import CLIP, CMMD, unit
from tokbench.mmd import gaussian, mmd2
from tokbench.probes import weights
from tokbench.probes.features import load_features
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task


def features(n, shift, seed):
    return unit(np.random.default_rng(seed).normal(shift, 1, (n, 24)))


def plain(x, y, biased):
    """The equation, with every pair written out."""

    def mean(a, b, same):
        apart = ((a[:, None] - b[None]) ** 2).sum(2)
        values = np.exp(-apart / 200)
        if same and not biased:
            return (values.sum() - len(a)) / (len(a) * (len(a) - 1))
        return values.mean()

    return 1000 * (mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False))


@pytest.mark.parametrize("biased", [True, False])
def test_the_equation(biased):
    x, y = features(90, 0.0, 1), features(70, 0.4, 2)
    value, left_out = mmd2(x, y, gaussian(10.0), biased)
    assert 1000 * value == pytest.approx(plain(x, y, biased), rel=1e-6)
    rows = [np.arange(n) % 16 != 3 for n in (90, 70)]
    assert 1000 * left_out[3] == pytest.approx(plain(x[rows[0]], y[rows[1]], biased), rel=1e-6)


def test_a_set_and_itself_are_0_apart_where_each_is_paired_with_itself():
    x = features(64, 0.0, 1)
    assert mmd2(x, x, gaussian(10.0), True)[0] == pytest.approx(0, abs=1e-12)
    assert mmd2(x, x, gaussian(10.0))[0] < 0


def test_two_points_by_hand():
    """Orthogonal unit vectors are 2 apart squared: 2 (1 − e^(−2/200)) · 1000."""
    x, y = np.eye(2)[[0] * 4], np.eye(2)[[1] * 4]
    assert 1000 * mmd2(x, y, gaussian(10.0), True)[0] == pytest.approx(2000 * -np.expm1(-0.01))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(40):
        (root / f"{n:02}.png").write_bytes(save_png(picture(n, 24, 24)))
    return root


def record(folder, out, options, **rest):
    uses = [MetricUse("cmmd", {"features": "random-projection", **options})]
    asked = Task("t", "test", "image", "photos-mini", uses, "cmmd", **rest)
    return evaluate(Job("levels", asked, str(folder)), out, tokenizer=Levels())[0]


def test_one_shard_is_many(folder, tmp_path):
    for estimator, name in (("biased", "cmmd-random-projection"),
                            ("unbiased", "cmmd-random-projection-unbiased")):  # fmt: skip
        options = {"least": 32, "most": 36, "estimator": estimator}
        whole, *others = (
            record(folder, tmp_path / f"{estimator}{n}", options, shard_samples=n) for n in (99, 7)
        )
        score = whole.score(name)
        assert score.n == 36 and score.low < score.value < score.high
        assert [o.score(name).value for o in others] == [score.value]


def test_too_few_images_are_refused(folder, tmp_path):
    score = record(folder, tmp_path / "runs", {}).scores[0]
    assert score.value is None and "40 images: cmmd needs 1,000" in score.note


def test_offline_it_is_one_line(folder, tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    import torch

    def nothing(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", nothing)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    load_features.cache_clear()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.toml"
    path.write_text(
        'name = "t"\ntitle = ""\nmodality = "image"\ndataset = "photos-mini"\nmain = "cmmd"\n'
        'metrics = ["cmmd"]\n'
    )
    refused(called("eval", "identity", "--task", path, "--data", folder), CLIP, weights.VARIABLE)
    assert not (tmp_path / "runs").exists()


def test_options():
    with pytest.raises(ValueError, match="choose biased or unbiased"):
        CMMD(estimator="v")
