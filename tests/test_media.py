"""Images through a tokenizer and back: failures alone, shards alike, nothing invented."""

import json
from pathlib import Path

import numpy as np
import pytest
from mocks.command import called, refused
from mocks.images import Choosy, EncodesOnly, Levels, picture

from tokbench.bench import Job, open_bench
from tokbench.evidence import Evidence
from tokbench.image.pictures import save_png
from tokbench.runner import evaluate
from tokbench.task import Task

METRICS = ["psnr", "ssim", "bits-per-pixel"]


def task(metrics=METRICS, **rest):
    return Task("t", "test", "image", "photos-mini", metrics, "psnr", **rest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures of several sizes, one of them in a subfolder."""
    root = tmp_path / "pictures"
    (root / "deep").mkdir(parents=True)
    for n, size in enumerate([(24, 32), (17, 19), (40, 24), (24, 32)]):
        (root / f"{n}.png").write_bytes(save_png(picture(n, *size)))
    (root / "deep" / "4.png").write_bytes(save_png(picture(4)))
    return root


def scores(record):
    return {s.name: (s.value, s.low, s.high, s.n) for s in record.scores}


def test_one_shard_is_many(folder, tmp_path):
    def record(most):
        job = Job("levels", task(shard_samples=most), str(folder))
        return evaluate(job, tmp_path / str(most), tokenizer=Levels())[0]

    first, *others = (scores(record(most)) for most in (1, 2, 100))
    assert all(other == first for other in others) and first["psnr"][3] == 5


def test_evidence_merges_exactly(folder):
    bench = open_bench(Job("levels", task(shard_samples=1), str(folder)), Levels())
    parts = [bench.evidence(shard) for shard in bench.source.plan(None)]
    for part in parts:
        part.seconds = {}
    one = Evidence.joined([Evidence.joined(parts[:2]), Evidence.joined(parts[2:])])
    other = Evidence.joined(parts)
    assert one.columns.keys() == other.columns.keys()
    assert all((one.columns[name] == other.columns[name]).all() for name in one.columns)


def test_each_failure_alone(folder, tmp_path):
    """Too little memory means smaller batches; a picture that fails is counted by its cause."""
    (folder / "bright.png").write_bytes(save_png(np.full((16, 16, 3), 250, np.uint8)))
    (folder / "dark.png").write_bytes(save_png(np.full((16, 16, 3), 1, np.uint8)))
    (folder / "torn.png").write_bytes((folder / "0.png").read_bytes()[:99])
    record, _ = evaluate(Job("choosy", task(), str(folder)), tmp_path / "runs", tokenizer=Choosy())
    causes = {cause.partition(":")[0]: f for cause, f in record.failures.items()}
    assert {c: (f.count, f.example) for c, f in causes.items()} == {
        "RuntimeError": (1, "bright"), "ValueError": (1, "dark"), "read": (1, "torn"),
    }  # fmt: skip
    plain, _ = evaluate(Job("levels", task(), str(folder)), tmp_path / "plain", tokenizer=Levels())
    assert record.score("psnr").n == 5 and plain.score("psnr").n == 7


def test_an_encoder_alone_has_codes_but_no_psnr(folder, tmp_path):
    job = Job("encodes-only", task(), str(folder))
    record, _ = evaluate(job, tmp_path / "runs", tokenizer=EncodesOnly())
    assert record.score("psnr").value is None
    assert record.score("psnr").note == "the tokenizer does not decode"
    assert record.score("bits-per-pixel").value > 0


def test_bits_of_a_codec_are_its_files(folder, tmp_path):
    record, _ = evaluate(Job("jpeg:50", task(), str(folder)), tmp_path / "runs")
    bench = open_bench(Job("jpeg:50", task(), str(folder)))
    arrays = [picture(0), picture(1, 17, 19), picture(2, 40, 24), picture(3), picture(4)]
    coded = sum(len(bench.tokenizer.encode([a]).ids[0]) for a in arrays)
    pixels = sum(a.shape[0] * a.shape[1] for a in arrays)
    assert record.score("bits-per-pixel").value == pytest.approx(8 * coded / pixels)


def test_identity_loses_nothing(folder, tmp_path):
    record, _ = evaluate(Job("identity", task(), str(folder)), tmp_path / "runs")
    value = {s.name: s.value for s in record.scores}
    assert value["psnr"] == 100 and value["ssim"] == 1 and value["bits-per-pixel"] == 24


def test_annotations_reach_the_samples(folder):
    said = {"name": "deep/4", "words": [{"text": "tea", "box": [1, 2, 9, 8]}]}
    (folder / "annotations.jsonl").write_text(json.dumps(said) + "\n")
    bench = open_bench(Job("identity", task(), str(folder)))
    [shard] = bench.source.plan(None)
    samples = bench.source.read_media(shard[0]).samples
    assert [s.name for s in samples] == ["0", "1", "2", "3", "deep/4"]
    assert samples[4].notes == {"words": said["words"]} and not samples[0].notes
    (folder / "annotations.jsonl").write_text(json.dumps(said | {"name": "deep/5"}) + "\n")
    refused(called("eval", "identity", "--data", folder), "no file 'deep/5'", "did you mean")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["eval", "jpeg:101"], ["jpeg:101", "from 1 to 100"]),
        (["eval", "jpeg"], ["what jpeg tokenizer"]),
        (["eval", "identity", "--task", "numbers"], ["tokenizer of image", "wants text"]),
        (["eval", "jpeg:5", "--data", "cldr-names"], ["wants image data", "text"]),
    ],
)
def test_refused(arguments, parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(called(*arguments), *parts)
