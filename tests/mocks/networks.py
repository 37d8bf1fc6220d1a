"""Tiny networks with random weights, written to files as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


def taesd_states(latents: int = 4, width: int = 8, pooled: bool = False) -> list[dict[str, Any]]:
    """Random state dicts of a TAESD encoder and decoder."""
    import torch

    torch.manual_seed(7)

    def conv(into: int, out: int, side: int = 3, bias: bool = True) -> dict[str, Any]:
        made = {"weight": torch.randn(out, into, side, side) / (into * side * side) ** 0.5}
        return made | ({"bias": torch.randn(out) / 9} if bias else {})

    def block(pool: bool) -> dict[str, Any]:
        parts = {f"conv.{n}": conv(width, width) for n in (0, 2, 4)}
        if pool:
            parts["pool.0"] = conv(width, 4 * width, 1, bias=False)
            parts["pool.1"] = {"weight": torch.ones(4 * width), "bias": torch.zeros(4 * width)}
            parts["pool.3"] = conv(4 * width, width, 1, bias=False)
        return {f"{k}.{name}": value for k, d in parts.items() for name, value in d.items()}

    def scale() -> dict[str, Any]:
        return conv(width, width, bias=False)

    encoder = [conv(3, width), block(False)]
    for stage in range(3):
        encoder += [scale(), *(block(pooled and stage == 2) for _ in range(3))]
    encoder.append(conv(width, latents))
    decoder: list[dict[str, Any]] = [{}, conv(latents, width), {}, *(block(pooled),) * 3]
    for blocks in (3, 3, 1):
        decoder += [{}, scale(), *(block(False) for _ in range(blocks))]
    decoder.append(conv(width, 3))
    return [
        {f"{n}.{key}": value.half() for n, layer in enumerate(half) for key, value in layer.items()}
        for half in (encoder, decoder)
    ]


def taesd_folder(folder: Path, name: str = "tiny", **kind: Any) -> Path:
    """`NAME_encoder.pth` and `NAME_decoder.pth` in a folder."""
    import torch

    folder.mkdir(exist_ok=True)
    for half, state in zip(("encoder", "decoder"), taesd_states(**kind), strict=True):
        torch.save(state, folder / f"{name}_{half}.pth")
    return folder


def onnx_graph(path: Path, nodes, inputs, outputs, constants=()):
    """Write an ONNX model: nodes (operator, inputs, outputs, attributes)."""
    onnx = pytest.importorskip("onnx", reason="making ONNX files needs onnx")
    from onnx import TensorProto, helper, numpy_helper

    types = {"float": TensorProto.FLOAT, "int": TensorProto.INT64}
    values = [
        [helper.make_tensor_value_info(name, types[kind], shape) for name, kind, shape in each]
        for each in (inputs, outputs)
    ]
    made = [helper.make_node(op, i, o, **attributes) for op, i, o, attributes in nodes]
    fixed = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants]
    model = helper.make_model(
        helper.make_graph(made, "g", *values, fixed),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path)
