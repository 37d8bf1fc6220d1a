"""Features of pictures, whose distributions are compared: Inception, CLIP, DINOv2, your own."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tokbench.errors import MissingExtra, UserError, near, one_line
from tokbench.files import sha256, sha256_file
from tokbench.probes import weights
from tokbench.probes.kept import content_of, kept

INCEPTION = "inception-v3-compat"
"""torch-fidelity's name for the Inception of 2015-12-05 with TensorFlow 1's resizing to 299."""

_GIVEN = {
    INCEPTION: (
        "weights-inception-2015-12-05-6726825d.pth",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
    ),
}
"""File, address and SHA-256 (or its beginning)."""

NAMES = (
    INCEPTION, "clip-rn50", "clip-vit-b-32", "clip-vit-b-16", "clip-vit-l-14",
    "clip-vit-l-14-336px", "dinov2-vit-s-14", "dinov2-vit-b-14", "dinov2-vit-l-14",
    "dinov2-vit-g-14", "random-projection",
)  # fmt: skip


class Features(Protocol):
    """Makes features of pictures."""

    name: str

    def fingerprint(self) -> str:
        """Weights and version: everything that the features depend on."""

    def ready(self) -> None:
        """Raise `UserError` with what is missing, before anything is measured."""

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Of uint8 (height, width, 3) each; floats (n, d)."""


@lru_cache(maxsize=4)
def load_features(name: str) -> Features:
    """By name, or a function of your own as `my.pkg:function`. Loads no weights yet.

    Raises `ValueError` for a name that is unknown.
    """
    if name == "random-projection":
        return RandomProjection()
    if name in NAMES:
        return TorchFidelity(name)
    if ":" in name:
        return Own(name)
    raise ValueError(
        f"features: no '{name}'{near(name, NAMES)} (there are {', '.join(NAMES)}, or "
        "my.pkg:function)"
    )


class TorchFidelity:
    """An extractor of torch-fidelity at the layer that it takes for the Fréchet distance."""

    def __init__(self, name: str):
        self.name = name

    def fingerprint(self) -> str:
        try:
            library = version("torch-fidelity")
        except PackageNotFoundError:
            library = "absent"  # a task can be shown without it
        return f"torch-fidelity-{library}+{self._digest[:8]}"

    @cached_property
    def _digest(self) -> str:
        """Known beforehand but for DINOv2, whose files bear no hash."""
        if self.name.startswith("dinov2"):
            self._installed()
            return sha256_file(self._dinov2())
        return self._given[2]

    @cached_property
    def _given(self) -> tuple[str, str, str]:
        if self.name in _GIVEN:
            return _GIVEN[self.name]
        self._installed()
        from torch_fidelity import feature_extractor_clip as clip

        digest = clip.MODEL_METADATA[self.name]["hash"]
        return f"{self.name}-{digest}.pt", clip.MODEL_URLS[self.name], digest

    @property
    def download(self) -> tuple[str, str]:
        """The file of its weights, and where they come from."""
        if not self.name.startswith("dinov2"):
            return self._given[:2]
        self._installed()
        from torch_fidelity import feature_extractor_dinov2 as dinov2

        model = dinov2.MODEL_METADATA[self.name]
        url = f"https://dl.fbaipublicfiles.com/dinov2/{model}/{model}_pretrain.pth"
        return f"{model}_pretrain.pth", url

    def _dinov2(self) -> Path:
        file = self.download[0]
        if weights.found(file) is None:
            weights.may_fetch(self.name)
            self._network  # noqa: B018  fetched by the library
        path = weights.found(file)
        if path is None:
            raise UserError(f"{self.name}: torch.hub left no {file} in {weights.hub_folder()}")
        return path

    def _installed(self) -> None:
        for module in ("torch", "torchvision", "torch_fidelity"):
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(f"{module.replace('_', '-')}, for {self.name},", "fid")

    def ready(self) -> None:
        self._installed()
        if self.name.startswith("dinov2"):
            self._dinov2()
        else:
            weights.weights(*self._given)

    @cached_property
    def _network(self) -> Any:
        self._installed()
        import torch
        from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

        # Numbers must not depend on the device more than rounding makes them.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        kind = FEATURE_EXTRACTORS_REGISTRY[self.name]
        layer = kind.get_default_feature_layer_for_metric("fid")
        path = None if self.name.startswith("dinov2") else str(weights.weights(*self._given))
        try:
            network = kind(self.name, [layer], feature_extractor_weights_path=path)
        except Exception as error:  # the hub raises many kinds
            raise UserError(
                f"{self.name}: torch.hub cannot load it ({type(error).__name__}: "
                f"{one_line(error)}): run once where there is a network, then copy "
                f"{weights.hub_folder()}"
            ) from error
        return network.to(self._device)

    @property
    def _device(self) -> str:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        found: list[Any] = [None] * len(pictures)
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for place, picture in enumerate(pictures):
            by_shape.setdefault(picture.shape, []).append(place)
        with torch.inference_mode():
            for places in by_shape.values():
                stack = np.stack([pictures[place] for place in places]).transpose(0, 3, 1, 2)
                batch = torch.from_numpy(np.ascontiguousarray(stack)).to(self._device)
                for place, row in zip(places, self._network(batch)[0].cpu().numpy(), strict=True):
                    found[place] = row
        return np.stack(found)


