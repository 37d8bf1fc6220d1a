"""Further passes: exact answers from tokenizers whose faults are known."""

import numpy as np
import pytest
import soundfile
from mocks.coded import Means, Noisy, Residual
from mocks.command import called
from mocks.images import EncodesOnly, Levels, picture

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.metrics.audio.disturbed import DISTURBANCES
from tokbench.metrics.image.moved import flipped, grid, shifted
from tokbench.passes import Pass, agreement, likeness
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.types import Sample

IMAGE = ["re-encoding", "shift-consistency", "flip-consistency", "repeatability",
         "batch-invariance"]  # fmt: skip
AUDIO = ["re-encoding", "id-stability", "repeatability", "batch-invariance"]


def task(modality, metrics, **rest):
    data = {"image": "photos-mini", "audio": "tones-mini"}[modality]
    return Task("t", "test", modality, data, metrics, metrics[0], **rest)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(3):
        (root / f"{n}.png").write_bytes(save_png(picture(n, 26, 34)))
    return root


def images(folder, tmp_path, tokenizer, metrics=IMAGE, **rest):
    job = Job(tokenizer.name, task("image", metrics, **rest), str(folder))
    return evaluate(job, tmp_path / f"runs{tokenizer.name}{rest}", tokenizer=tokenizer)[0]


def test_identity_keeps_everything(folder, tmp_path):
    job = Job("identity", task("image", IMAGE), str(folder))
    record, _ = evaluate(job, tmp_path / "runs")
    value = {s.name: s.value for s in record.scores}
    assert value["re-encoding"] == value["re-encoding/cycle-3"] == 1
    assert value["re-encoding/drift-3"] == 0
    assert value["shift-consistency"] == value["flip-consistency"] == 100
    assert value["flip-consistency/ids"] is None
    assert record.score("flip-consistency/ids").note.startswith("the codes are no raster")
    assert value["repeatability"] == value["repeatability/output"] == 1
    assert value["repeatability/spread"] == 0
    assert value["batch-invariance"] == value["batch-invariance/output"] == 1


def test_codes_on_a_grid(folder, tmp_path):
    """Constant patches come back as themselves, and mirror as their picture does."""
    record = images(folder, tmp_path, Residual())
    value = {s.name: s.value for s in record.scores}
    assert value["re-encoding"] == value["re-encoding/cycle-2"] == 1
    assert value["flip-consistency/ids"] == 1 and value["flip-consistency"] == 100
    assert value["shift-consistency/ids"] < 1 and value["shift-consistency"] < 60
    assert record.score("shift-consistency").n == 3
    first = [picture(n, 26, 34)[:24, :32] for n in range(3)]
    ids = [Residual().encode([p]).levels for p in first]
    moved = [Residual().encode([shifted(p)]).levels for p in first]
    same = [
        (a[k].values == b[k].values).mean() for a, b in zip(ids, moved, strict=True) for k in (0, 1)
    ]
    assert value["shift-consistency/ids"] == pytest.approx(np.mean(same))


def test_noise_and_company_show(folder, tmp_path):
    record = images(folder, tmp_path, Noisy(), ["repeatability", "batch-invariance"],
                    shard_samples=1)  # fmt: skip
    value = {s.name: s.value for s in record.scores}
    assert value["repeatability"] == 1 and value["repeatability/output"] == 0
    # Noise of σ = 2 and the cut to whole numbers: √(4 + 1/12) of 255.
    assert value["repeatability/spread"] == pytest.approx(100 * 2.02 / 255, rel=0.1)
    assert value["batch-invariance"] == 0
    assert value["batch-invariance/tokens"] == 1 - 1 / (2 * 7 * 9)  # one id of 26 × 34 padded


def test_one_shard_is_many(folder, tmp_path):
    one, many = (
        {s.name: (s.value, s.low, s.high, s.n)
         for s in images(folder, tmp_path, Levels(), shard_samples=most).scores}
        for most in (1, 100)
    )  # fmt: skip
    assert one == many


def test_what_cannot_be_asked(folder, tmp_path):
    record = images(folder, tmp_path, EncodesOnly())
    assert record.score("re-encoding").note == "the tokenizer does not decode"
    assert record.score("repeatability").value == 1
    assert record.score("repeatability/spread").value is None
    assert record.score("shift-consistency").value is None
    assert record.score("shift-consistency/ids").value is not None


