"""What image adapters on PyTorch share: pictures in, latents or ids out, one picture at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tokbench.tokenizers.image.adapter import ImageTokenizer
from tokbench.tokenizers.pytorch import needed
from tokbench.types import Codes, Ragged


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
