"""TorchScript and ONNX folders of clips, and SNAC: levels of one length and of several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mocks.networks import onnx_graph

from tokbench.bench import Job
from tokbench.errors import UserError
from tokbench.runner import evaluate
from tokbench.specs import load_tokenizer
from tokbench.task import Task
from tokbench.types import Codes

torch = pytest.importorskip("torch", reason="neural tokenizers need torch")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")

HOP = 40


class Steps(torch.nn.Module):
    """Two levels: the mean of every 40 samples in 16 steps, and what is left in 16 more."""

    def forward(self, wave):
        means = torch.nn.functional.avg_pool1d(wave, 40)[:, 0] * 8 + 8
        coarse = means.floor().clamp(0, 15)
        fine = ((means - coarse) * 16).floor().clamp(0, 15)
        return torch.stack([coarse, fine], dim=1).to(torch.int64)


class Hold(torch.nn.Module):
    def forward(self, ids):
        means = (ids[:, 0].float() + (ids[:, 1].float() + 0.5) / 16 - 8) / 8
        return torch.repeat_interleave(means, 40, dim=1)[:, None]


class Slower(torch.nn.Module):
    """The first level of `Steps` at half the rate, its own output."""

    def forward(self, wave):
        slow = (torch.nn.functional.avg_pool1d(wave, 80)[:, 0] * 8 + 8).floor().clamp(0, 15)
        fast = (torch.nn.functional.avg_pool1d(wave, 40)[:, 0] * 8 + 8).floor().clamp(0, 15)
        return slow.to(torch.int32), fast.to(torch.int32)


class HoldSlower(torch.nn.Module):
    def forward(self, levels: list[torch.Tensor]):
        means = (levels[1].float() + 0.5 - 8) / 8
        return torch.repeat_interleave(means, 40, dim=1)[:, None]


class Features(torch.nn.Module):
    """Means of 40 samples, as floats, and a decoder at twice the rate."""

    def forward(self, wave):
        return torch.nn.functional.avg_pool1d(wave, 40)


class HoldTwice(torch.nn.Module):
    def forward(self, latent):
        return torch.repeat_interleave(latent, 80, dim=2)


def scripts(folder: Path, encoder, decoder=None, **said) -> str:
    folder.mkdir()
    torch.jit.save(torch.jit.script(encoder), folder / "encoder.pt")
    if decoder is not None:
        torch.jit.save(torch.jit.script(decoder), folder / "decoder.pt")
    described(folder, **said)
    return f"torchscript:{folder}"


def described(folder: Path, **said) -> None:
    (folder / "audio.json").write_text(json.dumps({"sample_rate": 8000, "hop": HOP} | said))


def clips(*lengths: int) -> list[np.ndarray]:
    return [np.sin(np.arange(n) / 200)[None].astype(np.float32) * 0.5 for n in lengths]


def through(tokenizer, batch):
    codes = Codes.from_bytes(tokenizer.encode(batch).to_bytes())
    return codes, tokenizer.decode(codes)


def test_torchscript_with_levels(tmp_path):
    tokenizer = load_tokenizer(scripts(tmp_path / "a", Steps(), Hold(), codebooks=[16, 16]))
    codes, outputs = through(tokenizer, clips(8000, 999))
    assert tokenizer.spec.vocabulary == (16, 16) and tokenizer.spec.parameters == 0
    assert [level.lengths.tolist() for level in codes.levels] == [[200, 25]] * 2
    assert [output.shape for output in outputs] == [(1, 8000), (1, 999)]
    assert np.abs(outputs[0] - clips(8000)[0]).max() < 0.06  # half a hop of the sine


def test_torchscript_with_levels_of_two_rates(tmp_path):
    spec = scripts(tmp_path / "a", Slower(), HoldSlower(), codebooks=[16, 16], hop=80)
    codes, outputs = through(load_tokenizer(spec), clips(1000, 80))
    assert [level.lengths.tolist() for level in codes.levels] == [[13, 1], [26, 2]]
    assert [output.shape for output in outputs] == [(1, 1000), (1, 80)]


def test_torchscript_latents_at_another_rate(tmp_path):
    spec = scripts(tmp_path / "a", Features(), HoldTwice(), output_rate=16_000)
    tokenizer = load_tokenizer(spec)
    codes, outputs = through(tokenizer, clips(999))
    assert tokenizer.spec.kind == "continuous" and codes.latents[0].shape == (1, 25)
    assert tokenizer.output_rate == 16_000 and outputs[0].shape == (1, 1998)


def test_an_encoder_alone(tmp_path):
    spec = scripts(tmp_path / "a", Steps(), codebooks=[16, 16])
    task = Task("t", "t", "audio", "tones-mini", ["bits-per-second", "si-sdr"], "bits-per-second")
    record, _ = evaluate(Job(spec, task, "tones-mini", limit=2), tmp_path / "runs")
    found = {score.name: score for score in record.scores}
    assert found["bits-per-second"].value == pytest.approx(2 * 4 * 200)
    assert found["si-sdr"].value is None and found["si-sdr"].note == "the tokenizer does not decode"


def test_torchscript_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no audio\.json"):
        load_tokenizer(f"torchscript:{tmp_path}")
    spec = scripts(tmp_path / "a", Steps(), Hold(), codebooks=[16])
    with pytest.raises(UserError, match=r"for the 1 codebooks of audio\.json it has to give"):
        load_tokenizer(spec)
    described(tmp_path / "a")
    with pytest.raises(UserError, match=r"audio\.json says no codebooks"):
        load_tokenizer(spec)
    described(tmp_path / "a", codebook=[16, 16])
    with pytest.raises(UserError, match="no key 'codebook'; did you mean 'codebooks'"):
        load_tokenizer(spec)
    described(tmp_path / "a", codebooks=[16, 16], sample_rate=8)
    with pytest.raises(UserError, match="sample_rate: give a whole number"):
        load_tokenizer(spec)
    described(tmp_path / "a", codebooks=[16, 16])
    (tmp_path / "a" / "encoder.pt").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="not a TorchScript file"):
        load_tokenizer(spec)


def test_onnx_of_clips(tmp_path):
    """Ids of 256 steps for every 40 samples: x · 128 + 128, one level."""
    pytest.importorskip("onnxruntime", reason="this test needs onnxruntime")
    folder = tmp_path / "a"
    onnx_graph(
        folder / "encoder.onnx",
        [
            ("AveragePool", ["x"], ["p"], {"kernel_shape": [HOP], "strides": [HOP]}),
            ("Mul", ["p", "half"], ["m"], {}),
            ("Add", ["m", "half"], ["s"], {}),
            ("Cast", ["s"], ["i"], {"to": 7}),
        ],
        [("x", "float", [1, 1, "n"])],
        [("i", "int", [1, 1, "t"])],
        [("half", np.array(128, np.float32))],
    )
    onnx_graph(
        folder / "decoder.onnx",
        [
            ("Cast", ["i"], ["f"], {"to": 1}),
            ("Sub", ["f", "half"], ["s"], {}),
            ("Div", ["s", "half"], ["d"], {}),
            ("Resize", ["d", "", "scales"], ["y"], {"mode": "nearest"}),
        ],
        [("i", "int", [1, 1, "t"])],
        [("y", "float", [1, 1, "n"])],
        [("half", np.array(128, np.float32)), ("scales", np.array([1, 1, HOP], np.float32))],
    )
    described(folder, codebooks=[256])
    tokenizer = load_tokenizer(f"onnx:{folder}")
    codes, outputs = through(tokenizer, clips(999, 40))
    assert tokenizer.spec.modality == "audio" and codes.ids.lengths.tolist() == [25, 1]
    assert [output.shape for output in outputs] == [(1, 999), (1, 40)]
    assert np.abs(outputs[0][0, 20] - clips(40)[0][0, 20]) < 0.02
    (folder / "decoder.onnx").unlink()
    assert not load_tokenizer(f"onnx:{folder}").decodes


SNAC = {
    "sampling_rate": 16_000, "encoder_dim": 4, "encoder_rates": [2, 4], "decoder_dim": 16,
    "decoder_rates": [4, 2], "attn_window_size": None, "codebook_size": 16, "codebook_dim": 2,
    "vq_strides": [4, 2, 1],
}  # fmt: skip


@pytest.fixture
def snac_folder(tmp_path):
    kind = pytest.importorskip("snac", reason="this test needs the package snac").SNAC
    torch.manual_seed(3)
    folder = tmp_path / "snac"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SNAC))
    torch.save(kind(**SNAC).state_dict(), folder / "pytorch_model.bin")
    return folder


def test_snac(snac_folder):
    tokenizer = load_tokenizer(f"snac:{snac_folder}")
    assert tokenizer.spec.vocabulary == (16,) * 3
    assert tokenizer.spec.rate == 2000 / 4 + 2000 / 2 + 2000
    batch = clips(1000, 333)
    codes, outputs = through(tokenizer, batch)
    assert [level.lengths.tolist() for level in codes.levels] == [[32, 11], [64, 22], [128, 44]]
    assert [output.shape for output in outputs] == [(1, 1000), (1, 333)]
    alone, again = through(tokenizer, batch[1:])
    assert (alone.levels[2][0] == codes.levels[2][1]).all()
    assert (again[0] == outputs[1]).all()  # its noise is of one seed


def test_snac_refused(snac_folder, tmp_path):
    with pytest.raises(UserError, match=r"has no config\.json"):
        load_tokenizer(f"snac:{tmp_path}")
    with pytest.raises(UserError, match="no such folder"):
        load_tokenizer("snac:./nowhere")
    (snac_folder / "config.json").write_text(json.dumps(SNAC | {"codebook_size": 8}))
    with pytest.raises(UserError, match="cannot be loaded"):
        load_tokenizer(f"snac:{snac_folder}")
