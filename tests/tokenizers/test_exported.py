"""TorchScript and ONNX folders: what they are is read off them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mocks.images import picture
from mocks.networks import onnx_graph

from tokbench.errors import UserError
from tokbench.image.fitting import fit, restored
from tokbench.specs import load_tokenizer
from tokbench.types import Codes

torch = pytest.importorskip("torch", reason="neural tokenizers need torch")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")


class Means(torch.nn.Module):
    """The mean of every 8 × 8 pixels, in half the precision."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))

    def forward(self, pixels):
        return (torch.nn.functional.avg_pool2d(pixels * self.one, 8),)


class Spread(torch.nn.Module):
    def forward(self, code):
        return torch.nn.functional.interpolate(code, scale_factor=8.0, mode="nearest")


class Greys(torch.nn.Module):
    """Ids of 16 greys for every 16 × 16 pixels, and what Cosmos adds: the codes."""

    def forward(self, pixels):
        means = torch.nn.functional.avg_pool2d(pixels.mean(1, keepdim=True), 16)[:, 0]
        ids = ((means + 1) * 8).floor().clamp(0, 15)
        return ids.to(torch.int32), means


class Paint(torch.nn.Module):
    def forward(self, ids):
        greys = (ids[:, None].float() + 0.5) / 8 - 1
        return torch.nn.functional.interpolate(greys, scale_factor=16.0).repeat(1, 3, 1, 1)


def scripts(folder: Path, encoder, decoder) -> str:
    folder.mkdir()
    torch.jit.save(torch.jit.script(encoder), folder / "encoder.jit")
    torch.jit.save(torch.jit.script(decoder), folder / "decoder.jit")
    return f"cosmos:{folder}"


def through(tokenizer, array):
    fitted = fit(array, tokenizer.spec)
    codes = Codes.from_bytes(tokenizer.encode([fitted.pixels]).to_bytes())
    return codes, restored(tokenizer.decode(codes)[0], fitted, tokenizer.spec)


def test_cosmos_continuous(tmp_path):
    tokenizer = load_tokenizer(scripts(tmp_path / "ci", Means(), Spread()))
    array = picture(1, 32, 48)
    codes, output = through(tokenizer, array)
    assert tokenizer.spec.kind == "continuous" and tokenizer.spec.size_multiple == 16
    assert codes.latents[0].shape == (3, 4, 6)
    assert abs(float(output[:8, :8].mean()) - float(array[:8, :8].mean())) < 2


def test_cosmos_discrete(tmp_path):
    spec = scripts(tmp_path / "di", Greys(), Paint())
    tokenizer = load_tokenizer(f"{spec}?K=16")
    array = picture(1, 33, 48)
    codes, output = through(tokenizer, array)
    assert tokenizer.spec.vocabulary == (16,) and codes.ids.lengths.tolist() == [9]
    assert abs(float(output[:16, :16].mean()) - float(array[:16, :16].mean())) < 9
    assert load_tokenizer(spec).spec.vocabulary == (64000,)
    assert load_tokenizer(spec).fingerprint() != tokenizer.fingerprint()


def test_cosmos_refused(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load_tokenizer(f"cosmos:{tmp_path}/gone")
    with pytest.raises(UserError, match="has no encoder"):
        load_tokenizer(f"cosmos:{tmp_path}")
    (tmp_path / "encoder.jit").write_bytes(b"PK not really")
    (tmp_path / "decoder.jit").write_bytes(b"PK not really")
    with pytest.raises(UserError, match="not a TorchScript file"):
        load_tokenizer(f"cosmos:{tmp_path}")
    with pytest.raises(UserError, match="not a Cosmos tokenizer of images"):  # of video, perhaps
        load_tokenizer(scripts(tmp_path / "odd", torch.nn.Conv3d(3, 4, 3), Spread()))


def pooled(folder: Path, sides, discrete: bool) -> str:
    """Means of 8 × 8 pixels as latents, or as ids of 256 greys."""
    nodes = [("AveragePool", ["x"], ["p"], {"kernel_shape": [8, 8], "strides": [8, 8]})]
    out, constants = [("p", "float", [1, 3, "h", "w"])], []
    if discrete:
        nodes += [
            ("ReduceMean", ["p"], ["m"], {"axes": [1], "keepdims": 0}),
            ("Cast", ["m"], ["i"], {"to": 7}),
        ]
        out = [("m", "float", [1, "h", "w"]), ("i", "int", [1, "h", "w"])]
    onnx_graph(folder / "encoder.onnx", nodes, [("x", "float", [1, 3, *sides])], out, constants)
    grow = {"mode": "nearest"}
    start, kind, shape = "z", "float", [1, 3, "h", "w"]
    nodes = []
    if discrete:
        nodes = [
            ("Cast", ["z"], ["f"], {"to": 1}),
            ("Unsqueeze", ["f", "axis"], ["u"], {}),
            ("Concat", ["u", "u", "u"], ["c"], {"axis": 1}),
        ]
        start, kind, shape = "c", "int", [1, "h", "w"]
    nodes.append(("Resize", [start, "", "scales"], ["y"], grow))
    constants = [("scales", np.array([1, 1, 8, 8], np.float32)), ("axis", np.array([1]))]
    constants = constants if discrete else constants[:1]
    wide = [("y", "float", [1, 3, "a", "b"])]
    onnx_graph(folder / "decoder.onnx", nodes, [("z", kind, shape)], wide, constants)
    return f"onnx:{folder}"


def test_onnx_of_any_size(tmp_path):
    pytest.importorskip("onnxruntime", reason="this test needs onnxruntime")
    tokenizer = load_tokenizer(pooled(tmp_path / "a", ["h", "w"], False))
    array = picture(1, 17, 30)
    codes, output = through(tokenizer, array)
    assert tokenizer.spec.size_multiple == 8 and tokenizer.spec.value_range == (-1, 1)
    assert codes.latents[0].shape == (3, 3, 4)
    assert abs(float(output[:8, :8].mean()) - float(array[:8, :8].mean())) < 1


def test_onnx_of_one_size_with_ids(tmp_path):
    pytest.importorskip("onnxruntime", reason="this test needs onnxruntime")
    spec = pooled(tmp_path / "a", [32, 24], True)
    with pytest.raises(UserError, match="it gives ids; say how many there are: K=N"):
        load_tokenizer(spec)
    tokenizer = load_tokenizer(f"{spec}?K=256&range=0..255")
    codes, output = through(tokenizer, picture(1, 64, 48))
    assert tokenizer.spec.size == (32, 24) and tokenizer.spec.vocabulary == (256,)
    assert codes.ids.lengths.tolist() == [12] and output.shape == (64, 48, 3)
    assert output[0, 0, 0] == codes.ids[0][0]


def test_onnx_refused(tmp_path):
    pytest.importorskip("onnxruntime", reason="this test needs onnxruntime")
    with pytest.raises(UserError, match="has no encoder"):
        load_tokenizer(f"onnx:{tmp_path}")
    for half in ("encoder", "decoder"):
        (tmp_path / f"{half}.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not an ONNX model"):
        load_tokenizer(f"onnx:{tmp_path}")
    with pytest.raises(UserError, match=r"range=1\.\.2: choose"):
        load_tokenizer(f"onnx:{tmp_path}?range=1..2")
