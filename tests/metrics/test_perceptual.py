"""LPIPS: the range it is fed, what is too small, and no weights. The networks here are random:
the real ones are downloaded."""

import numpy as np
import pytest
from mocks.images import picture

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.metrics.image.perceptual import LPIPS
from tokbench.probes.perceptual import TRUNKS, Perceptual, perceptual
from tokbench.runner import evaluate
from tokbench.task import Task

lpips = pytest.importorskip("lpips", reason="needs the extra 'lpips'")


@pytest.fixture
def network(monkeypatch):
    """AlexNet's trunk with seeded weights in place of the trained ones."""
    import torch

    torch.manual_seed(0)
    model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    monkeypatch.setitem(perceptual("alex").__dict__, "_model", model)
    return model


def test_it_is_fed_what_the_network_wants(network):
    """[-1, 1], channels first: the package's own `normalize` of [0, 1] gives the same."""
    import torch

    a, b = picture(0, 64, 80), picture(1, 64, 80)
    [found] = perceptual("alex").distances([a], [b])
    x, y = (torch.from_numpy(p.transpose(2, 0, 1)[None] / np.float32(255)) for p in (a, b))
    with torch.inference_mode():
        assert found == pytest.approx(float(network(x, y, normalize=True)), rel=1e-4)
    assert perceptual("alex").distances([a], [a]) == [0]


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_the_least_size_is_the_networks(net, monkeypatch):
    model = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    made, least = Perceptual(net), TRUNKS[net][1]
    monkeypatch.setitem(made.__dict__, "_model", model)
    a, b = picture(0, least, least + 9), picture(1, least, least + 9)
    assert np.isfinite(made.distances([a], [b])).all()
    with pytest.raises(RuntimeError):
        made.distances([a[1:]], [b[1:]])


def test_scores(network, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for number, size in enumerate([(64, 64), (30, 64), (80, 48)]):
        (folder / f"{number}.png").write_bytes(save_png(picture(number, *size)))

    def record(spec, most):
        task = Task("t", "", "image", "photos-mini", ["lpips"], "lpips", shard_samples=most)
        return evaluate(Job(spec, task, str(folder)), tmp_path / f"{most}")[0]

    found = record("jpeg:5", 3)
    assert found.score("lpips").value > 0 and found.score("lpips/left-out").value == 1
    assert record("jpeg:5", 1).score("lpips").value == found.score("lpips").value
    assert record("identity", 3).score("lpips").value == 0
    assert "weights:" in found.score("lpips").metric


def test_without_a_network_it_says_what_is_missing(monkeypatch, tmp_path):
    import torch

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(lpips, "LPIPS", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    why = Perceptual("vgg").missing()
    assert "no network" in why and "vgg16" in why and str(tmp_path) in why and "\n" not in why


def test_options():
    with pytest.raises(ValueError, match="choose alex or vgg"):
        LPIPS(net="resnet")
