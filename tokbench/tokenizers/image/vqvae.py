"""Image tokenizers inside the models of transformers: Chameleon, Emu3 and Janus."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, near, one_line
from tokbench.hub import file_of
from tokbench.specs import Options
from tokbench.tokenizers.image.network import Network
from tokbench.tokenizers.pytorch import device_of, digest, needed
from tokbench.types import TokenizerSpec

_WITHIN = "vqmodel."
"""What the image tokenizer's weights are called within those of a whole model."""


class VQVAE(Network):
    """A vector-quantised autoencoder of transformers, with pixels in [-1, 1]."""

    def __init__(self, name: str, model: Any, source: str, device: str):
        self.name, self.device, self._model = name, device, model.to(device)
        self._weights, self._config = digest(model.state_dict()), model.config.to_json_string()
        self._factor = 1 << len(model.config.channel_multiplier) - 1
        self.spec = TokenizerSpec(
            modality="image",
            algorithm=type(model).__name__,
            vocabulary=(len(self.codebook()),),
            value_range=(-1.0, 1.0),
            size_multiple=self._factor,
            parameters=sum(weight.numel() for weight in model.parameters()),
            source=source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "transformers", type(self._model).__name__, self._config, self._weights

    def codebook(self, level: int = 0) -> np.ndarray:
        """The embedding of each id."""
        return self._model.quantize.embedding.weight.detach().float().cpu().numpy()

    def analysed(self, pixels: Any) -> Any:
        ids = self._model.encode(pixels).image_tokens
        return ids.reshape([side // self._factor for side in pixels.shape[-2:]])


class Chameleon(VQVAE):
    """Transformers carries its encoder only."""

    decodes = False


class Janus(VQVAE):
    """Its decoder looks ids up in a codebook of unit vectors."""

    def codebook(self, level: int = 0) -> np.ndarray:
        """The unit vector of each id."""
        rows = super().codebook()
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def synthesised(self, code: Any) -> Any:
        self._model.quantize.quant_state_dims = list(code.shape)  # it knows one size otherwise
        return self._model.decode(code.reshape(1, -1))


class Emu3(VQVAE):
    """A tokenizer of video: an image goes in as a still of four frames, and the first comes out."""

    def analysed(self, pixels: Any) -> Any:
        sizes = needed("torch").tensor([pixels.shape[-2:]])
        return self._model.encode(pixels, image_sizes=sizes).image_tokens[0]

    def synthesised(self, code: Any) -> Any:
        return self._model.decode(code[None])


KINDS: dict[str, type[VQVAE]] = {"chameleon": Chameleon, "emu3": Emu3, "janus": Janus}


def load(reference: str, options: Options) -> VQVAE:
    """`vqvae:FOLDER` or `vqvae:org/name[@revision]`: the image tokenizer of a Chameleon, Emu3 or
    Janus model in transformers' format, alone or within the whole model, of which only the files
    that hold it are read. Option: device=cpu."""
    device = device_of(options)
    options.done()  # before a download, not after it
    config = _json(reference, "config.json", options)
    if config is None:
        raise UserError(f"{options.name}: {reference} has no config.json")
    kind = str(config.get("model_type", "")).removesuffix("_vqgan")
    if kind not in KINDS:
        known = f"{near(kind, KINDS)} (tokbench knows {', '.join(KINDS)})"
        raise UserError(f"{options.name}: its model_type is '{kind}'{known}")
    model = _empty(kind, config.get("vq_config", config), options)
    state = {name: tensor.float() for name, tensor in _weights(reference, options)}
    found = model.load_state_dict(state, strict=False)
    if found.missing_keys:
        raise UserError(f"{options.name}: its weights have no '{found.missing_keys[0]}'")
    source = f"folder {Path(reference).name}" if Path(reference).exists() else f"hub:{reference}"
    return KINDS[kind](options.name, model.eval(), source, device)


def _empty(kind: str, config: dict[str, Any], options: Options) -> Any:
    package = f"transformers.models.{kind}"
    try:
        models = importlib.import_module(f"{package}.modeling_{kind}")
        configs = importlib.import_module(f"{package}.configuration_{kind}")
        name = f"{kind.capitalize()}VQVAE"
        return getattr(models, name)(getattr(configs, f"{name}Config")(**config))
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{options.name}: this transformers has no image tokenizer of {kind}"
        ) from error
    except Exception as error:
        raise UserError(f"{options.name}: its config.json: {one_line(error)}") from error


def _weights(reference: str, options: Options) -> Iterator[tuple[str, Any]]:
    """The image tokenizer's tensors, by their names within it."""
    safetensors = needed("safetensors")
    index = _json(reference, "model.safetensors.index.json", options)
    if index is None:
        files = ["model.safetensors"]
    else:
        places = index.get("weight_map", {})
        files = sorted({file for key, file in places.items() if _WITHIN in key} or places.values())
    for name in files:
        path = file_of(reference, name, options.revision)
        if path is None:
            raise UserError(f"{options.name}: {reference} has no {name}")
        try:
            with safetensors.safe_open(path, "pt") as file:
                keys = list(file.keys())
                whole = any(_WITHIN in key for key in keys)
                for key in keys:
                    if not whole or _WITHIN in key:
                        yield key.partition(_WITHIN)[2] or key, file.get_tensor(key)
        except safetensors.SafetensorError as error:
            raise UserError(f"{path}: not a safetensors file: {one_line(error)}") from error


def _json(reference: str, name: str, options: Options) -> dict[str, Any] | None:
    path = file_of(reference, name, options.revision)
    if path is None:
        return None
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object")
    return content
