"""What adapters on PyTorch share: the library, its device, and the weights of a model."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import sha256
from tokbench.specs import Options


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
