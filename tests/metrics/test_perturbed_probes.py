"""Perturbation curves of words and faces: where they begin, what they average, what is refused."""

import json

import numpy as np
import pytest
from mocks.command import called
from mocks.images import picture
from mocks.quantised import Colours, Continuous
from mocks.reading import NAME

from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.metrics.image.words import BUCKETS
from tokbench.probes.faces import face_probe
from tokbench.runner import evaluate
from tokbench.task import MetricUse, Task

GRID = {"alphas": "0.9,0.4", "deltas": "300,60", "at": 512}


@pytest.fixture
def folder(tmp_path):
    """Pictures of four words of a letter, each a brightness, in every bucket of 256."""
    root = tmp_path / "pictures"
    root.mkdir()
    lines = []
    for number in range(6):
        shades = 32 * np.random.default_rng(number).integers(0, 8, 4) + 16  # of Colours(8)
        table = np.zeros((64, 64, 3), np.uint8)
        words = []
        for place, (shade, side) in enumerate(zip(shades, (2, 2, 16, 16), strict=True)):
            y, x = 32 * (place // 2), 32 * (place % 2)
            table[y : y + 32, x : x + 32] = shade
            letter = chr(ord("a") + int(shade / 256 * 26))
            ratio = {2: 0.02 if place else 0.03, 16: 0.25}[side]
            words.append({"text": letter, "box": [x, y, x + side, y + side], "ratio": ratio})
        (root / f"{number}.png").write_bytes(save_png(table))
        lines.append(json.dumps({"name": str(number), "words": words}))
    (root / "annotations.jsonl").write_text("\n".join(lines))
    return root


def task(*metrics, **rest):
    return Task("t", "test", "image", "text-render", list(metrics), "perturbed-t-ned", **rest)


def test_the_curve_of_words(folder, tmp_path):
    uses = [MetricUse("perturbed-t-ned", {"probe": NAME, **GRID}),
            MetricUse("t-ned", {"probe": NAME})]  # fmt: skip

    def record(most):
        job = Job("colours", task(*uses, shard_samples=most), str(folder))
        return evaluate(job, tmp_path / str(most), tokenizer=Colours(8))[0]

    whole, *others = (record(most) for most in (100, 4, 1))
    for other in others:
        assert [(s.name, s.value, s.low) for s in other.scores] == [
            (s.name, s.value, s.low) for s in whole.scores
        ]
    value = {score.name: score for score in whole.scores}
    label = f"perturbed-t-ned-{NAME}"
    assert value[f"{label}/alpha-0"].value == value[f"t-ned-{NAME}"].value == 1
    curve = [value[f"{label}/alpha-{a}"].value for a in (0, 0.4, 0.9)]
    assert curve == sorted(curve, reverse=True) and curve[2] < curve[0]
    cells = [value[f"{label}/alpha-{a}-delta-{d}"].value for a in (0.4, 0.9) for d in (60, 300)]
    assert value[label].value == pytest.approx(np.mean(cells))
    assert value[label].n == 24 and value[label].low < value[label].value < value[label].high
    assert value[label].metric.endswith("|K:512") and f"{NAME}#bbbbbbbb" in value[label].metric


def test_an_empty_bucket_is_no_mean(folder, tmp_path):
    (folder / "annotations.jsonl").write_text(
        json.dumps({"name": "0", "words": [{"text": "a", "box": [0, 0, 9, 9]}]})
    )
    use = MetricUse("perturbed-t-ned", {"probe": NAME, **GRID})
    record, _ = evaluate(Job("c", task(use), str(folder)), tmp_path / "r", tokenizer=Colours(8))
    score = record.score(f"perturbed-t-ned-{NAME}")
    assert score.value is None and "small, medium: no mean of three" in score.note


def test_without_codes_there_is_no_curve(folder, tmp_path):
    uses = [MetricUse("perturbed-t-ned", {"probe": NAME}), "perturbed-f-sim"]
    record, _ = evaluate(Job("c", task(*uses), str(folder)), tmp_path / "r", tokenizer=Continuous())
    assert [s.value for s in record.scores] == [None, None]
    assert all("no discrete codes" in s.note for s in record.scores)


class Blurred(Colours):
    """Cannot decode very dark pictures."""

    def decode(self, codes):
        return [p * np.nan if p.mean() < 0.1 else p for p in super().decode(codes)]


@pytest.mark.skipif(face_probe("dlib").missing() != "", reason="needs the extra 'faces'")
def test_the_curve_of_faces(tmp_path):
    grid = {"alphas": "0.9,0.3", "deltas": "300", "at": 4096}
    asked = task(MetricUse("perturbed-f-sim", grid), "f-sim", view=256, shard_samples=2)
    job = Job("c", asked, "faces-mini", limit=3)
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=Colours(16))
    value = {score.name: score.value for score in record.scores}
    curve = [value[f"perturbed-f-sim/alpha-{a}"] for a in (0, 0.3, 0.9)]
    assert curve[0] == value["f-sim"] and curve == sorted(curve, reverse=True)
    assert value["perturbed-f-sim"] == pytest.approx((curve[1] + curve[2]) / 2)
    assert "weights:" in record.scores[0].metric and set(BUCKETS) == {"small", "medium", "large"}


def test_a_picture_that_cannot_be_decoded_leaves_its_words_out(folder, tmp_path):
    (folder / "9.png").write_bytes(save_png(picture(1, 64, 64) // 12))
    use = MetricUse("perturbed-t-ned", {"probe": NAME, **GRID})
    record, _ = evaluate(Job("c", task(use), str(folder)), tmp_path / "r", tokenizer=Blurred(8))
    assert record.failures and record.score(f"perturbed-t-ned-{NAME}").n == 24


@pytest.mark.parametrize("name", ["perturbed-t-ned", "perturbed-f-sim"])
def test_shown(name):
    done = called("show", name)
    assert done.code == 0 and "alphas = '0.9,0.5,0.1'" in done.out
