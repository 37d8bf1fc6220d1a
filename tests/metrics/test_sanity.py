"""What every codec has to keep, and the floor of another utterance."""

import json

import numpy as np
import pytest
from mocks.clips import encoded, murmur

from tokbench.audio import distortion
from tokbench.bench import Job, open_bench
from tokbench.errors import UserError
from tokbench.metrics.audio.sanity import sanity
from tokbench.rates import Curve, falls
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task

CLIP = murmur(0, seconds=1.0)
TASK = Task("t", "t", "audio", "tones-mini", ["si-sdr", "sanity"], "si-sdr")


def test_what_is_counted(monkeypatch):
    noisy = CLIP + np.random.default_rng(0).normal(0, 1e-3, CLIP.shape)
    other = np.random.default_rng(1).normal(0, 0.1, CLIP.shape)
    batch = encoded((CLIP, CLIP), (CLIP, noisy), (CLIP, other), (CLIP * 0, CLIP))
    found = sanity(batch).columns
    assert found["identical"].tolist() == [1, 0, 0, 0]
    assert not found["off-cap"].any()
    floor = distortion.si_sdr(CLIP[0], CLIP[0][::-1])
    below = distortion.si_sdr(CLIP[0], other[0]) < floor
    assert found["below-floor"].tolist() == [0, 0, int(below), 0] and below
    # An offset makes a clip no worse than itself played backwards, and silence no sound.
    offset = np.full_like(CLIP, 0.5)
    shifted = encoded((offset, offset * 0.9), (offset + CLIP, noisy + 0.4))
    assert not sanity(shifted).columns["below-floor"].any()
    # A wrong measure is found: one that gives an identical clip 60 dB.
    monkeypatch.setattr(distortion, "si_sdr", lambda a, b, zero_mean=False: 60.0)
    assert sanity(encoded((CLIP, CLIP))).columns["off-cap"].tolist() == [1]


def test_in_a_run(tmp_path):
    found, _ = evaluate(Job("pcm", TASK, "tones-mini"), tmp_path)
    value = {score.name: score.value for score in found.scores}
    assert value["sanity"] == 0 and value["sanity/identical"] == found.about.dataset.samples


def test_quality_that_falls_with_the_rate():
    def curve(*quality):
        points = [f"x:{n}" for n in range(len(quality))]
        return Curve.of("x:N", points, [1.0 + n for n in range(len(quality))], list(quality))

    assert falls(curve(1, 2, 2, 3)) == []
    assert falls(curve(1, 3, 2.5)) == ["x:N: quality falls from x:1 to x:2 by 0.5"]


@pytest.fixture
def spoken(tmp_path):
    """Six clips of three speakers, two sentences."""
    soundfile = pytest.importorskip("soundfile")
    root, lines = tmp_path / "data", []
    root.mkdir()
    for n in range(6):
        rate = 16_000 if n % 2 else 8000
        soundfile.write(root / f"{n}.wav", murmur(n, rate, 0.5 + n / 10)[0], rate)
        said = {"speaker": f"s{n % 3}", "transcript": f"words {n % 2}"}
        lines.append(json.dumps({"name": str(n)} | said))
    (root / "annotations.jsonl").write_text("\n".join(lines))
    return root


def test_other_utterance(spoken, tmp_path):
    bench = open_bench(Job("other-utterance", TASK, str(spoken)))
    [shard] = bench.source.plan(None)
    samples = bench.source.read_media(shard[0]).samples
    outputs = bench.tokenizer.reconstructions(samples)
    for sample, output in zip(samples, outputs, strict=True):
        [source] = [
            other for other in samples
            if abs(other.data.shape[1] / other.rate - output.shape[1] / sample.rate) < 0.01
        ]  # fmt: skip
        assert source.notes["speaker"] != sample.notes["speaker"]
        assert source.notes["transcript"] != sample.notes["transcript"]
    again = load_tokenizer("other-utterance?seed=1")
    assert again.fingerprint() != bench.tokenizer.fingerprint()
    record, _ = evaluate(Job("other-utterance", TASK, str(spoken)), tmp_path / "runs")
    assert record.score("si-sdr").value < 0 and record.score("si-sdr").n == 6
    for workers in (1, 2):  # shards of one clip are one shard
        task = Task("t", "t", "audio", "tones-mini", ["si-sdr"], "si-sdr", shard_samples=1)
        apart, _ = evaluate(
            Job("other-utterance", task, str(spoken)), tmp_path / f"{workers}", workers=workers
        )
        assert apart.score("si-sdr").value == record.score("si-sdr").value


def test_other_utterance_without_another(spoken, tmp_path):
    job = Job("other-utterance", TASK, str(spoken), limit=1)
    with pytest.raises(UserError, match="nothing was encoded: ValueError: no other clip"):
        evaluate(job, tmp_path / "runs")
    with pytest.raises(UserError, match="seed=x: give a whole number"):
        load_tokenizer("other-utterance?seed=x")
