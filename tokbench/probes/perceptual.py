"""LPIPS networks, through the `lpips` package; the trunk's ImageNet weights are fetched."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import sys
import warnings
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra, UserError, one_line
from tokbench.files import sha256
from tokbench.probes.weights import may_fetch

TRUNKS = {
    "alex": ("AlexNet_Weights", 31),
    "vgg": ("VGG16_Weights", 16),
    "squeeze": ("SqueezeNet1_1_Weights", 17),
}
"""Networks: torchvision's name of their weights, and the least side of a picture they take."""


class Perceptual:
    """One LPIPS network: trunk from torchvision, linear heads (v0.1) from the package."""

    def __init__(self, net: str):
        self.net, self.least = net, TRUNKS[net][1]
        self.name = f"lpips-{net}"

    def missing(self) -> str:
        """Why it cannot run here, in one line, or an empty string."""
        for package in ("lpips", "torch", "torchvision"):
            if importlib.util.find_spec(package) is None:
                return str(MissingExtra(package, "lpips"))
        try:
            self._model  # noqa: B018  fetched now rather than in the middle of a run
        except UserError as error:
            return str(error)
        return ""

    @cached_property
    def _model(self) -> Any:
        import lpips
        import torch
        import torchvision

        url = getattr(torchvision.models, TRUNKS[self.net][0]).IMAGENET1K_V1.url
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        if not (folder / url.rpartition("/")[2]).is_file():
            may_fetch(f"the weights of LPIPS's {self.net} trunk")
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
                warnings.simplefilter("ignore")  # lpips calls torchvision by older names
                return lpips.LPIPS(net=self.net, verbose=False).eval()
        except Exception as error:  # of torch.hub, urllib and the file system
            raise UserError(
                f"the weights of LPIPS's {self.net} trunk cannot be fetched "
                f"({type(error).__name__}: {one_line(error)[:80]}); put {url} into {folder}"
            ) from error

    @cached_property
    def _digest(self) -> str:
        import lpips
        import torch

        version = importlib.metadata.version(lpips.__name__)
        weights = [
            piece
            for name, tensor in sorted(self._model.state_dict().items())
            for piece in (name, tensor.numpy().tobytes())
        ]
        return sha256("lpips", version, torch.__version__.partition("+")[0], *weights)

    def fingerprint(self) -> str:
        """Hex digest of the weights and of the versions of lpips and torch."""
        return self._digest

    def distances(self, a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
        """LPIPS of pairs of uint8 pictures (height, width, 3), one by one so that a batch never
        changes a value; they are scaled to the [-1, 1] that the network wants."""
        import torch

        found = []
        with torch.inference_mode():
            for one, other in zip(a, b, strict=True):
                pair = np.stack([one, other]).transpose(0, 3, 1, 2).astype(np.float32)
                x, y = torch.from_numpy(pair / np.float32(127.5) - 1).split(1)
                found.append(float(self._model(x, y)))
        return np.array(found)


@cache
def perceptual(net: str) -> Perceptual:
    """The network of that name, one for the process."""
    return Perceptual(net)
