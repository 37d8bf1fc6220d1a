"""Lag, SI-SDR, SDR, segmental SNR: published figures, by hand, and what cannot be."""

import numpy as np
import pytest
from mocks.clips import encoded, murmur

from tokbench.audio import alignment, distortion
from tokbench.audio.alignment import advanced, aligned, drift_of, lag_of
from tokbench.audio.clips import read_clip
from tokbench.metrics.audio import waveform

CLIP = murmur(0)


def late(clip, frames):
    """The clip moved back by any number of frames, with silence before."""
    whole = int(np.ceil(frames))
    padded = np.pad(clip, ((0, 0), (max(whole, 0), 64)))[:, max(-whole, 0) :]
    return advanced(padded, whole - frames) if whole != frames else padded


@pytest.mark.parametrize("frames", [0, 8, -8, 137, 0.25, -3.4, 17.123])
def test_a_lag_made_by_hand_is_found(frames):
    output = late(CLIP, frames)
    lag = lag_of(CLIP, output, 4000)
    assert lag.frames == pytest.approx(frames, abs=2e-3) and lag.correlation > 0.99
    a, b = aligned(CLIP, output, lag.frames)
    assert distortion.si_sdr(a[0], b[0]) > 50


def test_lag_ignores_noise_loudness_and_offset():
    noise = np.random.default_rng(1).normal(0, 0.05, (1, CLIP.shape[1] + 128))
    output = 0.3 * np.pad(CLIP, ((0, 0), (64, 64))) + noise + 0.5
    assert lag_of(CLIP, output, 4000).frames == pytest.approx(64, abs=0.1)


def test_a_steady_tone_does_not_jump_by_periods():
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)[None]
    assert lag_of(tone, tone, 4000).frames == 0


def test_nothing_alike_has_no_lag():
    noise = np.random.default_rng(1).normal(0, 0.1, CLIP.shape)
    assert not lag_of(CLIP, noise, 4000).known and not lag_of(CLIP, 0 * CLIP, 4000).known


def test_drift_of_a_slow_clock():
    time = np.arange(CLIP.shape[1])
    slow = np.interp(time * (1 - 2e-4), time, CLIP[0])[None]
    found = drift_of(CLIP, slow, 16_000, lag_of(CLIP, slow, 4000).frames)
    assert found == pytest.approx(200, abs=40)
    assert drift_of(CLIP[:, :9000], slow[:, :9000], 16_000, 0.0) is None


def test_si_sdr_by_hand():
    a, b = np.array([1.0, 0, 1, 0]), np.array([2.0, 1, 2, 0])
    assert distortion.si_sdr(a, b) == pytest.approx(10 * np.log10(8))
    assert distortion.si_sdr(a, 7 * a) == distortion.si_sdr(a, -a) == 100
    assert distortion.si_sdr(a, b - 3, zero_mean=True) == pytest.approx(
        distortion.si_sdr(a - 0.5, b - b.mean())
    )


def test_versa_figures(shared):
    """SDR to 1e-6 of VERSA's (and mir_eval's); SI-SNR without mean removal, and -48.87 with it."""
    a, b = (
        read_clip(shared / f"speech/metric-fixtures/versa-test{n}.wav")[0][0].astype(float)
        for n in (1, 2)
    )
    assert distortion.sdr(a, b) == pytest.approx(4.873952979593643, abs=1e-6)
    assert distortion.si_sdr(a, b) == pytest.approx(1.07028, abs=1e-4)
    assert distortion.si_sdr(a, b, zero_mean=True) == pytest.approx(-48.87, abs=0.01)


def test_sdr_forgives_a_filter():
    a = CLIP[0].astype(float)
    assert distortion.sdr(a, np.convolve(a, [0.0, 0.3, -0.2])[: len(a)]) > 35
    noisy = a + np.random.default_rng(3).normal(0, 0.02, len(a))
    assert distortion.sdr(a, noisy) > distortion.si_sdr(a, noisy)
    assert distortion.sdr(a, a) == 100


def test_segmental_snr_by_hand():
    a = np.sin(np.arange(16_000) / 5)
    assert distortion.segmental_snr(a, 0.9 * a, 16_000) == pytest.approx(20, abs=1e-9)
    assert distortion.segmental_snr(a, a, 16_000) == 35
    assert distortion.segmental_snr(a, -9 * a, 16_000) == -10


def test_silence_has_no_value_and_is_counted():
    found = waveform.si_sdr(encoded((CLIP, CLIP), (CLIP * 0, CLIP), (CLIP, CLIP * 0)))
    assert found.columns["si-sdr:no:raw:n"].tolist() == [1, 0, 0]
    assert found.columns["si-sdr:no:raw"].tolist() == [100, 0, 0]
    assert found.tallies["si-sdr:no:raw:refused"].counts.sum() == 2


def test_eight_frames_late_ruin_the_raw_score_alone():
    found = waveform.si_sdr(encoded((CLIP, late(CLIP, 8)))).columns
    assert found["si-sdr:no:raw"][0] < 5 and found["si-sdr:no:aligned"][0] > 60
    told = waveform.alignment(encoded((CLIP, late(CLIP, 8)))).columns
    assert told["lag"][0] == 0.5 and told["shifted"][0] == 1
    assert told["longer"][0] == pytest.approx(72 / 16)


def test_stereo_is_the_mean_of_its_channels():
    both = np.concatenate([CLIP, murmur(1)])
    output = both + np.random.default_rng(0).normal(0, [[0.01], [0.03]], both.shape)
    found = waveform.si_sdr(encoded((both, output))).columns["si-sdr:no:raw"][0]
    alone = [distortion.si_sdr(a, b) for a, b in zip(both, output, strict=True)]
    assert found == pytest.approx(np.mean(alone), abs=1e-6)


def test_sdr_is_never_below_si_sdr():
    rng = np.random.default_rng(5)
    pairs = [(murmur(n), murmur(n) * 0.5 + rng.normal(0, 0.02, CLIP.shape)) for n in range(3)]
    assert not waveform.sdr(encoded(*pairs)).columns["impossible"].any()


@pytest.mark.parametrize("count", [3, 512, 1500])
def test_a_wave_in_pieces_is_the_sum_of_its_terms(count):
    rng = np.random.default_rng(count)
    terms = rng.normal(size=count) + 1j * rng.normal(size=count)
    turn = 2 * np.pi / (2 * count)
    for place in (0.0, -7.25, 1000.125):
        wave = terms * np.exp(1j * turn * np.arange(count) * place)
        steps = turn * np.arange(count)
        expected = wave.real.sum(), -(steps * wave.imag).sum(), -(steps**2 * wave.real).sum()
        assert alignment._Wave(terms, turn).at(place) == pytest.approx(expected, abs=1e-8)