class Brittle(Residual):
    """Cannot encode what it decoded itself: pictures without colour."""

    name = "brittle"

    def encode(self, batch):
        if any((p[..., 0] == p[..., 1]).all() for p in batch):
            raise RuntimeError("no colour")
        return super().encode(batch)


def test_a_failing_pass_is_counted_by_its_cause(folder, tmp_path):
    record = images(folder, tmp_path, Brittle(), ["re-encoding", "flip-consistency"])
    assert record.score("re-encoding").value is None
    assert record.score("flip-consistency").n == 3
    [(cause, failure)] = record.failures.items()
    assert cause == "re-encoding, cycle 1: RuntimeError: no colour" and failure.count == 3


def test_grids():
    assert grid(48, 24, 32) == (6, 8)
    assert grid(24 * 32, 24, 32) == (24, 32)
    assert grid(3 * 24 * 32, 24, 32) is None and grid(32, 256, 256) is None
    assert grid(0, 8, 8) is None


def test_agreement_counts_what_one_lacks():
    a = Pass([np.array([1, 2, 3])], None, None)
    b = Pass([np.array([1, 9])], None, None)
    assert agreement(a, b) == agreement(b, a) == (1, 3)


def test_likeness_by_hand():
    clip = np.full((1, 100), 0.5, np.float32)
    assert likeness(clip, clip * 0.9) == pytest.approx(20, abs=1e-4)
    assert likeness(clip, clip[:, :50]) == 100 and np.isnan(likeness(clip * 0, clip))
    black = np.zeros((2, 2, 3), np.uint8)
    assert likeness(black, black + np.uint8(255)) == 0
    assert (flipped(flipped(picture(0))) == picture(0)).all()


def test_disturbances():
    clip = np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)
    sample = Sample("a", clip, 16_000)
    found = {name: change(clip, sample) for name, change in DISTURBANCES.items()}
    assert all(each.shape == clip.shape for each in found.values())
    assert (found["shift"][:, 32:] == clip[:, :-32]).all() and not found["shift"][:, :32].any()
    assert likeness(clip, found["gain"]) == pytest.approx(6.02, abs=0.01)
    assert likeness(clip, found["noise"]) == pytest.approx(40, abs=0.2)
    low = np.sin(np.arange(8000) * 0.1)[None].astype(np.float32)
    assert likeness(low, found_resampled(low)) > 30


def found_resampled(clip):
    return DISTURBANCES["resampling"](clip, Sample("a", clip, 16_000))


def test_clips(tmp_path):
    root = tmp_path / "clips"
    root.mkdir()
    time = np.arange(4000) / 16_000
    soundfile.write(root / "a.wav", 0.4 * np.sin(2 * np.pi * 440 * time), 16_000)
    soundfile.write(root / "silent.wav", np.zeros(4000), 16_000)
    record, _ = evaluate(Job("mulaw:8", task("audio", AUDIO), str(root)), tmp_path / "runs")
    value = {s.name: s.value for s in record.scores}
    assert value["re-encoding"] == 1 and value["re-encoding/drift-3"] == pytest.approx(0, abs=1e-6)
    assert value["repeatability/spread"] == 0 and value["batch-invariance"] == 1
    # Halving moves every id but those near zero.
    assert value["id-stability/gain"] < 0.05
    assert value["id-stability/gain"] < value["id-stability/noise"] < 1


@pytest.mark.parametrize(
    "name",
    ["re-encoding", "shift-consistency", "id-stability", "codebook-usage", "bits-per-pixel"],
)
def test_shown(name):
    done = called("show", name)
    assert done.code == 0 and "definition" in done.out


def test_a_continuous_tokenizer_is_asked_about_what_it_has(folder, tmp_path):
    record = images(folder, tmp_path, Means(), [*IMAGE, "codebook-usage", "bits-per-pixel"])
    value = {s.name: s.value for s in record.scores}
    assert record.score("re-encoding").note == "no discrete codes"
    assert record.score("codebook-usage").note == "the tokenizer has no discrete codes"
    assert value["re-encoding/drift-1"] == 0 and value["flip-consistency"] == 100
    assert record.score("flip-consistency/ids").note == "no discrete codes"
    assert value["repeatability"] == value["batch-invariance"] == 1
