"""Neural codecs of transformers, from a folder or the hub: what they share, EnCodec, DAC, Mimi."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.errors import UserError, near, one_line
from tokbench.hub import require_hub
from tokbench.lookup import locate
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.tokenizers.pytorch import device_of, digest, needed
from tokbench.types import Codes, Ragged, TokenizerSpec


class NeuralCodec(AudioTokenizer):
    """Residual levels of ids at a fixed frame rate. Clips go through one by one: the padding that a
    batch needs would change the codes of the shorter ones.

    kind: the model's class in transformers.
    """

    kind = ""

    def __init__(self, name: str, model: Any, levels: int, source: str, device: str):
        self.name, self.levels, self.device = name, levels, device
        self.model, self.config = model.to(device).eval(), model.config
        self._weights = digest(model.state_dict())
        self.spec = TokenizerSpec(
            modality="audio",
            algorithm=f"{type(model).__name__}, {levels} of {self.most(self.config)} codebooks",
            vocabulary=(self.size,) * levels,
            rate=levels * self.frame_rate if self.frame_rate else None,
            sample_rate=self.sample_rate,
            channels=int(getattr(self.config, "audio_channels", 1)),
            parameters=sum(weight.numel() for weight in model.parameters()),
            source=source,
        )

    @property
    def sample_rate(self) -> int:
        """Samples per second of the clips it takes and gives."""
        return int(self.config.sampling_rate)

    @property
    def size(self) -> int:
        """Ids of each codebook."""
        return int(self.config.codebook_size)

    @property
    def frame_rate(self) -> float | None:
        """Frames of ids per second; None where chunks overlap."""
        return self.sample_rate / int(self.config.hop_length)

    @classmethod
    def requirements(cls) -> None:
        """Raise `UserError` where a library is missing that this model alone needs."""

    def ready(self, reference: str, revision: str | None) -> None:
        """What is loaded beside the model, from its folder or repository."""

    @classmethod
    def most(cls, config: Any) -> int:
        """The codebooks that the model has; 0: it is continuous."""
        raise AttributeError(f"{cls.__name__} does not count its codebooks")

    def codes_of(self, wave: Any) -> Any:
        """Ids (1, levels, frames) of a clip (1, channels, samples)."""
        raise AttributeError(f"{type(self).__name__} has no codes_of()")

    def wave_of(self, ids: Any) -> Any:
        """The clip (channels, samples) of ids (1, levels, frames)."""
        raise AttributeError(f"{type(self).__name__} has no wave_of()")

    def identity(self) -> tuple[bytes | str, ...]:
        import transformers

        config = self.config.to_json_string()
        version = transformers.__version__
        return "neural codec", self.kind, str(self.levels), config, self._weights, version

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        import torch

        grids = []
        with torch.inference_mode():
            for clip in batch:
                wave = torch.from_numpy(np.ascontiguousarray(clip, np.float32))[None]
                ids = self.codes_of(wave.to(self.device))
                grids.append(ids[0].cpu().numpy().astype(np.int32))
        return Codes(_levels(grids), extra=lengths(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        import torch

        clips = []
        with torch.inference_mode():
            for row, frames in enumerate(codes.extra["frames"].tolist()):
                ids = torch.from_numpy(_grid(codes, row))[None].to(self.device)
                length = frames * (self.output_rate or self.sample_rate) // self.sample_rate
                clips.append(self.wave_of(ids).float().cpu().numpy()[:, :length])
        return clips

    def padded(self, wave: Any, multiple: int) -> Any:
        """The clip with zeros after it, as the models' own feature extractors pad it."""
        import torch

        return torch.nn.functional.pad(wave, (0, -wave.shape[-1] % multiple))


class DAC(NeuralCodec):
    """Descript Audio Codec. What its unpadded decoder leaves off the end stays missing."""

    kind = "DacModel"

    @classmethod
    def most(cls, config: Any) -> int:
        return int(config.n_codebooks)

    def codes_of(self, wave: Any) -> Any:
        wave = self.padded(wave, math.prod(self.config.downsampling_ratios))
        return self.model.encode(wave, n_quantizers=self.levels).audio_codes

    def wave_of(self, ids: Any) -> Any:
        return self.model.decode(audio_codes=ids).audio_values.reshape(1, -1)


class Mimi(NeuralCodec):
    """Kyutai's Mimi: the first codebook is semantic, the others are acoustic."""

    kind = "MimiModel"

    @property
    def frame_rate(self) -> float:
        return float(self.config.frame_rate)

    @classmethod
    def most(cls, config: Any) -> int:
        return int(config.num_quantizers)

    def codes_of(self, wave: Any) -> Any:
        return self.model.encode(wave, num_quantizers=self.levels).audio_codes

    def wave_of(self, ids: Any) -> Any:
        return self.model.decode(ids).audio_values[0]


