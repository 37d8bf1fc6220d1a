"""Neural codecs of transformers, tiny and with random weights: each path from end to end."""

import importlib
import json

import numpy as np
import pytest

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task
from tokbench.types import Codes

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

_BOTH = {
    "acoustic_model_config": transformers.DacConfig(
        encoder_hidden_size=8, downsampling_ratios=[8, 5, 4, 2], decoder_hidden_size=32,
        upsampling_ratios=[8, 5, 4, 2], hidden_size=16, codebook_dim=4,
    ),
    "semantic_model_config": transformers.HubertConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    ),
    "target_bandwidths": [0.5, 1, 2], "codebook_size": 16,
}  # fmt: skip
CONFIGS = {
    "encodec": ("Encodec", {
        "num_filters": 4, "hidden_size": 16, "codebook_dim": 16, "codebook_size": 32,
        "target_bandwidths": [0.375, 0.75, 1.5], "num_lstm_layers": 1,
    }),
    "encodec-48": ("Encodec", {
        "num_filters": 4, "hidden_size": 16, "codebook_dim": 16, "codebook_size": 32,
        "target_bandwidths": [0.75, 1.5], "num_lstm_layers": 1, "sampling_rate": 48_000,
        "audio_channels": 2, "normalize": True, "chunk_length_s": 0.1, "overlap": 0.1,
        "use_causal_conv": False, "norm_type": "time_group_norm",
    }),
    "dac": ("Dac", {
        "encoder_hidden_size": 8, "downsampling_ratios": [2, 4], "decoder_hidden_size": 32,
        "upsampling_ratios": [4, 2], "n_codebooks": 4, "codebook_size": 16, "codebook_dim": 4,
    }),
    "mimi": ("Mimi", {
        "hidden_size": 32, "num_filters": 4, "upsampling_ratios": [4, 2], "codebook_size": 16,
        "codebook_dim": 16, "num_quantizers": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 32, "vector_quantization_hidden_dimension": 16,
        "sliding_window": 16, "upsample_groups": 32, "num_semantic_quantizers": 1,
    }),
    "xcodec": ("Xcodec", _BOTH | {"codebook_dim": 40}),
}  # fmt: skip

