"""easyocr: CRAFT detection and CRNN recognition; its weights are fetched on first use."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import sha256, sha256_file
from tokbench.image.pictures import save_png
from tokbench.image.words import Word
from tokbench.probes.weights import fetching


class Easy:
    """easyocr for English, with its standard networks, not quantised (it would quantise on the
    CPU alone, and the device would change what is read)."""

    name = "easyocr"

    def __init__(self) -> None:
        if importlib.util.find_spec("easyocr") is None:
            raise MissingExtra("easyocr", "easyocr")

    @cached_property
    def _reader(self) -> Any:
        import easyocr

        try:
            return easyocr.Reader(
                ["en"], quantize=False, verbose=False, download_enabled=fetching()
            )
        # No network, or not the file that it expects.
        except (OSError, AssertionError) as error:
            raise UserError(
                f"easyocr has no weights here and cannot fetch them ({one_line(error)}); with a "
                "network: python -c \"import easyocr; easyocr.Reader(['en'])\", then copy "
                "~/.EasyOCR/model"
            ) from error

    @cached_property
    def _digest(self) -> str:
        folder = Path(self._reader.model_storage_directory)
        names = (
            self._reader.detection_models[self._reader.detect_network]["filename"],
            self._reader.recognition_models["gen2"]["english_g2"]["filename"],
        )
        weights = [f"{name}={sha256_file(folder / name)}" for name in names]
        return sha256("easyocr", importlib.metadata.version("easyocr"), "en", *weights)

    def fingerprint(self) -> str:
        return self._digest

    def recognise(self, crops: Sequence[np.ndarray]) -> list[str]:
        texts = []
        for crop in crops:  # one by one: it pads a batch to its widest
            found = self._reader.recognize(np.ascontiguousarray(crop[:, :, ::-1]), detail=0)
            texts.append("".join(map(str, found)))
        return texts

    def read(self, picture: np.ndarray) -> list[Word]:
        words = []
        for corners, text, _ in self._reader.readtext(
            save_png(picture)
        ):  # the colours' order is clear
            x, y = zip(*corners, strict=True)
            box = math.floor(min(x)), math.floor(min(y)), math.ceil(max(x)), math.ceil(max(y))
            words.append(Word(str(text), box))
        return words
