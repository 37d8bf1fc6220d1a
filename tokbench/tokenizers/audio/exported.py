"""Exported encoders and decoders of clips, without the code they came from: TorchScript and ONNX.

A folder holds `encoder.pt` and `decoder.pt`, or `encoder.onnx` and `decoder.onnx`, and an
`audio.json` that says what a file cannot:

    {"sample_rate": 16000, "hop": 320, "codebooks": [1024, 1024]}

The encoder takes a clip (1, channels, samples). It gives ids, (1, levels, frames) or one output
(1, frames) for each level, which may be of different lengths; or floats (1, …), which are latents.
The decoder takes what the encoder gives and gives (1, channels, samples). A folder without a
decoder is of a tokenizer that only encodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.errors import UserError, one_line
from tokbench.files import read_bytes, sha256_file
from tokbench.specs import Options
from tokbench.strict import load_json
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.tokenizers.exported import as_wanted, file_in, script, session
from tokbench.tokenizers.pytorch import device_of, needed
from tokbench.types import Codes, Ragged, TokenizerSpec

DESCRIPTION = "audio.json"


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `audio.json` says.

    sample_rate, channels: of the clips that go in. hop: clips are padded with zeros to a multiple
    of it. codebooks: the number of ids of each level, none for latents. output_rate: of the clips
    that come out, where it is another one. licence: of the weights.
    """

    sample_rate: int
    hop: int = 1
    channels: int = 1
    codebooks: tuple[int, ...] = ()
    output_rate: int | None = None
    licence: str = ""


