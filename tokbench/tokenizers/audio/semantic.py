"""Neural codecs of transformers that quantise acoustic and semantic features together."""

from __future__ import annotations

import math
from typing import Any

from tokbench.errors import UserError, one_line
from tokbench.tokenizers.audio.neural import NeuralCodec


def torchaudio_needed() -> None:
    """Refuse in one line where torchaudio is missing or is of another build than torch."""
    try:
        import torchaudio  # noqa: F401
    except Exception as error:  # another CUDA than torch's is a RuntimeError
        raise UserError(
            f"this codec needs torchaudio ({one_line(error)[:90]}): pip install torchaudio"
        ) from error


class XCodec(NeuralCodec):
    """X-Codec: acoustic and semantic features quantised together."""

    kind = "XcodecModel"

    @property
    def sample_rate(self) -> int:
        return int(self.config.sample_rate)

    @classmethod
    def most(cls, config: Any) -> int:
        return int(config.num_quantizers)

    def codes_of(self, wave: Any) -> Any:
        wave = self.padded(wave, math.prod(self.config.acoustic_model_config.downsampling_ratios))
        most = max(self.config.target_bandwidths)
        return self.model.encode(wave, bandwidth=most).audio_codes[:, : self.levels]

    def wave_of(self, ids: Any) -> Any:
        return self.model.decode(ids).audio_values[0]


class Higgs(XCodec):
    """Higgs Audio V2's tokenizer, built as X-Codec."""

    kind = "HiggsAudioV2TokenizerModel"

    @classmethod
    def requirements(cls) -> None:
        torchaudio_needed()


class XCodec2(NeuralCodec):
    """X-Codec 2: one level of FSQ ids. The spectra that its semantic half hears are made by the
    model's own feature extractor."""

    kind = "Xcodec2Model"
    extractor = "Xcodec2FeatureExtractor"

    @classmethod
    def requirements(cls) -> None:
        torchaudio_needed()

    def ready(self, reference: str, revision: str | None) -> None:
        import transformers

        kind = getattr(transformers, self.extractor)
        try:
            self._features = kind.from_pretrained(reference, revision=revision)
        except OSError:  # no preprocessor_config.json: the released models have the defaults
            self._features = kind()

    @property
    def size(self) -> int:
        return math.prod(self.config.quantization_levels)

    @classmethod
    def most(cls, config: Any) -> int:
        return 1

    def identity(self) -> tuple[bytes | str, ...]:
        import torchaudio

        return *super().identity(), self._features.to_json_string(), torchaudio.__version__

    def codes_of(self, wave: Any) -> Any:
        given = self._features(
            wave[0, 0].cpu(), sampling_rate=self.sample_rate, return_tensors="pt"
        )
        given = given.to(self.device)
        return self.model.encode(given["input_values"], given["input_features"]).audio_codes

    def wave_of(self, ids: Any) -> Any:
        return self.model.decode(ids).audio_values.reshape(1, -1)


class NeuCodec(XCodec2):
    """NeuCodec: X-Codec 2's encoder at 16 kHz, a decoder at 24 kHz."""

    kind = "NeuCodecModel"
    extractor = "NeuCodecFeatureExtractor"

    def __init__(self, name: str, model: Any, levels: int, source: str, device: str):
        super().__init__(name, model, levels, source, device)
        self.output_rate = int(self.config.output_sampling_rate)

    @property
    def sample_rate(self) -> int:
        return int(self.config.input_sampling_rate)

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / int(self.config.encoder_hop_length)
