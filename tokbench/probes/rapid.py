"""rapidocr: PP-OCR detection and recognition through ONNX, with the weights in its wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra
from tokbench.files import sha256, sha256_file
from tokbench.image.words import Word

HEIGHT, STEP, LEAST, MOST = 48, 32, 96, 1920
"""Pixels: what the recogniser sees is 48 high, and padded on the right to a multiple of 32 (at
least 96); wider than 1920 is squeezed. rapidocr itself pads to the widest of the batch, so what it
reads in a word depends on its neighbours."""
BATCH = 16 * 320
"""Pixels of width that are recognised at once."""
BESIDE = 2
"""Batches at work side by side."""
_KINDS = ("intra", "inter")


class Rapid:
    """PP-OCR as rapidocr ships it: the small detection and recognition models, all defaults."""

    name = "rapidocr"

    def __init__(self) -> None:
        for package in ("rapidocr", "onnxruntime"):
            if importlib.util.find_spec(package) is None:
                raise MissingExtra(f"{package}, which reads text in pictures,", "image")

    @cached_property
    def _digest(self) -> str:
        shipped = importlib.metadata.files("rapidocr") or []
        weights = [Path(str(file.locate())) for file in shipped if file.suffix == ".onnx"]
        parts = [f"{path.name}={sha256_file(path)}" for path in sorted(weights)]
        version = importlib.metadata.version("rapidocr")
        return sha256("rapidocr", version, f"{HEIGHT},{STEP},{LEAST},{MOST}", *parts)

    def fingerprint(self) -> str:
        return self._digest

    @cached_property
    def _engine(self) -> Any:
        from rapidocr import RapidOCR

        # Networks of one thread: several wait for each other in a busy loop, half of all time.
        threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in _KINDS}
        return RapidOCR(params={"Global.log_level": "critical", **threads})

    @cached_property
    def _recogniser(self) -> Any:
        self._engine.recognize_txt([np.zeros((HEIGHT, LEAST, 3), np.uint8)])  # loads it
        return self._engine.text_rec

    def recognise(self, crops: Sequence[np.ndarray]) -> list[str]:
        texts = [""] * len(crops)
        widths = np.array([_width(crop) for crop in crops], dtype=np.int64)
        batches: list[tuple[list[int], int]] = []
        for width in np.unique(widths).tolist():
            rows, size = np.flatnonzero(widths == width), max(BATCH // width, 1)
            for first in range(0, len(rows), size):
                batches.append((rows[first : first + size].tolist(), width))
        if batches:
            self._recogniser  # noqa: B018  loaded before threads ask for it
        with ThreadPoolExecutor(BESIDE if (os.cpu_count() or 1) > 1 else 1) as pool:
            read = pool.map(lambda b: self._read([crops[row] for row in b[0]], b[1]), batches)
            for (some, _), found in zip(batches, read, strict=True):
                for row, text in zip(some, found, strict=True):
                    texts[row] = text
        return texts

    def _read(self, crops: list[np.ndarray], width: int) -> list[str]:
        whole = (width + 0.5) / HEIGHT  # it rounds down
        seen = [
            self._recogniser.resize_norm_img(np.ascontiguousarray(crop[:, :, ::-1]), whole)
            for crop in crops
        ]
        lines, _ = self._recogniser.postprocess_op(self._recogniser.session(np.stack(seen)))
        return [str(text) for text, _ in lines]

    def read(self, picture: np.ndarray) -> list[Word]:
        found = self._engine(np.ascontiguousarray(picture[:, :, ::-1]))
        if getattr(found, "boxes", None) is None or found.txts is None:
            return []
        boxes = [np.asarray(corners) for corners in found.boxes]
        return [
            Word(str(text), (*_down(corners.min(0)), *_up(corners.max(0))))
            for text, corners in zip(found.txts, boxes, strict=True)
        ]


def _width(crop: np.ndarray) -> int:
    height, width = crop.shape[:2]
    wanted = math.ceil(HEIGHT * width / height / STEP) * STEP
    return min(max(wanted, LEAST), MOST)


def _down(point: np.ndarray) -> tuple[int, int]:
    return math.floor(point[0]), math.floor(point[1])


def _up(point: np.ndarray) -> tuple[int, int]:
    return math.ceil(point[0]), math.ceil(point[1])
