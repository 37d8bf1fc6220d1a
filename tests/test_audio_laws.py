"""The laws of the metrics of clips: one shard is k shards, and what is missing is told."""

import json

import numpy as np
import pytest
from mocks.clips import murmur

from tokbench.bench import Job, open_bench
from tokbench.evidence import Evidence
from tokbench.registry import METRICS
from tokbench.results import make_record
from tokbench.task import Task

NAMES = [name for name, entry in METRICS.table.items() if "audio" in entry.modality]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Four clips of different lengths and rates, one silent, with all notes that metrics read."""
    soundfile = pytest.importorskip("soundfile")
    root, lines = tmp_path_factory.mktemp("clips"), []
    for n in range(4):  # DNSMOS hears each, eight times over, in one window
        rate = 22_050 if n == 3 else 16_000
        clip = murmur(n, rate, 1.13 + n / 60)[0] * (n != 2)
        soundfile.write(root / f"{n}.wav", clip, rate)
        said = {
            "transcript": "she opened the letter", "speaker": f"s{n % 2}", "domain": "speech",
            "phones": [[0, 0.4, "a"], [0.4, 0.9, "b"]],
        }  # fmt: skip
        lines.append(json.dumps({"name": str(n)} | said))
    (root / "annotations.jsonl").write_text("\n".join(lines))
    return root


def test_one_shard_is_many(clips):
    """The same clips cut one by one and whole give the same scores to the bit."""
    found = {}
    for most in (1, 64):
        task = Task("t", "t", "audio", "tones-mini", NAMES, NAMES[0], shard_samples=most)
        bench = open_bench(Job("rvq:2x16@25hz?on=tones-mini", task, str(clips)))
        shards = bench.source.plan(None)
        assert len(shards) == {1: 4, 64: 1}[most]
        evidence = Evidence.joined([bench.evidence(shard) for shard in shards])
        record = make_record(bench, evidence, 0.0)
        found[most] = {score.name: score for score in record.scores}
    assert found[1] == found[64]
    scored = {name.split("/")[0] for name, score in found[1].items() if score.value is not None}
    for name in ("si-sdr", "sdr", "sanity", "pesq", "stoi", "run-length", "phone-purity"):
        assert name in scored, found[1].get(name)
    for score in found[1].values():
        assert score.value is not None or score.note, score
        assert score.value is None or np.isfinite(score.value)
