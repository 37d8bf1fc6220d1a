"""rFID, KID and kin: the whole way, offline, against torch-fidelity, on features of one's own."""

from pathlib import Path

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import Levels, picture

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.frechet import of_features
from tokbench.image.fitting import central
from tokbench.image.pictures import read_picture, save_png
from tokbench.metrics.image.distribution import FrechetDistance
from tokbench.mmd import mmd2
from tokbench.probes import features as probes
from tokbench.probes import weights
from tokbench.probes.features import INCEPTION, RandomProjection, kept_features, load_features
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task, load_task


def task(*metrics, **rest):
    return Task("t", "test", "image", "photos-mini", list(metrics), "psnr", **rest)


PROJECTED = MetricUse("frechet-distance", {"features": "random-projection", "least": 32})
KERNEL = MetricUse("kernel-distance", {"features": "random-projection", "least": 32, "most": 36})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(40):
        (root / f"{n:02}.png").write_bytes(save_png(picture(n, 24, 24 + 8 * (n % 3))))
    return root


def measured(folder, out, *metrics, tokenizer=None, **rest):
    job = Job("levels", task(*metrics, **rest), str(folder))
    return evaluate(job, out, tokenizer=tokenizer or Levels())[0]


def test_one_shard_is_many_and_the_scores_are_those_of_the_features(folder, tmp_path):
    whole, *others = (
        measured(folder, tmp_path / str(most), PROJECTED, KERNEL, shard_samples=most)
        for most in (100, 7, 1)
    )
    scores = [[(s.name, s.value, s.low, s.high, s.n) for s in r.scores] for r in (whole, *others)]
    assert scores[0] == scores[1] == scores[2]
    originals = [read_picture(path) for path in sorted(folder.iterdir())]
    tokenizer = Levels()
    seen = [p.astype(np.float32) * np.float32(2 / 255) - 1 for p in originals]
    back = tokenizer.decode(tokenizer.encode(seen))
    decoded = [np.floor((np.clip(p, -1, 1) + 1) * 127.5 + 0.5).astype(np.uint8) for p in back]
    x, y = RandomProjection()(originals), RandomProjection()(decoded)
    frechet = whole.score("frechet-distance-random-projection")
    assert frechet.value == pytest.approx(of_features(x, y), rel=1e-6) and frechet.n == 40
    kernel = whole.score("kernel-distance-random-projection")
    assert kernel.n == 36 and kernel.low < kernel.value < kernel.high
    everything = MetricUse(KERNEL.name, KERNEL.options | {"most": 100})
    full = measured(folder, tmp_path / "full", everything).score(kernel.name)
    assert full.value == pytest.approx(mmd2(x, y)[0], rel=1e-4)  # float32 rows


def test_identity_is_0_apart(folder, tmp_path):
    job = Job("identity", task(PROJECTED, KERNEL), str(folder))
    value = {s.name: s.value for s in evaluate(job, tmp_path / "runs")[0].scores}
    assert value["frechet-distance-random-projection"] == pytest.approx(0, abs=1e-9)
    assert value["kernel-distance-random-projection"] < 0  # unbiased: a set and itself


def test_too_few_images_are_refused(folder, tmp_path):
    plain = [MetricUse(m.name, {"features": "random-projection"}) for m in (PROJECTED, KERNEL)]
    for score in measured(folder, tmp_path / "runs", *plain).scores:
        assert score.value is None and "40 images: " in score.note
    assert "needs 2,048" in measured(folder, tmp_path / "one", plain[0]).scores[0].note


def test_signature_names_features_and_weights():
    found = FrechetDistance(features="random-projection").signature()
    assert found == "frechet-distance|weights:1|features:random-projection|least:2048|v1"
    from tokbench.metrics.image.distribution import RFID

    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    assert RFID().signature().startswith(f"rfid|features:{INCEPTION}|weights:torch-fidelity-")
    assert "+6726825d|least:2048|v1" in RFID().signature()


def test_features_of_your_own(folder, tmp_path, monkeypatch):
    module = tmp_path / "my_features.py"
    module.write_text(
        "import numpy as np\n"
        "def colour(batch):\n    return batch.mean(axis=(1, 2)) / 255\n"
        "def large(batch):\n    return batch.mean(axis=(1, 2)) + 64\n"
        "def flat(batch):\n    return np.zeros(3)\n"
    )
    monkeypatch.chdir(tmp_path)

    def own(name):
        return MetricUse("frechet-distance", {"features": f"my_features:{name}", "least": 2})

    record = measured(folder, tmp_path / "runs", own("colour"))
    assert record.score("frechet-distance-colour").value > 0
    assert "my_features:colour" in record.scores[0].metric
    with pytest.raises(UserError, match="my_features:large: features must be finite and below 64"):
        measured(folder, tmp_path / "large", own("large"))
    with pytest.raises(UserError, match=r"gave \(3,\) for one picture"):
        measured(folder, tmp_path / "flat", own("flat"))


