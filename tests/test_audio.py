"""Clips through a tokenizer and back: rates, channels, lengths, what is no clip."""

import json

import numpy as np
import pytest
import soundfile

from tokbench.audio.clips import fit, read_clip, resampled, restored
from tokbench.bench import Job, open_bench
from tokbench.runner import evaluate
from tokbench.task import Task
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.types import Codes, Ragged, Sample, TokenizerSpec


def tone(rate=16_000, seconds=0.5, channels=1, hertz=440.0):
    time = np.arange(int(rate * seconds)) / rate
    return np.stack([np.sin(2 * np.pi * hertz * (k + 1) * time) for k in range(channels)]) * 0.5


def task(metrics=("bits-per-second",)):
    return Task("t", "test", "audio", "tones-mini", list(metrics), "bits-per-second")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_any_depth_is_read(tmp_path, subtype):
    clip = tone(channels=2)
    soundfile.write(tmp_path / "a.wav", clip.T, 16_000, subtype=subtype)
    data, rate = read_clip(tmp_path / "a.wav")
    assert rate == 16_000 and data.shape == clip.shape and data.dtype == np.float32
    assert np.abs(data - clip).max() < (2e-2 if subtype == "PCM_U8" else 1e-4)


def test_what_is_no_clip(tmp_path):
    with pytest.raises(ValueError, match="not a readable clip"):
        read_clip(b"RIFF....")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), 16_000)
    with pytest.raises(ValueError, match="empty"):
        read_clip(tmp_path / "none.wav")
    soundfile.write(tmp_path / "nan.wav", np.full((9, 1), np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN"):
        read_clip(tmp_path / "nan.wav")


def test_resampling_keeps_a_tone():
    there = resampled(tone(16_000).astype(np.float32), 16_000, 48_000)
    back = resampled(there, 48_000, 16_000)
    middle = slice(1000, 7000)
    assert there.shape == (1, 24_000)
    assert np.abs(back[0, middle] - tone()[0, middle]).max() < 1e-3


def test_fit_and_back():
    sample = Sample("a", tone(44_100, channels=2).astype(np.float32), 44_100)
    fitted = fit(sample, TokenizerSpec(modality="audio", sample_rate=16_000, channels=1))
    assert fitted.data.shape == (1, 8000) and fitted.rate == 16_000
    back = restored(fitted.data, fitted, None)
    assert back.shape == (2, 22_050)
    assert restored(np.zeros((1, 12_000)), fitted, 24_000).shape == (2, 22_050)
    with pytest.raises(ValueError, match="decoded"):
        restored(np.zeros((2, 8000)), fitted, None)
    with pytest.raises(ValueError, match="NaN"):
        restored(np.full((1, 8000), np.nan), fitted, None)


@pytest.mark.parametrize(("spec", "bits"), [("pcm", 16), ("mulaw:8", 8)])
def test_bits_per_second(tmp_path, spec, bits):
    """Every sample of the 24 kHz sounds is a token."""
    record, _ = evaluate(Job(spec, task(), "tones-mini"), tmp_path)
    value = {s.name: s.value for s in record.scores}
    assert value["bits-per-second"] == bits * 24_000
    assert value["bits-per-second/tokens"] == 24_000


def test_pcm_gives_16_bits_back():
    bench = open_bench(Job("pcm", task(), "tones-mini"))
    [shard] = bench.source.plan(None)
    clips = [sample.data for sample in bench.source.read_media(shard[0]).samples]
    back = bench.tokenizer.decode(bench.tokenizer.encode(clips))
    assert all((a == b).all() for a, b in zip(clips, back, strict=True))


def test_mulaw_is_finer_near_silence():
    tokenizer = open_bench(Job("mulaw:8", task(), "tones-mini")).tokenizer
    clip = np.array([[-1, -0.5, -0.001, 0, 0.001, 0.5, 1]], np.float32)
    [back] = tokenizer.decode(tokenizer.encode([clip]))
    error = np.abs(back - clip)[0]
    assert error[[2, 4]].max() < 1e-4 and error.max() < 0.02


def test_a_folder_with_transcripts(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone()[0], 16_000)
    (tmp_path / "annotations.jsonl").write_text('{"name": "a.flac", "transcript": "hello"}\n')
    bench = open_bench(Job("pcm", task(), str(tmp_path)))
    [shard] = bench.source.plan(None)
    [sample] = bench.source.read_media(shard[0]).samples
    assert (sample.name, sample.rate, sample.notes) == ("a", 16_000, {"transcript": "hello"})


class Told(AudioTokenizer):
    """Its decoder speaks a transcript: what is passed on is paid for, and nothing is seen."""

    name, seen = "told", []

    def __init__(self):
        self.spec = TokenizerSpec(modality="audio", vocabulary=(2,), sample_rate=8000, channels=1)

    def identity(self):
        return ("told",)

    def encode(self, batch):
        said = [str(notes["transcript"]).encode() for notes in self.notes]
        bits = np.array([8 * len(each) for each in said], np.int64)
        ids = Ragged.of([np.zeros(1, np.int64) for _ in batch])
        text = np.frombuffer(b"".join(said), np.uint8)
        extra = {"text": text, "characters": bits // 8, **lengths(batch)}
        return Codes((ids,), side_bits=bits, extra=extra)

    def decode(self, codes):
        self.seen.append(self.notes)
        return [np.full((1, n), 0.1, np.float32) for n in codes.extra["frames"].tolist()]


def test_a_decoder_told_the_transcript_pays_for_it(tmp_path, monkeypatch):
    root = tmp_path / "clips"
    root.mkdir()
    soundfile.write(root / "a.wav", np.sin(np.arange(8000) / 9) / 2, 8000)
    said = {"name": "a", "transcript": "ten characters and more"}
    (root / "annotations.jsonl").write_text(json.dumps(said))
    monkeypatch.setattr("mocks.clips.Told", Told, raising=False)
    record, _ = evaluate(Job("mocks.clips:Told", task(), str(root)), tmp_path / "runs")
    value = {score.name: score.value for score in record.scores}
    assert value["bits-per-second"] == 1 + 8 * len(said["transcript"])
    assert Told.seen == [()]
