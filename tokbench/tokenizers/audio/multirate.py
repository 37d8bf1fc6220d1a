"""SNAC: residual levels at several frame rates, the first the slowest, from a folder or the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.errors import UserError, one_line
from tokbench.hub import file_of
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.tokenizers.pytorch import device_of, digest, load_weights, needed
from tokbench.types import Codes, Ragged, TokenizerSpec

FILES = ("config.json", "pytorch_model.bin")


class SNAC(AudioTokenizer):
    """Multi-Scale Neural Audio Codec (Siuzdak et al. 2024). Clips go through one by one and are
    padded as SNAC pads them: to a whole frame of its slowest level and of its attention window.

    Its decoder adds noise; it is drawn from one seed for every clip, so that a clip decodes to the
    same samples always.
    """

    def __init__(self, name: str, model: Any, config: dict[str, Any], source: str, device: str):
        self.name, self._model, self._device = name, model.to(device).eval(), device
        self._weights, self._config = digest(model.state_dict()), config
        strides = list(model.vq_strides)
        frames = model.sampling_rate / int(model.hop_length)
        self.spec = TokenizerSpec(
            modality="audio",
            algorithm=f"SNAC, {len(strides)} levels of "
            + ", ".join(f"{frames / stride:.4g}" for stride in strides) + " Hz",
            vocabulary=(int(model.codebook_size),) * len(strides),
            rate=sum(frames / stride for stride in strides),
            sample_rate=int(model.sampling_rate),
            channels=1,
            parameters=sum(weight.numel() for weight in model.parameters()),
            source=source,
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        config = json.dumps(self._config, sort_keys=True)
        return "snac", config, self._weights, needed("torch").__version__

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        torch = needed("torch")
        found = []
        with torch.inference_mode():
            for clip in batch:
                wave = torch.from_numpy(np.ascontiguousarray(clip, np.float32))[None]
                levels = self._model.encode(wave.to(self._device))
                found.append([ids[0].cpu().numpy() for ids in levels])
        rows = tuple(Ragged.of(list(level)) for level in zip(*found, strict=True))
        return Codes(rows, extra=lengths(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        torch = needed("torch")
        clips = []
        for row, frames in enumerate(codes.extra["frames"].tolist()):
            levels = [torch.from_numpy(level[row].astype(np.int64)) for level in codes.levels]
            with torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed(0)
                wave = self._model.decode([ids[None].to(self._device) for ids in levels])
            clips.append(wave[0].float().cpu().numpy()[:, :frames])
        return clips


def load(reference: str, options: Options) -> SNAC:
    """`snac:FOLDER` with config.json and pytorch_model.bin, or `snac:org/name[@revision]`
    (hubertsiuzdak/snac_24khz); `?device=cuda`."""
    soundfile_needed()
    kind = needed("snac").SNAC
    device = device_of(options)
    here = Path(reference).expanduser().is_dir()
    repository, _, revision = (reference, "", "") if here else reference.partition("@")
    config_path, weights_path = (
        _file(repository, name, revision or None, options.name) for name in FILES
    )
    try:
        config = json.loads(config_path.read_bytes())
        model = kind(**config)
        model.load_state_dict(load_weights(weights_path))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{options.name}: cannot be loaded: {one_line(error)}") from error
    return SNAC(options.name, model, config, reference, device)


def _file(repository: str, name: str, revision: str | None, spec: str) -> Path:
    path = file_of(repository, name, revision)
    if path is None:
        raise UserError(f"{spec}: {repository} has no {name}")
    return path
