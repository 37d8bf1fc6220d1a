"""Whisper through transformers: the field's recogniser; its weights come from the hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line, optional
from tokbench.files import sha256
from tokbench.hub import require_hub

WINDOW = 30
"""Seconds that Whisper hears at once; longer clips are heard piece by piece."""


class Whisper:
    """A Whisper checkpoint, greedy decoding, float32 on the processor."""

    rate = 16_000
    english = False

    def __init__(self, model: str):
        from huggingface_hub import try_to_load_from_cache

        here = Path(model).is_dir() or isinstance(try_to_load_from_cache(model, "config.json"), str)
        if not here:
            require_hub(f"recogniser '{model}'", "name a folder with it, or take pocketsphinx")
        optional("torch", "neural")
        try:
            self._load(model, local_files_only=here)
        except (OSError, ValueError) as error:
            raise UserError(f"recogniser '{model}': {one_line(error)}") from error
        self.name = f"whisper-{model.strip('/').rpartition('/')[2]}"

    def _load(self, model: str, **options: bool) -> None:
        from transformers import AutoProcessor, WhisperForConditionalGeneration

        self._processor: Any = AutoProcessor.from_pretrained(model, **options)
        kind: Any = WhisperForConditionalGeneration
        self._model: Any = kind.from_pretrained(model, **options).eval()

    @cached_property
    def _fingerprint(self) -> str:
        weights = sorted(self._model.state_dict().items())
        hashes = [sha256(key, value.numpy().tobytes()) for key, value in weights]
        return sha256(*hashes, version("transformers"), version("torch"))[:8]

    def fingerprint(self, vocabulary: Sequence[str] | None = None) -> str:
        """Of the weights and of transformers and torch."""
        return self._fingerprint

    def hear(self, clip: np.ndarray, vocabulary: Sequence[str] | None = None) -> str:
        """The words of a clip at 16 kHz. It cannot be held to a vocabulary."""
        import torch

        if vocabulary is not None:
            raise UserError(f"{self.name} cannot be held to a vocabulary; take pocketsphinx")
        step, texts = WINDOW * self.rate, []
        for first in range(0, len(clip), step):
            features = self._processor(
                clip[first : first + step], sampling_rate=self.rate, return_tensors="pt"
            ).input_features
            with torch.inference_mode():
                ids = self._model.generate(features, do_sample=False, num_beams=1)
            texts += self._processor.batch_decode(ids, skip_special_tokens=True)
        return " ".join(text.strip() for text in texts)