_HEARS = transformers.Wav2Vec2BertConfig(
    hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    output_hidden_size=24, conv_depthwise_kernel_size=3, add_adapter=False,
)  # fmt: skip
_SECOND = {
    "semantic_model_config": _HEARS, "hidden_size": 32, "intermediate_size": 32,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
    "encoder_hidden_size": 8, "quantization_dim": 56, "quantization_levels": [4, 4, 4],
}  # fmt: skip
HIGGS = {
    "higgs": ("HiggsAudioV2Tokenizer", _BOTH | {"sample_rate": 16_000, "codebook_dim": 8}),
}
FSQ = {"xcodec2": ("Xcodec2", _SECOND), "neucodec": ("NeuCodec", _SECOND)}
LATENT = {
    "vibevoice": ("VibeVoiceAcousticTokenizer", {
        "hidden_size": 8, "num_filters": 4, "downsampling_ratios": [2, 4, 5], "depths": [1] * 4,
    }),
    "pocket-tts": ("PocketTTSAudioTokenizer", {
        "hidden_size": 32, "num_filters": 4, "upsampling_ratios": [4, 2], "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 32, "sliding_window": 16, "upsample_groups": 32, "latent_dim": 6,
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny model, made once."""
    made = {}

    def folder(name):
        if name not in made:
            kind, options = (CONFIGS | HIGGS | FSQ | LATENT)[name]
            torch.manual_seed(0)
            config = getattr(transformers, f"{kind}Config")(**options)
            made[name] = tmp_path_factory.mktemp(name)
            whole = getattr(transformers, f"{kind}Model")(config)
            for weights in whole.state_dict().values():  # codebooks begin as zeros
                if weights.is_floating_point() and not weights.any():
                    weights.normal_(0, 0.1)
            whole.save_pretrained(made[name])
        return made[name]

    return folder


def clips(channels, lengths=(3000, 2017)):
    rng = np.random.default_rng(1)
    return [rng.uniform(-0.5, 0.5, (channels, n)).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("name", CONFIGS)
def test_through_and_back(model, name):
    tokenizer = load_tokenizer(f"neural-codec:{model(name)}")
    channels = tokenizer.spec.channels
    lengths = (12_000, 7001) if name == "encodec-48" else (3000, 2017)
    batch = clips(channels, lengths)
    codes = tokenizer.encode(batch)
    assert len(codes.levels) == len(tokenizer.spec.vocabulary) > 1
    if name != "encodec-48":  # its chunks overlap
        frames = tokenizer.spec.rate / len(codes.levels) * lengths[0] / tokenizer.spec.sample_rate
        assert abs(len(codes.levels[0][0]) - frames) <= 1
    copies = tokenizer.decode(Codes.from_bytes(codes.to_bytes()))
    for clip, copy in zip(batch, copies, strict=True):
        assert copy.shape[0] == channels and np.isfinite(copy).all()
        assert 0 <= clip.shape[1] - copy.shape[1] < 16
    alone = tokenizer.encode(batch[1:])
    assert all((a[0] == b[1]).all() for a, b in zip(alone.levels, codes.levels, strict=True))
    assert (tokenizer.decode(alone)[0] == copies[1]).all()


@pytest.mark.parametrize("name", CONFIGS)
def test_fewer_codebooks_are_a_prefix(model, name):
    whole = load_tokenizer(f"neural-codec:{model(name)}")
    first = load_tokenizer(f"neural-codec:{model(name)}?codebooks=1")
    batch = clips(whole.spec.channels, (5000,))
    few, all_of_them = first.encode(batch), whole.encode(batch)
    assert len(few.levels) == 1 and (few.ids.values == all_of_them.ids.values).all()
    assert np.abs(first.decode(few)[0] - whole.decode(all_of_them)[0]).max() > 0
    assert first.fingerprint() != whole.fingerprint()


@pytest.mark.parametrize("name", LATENT)
def test_continuous(model, name):
    tokenizer = load_tokenizer(f"neural-codec:{model(name)}")
    spec, batch = tokenizer.spec, clips(1)
    assert spec.kind == "continuous" and spec.vocabulary == () and spec.sample_rate == 24_000
    codes = tokenizer.encode(batch)
    assert not codes.levels
    for clip, latents in zip(batch, codes.latents, strict=True):
        assert len(latents) == -(-clip.shape[1] * spec.rate // spec.sample_rate)
    copies = tokenizer.decode(Codes.from_bytes(codes.to_bytes()))
    assert [c.shape for c in copies] == [c.shape for c in batch]
    assert np.abs(copies[0]).max() > 0
    assert (tokenizer.encode(batch[1:]).latents[0] == codes.latents[1]).all()  # nothing is sampled
    with pytest.raises(UserError, match="codebooks"):
        load_tokenizer(f"neural-codec:{model(name)}?codebooks=2")


def torchaudio():
    try:
        return importlib.import_module("torchaudio")
    except Exception:  # not here, or of another build than torch
        return None


@pytest.mark.skipif(torchaudio() is not None, reason="torchaudio is here")
@pytest.mark.parametrize("kind", ["higgs_audio_v2_tokenizer", "xcodec2", "neucodec"])
def test_without_torchaudio_it_is_one_line(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(UserError, match="pip install torchaudio"):
        load_tokenizer(f"neural-codec:{tmp_path}")


@pytest.mark.skipif(torchaudio() is None, reason="needs a torchaudio of torch's own build")
def test_higgs(model):
    tokenizer = load_tokenizer(f"neural-codec:{model('higgs')}")
    assert tokenizer.spec.vocabulary == (16,) * 10 and tokenizer.spec.rate == 500
    batch = clips(1, (9000, 6017))
    codes = tokenizer.encode(batch)
    copies = tokenizer.decode(Codes.from_bytes(codes.to_bytes()))
    assert all(
        c.shape == b.shape and np.isfinite(c).all() for c, b in zip(copies, batch, strict=True)
    )
    few = load_tokenizer(f"neural-codec:{model('higgs')}?codebooks=1").encode(batch)
    assert len(few.levels) == 1 and (few.ids.values == codes.ids.values).all()


@pytest.mark.skipif(torchaudio() is None, reason="needs a torchaudio of torch's own build")
@pytest.mark.parametrize("name", FSQ)
def test_one_level_of_fsq(model, name):
    tokenizer = load_tokenizer(f"neural-codec:{model(name)}")
    assert tokenizer.spec.vocabulary == (64,) and tokenizer.spec.sample_rate == 16_000
    assert tokenizer.spec.rate == 50
    batch = clips(1, (9000, 6017))
    codes = tokenizer.encode(batch)
    frames = [len(codes.levels[0][row]) for row in (0, 1)]
    assert all(abs(n - len(c[0]) / 320) < 1.1 for n, c in zip(frames, batch, strict=True))
    copies = tokenizer.decode(Codes.from_bytes(codes.to_bytes()))
    assert all(np.isfinite(copy).all() and np.abs(copy).max() > 0 for copy in copies)
    assert tokenizer.output_rate == (24_000 if name == "neucodec" else None)
    seconds = copies[0].shape[1] / (tokenizer.output_rate or 16_000)
    assert abs(seconds - 9000 / 16_000) < 0.02
    assert (tokenizer.encode(batch[1:]).ids[0] == codes.ids[1]).all()


def test_loudness_of_chunks_is_counted(model):
    """48 kHz: chunks of 0.1 s, each 32 bits for its scale; decoding needs them."""
    tokenizer = load_tokenizer(f"neural-codec:{model('encodec-48')}")
    codes = tokenizer.encode(clips(2, (12_000,)))
    chunks = codes.extra["chunks"].tolist()
    assert chunks[0] > 1 and codes.side_bits.tolist() == [32 * chunks[0]]
    louder = Codes(codes.levels, extra=codes.extra | {"scales": codes.extra["scales"] * 2})
    quiet, loud = tokenizer.decode(codes)[0], tokenizer.decode(louder)[0]
    assert np.allclose(loud, 2 * quiet, atol=1e-5)


def test_a_record(model, tmp_path):
    task = Task("t", "test", "audio", "tones-mini", ["bits-per-second"], "bits-per-second")
    spec = f"neural-codec:{model('encodec')}?codebooks=2"
    record, _ = evaluate(Job(spec, task, "tones-mini", limit=2), tmp_path)
    value = {score.name: score.value for score in record.scores}
    assert value["bits-per-second"] == pytest.approx(75 * 2 * 5, rel=0.01)


def test_wrong_models(model, tmp_path):
    with pytest.raises(UserError, match="whole number from 1 to 4"):
        load_tokenizer(f"neural-codec:{model('dac')}?codebooks=5")
    with pytest.raises(UserError, match="no readable config"):
        load_tokenizer(f"neural-codec:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UserError, match="no neural codec that tokbench knows"):
        load_tokenizer(f"neural-codec:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "dac"}))
    with pytest.raises(UserError, match="cannot be loaded"):
        load_tokenizer(f"neural-codec:{tmp_path}")
    with pytest.raises(UserError, match="no such folder"):
        load_tokenizer("neural-codec:./nowhere/at/all")
