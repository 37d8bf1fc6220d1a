"""Codebooks, four bitrates and code streams: by hand, against SciPy, over shards."""

import numpy as np
import pytest
import zstandard
from mocks.coded import Liar, Residual
from mocks.images import picture
from scipy.stats import entropy

from tokbench import streams
from tokbench.bench import Job
from tokbench.image.pictures import save_png
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics import codes as rates
from tokbench.metrics.codebooks import PositionEntropy, places
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.types import Codes, Ragged, Sample, TokenizerSpec

METRICS = [
    "codebook-usage", "code-entropy", "code-perplexity", "position-entropy", "bits-per-pixel",
    "ngram-bits-per-pixel", "code-compression", "zipf", "heaps", "innovation", "ngram-entropy",
]  # fmt: skip


def task(metrics=METRICS, **rest):
    return Task("t", "test", "image", "photos-mini", metrics, "code-entropy", **rest)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for n in range(20):
        (root / f"{n:02}.png").write_bytes(save_png(picture(n, 24, 32)))
    return root


def run(folder, tmp_path, tokenizer, metrics=METRICS, **rest):
    record, _ = evaluate(
        Job(tokenizer.name, task(metrics, **rest), str(folder)),
        tmp_path / f"runs{rest}", tokenizer=tokenizer,
    )  # fmt: skip
    return record


def levels_of(tokenizer):
    coded = tokenizer.encode([picture(n, 24, 32) for n in range(20)])
    return [level.values for level in coded.levels]


def test_by_hand_and_by_scipy(folder, tmp_path):
    record = run(folder, tmp_path, Residual())
    value = {s.name: s.value for s in record.scores}
    counts = [
        np.bincount(v, minlength=k) for v, k in zip(levels_of(Residual()), (8, 4), strict=True)
    ]
    bits = [entropy(c, base=2) for c in counts]
    seen = [np.count_nonzero(c) for c in counts]
    assert value["codebook-usage"] == sum(seen) / 12
    assert value["codebook-usage/level-1"] == seen[0] / 8
    assert value["codebook-usage/dead"] == 12 - sum(seen)
    assert value["code-entropy"] == pytest.approx(np.mean(bits))
    assert value["code-entropy/level-2"] == pytest.approx(bits[1])
    assert value["code-entropy/normalised"] == pytest.approx(sum(bits) / 5)
    assert value["code-perplexity/level-1"] == pytest.approx(2 ** bits[0])
    # 48 patches of 16 pixels, 3 + 2 bits each.
    assert value["bits-per-pixel"] == value["bits-per-pixel/packed"] == 5 / 16
    assert value["bits-per-pixel/entropy"] == pytest.approx(sum(bits) / 16)
    assert value["bits-per-pixel/tokens"] == 2 / 16
    assert value["bits-per-pixel/coded"] <= 5 / 16
    assert record.score("bits-per-pixel/entropy").interval == "jackknife"
    # Context cannot cost more than none, by much, and text's measures are all there.
    assert 0 < value["ngram-bits-per-pixel"] < 1.2 * value["bits-per-pixel/entropy"]
    assert value["ngram-entropy/1"] == pytest.approx(np.mean(bits) + 1, abs=0.01)
    assert all(value[name] is not None for name in ("heaps", "innovation", "code-compression"))


def test_one_shard_is_many(folder, tmp_path):
    one, many = (
        {s.name: (s.value, s.low, s.high) for s in run(
            folder, tmp_path, Residual(), shard_samples=most).scores}
        for most in (100, 3)
    )  # fmt: skip
    assert one == many


def test_every_place_has_its_entropy():
    spec = TokenizerSpec(modality="image", vocabulary=(4,))
    rows = [np.array([0, n % 2, n % 4]) for n in range(400)]
    encoded = made(rows, spec)
    tally = places(encoded).tallies["ids-by-place"]
    edges = np.flatnonzero(np.diff(tally.keys >> 32, prepend=-1))
    assert PositionEntropy._entropies(tally.counts, edges) == pytest.approx([0, 1, 2])


def made(rows, spec, **codes):
    class Silent:
        pass

    silent = Silent()
    silent.spec = spec
    black = np.zeros((2, 2, 3), np.uint8)
    samples = [Sample(str(n), black) for n in range(len(rows))]
    batch = MediaBatch(samples, np.zeros(len(rows), np.int64), np.arange(len(rows)))
    return EncodedMedia(silent, batch, Codes((Ragged.of(rows),), **codes), [], [""])


def test_what_is_emitted():
    """Ids that hardly vary: zstd on the planes; random ones: packed; side information added."""
    spec = TokenizerSpec(modality="image", vocabulary=(1024,))
    rng = np.random.default_rng(0)
    rows = [np.full(500, 700), rng.integers(0, 1024, 500)]
    side = np.array([16, 16])
    encoded = made(rows, spec, side_bits=side)
    same, random = rates.coded_size(encoded).columns["coded-bits"]
    raw = bytes([700 & 255] * 500 + [700 >> 8] * 500)
    assert rates.planes(rows[0], 1024) == raw
    assert same - 16 <= 8 * len(zstandard.ZstdCompressor(9).compress(raw)) < 400
    assert random <= 5000 + 16
    encoded.tokenizer.bits = lambda codes: [7, 9]
    assert rates.coded_size(encoded).columns["coded-bits"].tolist() == [7, 9]


def test_levels_in_one_stream():
    spec = TokenizerSpec(modality="audio", vocabulary=(10, 5, 5))
    coarse, fine, finest = ([[1, 2], [3]], [[0, 1, 2, 3], [4, 0]], [[0, 0], [1]])
    equal = Codes((Ragged.of(coarse), Ragged.of(finest)))
    two = streams.interleaved(equal, TokenizerSpec(modality="audio", vocabulary=(10, 5)))
    assert [row.tolist() for row in two] == [[1, 10, 2, 10], [3, 11]]
    ragged = Codes((Ragged.of(coarse), Ragged.of(fine), Ragged.of(finest)))
    three = streams.interleaved(ragged, spec)
    assert [row.tolist() for row in three] == [[10, 1, 15, 11, 12, 2, 15, 13], [14, 3, 16, 10]]


def test_a_codebook_that_lies_fails_its_samples(folder, tmp_path):
    (folder / "dark.png").write_bytes(save_png(np.zeros((8, 8, 3), np.uint8)))
    record = run(folder, tmp_path, Liar(), ["codebook-usage"])
    [(cause, failure)] = record.failures.items()
    assert "level 1: ids outside its codebook of 4" in cause
    assert failure.count + record.score("codebook-usage").n == 21


def test_refusals(folder, tmp_path):
    (folder / "odd.png").write_bytes(save_png(picture(0, 8, 8)))
    record = run(folder, tmp_path, Residual(), ["position-entropy"])
    assert record.score("position-entropy").note == "samples have different numbers of tokens"