class Exported(AudioTokenizer):
    """Clips one by one through an encoder and a decoder; subclasses run them.

    A decoder's output is cut to the clip's length, which is known to both ends; what is missing at
    its end stays missing.
    """

    def __init__(self, name: str, folder: Path, suffix: str):
        self.name = name
        about = file_in(folder, DESCRIPTION, name)
        self.said = said = load_json(read_bytes(about), Description, str(about))
        for key, low, high in (("sample_rate", 1000, 384_000), ("hop", 1, 1 << 20)):
            if not low <= getattr(said, key) <= high:
                raise UserError(f"{about}: {key}: give a whole number from {low} to {high}")
        if said.channels not in (1, 2) or any(size < 2 for size in said.codebooks):
            raise UserError(f"{about}: channels are 1 or 2, codebooks have two ids or more")
        self._files = [about, file_in(folder, f"encoder{suffix}", name)]
        if (folder / f"decoder{suffix}").is_file():
            self._files.append(folder / f"decoder{suffix}")
        self.decodes = len(self._files) == 3
        self.output_rate = said.output_rate
        self.spec = TokenizerSpec(
            modality="audio",
            kind="discrete" if said.codebooks else "continuous",
            algorithm=type(self).__name__ + ("" if self.decodes else ", encoder only"),
            vocabulary=said.codebooks,
            sample_rate=said.sample_rate,
            channels=said.channels,
            licence=said.licence,
            source=f"folder {folder.name}",
        )

    def analysed(self, wave: np.ndarray) -> list[np.ndarray]:
        """What the encoder gives for a clip (1, channels, samples), output by output."""
        raise AttributeError(f"{type(self).__name__} has no analysed()")

    def synthesised(self, given: list[np.ndarray]) -> np.ndarray:
        """The clip (1, channels, samples) of what the encoder gave."""
        raise AttributeError(f"{type(self).__name__} has no synthesised()")

    def identity(self) -> tuple[bytes | str, ...]:
        return type(self).__name__, *map(sha256_file, self._files)

    def try_out(self) -> None:
        """Refuse an encoder that does not give what `audio.json` says."""
        frames = -(-self.said.sample_rate // self.said.hop) * self.said.hop
        given = self.analysed(np.zeros((1, self.said.channels, frames), np.float32))
        shapes = ", ".join(f"{each.dtype} {each.shape}" for each in given)
        ids = all(np.issubdtype(each.dtype, np.integer) for each in given)
        if ids != bool(self.said.codebooks):
            said = "and audio.json says no codebooks" if ids else "where audio.json has codebooks"
            raise UserError(f"{self.name}: its encoder gives {shapes} {said}")
        self._single = len(given) == 1
        if ids and self.said.hop > 1:  # a whole number of hops: no padding is among the tokens
            rate = sum(each.size for each in given) * self.said.sample_rate / frames
            self.spec = msgspec.structs.replace(self.spec, rate=rate)
        if ids:
            levels = given[0].shape[1:2] if self._single else (len(given),)
            dimensions = {each.ndim for each in given}
            if dimensions != {3 if self._single else 2} or levels != (len(self.said.codebooks),):
                raise UserError(
                    f"{self.name}: its encoder gives {shapes}; for the {len(self.said.codebooks)} "
                    "codebooks of audio.json it has to give (1, levels, frames), or (1, frames) "
                    "for each"
                )

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        found = []
        for clip in batch:
            padded = np.pad(clip, ((0, 0), (0, -clip.shape[1] % self.said.hop)))
            found.append(self.analysed(np.ascontiguousarray(padded, np.float32)[None]))
        extra = lengths(batch)
        if not self.said.codebooks:
            latents = tuple(np.ascontiguousarray(each[0][0], np.float32) for each in found)
            return Codes(latents=latents, extra=extra)
        rows = [list(each[0][0]) if self._single else [ids[0] for ids in each] for each in found]
        return Codes(
            tuple(Ragged.of(list(level)) for level in zip(*rows, strict=True)), extra=extra
        )

    def decode(self, codes: Codes) -> list[np.ndarray]:
        clips = []
        for row, frames in enumerate(codes.extra["frames"].tolist()):
            if codes.latents:
                given = [codes.latents[row][None]]
            else:
                levels = [level[row].astype(np.int64) for level in codes.levels]
                given = [np.stack(levels)[None]] if self._single else [ids[None] for ids in levels]
            wave = np.asarray(self.synthesised(given), np.float32)
            wave = wave.reshape(self.said.channels, -1)
            rate = self.output_rate or self.said.sample_rate
            clips.append(wave[:, : -(-frames * rate // self.said.sample_rate)])
        return clips


class TorchScript(Exported):
    """`encoder.pt` and `decoder.pt`, saved by `torch.jit.save`. A decoder of several levels of
    different lengths takes them as a list."""

    def __init__(self, name: str, folder: Path, device: str):
        super().__init__(name, folder, ".pt")
        self.device = device
        self._modules = [script(path, device) for path in self._files[1:]]
        weights = [weight for module in self._modules for weight in module.parameters()]
        self.spec = msgspec.structs.replace(
            self.spec, parameters=sum(weight.numel() for weight in weights)
        )
        self.try_out()

    def analysed(self, wave: np.ndarray) -> list[np.ndarray]:
        torch = needed("torch")
        with torch.inference_mode():
            found = self._modules[0](torch.from_numpy(wave).to(self.device))
        several = found if isinstance(found, tuple | list) else [found]
        arrays = [each.float() if each.is_floating_point() else each for each in several]
        return [each.cpu().numpy() for each in arrays]

    def synthesised(self, given: list[np.ndarray]) -> np.ndarray:
        torch = needed("torch")
        tensors = [torch.from_numpy(each).to(self.device) for each in given]
        with torch.inference_mode():
            made = self._modules[1](tensors[0] if self._single else tensors)
        made = made[0] if isinstance(made, tuple | list) else made
        return made.float().cpu().numpy()


class Onnx(Exported):
    """`encoder.onnx` and `decoder.onnx`, run by onnxruntime. A decoder has an input for each
    output of the encoder, in its order."""

    def __init__(self, name: str, folder: Path):
        super().__init__(name, folder, ".onnx")
        self._sessions = [session(path) for path in self._files[1:]]
        self.try_out()

    def analysed(self, wave: np.ndarray) -> list[np.ndarray]:
        found = self._run(0, [wave])
        ids = [each for each in found if np.issubdtype(each.dtype, np.integer)]
        return ids if self.said.codebooks and ids else found

    def synthesised(self, given: list[np.ndarray]) -> np.ndarray:
        return self._run(1, given)[0]

    def _run(self, half: int, given: list[np.ndarray]) -> list[np.ndarray]:
        model = self._sessions[half]
        pairs = zip(model.get_inputs(), given, strict=True)
        return model.run(None, {each.name: as_wanted(array, each.type) for each, array in pairs})


def torchscript(reference: str, options: Options) -> TorchScript:
    """`torchscript:FOLDER` with encoder.pt, decoder.pt and audio.json (sample_rate, hop, channels,
    codebooks); device=cpu. Without decoder.pt it only encodes."""
    soundfile_needed()
    folder = Path(reference).expanduser()
    device = device_of(options)
    try:
        return TorchScript(options.name, folder, device)
    except RuntimeError as error:
        raise UserError(f"{options.name}: its encoder fails: {_last(error)}") from error


def onnx(folder: Path, options: Options) -> Onnx:
    """`onnx:FOLDER` with encoder.onnx, decoder.onnx and audio.json."""
    soundfile_needed()
    try:
        return Onnx(options.name, folder)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's own, which share no class
        raise UserError(f"{options.name}: its encoder fails: {one_line(error)}") from error


def _last(error: RuntimeError) -> str:
    """What TorchScript says at the end, after where it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