class EnCodec(NeuralCodec):
    """Meta's EnCodec. At 48 kHz it cuts a clip into overlapping chunks, each scaled to a loudness
    of its own: a decoder needs the scales, and 32 bits for each are counted."""

    kind = "EncodecModel"

    @property
    def frame_rate(self) -> float | None:
        return None if self.config.chunk_length_s else super().frame_rate

    @classmethod
    def most(cls, config: Any) -> int:
        return int(config.num_quantizers)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        import torch

        grids, chunks, cut, scales = [], [], [], []
        with torch.inference_mode():
            for clip in batch:
                wave = torch.from_numpy(np.ascontiguousarray(clip, np.float32))[None]
                most = max(self.config.target_bandwidths)
                found = self.model.encode(wave.to(self.device), bandwidth=most)
                ids = found.audio_codes[:, 0, : self.levels].cpu().numpy()  # (chunks, levels, n)
                grids.append(np.concatenate(list(ids), axis=1).astype(np.int32))
                chunks.append(len(ids))
                cut.append(int(getattr(found, "last_frame_pad_length", 0) or 0))
                scales += [float(s.reshape(-1)[0]) for s in found.audio_scales if s is not None]
        extra = lengths(batch) | {
            "chunks": np.array(chunks, np.int64),
            "padding": np.array(cut, np.int64),
            "scales": np.array(scales, np.float32),
        }
        bits = np.array(chunks, np.int64) * (32 if scales else 0)
        return Codes(_levels(grids), side_bits=bits, extra=extra)

    def decode(self, codes: Codes) -> list[np.ndarray]:
        import torch

        clips, scales = [], codes.extra["scales"]
        columns = (codes.extra[name].tolist() for name in ("chunks", "padding", "frames"))
        with torch.inference_mode():
            for row, (chunks, padding, frames) in enumerate(zip(*columns, strict=True)):
                ids = np.stack(np.split(_grid(codes, row), chunks, axis=1))[:, None]
                own: list[Any] = [None] * chunks
                if len(scales):
                    own = list(torch.from_numpy(scales[:chunks]).to(self.device).reshape(-1, 1))
                    scales = scales[chunks:]
                wave = self.model.decode(
                    torch.from_numpy(ids).to(self.device), own, last_frame_pad_length=padding
                ).audio_values
                clips.append(wave[0].float().cpu().numpy()[:, :frames])
        return clips


KINDS = {
    "dac": "neural:DAC", "encodec": "neural:EnCodec", "mimi": "neural:Mimi",
    "xcodec": "semantic:XCodec", "higgs_audio_v2_tokenizer": "semantic:Higgs",
    "xcodec2": "semantic:XCodec2", "neucodec": "semantic:NeuCodec",
    "vibevoice_acoustic_tokenizer": "latent:VibeVoice",
    "pocket_tts_audio_tokenizer": "latent:PocketTTS",
}  # fmt: skip
"""Adapters by the `model_type` of a config.json."""


def _levels(grids: Sequence[np.ndarray]) -> tuple[Ragged, ...]:
    """Ids (levels, frames) of each clip, level by level."""
    return tuple(Ragged.of(list(rows)) for rows in zip(*grids, strict=True))


def _grid(codes: Codes, row: int) -> np.ndarray:
    return np.stack([level[row] for level in codes.levels]).astype(np.int64)


def load(reference: str, options: Options) -> NeuralCodec:
    """`neural-codec:FOLDER` or `neural-codec:org/name[@revision]`; `?codebooks=N` of its levels,
    the first ones (all by default); `?device=cuda`."""
    soundfile_needed()
    transformers = needed("transformers")
    folder = Path(reference).expanduser()
    revision = None
    if not folder.is_dir():
        reference, _, revision = reference.partition("@")
        config_path = _from_hub(reference, revision or None)
    else:
        reference, config_path = str(folder), folder / "config.json"
    model_type = _model_type(config_path)
    kind: type[NeuralCodec] = locate(f"tokbench.tokenizers.audio.{KINDS[model_type]}")
    kind.requirements()
    device = device_of(options)
    maker = getattr(transformers, kind.kind, None)
    if maker is None:
        raise UserError(
            f"{options.name}: transformers {transformers.__version__} has no {kind.kind}"
        )
    transformers.utils.logging.disable_progress_bar()
    try:
        model = maker.from_pretrained(reference, revision=revision or None)
    except Exception as error:
        raise UserError(f"{options.name}: cannot be loaded: {one_line(error)}") from error
    most = kind.most(model.config)
    levels = options.integer("codebooks", most, 1, most) if most else 0
    made = kind(options.name, model, levels, reference, device)
    made.ready(reference, revision or None)
    return made


def _from_hub(reference: str, revision: str | None) -> Path:
    """The config.json of a hub repository, which its cache may have."""
    if reference.count("/") != 1 or reference[0] in "./~":
        raise UserError(f"{reference}: no such folder, and no hub repository (org/name)")
    import huggingface_hub

    known = huggingface_hub.try_to_load_from_cache(reference, "config.json", revision=revision)
    if not isinstance(known, str):
        require_hub(reference, "download it where there is a network and give the folder")
        try:
            known = huggingface_hub.hf_hub_download(reference, "config.json", revision=revision)
        except Exception as error:
            raise UserError(f"{reference}: {one_line(error)}") from error
    return Path(known)


def _model_type(path: Path) -> str:
    try:
        model_type = json.loads(path.read_bytes()).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: no readable config.json of a model") from error
    if model_type not in KINDS:
        hint = near(str(model_type), KINDS)
        raise UserError(
            f"{path}: model_type '{model_type}' is no neural codec that tokbench knows{hint} "
            f"({', '.join(KINDS)})"
        )
    return model_type
