"""Autoencoders of diffusers and transformers: tiny random models from folders, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mocks.images import picture

from tokbench.errors import UserError
from tokbench.image.fitting import fit, restored
from tokbench.specs import load_tokenizer
from tokbench.types import Codes

torch = pytest.importorskip("torch", reason="neural tokenizers need torch")
diffusers = pytest.importorskip("diffusers", reason="this test needs diffusers")

STAGES = {
    "block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
}  # fmt: skip
HALVES = {
    f"{half}_{what}": value
    for half in ("encoder", "decoder")
    for what, value in {"block_out_channels": (8, 8), "layers_per_block": (1, 1)}.items()
}


def kl():
    return diffusers.AutoencoderKL(**STAGES)


def tiny():
    blocks = {f"num_{half}_blocks": (1, 1, 1) for half in ("encoder", "decoder")}
    widths = {f"{half}_block_out_channels": (8, 8, 8) for half in ("encoder", "decoder")}
    return diffusers.AutoencoderTiny(**blocks, **widths)


def deep():
    plain = {f"{half}_qkv_multiscales": ((), ()) for half in ("encoder", "decoder")}
    return diffusers.AutoencoderDC(latent_channels=4, **HALVES, **plain)


def vq(**more):
    return diffusers.VQModel(**(STAGES | more), num_vq_embeddings=32, vq_embed_dim=4)


def saved(model, folder: Path) -> str:
    torch.manual_seed(3)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return f"diffusers:{folder}"


def through(tokenizer, array):
    fitted = fit(array, tokenizer.spec)
    codes = Codes.from_bytes(tokenizer.encode([fitted.pixels]).to_bytes())
    if not tokenizer.decodes:
        return fitted.pixels, codes, None
    [output] = tokenizer.decode(codes)
    assert restored(output, fitted, tokenizer.spec).shape == array.shape
    return fitted.pixels, codes, output


def tensor(pixels):
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]


@pytest.mark.parametrize(
    ("made", "multiple", "own"),
    [
        (kl, 2, lambda model, pixels: model(pixels, sample_posterior=False).sample),
        (tiny, 4, lambda model, pixels: model.decode(model.encode(pixels).latents).sample),
        (deep, 2, lambda model, pixels: model(pixels).sample),
    ],
    ids=["kl", "tiny", "dc"],
)
def test_continuous_ones_give_what_the_library_gives(tmp_path, made, multiple, own):
    model = made()
    tokenizer = load_tokenizer(saved(model, tmp_path / "model"))
    pixels, codes, output = through(tokenizer, picture(1, 17, 21))
    assert tokenizer.spec.size_multiple == multiple and tokenizer.spec.kind == "continuous"
    assert len(codes.latents) == 1 and not codes.levels and not tokenizer.spec.vocabulary
    with torch.inference_mode():
        expected = own(model.eval(), tensor(pixels))[0].numpy().transpose(1, 2, 0)
    assert np.allclose(output, expected, atol=1e-4)
    assert tokenizer.spec.parameters == sum(weight.numel() for weight in model.parameters())


WIDE = {"block_out_channels": (32, 32), "norm_num_groups": 32}


@pytest.mark.parametrize(
    "more", [{}, {"lookup_from_codebook": True}, {"norm_type": "spatial"} | WIDE]
)
def test_vq_shows_its_ids_and_decodes_from_them(tmp_path, more):
    model = vq(**more)
    tokenizer = load_tokenizer(saved(model, tmp_path / "model"))
    pixels, codes, output = through(tokenizer, picture(1, 24, 32))
    assert tokenizer.spec.vocabulary == (32,) and codes.ids.lengths.tolist() == [12 * 16]
    with torch.inference_mode():
        latents = model.eval().encode(tensor(pixels)).latents
        own = model.decode(latents).sample[0].numpy().transpose(1, 2, 0)
    book = tokenizer.codebook(0)
    flat = latents[0].numpy().reshape(4, -1).T
    assert (((flat[:, None] - book) ** 2).sum(2).argmin(1) == codes.ids[0]).all()
    assert len(set(codes.ids[0].tolist())) > 1
    assert np.allclose(output, own, atol=1e-4)  # decode quantises the latents inside


def test_fingerprint_is_of_weights_and_configuration(tmp_path):
    model = vq()
    first = load_tokenizer(saved(model, tmp_path / "a")).fingerprint()
    assert load_tokenizer(saved(model, tmp_path / "b")).fingerprint() == first
    with torch.no_grad():
        model.quantize.embedding.weight[3] += 1
    model.save_pretrained(tmp_path / "b")
    assert load_tokenizer(f"diffusers:{tmp_path}/b").fingerprint() != first


def test_a_folder_that_is_none(tmp_path, monkeypatch):
    def refused(spec, match):
        with pytest.raises(UserError, match=match) as caught:
            load_tokenizer(spec)
        assert "\n" not in str(caught.value)

    refused(f"diffusers:{tmp_path}", "has no config.json")
    (tmp_path / "model_index.json").write_text("{}")
    refused(f"diffusers:{tmp_path}", r"a whole pipeline: add \?subfolder=vae")
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKLL"}')
    refused(f"diffusers:{tmp_path}", "did you mean 'AutoencoderKL'")
    (tmp_path / "config.json").write_text("[")
    refused(f"diffusers:{tmp_path}", "not a config.json")
    saved(kl(), tmp_path / "vae")
    assert load_tokenizer(f"diffusers:{tmp_path}?subfolder=vae").spec.size_multiple == 2
    refused(f"diffusers:{tmp_path}?subfolder=vae&device=abacus", "device=abacus")
    refused(f"diffusers:{tmp_path}?sub=vae", "no option 'sub'")
    weights = next((tmp_path / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-99])
    refused(f"diffusers:{tmp_path}?subfolder=vae", "cannot be loaded")
    refused(f"diffusers:{tmp_path}/gone", "no such folder")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refused("diffusers:nobody/nothing", "HF_HUB_OFFLINE is set.*give the folder")


def vision(kind: str):
    """A tiny image tokenizer of transformers."""
    from importlib import import_module

    name = f"{kind.capitalize()}VQVAE"
    sizes = {"base_channels": 32, "channel_multiplier": [1, 1], "num_res_blocks": 1, "embed_dim": 4}
    sizes |= {"latent_channels": 4, "num_embeddings": 16}
    if kind == "emu3":
        sizes |= {"codebook_size": 16, "attn_resolutions": [], "hidden_size": 32}
        del sizes["num_embeddings"]
    config = getattr(
        import_module(f"transformers.models.{kind}.configuration_{kind}"), f"{name}Config"
    )
    torch.manual_seed(5)
    model = getattr(import_module(f"transformers.models.{kind}.modeling_{kind}"), name)(
        config(**sizes)
    )
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model


@pytest.mark.parametrize("kind", ["chameleon", "janus", "emu3"])
def test_image_tokenizers_of_transformers(tmp_path, kind):
    from safetensors.torch import save_file

    model = vision(kind)
    model.save_pretrained(tmp_path / "alone")
    tokenizer = load_tokenizer(f"vqvae:{tmp_path}/alone")
    _, codes, output = through(tokenizer, picture(1, 16, 24))
    assert codes.ids.lengths.tolist() == [8 * 12] and tokenizer.spec.vocabulary == (16,)
    assert tokenizer.codebook(0).shape == (16, 4) and tokenizer.decodes == (kind != "chameleon")
    assert len(set(codes.ids[0].tolist())) > 1
    ids = torch.from_numpy(codes.ids[0].astype(np.int64))
    with torch.inference_mode():
        if kind == "janus":
            model.quantize.quant_state_dims = [8, 12]
            own = model.decode(ids[None])
            assert np.allclose(output, own[0].numpy().transpose(1, 2, 0), atol=1e-4)
        if kind == "emu3":
            own = model.decode(ids.reshape(1, 8, 12))
            assert np.allclose(output, own[0].numpy().transpose(1, 2, 0), atol=1e-4)
    # Within a whole model, in two files of which one has nothing of it.
    whole = tmp_path / "whole"
    whole.mkdir()
    state = {
        f"model.vqmodel.{key}": value.contiguous() for key, value in model.state_dict().items()
    }
    save_file(state, whole / "model-2.safetensors")
    places = dict.fromkeys(state, "model-2.safetensors") | {"lm_head.weight": "model-1.safetensors"}
    (whole / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    said = {"model_type": kind, "vq_config": model.config.to_dict()}
    (whole / "config.json").write_text(json.dumps(said))
    assert load_tokenizer(f"vqvae:{whole}").fingerprint() == tokenizer.fingerprint()
    del state[
        "model.vqmodel.quant_conv.bias" if kind != "emu3" else "model.vqmodel.quant_conv.conv.bias"
    ]
    save_file(state, whole / "model-2.safetensors")
    with pytest.raises(UserError, match=r"its weights have no 'quant_conv"):
        load_tokenizer(f"vqvae:{whole}")
    (whole / "config.json").write_text('{"model_type": "chamaeleon"}')
    with pytest.raises(UserError, match="did you mean 'chameleon'"):
        load_tokenizer(f"vqvae:{whole}")
