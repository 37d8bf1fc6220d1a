"""Autoencoders of diffusers, from a folder or the hub, with pixels in [-1, 1]."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, near, one_line
from tokbench.hub import file_of, require_hub
from tokbench.specs import Options
from tokbench.tokenizers.image.network import Network
from tokbench.tokenizers.pytorch import device_of, digest, needed
from tokbench.types import TokenizerSpec


class Autoencoder(Network):
    """A diffusers model. Its latents are raw, before any scaling factor or shift: those belong to
    the diffusion model that is trained on them."""

    kind = "continuous"

    def __init__(self, name: str, model: Any, source: str, device: str):
        self.name, self.device = name, device
        self._model = model.to(device)
        self._config = {k: v for k, v in model.config.items() if not k.startswith("_")}
        self._weights = digest(model.state_dict())
        config = self._config
        depths = config.get("encoder_block_out_channels") or config["block_out_channels"]
        self.spec = TokenizerSpec(
            modality="image",
            kind="discrete" if self.kind == "discrete" else "continuous",
            algorithm=type(model).__name__,
            vocabulary=self.vocabulary(),
            value_range=(-1.0, 1.0),
            size_multiple=1 << len(depths) - 1,
            parameters=sum(weight.numel() for weight in model.parameters()),
            source=source,
        )

    def vocabulary(self) -> tuple[int, ...]:
        """Ids at each level."""
        return ()

    def identity(self) -> tuple[bytes | str, ...]:
        config = json.dumps(self._config, sort_keys=True, default=str)
        return "diffusers", type(self._model).__name__, config, self._weights

    def synthesised(self, code: Any) -> Any:
        return self._model.decode(code[None]).sample


class KL(Autoencoder):
    """`AutoencoderKL`: the mean of the posterior, no sample of it."""

    def analysed(self, pixels: Any) -> Any:
        return self._model.encode(pixels).latent_dist.mode()[0]


class Tiny(Autoencoder):
    """`AutoencoderTiny`: TAESD as diffusers keeps it, which takes and gives [-1, 1]."""

    def analysed(self, pixels: Any) -> Any:
        return self._model.encode(pixels).latents[0]


class DeepCompression(Autoencoder):
    """`AutoencoderDC`."""

    def analysed(self, pixels: Any) -> Any:
        return self._model.encode(pixels).latent[0]


class VQ(Autoencoder):
    """`VQModel`. Its `encode` gives latents that are not quantised yet, and its `decode`
    quantises them inside; here the ids come out between, and decoding starts from them."""

    kind = "discrete"

    def vocabulary(self) -> tuple[int, ...]:
        return (int(self._config["num_vq_embeddings"]),)

    def codebook(self, level: int = 0) -> np.ndarray:
        """The embedding of each id."""
        return self._model.quantize.embedding.weight.detach().float().cpu().numpy()

    def analysed(self, pixels: Any) -> Any:
        latents = self._model.encode(pixels).latents
        _, _, (_, _, ids) = self._model.quantize(latents)
        return ids.reshape(latents.shape[-2:])

    def synthesised(self, code: Any) -> Any:
        ids, quantise = code.flatten(), self._model.quantize
        shape = (1, *code.shape, quantise.vq_embed_dim)
        if not self._config.get("lookup_from_codebook"):  # else decode looks the ids up itself
            ids = quantise.get_codebook_entry(ids, shape)
        return self._model.decode(ids, force_not_quantize=True, shape=shape).sample


KINDS: dict[str, type[Autoencoder]] = {
    "AutoencoderKL": KL, "AutoencoderTiny": Tiny, "AutoencoderDC": DeepCompression, "VQModel": VQ,
}  # fmt: skip


def load(reference: str, options: Options) -> Autoencoder:
    """`diffusers:FOLDER` or `diffusers:org/name[@revision]`: AutoencoderKL, AutoencoderTiny,
    AutoencoderDC or VQModel, as config.json says. Options: subfolder (vae, for a whole pipeline),
    device=cpu."""
    subfolder = str(options.take("subfolder", "") or "")
    diffusers = needed("diffusers")
    device = device_of(options)
    options.done()  # before a download, not after it
    kind = _kind(reference, subfolder, options)
    source = f"folder {Path(reference).name}" if Path(reference).exists() else f"hub:{reference}"
    model = _model(getattr(diffusers, kind), reference, subfolder, options)
    if model.config.get("in_channels", 3) != 3:
        raise UserError(f"{options.name}: it takes {model.config['in_channels']} channels, not 3")
    return KINDS[kind](options.name, model, source, device)


def _kind(reference: str, subfolder: str, options: Options) -> str:
    name = f"{subfolder}/config.json" if subfolder else "config.json"
    path = file_of(reference, name, options.revision)
    if path is None:
        pipeline = not subfolder and file_of(reference, "model_index.json", options.revision)
        hint = "; it is a whole pipeline: add ?subfolder=vae" if pipeline else ""
        raise UserError(f"{options.name}: {reference} has no {name}{hint}")
    try:
        kind = json.loads(path.read_bytes()).get("_class_name", "")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: not a config.json: {one_line(error)}") from error
    if kind not in KINDS:
        known = f"{near(kind, KINDS)} (tokbench knows {', '.join(KINDS)})"
        raise UserError(f"{options.name}: its class is '{kind}'{known}")
    return kind


def _model(kind: Any, reference: str, subfolder: str, options: Options) -> Any:
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    given: dict[str, Any] = {"low_cpu_mem_usage": False, "torch_dtype": needed("torch").float32}
    given |= {"subfolder": subfolder or None, "revision": options.revision}
    folder = Path(reference).expanduser()
    place = str(folder) if folder.exists() else reference
    try:
        try:
            return kind.from_pretrained(place, local_files_only=True, **given).eval()
        except OSError:
            if folder.exists():
                raise
            require_hub(reference, "download it where there is a network and give the folder")
            return kind.from_pretrained(place, **given).eval()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{options.name}: cannot be loaded: {one_line(error)}") from error
