"""Exported encoders and decoders, without the code they came from: TorchScript and ONNX.

What goes in and comes out is read off the files and off one blank picture: whether codes are ids
or latents, how many pixels one stands for, and a fixed size where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.files import sha256_file
from tokbench.specs import Options
from tokbench.tokenizers.exported import as_wanted, file_in, script, session
from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.tokenizers.image.network import Network, coded, decoded
from tokbench.tokenizers.pytorch import device_of, needed
from tokbench.types import Codes, Tokenizer, TokenizerSpec

_BLANK = 64
"""Side of the picture that is tried first, where any size goes."""
_ALIGNED = 16
"""Cosmos pads pictures to multiples of it, whatever the compression."""
_RANGES = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0), "0..255": (0.0, 255.0)}


class Cosmos(Network):
    """NVIDIA's Cosmos tokenizers of images: `encoder.jit` and `decoder.jit`, pixels in [-1, 1].
    They compute in the precision in which they were exported."""

    def __init__(self, name: str, folder: Path, size: int, device: str):
        self.name, self.device = name, device
        self._files = [file_in(folder, f"{half}.jit", name) for half in ("encoder", "decoder")]
        self._encoder, self._decoder = (script(path, device) for path in self._files)
        torch = needed("torch")
        weights = list(self._encoder.parameters()) + list(self._decoder.parameters())
        self._dtype = next((w.dtype for w in weights if w.is_floating_point()), torch.float32)
        with torch.inference_mode():
            found = self.analysed(torch.zeros(1, 3, _BLANK, _BLANK, device=device))
        discrete = not found.is_floating_point()
        self.spec = TokenizerSpec(
            modality="image",
            kind="discrete" if discrete else "continuous",
            algorithm="Cosmos " + ("FSQ" if discrete else "latents"),
            vocabulary=(size,) if discrete else (),
            value_range=(-1.0, 1.0),
            size_multiple=max(_ALIGNED, _BLANK // found.shape[-1]),
            parameters=sum(weight.numel() for weight in weights),
            source=f"folder {folder.name}",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "cosmos", *map(sha256_file, self._files), str(self.spec.vocabulary)

    def analysed(self, pixels: Any) -> Any:
        found = self._encoder(pixels.to(self._dtype))
        found = found[0] if isinstance(found, tuple | list) else found
        return found[0].float() if found.is_floating_point() else found[0]

    def synthesised(self, code: Any) -> Any:
        made = self._decoder(code[None].to(self._dtype) if code.is_floating_point() else code[None])
        return made[0] if isinstance(made, tuple | list) else made


def cosmos(reference: str, options: Options) -> Cosmos:
    """`cosmos:FOLDER` with encoder.jit and decoder.jit, discrete or continuous. Options: K=64000,
    the number of ids of a discrete one (8·8·8·5·5·5); device=cpu."""
    size = options.integer("K", 64000, 2, 1 << 31)
    device = device_of(options)
    try:
        return Cosmos(options.name, Path(reference).expanduser(), size, device)
    except RuntimeError as error:
        why = one_line(error)
        raise UserError(f"{options.name}: not a Cosmos tokenizer of images: {why}") from error


class Onnx(ImageTokenizer):
    """`encoder.onnx` and `decoder.onnx`, run one picture at a time by onnxruntime."""

    def __init__(self, name: str, folder: Path, value_range: tuple[float, float], size: int):
        self.name = name
        self._files = [file_in(folder, f"{half}.onnx", name) for half in ("encoder", "decoder")]
        self._encoder, self._decoder = (session(path) for path in self._files)
        shape = self._encoder.get_inputs()[0].shape
        if len(shape) != 4 or (shape[1] not in (3, None) and not isinstance(shape[1], str)):
            raise UserError(f"{name}: its encoder takes {shape}, not (1, 3, height, width)")
        sides = [side if isinstance(side, int) else 0 for side in shape[2:]]
        blank = np.zeros((*(side or _BLANK for side in sides), 3), np.float32)
        found = self._analysed(blank)
        discrete = np.issubdtype(found.dtype, np.integer)
        if discrete and not size:
            raise UserError(f"{name}: it gives ids; say how many there are: K=N")
        lattice = not all(sides) and found.ndim > 1
        self.spec = TokenizerSpec(
            modality="image",
            kind="discrete" if discrete else "continuous",
            algorithm="ONNX",
            vocabulary=(size,) if discrete else (),
            value_range=value_range,
            size=(sides[0], sides[1]) if all(sides) else None,
            size_multiple=max(1, blank.shape[1] // found.shape[-1]) if lattice else None,
            source=f"folder {folder.name}",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        said = f"{self.spec.vocabulary} {self.spec.value_range}"
        return "onnx", *map(sha256_file, self._files), said

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return coded([self._analysed(p) for p in batch], self.spec.kind == "continuous")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        outputs, into = self._decoder.get_outputs()[:1], self._decoder.get_inputs()[0]
        pictures = []
        for code in decoded(codes):
            given = {into.name: as_wanted(code[None], into.type)}
            [made] = self._decoder.run([outputs[0].name], given)
            pictures.append(made[0].astype(np.float32).transpose(1, 2, 0))
        return pictures

    def _analysed(self, picture: np.ndarray) -> np.ndarray:
        outputs, into = self._encoder.get_outputs(), self._encoder.get_inputs()[0]
        chosen = next((o for o in outputs if "int" in o.type), outputs[0])
        pixels = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        given = {into.name: as_wanted(pixels, into.type)}
        return self._encoder.run([chosen.name], given)[0][0]


def onnx(reference: str, options: Options) -> Tokenizer:
    """`onnx:FOLDER` with encoder.onnx (1, 3, height, width) and decoder.onnx, which takes what the
    encoder gives: ids where there are any, else latents. Options: range=-1..1 (or 0..1, 0..255) of
    the pixels; K=N, the number of ids. A folder with an audio.json is of clips."""
    folder = Path(reference).expanduser()
    if (folder / "audio.json").is_file():
        from tokbench.tokenizers.audio.exported import onnx as of_clips

        return of_clips(folder, options)
    value_range = _RANGES[options.choice("range", tuple(_RANGES))]
    size = options.integer("K", 0, 0, 1 << 31)
    try:
        return Onnx(options.name, folder, value_range, size)
    except UserError:
        raise
    except Exception as error:  # onnxruntime's own, which share no class
        raise UserError(f"{options.name}: {one_line(error)}") from error
