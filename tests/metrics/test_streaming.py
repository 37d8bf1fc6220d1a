"""The streaming audit against tokenizers whose look-ahead is known."""

import numpy as np
import pytest
from mocks.clips import murmur

from tokbench.bench import Job, open_bench
from tokbench.metrics.audio.streaming import LookAhead, Streamed
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.types import Codes, Ragged, TokenizerSpec

HOP, RATE = 160, 16_000


class Means(AudioTokenizer):
    """The mean size of the next `1 + ahead` frames of 10 ms, in 64 steps; decoded into samples
    that are `early` frames too early."""

    name = "means"

    def __init__(self, ahead: int = 0, early: int = 0, whole: bool = False):
        self.ahead, self.early, self.whole = ahead, early, whole
        self.spec = TokenizerSpec(
            modality="audio", vocabulary=(64,), rate=RATE / HOP, sample_rate=RATE, channels=1
        )

    def identity(self):
        return self.name, str((self.ahead, self.early, self.whole))

    def _ids(self, wave):
        frames = np.abs(np.pad(wave, (0, -len(wave) % HOP))).reshape(-1, HOP).mean(1)
        after = np.pad(frames, (0, self.ahead))
        seen = np.lib.stride_tricks.sliding_window_view(after, self.ahead + 1).mean(1)
        scale = frames.max() if self.whole else 0.5
        return np.minimum(63, seen / scale * 64).astype(np.int32)

    def encode(self, batch):
        return Codes((Ragged.of([self._ids(clip[0]) for clip in batch]),), extra=lengths(batch))

    def decode(self, codes):
        clips = []
        for row, frames in zip(codes.ids, codes.extra["frames"].tolist(), strict=True):
            wave = np.repeat((row + 1) / 64, HOP)
            wave = np.pad(wave[self.early * HOP :], (0, self.early * HOP))
            clips.append(wave[None, :frames].astype(np.float32))
        return clips


class Streaming(Means):
    """Takes pieces; `leaky` forgets what a piece leaves over."""

    def __init__(self, leaky: bool = False):
        super().__init__()
        self.leaky = leaky

    def stream(self, pieces):
        found = [piece[0] for piece in pieces]
        cut = [p[: len(p) // HOP * HOP] for p in found] if self.leaky else found
        wave = np.concatenate(cut)
        return Codes((Ragged.of([self._ids(wave)]),), extra=lengths([wave[None]]))


@pytest.fixture
def data(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    for seed in range(2):
        clip = murmur(seed, seconds=1.5)[0] + 0.1
        soundfile.write(tmp_path / f"{seed}.wav", clip, RATE, subtype="FLOAT")
    return tmp_path


def scores(tokenizer, data, tmp_path, metric):
    task = Task("t", "t", "audio", "tones-mini", [metric], metric)
    record, _ = evaluate(Job("pcm", task, str(data)), tmp_path / "runs", tokenizer=tokenizer)
    return {score.name: score for score in record.scores}


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize("early", [0, 2])
def test_the_look_ahead_is_found(data, tmp_path, ahead, early):
    found = scores(Means(ahead, early), data, tmp_path, "look-ahead")
    # Cuts fall inside frames: up to one frame of 10 ms less is seen.
    assert found["look-ahead"].value == pytest.approx(10 * ahead, abs=10)
    assert (found["look-ahead"].value > 0) == bool(ahead)
    assert found["look-ahead/most"].value >= found["look-ahead"].value
    assert found["look-ahead/decoder"].value == pytest.approx(10 * early, abs=0.1)
    assert found["look-ahead/kept"].value == 1 if not ahead else found["look-ahead/kept"].value < 1
    latency = 10 + found["look-ahead"].value + found["look-ahead/decoder"].value
    assert found["look-ahead/latency"].value == pytest.approx(latency)


def test_a_scale_of_the_whole_clip_looks_all_the_way(data, tmp_path):
    found = scores(Means(whole=True), data, tmp_path, "look-ahead")
    assert found["look-ahead"].value > 300 and found["look-ahead/kept"].value < 0.9


def test_tokens_without_a_time_are_refused(data, tmp_path):
    task = Task("t", "t", "audio", "tones-mini", ["look-ahead"], "look-ahead")
    record, _ = evaluate(Job("flac", task, str(data)), tmp_path / "runs")
    score = record.score("look-ahead")
    assert score.value is None and "no fixed time" in score.note
    pcm, _ = evaluate(Job("pcm", task, str(data)), tmp_path / "runs")
    assert pcm.score("look-ahead").value == 0
    assert pcm.score("look-ahead/latency").value == pytest.approx(1000 / RATE)


def test_pieces_against_the_whole(data, tmp_path):
    assert scores(Streaming(), data, tmp_path, "streamed")["streamed"].value == 1
    # 80 ms are whole frames but for the tail: nothing is lost; at 22 ms it would be.
    assert Streamed().lacks(Means()) == "the tokenizer takes no pieces (stream)"


def test_a_leaky_stream_shows(data, tmp_path, monkeypatch):
    monkeypatch.setattr("tokbench.metrics.audio.streaming.PIECE", 0.022)
    assert scores(Streaming(leaky=True), data, tmp_path, "streamed")["streamed"].value < 0.9


def test_stored_ids_cannot_be_asked(data, tmp_path):
    dump = tmp_path / "ids.jsonl"
    dump.write_text('{"name": "0", "ids": [1, 2]}\n{"name": "1", "ids": [3]}\n')
    task = Task("t", "t", "audio", "tones-mini", ["look-ahead", "id-stability"], "look-ahead")
    job = Job(f"tokens:{dump}?vocabulary=8&modality=audio", task, str(data))
    bench = open_bench(job)
    assert len(bench.lacking) == 2
    assert LookAhead().lacks(bench.tokenizer) == "only stored ids: nothing can be encoded again"
