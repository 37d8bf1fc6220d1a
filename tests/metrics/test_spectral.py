"""Spectra, F0 and voices: conventions, by hand, and what stays away."""

import numpy as np
import pytest
from mocks.clips import encoded, encoded_samples, murmur
from transformers.audio_utils import mel_filter_bank

from tokbench.audio.spectra import mel_filters, stft
from tokbench.evidence import Evidence
from tokbench.measured import Measured
from tokbench.metrics.audio import speaker, spectral, voicing
from tokbench.types import Sample

CLIP = murmur(0)


@pytest.mark.parametrize(("rate", "size", "count"), [(24_000, 2048, 150), (16_000, 400, 40)])
def test_mel_filters_are_librosas(rate, size, count):
    expected = mel_filter_bank(
        size // 2 + 1, count, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney"
    )
    assert np.abs(mel_filters(rate, size, count) - expected.T).max() < 1e-12


def test_stft_is_torchs():
    torch = pytest.importorskip("torch")
    wave = torch.from_numpy(CLIP[0].astype(float))
    expected = torch.stft(
        wave, 512, 128, window=torch.hann_window(512, dtype=wave.dtype), return_complex=True
    )
    assert np.abs(stft(CLIP[0], 512, 128) - expected.numpy().T).max() < 1e-9


def test_distances_by_hand():
    """Half as loud: log10 of a quarter everywhere above the floor, and half the magnitudes."""
    rng = np.random.default_rng(0)
    clip = rng.normal(0, 0.1, (1, 16_000)).astype(np.float32)
    found = spectral.stft_distance(encoded((clip, clip / 2), (clip, clip))).columns["stft-distance"]
    halves = sum(np.abs(stft(clip[0], n, n // 4)).mean() / 2 for n in (2048, 512))
    assert found[0] == pytest.approx(2 * np.log10(4) + halves, rel=1e-5) and found[1] == 0


def test_band_that_was_lost():
    rng = np.random.default_rng(0)
    clip = rng.normal(0, 0.1, (1, 48_000))
    spectrum = np.fft.rfft(clip)
    spectrum[:, np.fft.rfftfreq(48_000, 1 / 24_000) > 4000] = 0
    low = np.fft.irfft(spectrum)
    pair = encoded((clip.astype(np.float32), low.astype(np.float32)), rate=24_000)
    found = spectral.bands(pair).columns
    assert found["log-spectral:0-4kHz"][0] < 1 and found["log-spectral:4-8kHz"][0] > 40
    assert found["log-spectral:12-24kHz:n"][0] == 0
    edges = spectral.roll_off(pair).columns
    assert edges["roll-off:original"][0] == pytest.approx(11.9, abs=0.1)
    assert edges["roll-off:output"][0] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("hertz", [75.0, 120.0, 233.3, 440.0])
def test_f0_of_a_buzz(hertz):
    time = np.arange(16_000) / 16_000
    buzz = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 6))
    found = voicing.f0(buzz, 16_000)
    assert (found > 0).all() and np.abs(1200 * np.log2(found / hertz)).max() < 5


def test_noise_is_unvoiced():
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    assert (voicing.f0(noise, 16_000) > 0).mean() < 0.05


def test_pitch_of_the_same_and_of_noise():
    noise = np.random.default_rng(0).normal(0, 1, CLIP.shape) * np.abs(CLIP).max()
    found = voicing.pitch(
        encoded((CLIP, CLIP), (CLIP, 0.5 * CLIP + 0.3 * noise), domain="speech")
    ).columns
    assert found["f0"][0] == pytest.approx(1) and found["f0:cents"][0] == 0
    assert found["f0:voicing"][0] == 0 < found["f0:voicing"][1]


def test_equal_error_rate_by_hand():
    assert speaker.equal_error_rate(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 0
    assert speaker.equal_error_rate(np.array([0.1, 0.2]), np.array([0.9, 0.8])) == 1
    found = speaker.equal_error_rate(np.array([1, 2, 3, 4.0]), np.array([0, 0.5, 1.5, 0.2]))
    assert found == 0.25


def test_voices_of_real_speakers(shared):
    """Outputs equal to originals: cosine 1, and EER of the six LibriSpeech voices under 15 %."""
    pytest.importorskip("torch")
    from tokbench.audio.clips import read_clip
    from tokbench.errors import UserError

    samples = []
    for folder in sorted((shared / "speech/librispeech").iterdir())[:3]:
        for path in sorted(folder.glob("*.flac"))[:2]:
            data, rate = read_clip(path)
            notes = {"speaker": folder.name}
            samples.append(Sample(path.stem, data[:, : 4 * rate], rate, notes))
    batch = encoded_samples(samples, [sample.data for sample in samples])
    try:
        found = speaker.voices(batch, "yes")
    except UserError as error:
        pytest.skip(str(error))
    assert found.columns["voice:resemblyzer"] == pytest.approx(np.ones(6), abs=1e-6)
    columns = found.columns | {"samples": np.ones(6, np.int64)}
    evidence = Evidence(batch.batch.group, batch.batch.index, columns, found.tallies)
    scores = speaker.SpeakerSimilarity(eer=True).result(
        Measured(evidence, [""], False, batch.tokenizer.spec)
    )
    value = {score.name: score for score in scores}
    assert value["speaker-similarity/eer"].value < 0.15
    assert value["speaker-similarity/eer"].value == value["speaker-similarity/eer-original"].value
