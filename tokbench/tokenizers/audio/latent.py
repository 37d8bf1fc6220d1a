"""Continuous neural codecs of transformers: float latents at a fixed frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from tokbench.tokenizers.audio.adapter import lengths
from tokbench.tokenizers.audio.neural import NeuralCodec
from tokbench.types import Codes


class LatentCodec(NeuralCodec):
    """Clips one by one, padded to whole frames, their latents as they are: no sampling."""

    def __init__(self, name: str, model: Any, levels: int, source: str, device: str):
        super().__init__(name, model, 0, source, device)
        self.spec = msgspec.structs.replace(
            self.spec,
            kind="continuous",
            algorithm=f"{type(model).__name__}, continuous",
            rate=self.sample_rate / self.hop,
        )

    @property
    def size(self) -> int:
        return 0

    @property
    def frame_rate(self) -> None:
        return None

    @property
    def hop(self) -> int:
        """Samples for each frame of latents."""
        return int(self.config.hop_length)

    @classmethod
    def most(cls, config: Any) -> int:
        return 0

    def latents_of(self, wave: Any) -> Any:
        """Latents (1, frames, d) of a clip (1, channels, samples)."""
        raise AttributeError(f"{type(self).__name__} has no latents_of()")

    def sound_of(self, latents: Any) -> Any:
        """The clip (1, channels, samples) of latents (1, frames, d)."""
        raise AttributeError(f"{type(self).__name__} has no sound_of()")

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        import torch

        latents = []
        with torch.inference_mode():
            for clip in batch:
                wave = torch.from_numpy(np.ascontiguousarray(clip, np.float32))[None]
                found = self.latents_of(self.padded(wave, self.hop).to(self.device))
                latents.append(found[0].float().cpu().numpy())
        return Codes(latents=tuple(latents), extra=lengths(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        import torch

        clips = []
        with torch.inference_mode():
            for latents, frames in zip(codes.latents, codes.extra["frames"].tolist(), strict=True):
                wave = self.sound_of(torch.from_numpy(latents)[None].to(self.device))
                clips.append(wave[0].float().cpu().numpy()[:, :frames])
        return clips


class VibeVoice(LatentCodec):
    """VibeVoice's acoustic tokenizer. Its noise is for training a generator and is left off; its
    configuration does not state the 24 kHz that it was trained at."""

    kind = "VibeVoiceAcousticTokenizerModel"

    @property
    def sample_rate(self) -> int:
        return 24_000

    def latents_of(self, wave: Any) -> Any:
        return self.model.encode(wave, sample=False).latents

    def sound_of(self, latents: Any) -> Any:
        return self.model.decode(latents).audio


class PocketTTS(LatentCodec):
    """Pocket TTS's audio tokenizer: Mimi with a continuous bottleneck in place of its codebooks."""

    kind = "PocketTTSAudioTokenizerModel"

    @property
    def hop(self) -> int:
        return int(self.config.frame_size)

    def latents_of(self, wave: Any) -> Any:
        return self.model.encode(wave).latents

    def sound_of(self, latents: Any) -> Any:
        return self.model.decode(latents).audio_values
