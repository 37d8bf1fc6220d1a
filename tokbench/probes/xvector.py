"""Voices by x-vectors of transformers: WavLM-SV, the field's speaker encoder."""

from __future__ import annotations

from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line, optional
from tokbench.files import sha256
from tokbench.hub import require_hub
from tokbench.tokenizers.pytorch import digest


class XVector:
    """A checkpoint of `WavLMForXVector` (microsoft/wavlm-base-plus-sv), float32 on the processor;
    each clip by itself, so that no padding changes it."""

    rate = 16_000

    def __init__(self, model: str):
        from huggingface_hub import try_to_load_from_cache

        here = Path(model).is_dir() or isinstance(try_to_load_from_cache(model, "config.json"), str)
        if not here:
            require_hub(f"speaker encoder '{model}'", "name a folder with it, or take resemblyzer")
        self._torch = optional("torch", "neural")
        transformers = optional("transformers", "neural")
        transformers.utils.logging.disable_progress_bar()
        try:
            self._features: Any = transformers.AutoFeatureExtractor.from_pretrained(
                model, local_files_only=here
            )
            self._model: Any = transformers.WavLMForXVector.from_pretrained(
                model, local_files_only=here
            ).eval()
        except (OSError, ValueError) as error:
            raise UserError(f"speaker encoder '{model}': {one_line(error)}") from error
        self.size = int(self._model.config.xvector_output_dim)
        self.name = f"xvector-{model.strip('/').rpartition('/')[2]}"

    @cached_property
    def _fingerprint(self) -> str:
        weights = digest(self._model.state_dict())
        settings = self._features.to_json_string()
        return sha256(weights, settings, version("transformers"), version("torch"))[:8]

    def fingerprint(self) -> str:
        """Of the weights, the feature extractor, transformers and torch."""
        return self._fingerprint

    def embed(self, clip: np.ndarray) -> np.ndarray:
        """The x-vector of a clip (frames,) at 16 kHz, of length 1."""
        given = self._features(clip, sampling_rate=self.rate, return_tensors="pt")
        with self._torch.inference_mode():
            found = self._model(given.input_values).embeddings[0].double().numpy()
        return found / np.linalg.norm(found)


@cache
def xvector(model: str) -> XVector:
    """The encoder of a folder or hub repository, loaded once in a process."""
    return XVector(model)
