"""WavLM-SV and UTMOS: weights of one's own, tiny and random; without them one line."""

import numpy as np
import pytest
from mocks.clips import encoded, murmur

from tokbench.errors import UserError
from tokbench.metrics.audio import opinion, speaker
from tokbench.probes import speech_quality
from tokbench.tokenizers.audio.waveforms import PCM

torch = pytest.importorskip("torch", reason="these probes need torch")
transformers = pytest.importorskip("transformers", reason="WavLM-SV needs transformers")

TINY = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
    "num_buckets": 16, "max_bucket_distance": 32, "tdnn_dim": (12, 12, 24),
    "tdnn_kernel": (3, 3, 1), "tdnn_dilation": (1, 2, 1), "xvector_output_dim": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wavlm")
    torch.manual_seed(0)
    config = transformers.WavLMConfig(**TINY)
    transformers.WavLMForXVector(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return str(folder)


def test_voices_by_wavlm(wavlm):
    clip = murmur(0)
    noisy = clip + np.random.default_rng(0).normal(0, 0.1, clip.shape).astype(np.float32)
    batch = encoded((clip, clip), (clip, noisy), transcript="x", speaker="s")
    found = speaker.voices(batch, "yes", wavlm).columns
    same, other = found[f"voice:{wavlm}"]
    assert same == pytest.approx(1) and other < 0.9999
    assert f"voice:{wavlm}:output:19" in found and f"voice:{wavlm}:output:20" not in found
    metric = speaker.SpeakerSimilarity(probe=wavlm)
    assert not metric.lacks(PCM()) and f"|probe:{wavlm}|" in metric.signature()


def test_voices_refused():
    with pytest.raises(ValueError, match="probe: choose resemblyzer or a WavLM-SV"):
        speaker.SpeakerSimilarity(probe="wavlm")


def test_voices_offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    why = speaker.SpeakerSimilarity(probe="org/none").lacks(PCM())
    assert "speaker encoder 'org/none': the hub cannot be reached" in why
    assert "take resemblyzer" in why and "\n" not in why


class Loudness(torch.nn.Module):
    def forward(self, wave):
        return 1 + 4 * wave.abs().mean(dim=1)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_utmos(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKBENCH_WEIGHTS", str(tmp_path))
    speech_quality.speech_quality.cache_clear()
    why = opinion.UTMOS().lacks(PCM())
    assert why.startswith("utmos: no utmos22_strong.pt") and "TOKBENCH_WEIGHTS" in why
    torch.jit.save(torch.jit.script(Loudness()), tmp_path / "utmos22_strong.pt")
    assert not opinion.UTMOS().lacks(PCM())
    clip = murmur(0)
    found = opinion.utmos(encoded((clip, clip / 2), transcript="x")).columns
    expected = 1 + 4 * np.abs(clip).mean()
    assert found["utmos:original:"][0] == pytest.approx(expected, rel=1e-5)
    assert found["utmos:output:"][0] == pytest.approx((expected + 1) / 2, rel=1e-5)
    (tmp_path / "utmos22_strong.pt").write_bytes(b"nothing")
    speech_quality.speech_quality.cache_clear()
    with pytest.raises(UserError, match="not a TorchScript file"):
        speech_quality.speech_quality("utmos")
    speech_quality.speech_quality.cache_clear()