def test_originals_are_looked_at_once(tmp_path):
    class Counting(RandomProjection):
        calls = 0

        def __call__(self, pictures):
            self.calls += 1
            return super().__call__(pictures)

    made = Counting()
    made.name = "counting"
    pictures = [picture(n) for n in range(3)]
    first = kept_features(made, pictures)
    assert (kept_features(made, pictures) == first).all() and made.calls == 1
    kept_features(made, pictures[:2])
    assert made.calls == 2


def test_random_projection_is_whole_numbers_of_any_size():
    made = load_features("random-projection")
    found = made([picture(0, 24, 31), picture(1, 1, 1), picture(2, 5, 300)])
    assert found.shape == (3, 64) and (found * 2**11 % 1 == 0).all() and np.abs(found).max() < 64
    assert (made([picture(1, 1, 1)]) == found[1:2]).all()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    import torch

    def nothing(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", nothing)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    load_features.cache_clear()


def test_missing_weights_are_one_line_before_anything_is_measured(
    offline, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "t.toml"
    path.write_text(
        'name = "t"\ntitle = ""\nmodality = "image"\ndataset = "photos-mini"\nmain = "rfid"\n'
        'metrics = ["rfid"]\n'
    )
    done = called("eval", "identity", "--task", path, "--data", folder)
    refused(done, "weights-inception-2015-12-05-6726825d.pth", "no network", weights.VARIABLE)
    assert not (tmp_path / "runs").exists()


def test_weights_that_are_not_what_their_name_says(offline, tmp_path, monkeypatch):
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    (tmp_path / probes._GIVEN[INCEPTION][0]).write_bytes(b"torn")
    with pytest.raises(UserError, match="is not 6726825d…"):
        load_features(INCEPTION).ready()


def test_inception_as_torch_fidelity_runs_it(offline, tmp_path, monkeypatch):
    """The network with random weights, read from a file: its features are those of the library."""
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    monkeypatch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *given: None)
    monkeypatch.setattr(torch, "load", lambda *given, **options: {})
    library = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path="-")
    monkeypatch.undo()
    path = tmp_path / "inception.pth"
    torch.save(library.state_dict(), path)
    given = path.name, "", weights.sha256_file(path)
    monkeypatch.setitem(probes._GIVEN, INCEPTION, given)
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    load_features.cache_clear()
    pictures = [picture(0, 40, 40), picture(1, 40, 56), picture(2, 40, 40)]
    found = load_features(INCEPTION)(pictures)
    load_features.cache_clear()
    for row, each in zip(found, pictures, strict=True):
        tensor = torch.from_numpy(each.transpose(2, 0, 1)[None].copy())
        assert row == pytest.approx(library(tensor)[0][0].numpy(), abs=1e-4)
    assert found.shape == (3, 2048)


def test_the_centre_crop():
    wide = np.repeat(np.arange(0, 240, dtype=np.uint8)[None, :, None], 60, 0).repeat(3, 2)
    cut = central(wide, 60)  # the shorter side is right already: the middle columns
    assert cut.shape == (60, 60, 3) and (cut == wide[:, 90:150]).all()
    halved = central(wide, 30)
    assert halved.shape == (30, 30, 3)
    assert np.abs(halved[:, :, 0].astype(int) - (90.5 + 2 * np.arange(30))).max() <= 1
    assert central(picture(0, 33, 50), 64).shape == (64, 64, 3)


def test_a_task_that_crops_measures_the_crop(folder, tmp_path):
    record = measured(folder, tmp_path / "runs", "bits-per-pixel", crop=16)
    plain = measured(folder, tmp_path / "plain", "bits-per-pixel")
    assert record.score("bits-per-pixel/tokens").value == 3
    assert record.about.task.unit == "crop-16" and record.key != plain.key


def test_the_shipped_tasks_name_what_there_is():
    pytest.importorskip("torch_fidelity", reason="pip install 'tokbench[fid]'")
    names = {name: [m.name for m in load_task(name).made] for name in ("imagenet-256", "pfid")}
    assert {"rfid", "psnr", "ssim", "bits-per-pixel"} <= set(names["imagenet-256"])
    assert "pfid" in names["pfid"] and load_task("imagenet-256").crop == 256
