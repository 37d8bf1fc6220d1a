"""Codecs of sound: aligned with what went in, at the rate they say, whatever clip comes."""

import numpy as np
import pytest
import soundfile

from tokbench.audio.clips import fit, restored
from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task
from tokbench.types import Codes, Sample


def sound(rate, seconds=1.0, channels=1):
    """Filtered noise that swells and falls: its correlation has one clear peak."""
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((channels, int(rate * seconds)))
    smooth = np.stack([np.convolve(row, np.hanning(24), "same") for row in noise])
    swell = np.sin(np.linspace(0, 9, smooth.shape[1])) ** 2
    return (0.3 * smooth * swell / np.abs(smooth).max()).astype(np.float32)


def through(spec, clips, rate):
    tokenizer = load_tokenizer(spec)
    fitted = [fit(Sample("a", clip, rate), tokenizer.spec) for clip in clips]
    tokenizer.rates = [each.rate for each in fitted]
    codes = Codes.from_bytes(tokenizer.encode([each.data for each in fitted]).to_bytes())
    decoded = tokenizer.decode(codes)
    return codes, [restored(a, b, None) for a, b in zip(decoded, fitted, strict=True)]


def lag(original, copy):
    size = 2 * max(original.shape[1], copy.shape[1])
    spectrum = np.fft.rfft(copy[0], size) * np.conj(np.fft.rfft(original[0], size))
    place = int(np.fft.irfft(spectrum).argmax())
    return place if place < size // 2 else place - size


@pytest.mark.parametrize("spec", ["opus:96", "opus:48?vbr=off", "mp3:64", "vorbis:6", "flac"])
def test_codecs_are_aligned_and_keep_the_length(spec):
    mono, short = sound(16_000), sound(16_000, 0.013)
    _, [copy, brief] = through(spec, [mono, short], 16_000)
    assert copy.shape == mono.shape and abs(brief.shape[1] - short.shape[1]) <= 1
    assert abs(lag(mono, copy)) <= (1 if "opus:48" in spec else 0)  # SILK comes a little early
    error = np.square(copy - mono).mean()
    assert 10 * np.log10(np.square(mono).mean() / max(error, 1e-20)) > 9


@pytest.mark.parametrize("spec", ["opus:64", "mp3:128", "vorbis:6", "flac"])
def test_stereo_beside_mono(spec):
    """Each clip's bytes are its own, whatever else is in the batch."""
    clips = [sound(44_100, 0.4), sound(44_100, 0.3, 2)]
    together, copies = through(spec, clips, 44_100)
    assert [copy.shape[0] for copy in copies] == [1, 2]
    for row, clip in enumerate(clips):
        alone, _ = through(spec, [clip], 44_100)
        assert (alone.ids[0] == together.ids[row]).all()


def test_flac_is_lossless_at_16_bits():
    clip = np.round(sound(8000) * 32768) / np.float32(32768)
    _, [copy] = through("flac", [clip], 8000)
    assert (copy == clip).all()


def test_rate_of_opus_without_variation():
    """Every packet has the same size, so that no lengths need telling."""
    codes, _ = through("opus:24?vbr=off", [sound(48_000, 2.0)], 48_000)
    assert set(codes.extra["packet-sizes"]) == {60} and codes.side_bits.tolist() == [0]
    codes, _ = through("opus:24", [sound(48_000, 2.0)], 48_000)
    assert codes.side_bits[0] == 8 * codes.extra["packets"][0]


def test_silence_and_clipping():
    for clip in (np.zeros((1, 4000), np.float32), np.full((1, 4000), 3.0, np.float32)):
        for spec in ("opus:12", "mp3:32", "vorbis:2", "flac", "noise:20", "mulaw:8"):
            _, [copy] = through(spec, [clip], 16_000)
            assert np.isfinite(copy).all() and np.abs(copy).max() < 1.6


def test_what_a_codec_cannot_hold_is_a_failure(tmp_path):
    """96 kHz and three channels fail alone, with a reason; the rest is measured."""
    soundfile.write(tmp_path / "good.wav", sound(16_000).T, 16_000)
    soundfile.write(tmp_path / "many.wav", sound(16_000, channels=3).T, 16_000)
    soundfile.write(tmp_path / "fast.wav", sound(96_000).T, 96_000, subtype="PCM_24")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    task = Task("t", "test", "audio", "tones-mini", ["bits-per-second"], "bits-per-second")
    record, _ = evaluate(Job("mp3:64", task, str(tmp_path)), tmp_path / "out")
    assert record.scores[0].n == 1
    causes = " | ".join(record.failures)
    assert "?rate=48000" in causes and "mono or stereo" in causes and "readable" in causes
    record, _ = evaluate(Job("mp3:64?rate=48000", task, str(tmp_path)), tmp_path / "out2")
    assert record.scores[0].n == 2


def test_noise_has_its_ratio_and_is_the_clips_own():
    clip = sound(16_000)
    _, [copy, again] = through("noise:20", [clip, clip], 16_000)
    error = np.square(copy - clip, dtype=np.float64).mean()
    assert 10 * np.log10(np.square(clip, dtype=np.float64).mean() / error) == pytest.approx(
        20, abs=0.1
    )
    assert (copy == again).all()


def test_resample_is_a_ceiling_of_bandwidth():
    time = np.arange(16_000) / 16_000
    low, high = (np.sin(2 * np.pi * f * time)[None].astype(np.float32) for f in (1000, 6000))
    codes, [kept, gone] = through("resample:8000", [low, high], 16_000)
    assert codes.ids.lengths.tolist() == [8000, 8000]
    assert np.abs(kept - low)[:, 500:-500].max() < 1e-2
    assert np.abs(gone)[:, 500:-500].max() < 1e-2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("opus:4", "from 6 to 512"),
        ("opus:12?vbr=of", "did you mean 'off'"),
        ("mp3:64?rate=44000", "choose 8000"),
        ("vorbis:11", "from 0 to 10"),
        ("noise:loud", "whole number"),
        ("flac:5", "nothing after a colon"),
    ],
)
def test_wrong_specs(spec, words):
    with pytest.raises(UserError, match=words):
        load_tokenizer(spec)


def test_options_enter_the_fingerprint():
    specs = ("mp3:64", "mp3:64?rate=44100", "mp3:32", "opus:64", "opus:64?vbr=off", "vorbis:6")
    assert len({load_tokenizer(spec).fingerprint() for spec in specs}) == len(specs)
