"""Tiny autoencoders of the TAESD family (madebyollin/taesd), from plain state dicts.

`taesd`, `taesdxl`, `taesd3`, `taef1` and `taef2` differ in the channels of their latents, and
taef2 has a pooled branch in its middle blocks: both are read off the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokbench.errors import UserError
from tokbench.specs import Options
from tokbench.tokenizers.image.network import Network
from tokbench.tokenizers.pytorch import device_of, digest, load_weights, needed
from tokbench.types import TokenizerSpec

_CONV, _SCALE = {"weight", "bias"}, {"weight"}
_BLOCK = {f"conv.{n}.{part}" for n in (0, 2, 4) for part in ("weight", "bias")}
_POOLED = _BLOCK | {"pool.0.weight", "pool.1.weight", "pool.1.bias", "pool.3.weight"}
_HALVINGS = 3
_SUFFIXES = (".pth", ".pt", ".safetensors")


class TAESD(Network):
    """Encoder and decoder as the state dicts describe them, in float32."""

    def __init__(self, name: str, encoder: dict[str, Any], decoder: dict[str, Any], device: str):
        self.name, self.device = name, device
        self._digests = digest(encoder), digest(decoder)
        self._encoder = _layers(f"{name}: encoder", encoder, device)
        self._decoder = _layers(f"{name}: decoder", decoder, device)
        latents = self._encoder[-1]["weight"].shape[0]
        if self._decoder[0]["weight"].shape[1] != latents:
            raise UserError(f"{name}: encoder and decoder are not of one model")
        self.spec = TokenizerSpec(
            modality="image",
            kind="continuous",
            algorithm=f"TAESD, {latents} latent channels",
            value_range=(0.0, 1.0),
            size_multiple=1 << _HALVINGS,
            parameters=sum(t.numel() for state in (encoder, decoder) for t in state.values()),
            source="madebyollin/taesd",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "taesd", *self._digests

    def analysed(self, pixels: Any) -> Any:
        for layer in self._encoder:
            pixels = _block(pixels, layer) if _is_block(layer) else _conv(pixels, layer, stride=2)
        return pixels[0]

    def synthesised(self, code: Any) -> Any:
        torch = needed("torch")
        hidden = torch.tanh(code[None] / 3) * 3
        for number, layer in enumerate(self._decoder):
            if _is_block(layer):
                hidden = _block(hidden, layer)
                continue
            if "bias" not in layer:
                hidden = torch.nn.functional.interpolate(hidden, scale_factor=2, mode="nearest")
            hidden = _conv(hidden, layer)
            hidden = hidden.relu_() if number == 0 else hidden
        return hidden


def load(reference: str, options: Options) -> TAESD:
    """`taesd:FOLDER` with NAME_encoder.pth and NAME_decoder.pth (or .safetensors), or
    `taesd:FOLDER/NAME` where the folder holds several. Option: device=cpu."""
    encoder = _file(Path(reference).expanduser(), "encoder", options.name)
    decoder = _file(Path(reference).expanduser(), "decoder", options.name)
    device = device_of(options)
    return TAESD(options.name, load_weights(encoder), load_weights(decoder), device)


def _file(place: Path, half: str, name: str) -> Path:
    folder, start = (place, "") if place.is_dir() else (place.parent, f"{place.name}_")
    if not folder.is_dir() or folder == Path(folder.anchor):
        raise UserError(f"{name}: {place}: no such folder")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in _SUFFIXES and path.stem.startswith(start) and path.stem.endswith(half)
    )
    if not found:
        raise UserError(f"{name}: no {start or '*_'}{half}.pth in {folder}")
    if len({path.stem for path in found}) > 1:
        models = ", ".join(sorted({path.stem.removesuffix(f"_{half}") for path in found}))
        raise UserError(f"{name}: {folder} holds several models ({models}); write …/NAME for one")
    return found[0]


def _layers(name: str, state: dict[str, Any], device: str) -> list[dict[str, Any]]:
    """The layers with weights in their order, each by the names of its tensors."""
    layers: dict[int, dict[str, Any]] = {}
    for key, tensor in state.items():
        number, _, rest = key.partition(".")
        if not number.isdecimal():
            raise UserError(f"{name}: not of the TAESD family: it has '{key}'")
        layers.setdefault(int(number), {})[rest] = tensor.float().to(device)
    ordered = [layers[number] for number in sorted(layers)]
    kinds = [set(layer) for layer in ordered]
    odd = next((kind for kind in kinds if kind not in (_CONV, _SCALE, _BLOCK, _POOLED)), None)
    whole = len(kinds) > 1 and kinds[0] == kinds[-1] == _CONV and kinds.count(_SCALE) == _HALVINGS
    if odd or not whole or kinds.count(_CONV) != 2:
        raise UserError(f"{name}: not of the TAESD family: its layers are others")
    return ordered


def _is_block(layer: dict[str, Any]) -> bool:
    return "weight" not in layer


def _conv(hidden: Any, layer: dict[str, Any], stride: int = 1) -> Any:
    """3 × 3; without a bias it is one of those that change the scale."""
    bias = layer.get("bias")
    by = stride if bias is None else 1
    conv2d = needed("torch").nn.functional.conv2d
    return conv2d(hidden, layer["weight"], bias, stride=by, padding=1)


def _block(hidden: Any, layer: dict[str, Any]) -> Any:
    """Three convolutions beside the identity, after the pooled branch where there is one. In
    place where it can be: these arrays are the memory that a large picture takes."""
    functional = needed("torch").nn.functional
    if "pool.0.weight" in layer:
        wide = functional.conv2d(hidden, layer["pool.0.weight"])
        wide = functional.group_norm(wide, 4, layer["pool.1.weight"], layer["pool.1.bias"])
        hidden = hidden + functional.conv2d(wide.relu_(), layer["pool.3.weight"])
    branch = hidden
    for number in (0, 2, 4):
        weight, bias = layer[f"conv.{number}.weight"], layer[f"conv.{number}.bias"]
        branch = functional.conv2d(branch, weight, bias, padding=1)
        branch = branch.relu_() if number < 4 else branch
    return branch.add_(hidden).relu_()
