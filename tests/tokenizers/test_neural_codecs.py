"""Neural codecs of transformers, tiny and with random weights: each path from end to end."""

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
    "xcodec": ("Xcodec", {
        "acoustic_model_config": transformers.DacConfig(
            encoder_hidden_size=8, downsampling_ratios=[8, 5, 4, 2], decoder_hidden_size=32,
            upsampling_ratios=[8, 5, 4, 2], hidden_size=16, codebook_dim=4,
        ),
        "semantic_model_config": transformers.HubertConfig(
            hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
        ),
        "target_bandwidths": [0.5, 1, 2], "codebook_size": 16, "codebook_dim": 40,
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a tiny model, made once."""
    made = {}

    def folder(name):
        if name not in made:
            kind, options = CONFIGS[name]
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
