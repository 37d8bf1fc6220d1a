"""Runs of ids and their phones, by hand."""

import json

import numpy as np
import pytest

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.tokenizers.audio.adapter import AudioTokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec

RATE = 1000


class Units(AudioTokenizer):
    """Like HuBERT's units: ten of them a second, none of them decoded; a second level at half the
    rate says less. What a clip's samples say at a frame's middle is the unit."""

    name = "units"
    decodes = False

    def __init__(self):
        self.spec = TokenizerSpec(
            modality="audio", vocabulary=(8, 4), rate=15, sample_rate=RATE, channels=1
        )

    def identity(self):
        return (self.name,)

    def encode(self, batch):
        fast = [np.rint(clip[0][50::100] * 10).astype(np.int32) for clip in batch]
        slow = [np.rint(clip[0][50::200] * 10).astype(np.int32) // 2 for clip in batch]
        return Codes((Ragged.of(fast), Ragged.of(slow)))


def clips(root, *rows, **notes):
    soundfile = pytest.importorskip("soundfile")
    lines = []
    for number, units in enumerate(rows):
        wave = np.repeat(np.array(units) / 10, 100)
        soundfile.write(root / f"{number}.wav", wave, RATE, subtype="FLOAT")
        lines.append(json.dumps({"name": str(number)} | {k: v[number] for k, v in notes.items()}))
    (root / "annotations.jsonl").write_text("\n".join(lines))


def scores(data, out, *metrics):
    task = Task("t", "t", "audio", "tones-mini", list(metrics), metrics[0])
    record, _ = evaluate(Job("pcm", task, str(data)), out / "runs", tokenizer=Units())
    return {score.name: score for score in record.scores}


def test_run_length(tmp_path):
    clips(tmp_path, [1, 1, 1, 2, 2, 3], [3, 3])
    found = scores(tmp_path, tmp_path, "run-length")
    # Runs of the first level: 111 22 3 and 33; of the second (0 1 1) and (1): they stop at clips.
    assert found["run-length/level-1"].value == pytest.approx(8 / 4)
    assert found["run-length/level-2"].value == pytest.approx(4 / 3)
    assert found["run-length"].value == pytest.approx(12 / 7)


def test_phone_purity(tmp_path):
    aligned = [
        [[0, 0.3, "a"], [0.3, 0.6, "b"]],  # ids 1 1 2, 2 2 2
        [[0.1, 0.2, "c"]],  # id 3 and no phone; id 4 in c
    ]
    clips(tmp_path, [1, 1, 2, 2, 2, 2], [3, 4], phones=aligned)
    found = scores(tmp_path, tmp_path, "phone-purity")
    # Pairs: (1, a) 2, (2, a) 1, (2, b) 3, (4, c) 1.
    assert found["phone-purity/level-1"].value == pytest.approx((2 + 3 + 1) / 7)
    p = np.array([[2, 0, 0], [1, 3, 0], [0, 0, 1]]) / 7
    outer = p.sum(1, keepdims=True) * p.sum(0)
    shared = (p[p > 0] * np.log(p[p > 0] / outer[p > 0])).sum()
    entropy = -(p.sum(0) * np.log(p.sum(0))).sum()
    assert found["phone-purity/pnmi-level-1"].value == pytest.approx(shared / entropy)
    assert found["phone-purity"].n == 2 and "11 tokens" in found["phone-purity"].note


def test_ids_that_are_the_phones(tmp_path):
    clips(tmp_path, [1, 1, 5, 5], phones=[[[0, 0.2, "a"], [0.2, 0.4, "b"]]])
    found = scores(tmp_path, tmp_path, "phone-purity")
    for name in ("phone-purity", "phone-purity/cluster", "phone-purity/pnmi"):
        assert found[name].value == pytest.approx(1)


def test_without_alignment_and_with_a_wrong_one(tmp_path):
    clips(tmp_path, [1, 1])
    score = scores(tmp_path, tmp_path, "phone-purity")["phone-purity"]
    assert score.value is None and score.note == "no clip has an alignment (note phones)"
    (tmp_path / "annotations.jsonl").write_text('{"name": "0", "phones": [["a", 0, 1]]}')
    with pytest.raises(UserError, match=r"0: its note phones is no list of \[start, end, phone\]"):
        scores(tmp_path, tmp_path, "phone-purity")


CODES = (
    "bits-per-second", "codebook-usage", "code-entropy", "code-perplexity", "position-entropy",
    "code-compression", "run-length", "zipf", "heaps", "innovation", "ngram-entropy",
    "ngram-bits-per-second", "id-stability", "repeatability", "batch-invariance",
)  # fmt: skip
SOUND = (
    "si-sdr", "sdr", "lag", "sanity", "segmental-snr", "mel-distance", "stft-distance",
    "log-spectral-distance", "bandwidth", "f0", "pesq", "stoi", "estoi", "visqol", "dnsmos",
    "plcmos", "wer", "cer", "mer", "wil", "dwer", "speaker-similarity", "re-encoding",
)  # fmt: skip


def test_an_encoder_alone_has_codes_and_no_sound(tmp_path):
    rng = np.random.default_rng(0)
    clips(tmp_path, *(np.repeat(rng.integers(0, 8, 300), 2) for _ in range(24)))
    found = scores(tmp_path, tmp_path, *CODES, *SOUND)
    for name in CODES:
        values = [s.value for n, s in found.items() if n.split("/")[0] == name]
        known = any(value is not None for value in values)
        assert known or name in ("ngram-entropy", "position-entropy"), (name, found.get(name))
    for name in SOUND:
        assert found[name].value is None
        assert found[name].note == "the tokenizer does not decode", found[name]
    assert found["bits-per-second"].value == pytest.approx(10 * 3 + 5 * 2, rel=0.05)
