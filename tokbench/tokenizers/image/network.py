"""What image adapters on PyTorch share: pictures in, latents or ids out, one picture at a time."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import sha256
from tokbench.specs import Options
from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.types import Codes, Ragged


def needed(module: str) -> Any:
    """A library of the extra `neural`, or one line that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            raise
        raise MissingExtra(module.partition(".")[0], "neural") from error


def device_of(options: Options) -> str:
    """Option `device`: cpu (the default), cuda, cuda:1, mps. It is not part of the fingerprint: a
    device changes speed, and scores by rounding errors only. TF32, which would, is off."""
    torch = needed("torch")
    device = str(options.take("device", "cpu"))
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"{options.name}: device={device}: {one_line(error)}") from error
    if device.startswith("cuda"):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device


class Network(ImageTokenizer):
    """An autoencoder of PyTorch tensors. Subclasses say what becomes of one picture.

    A batch is worked off picture by picture, since the last bits of a convolution depend on how
    many it is given, and a score may not.
    """

    device = "cpu"

    def analysed(self, pixels: Any) -> Any:
        """Of one picture (1, 3, height, width): latents (channels, h, w), or ids (h, w)."""
        raise AttributeError(f"{type(self).__name__} has no analysed()")

    def synthesised(self, code: Any) -> Any:
        """The picture (1, 3, height, width) of what `analysed` gave."""
        raise AttributeError(f"{type(self).__name__} has no synthesised()")

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        torch = needed("torch")
        found = []
        with torch.inference_mode():
            for picture in batch:
                pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
                found.append(self.analysed(pixels[None].to(self.device)).cpu().numpy())
        return coded(found, self.spec.kind == "continuous")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        torch = needed("torch")
        pictures = []
        with torch.inference_mode():
            for code in decoded(codes):
                made = self.synthesised(torch.from_numpy(code).to(self.device))
                pictures.append(made[0].float().cpu().numpy().transpose(1, 2, 0))
        return pictures


def coded(found: list[np.ndarray], continuous: bool) -> Codes:
    """Latents, or ids by rows with the height and width of each grid, as codes."""
    if continuous:
        return Codes(latents=tuple(np.ascontiguousarray(f, np.float32) for f in found))
    grids = np.array([ids.shape for ids in found], np.int64).reshape(-1, 2)
    return Codes((Ragged.of([ids.ravel() for ids in found]),), extra={"grid": grids})


def decoded(codes: Codes) -> list[np.ndarray]:
    """The inverse of `coded`; ids come back as int64."""
    if codes.latents:
        return list(codes.latents)
    grids = codes.extra["grid"].tolist()
    return [row.astype(np.int64).reshape(g) for row, g in zip(codes.ids, grids, strict=True)]


def load_weights(path: Path) -> dict[str, Any]:
    """A state dict from a `.pth` or `.safetensors` file, as it lies there. No code in a file is
    ever run. Raises `UserError` for what is none."""
    torch = needed("torch")
    try:
        if path.suffix == ".safetensors":
            return needed("safetensors.torch").load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which it refuses anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:
        why = one_line(error).partition(". ")[0]
        raise UserError(f"{path}: not a state dict of PyTorch tensors: {why}") from error
    if not isinstance(state, dict) or not all(hasattr(v, "shape") for v in state.values()):
        raise UserError(f"{path}: not a state dict of PyTorch tensors")
    return state


def digest(weights: Mapping[str, Any]) -> str:
    """Hash of all tensors: names, types, shapes and bytes, whatever file they came in."""
    torch = needed("torch")
    pieces: list[bytes | str] = []
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        pieces += [name, str(tensor.dtype), str(tuple(tensor.shape)), raw]
    return sha256(*pieces)