class Own:
    """A function of the user's: uint8 (n, height, width, 3) of one size in, floats (n, d) out. It
    may have an attribute `fingerprint` (a string that names its weights); else the source of its
    module stands for it."""

    def __init__(self, name: str):
        from tokbench.registry import locate

        self.name, self._function = name, locate(name)
        if not callable(self._function):
            raise ValueError(f"features: '{name}' is no function")

    def fingerprint(self) -> str:
        given = getattr(self._function, "fingerprint", None)
        if isinstance(given, str):
            return sha256(given)[:8]
        try:
            module = inspect.getmodule(self._function)
            assert module is not None
            return sha256(inspect.getsource(module))[:8]
        except (AssertionError, OSError, TypeError) as error:
            raise UserError(
                f"features {self.name}: no source to tell its version by; give the function a "
                "string attribute 'fingerprint'"
            ) from error

    def ready(self) -> None:
        """Shows only when it is called."""

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for picture in pictures:
            try:
                row = np.asarray(self._function(picture[None]), dtype=np.float64)
            except Exception as error:
                why = f"{type(error).__name__}: {one_line(error)}"
                raise UserError(f"features {self.name}: {why}") from error
            if row.ndim != 2 or len(row) != 1:
                raise UserError(
                    f"features {self.name}: gave {row.shape} for one picture, not (1, d)"
                )
            rows.append(row[0])
        return np.stack(rows)


class RandomProjection:
    """64 random sums of the mean colour and the roughness of an 8 × 8 grid. It sees that something
    changed and knows nothing of pictures: for tests, never a substitute for FID. Whole numbers
    throughout, so the same bits on every machine."""

    name = "random-projection"
    _side, _width = 8, 64

    def fingerprint(self) -> str:
        return "1"

    def ready(self) -> None:
        """Always."""

    @cached_property
    def _signs(self) -> np.ndarray:
        rng = np.random.default_rng(20240601)
        return rng.integers(0, 2, (4 * self._side**2, self._width)) * 2 - 1

    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.stack([self._grid(picture) for picture in pictures])
        return (rows @ self._signs) / 2.0**11

    def _grid(self, picture: np.ndarray) -> np.ndarray:
        values = picture.astype(np.int64)
        rough = np.zeros(values.shape[:2], np.int64)
        rough[:, 1:] = np.abs(np.diff(values.sum(2), axis=1))
        table = np.concatenate([values, rough[:, :, None]], axis=2)
        areas = np.ones(1, np.int64)
        for axis in (0, 1):
            edges = np.arange(self._side) * table.shape[axis] // self._side
            widths = np.maximum(np.diff(np.append(edges, table.shape[axis])), 1)
            table = np.add.reduceat(table, edges, axis=axis)
            areas = np.multiply.outer(areas, widths)
        return (4 * table // areas[0][:, :, None]).ravel()


def kept_features(features: Features, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The features of pictures that will come again (originals)."""
    return kept(features, content_of(*pictures), lambda: {"features": features(pictures)})[
        "features"
    ]
