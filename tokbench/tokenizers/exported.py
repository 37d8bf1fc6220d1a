"""What adapters of exported models share: files of TorchScript and of ONNX, opened and refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.tokenizers.pytorch import needed


def file_in(folder: Path, name: str, spec: str) -> Path:
    """The file of that name. Raises `UserError` where it is missing; `spec` begins the message."""
    if not folder.is_dir():
        raise UserError(f"{spec}: {folder}: no such folder")
    if not (folder / name).is_file():
        raise UserError(f"{spec}: {folder} has no {name}")
    return folder / name


def script(path: Path, device: str) -> Any:
    """A TorchScript module, ready to run. Raises `UserError` for what is none."""
    torch = needed("torch")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that the format is old, we know
            return torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path}: not a TorchScript file: {one_line(error)}") from error


def session(path: Path) -> Any:
    """An ONNX model in onnxruntime. Raises `UserError` for what is none."""
    runtime = needed("onnxruntime")
    settings = runtime.SessionOptions()
    settings.log_severity_level = 4
    try:
        return runtime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise UserError(f"{path}: not an ONNX model: {one_line(error)}") from error


_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64,
}  # fmt: skip


def as_wanted(array: np.ndarray, wanted: str) -> np.ndarray:
    """The array in the type of an ONNX input. Raises `ValueError` for a type that is no number."""
    if wanted not in _TYPES:
        raise ValueError(f"it takes {wanted}; tokbench gives {', '.join(_TYPES)}")
    return array.astype(_TYPES[wanted], copy=False)
