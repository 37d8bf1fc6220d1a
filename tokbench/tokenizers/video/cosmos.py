"""NVIDIA's Cosmos tokenizers of video, as TorchScript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.files import sha256_file
from tokbench.specs import Options
from tokbench.tokenizers.exported import file_in, script
from tokbench.tokenizers.pytorch import device_of, needed
from tokbench.tokenizers.video.adapter import VideoTokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec

_SIDE, _FRAMES = 64, 17
"""Of the blank clip from which the compression is read."""
_ALIGNED = 16
"""Cosmos pads frames to multiples of it, whatever the compression."""


class CosmosVideo(VideoTokenizer):
    """`encoder.jit` and `decoder.jit` of a causal tokenizer, pixels in [-1, 1], in the precision in
    which they were exported. A clip goes through whole: its first frame alone, then so many
    together as the network joins (1 + 4k or 1 + 8k frames; the harness repeats the last)."""

    def __init__(self, name: str, folder: Path, size: int, device: str):
        self.name, self.device = name, device
        self._files = [file_in(folder, f"{half}.jit", name) for half in ("encoder", "decoder")]
        self._encoder, self._decoder = (script(path, device) for path in self._files)
        torch = needed("torch")
        weights = list(self._encoder.parameters()) + list(self._decoder.parameters())
        self._dtype = next((w.dtype for w in weights if w.is_floating_point()), torch.float32)
        with torch.inference_mode():
            found = self._analysed(torch.zeros(1, 3, _FRAMES, _SIDE, _SIDE, device=device))
        discrete = not found.is_floating_point()
        groups = int(found.shape[-3]) if found.ndim == (3 if discrete else 4) else 0
        if groups < 2 or (_FRAMES - 1) % (groups - 1):
            raise UserError(
                f"{name}: {_FRAMES} frames become {tuple(found.shape)}: not a causal tokenizer"
            )
        self.spec = TokenizerSpec(
            modality="video",
            kind="discrete" if discrete else "continuous",
            algorithm="Cosmos " + ("FSQ" if discrete else "latents"),
            vocabulary=(size,) if discrete else (),
            value_range=(-1.0, 1.0),
            size_multiple=max(_ALIGNED, _SIDE // int(found.shape[-1])),
            frames=(1, (_FRAMES - 1) // (groups - 1)),
            parameters=sum(weight.numel() for weight in weights),
            source=f"folder {folder.name}",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "cosmos video", *map(sha256_file, self._files), str(self.spec.vocabulary)

    def _analysed(self, pixels: Any) -> Any:
        found = self._encoder(pixels.to(self._dtype))
        found = found[0] if isinstance(found, tuple | list) else found
        return found[0].float() if found.is_floating_point() else found[0]

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        torch = needed("torch")
        found = []
        with torch.inference_mode():
            for clip in batch:
                pixels = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
                found.append(self._analysed(pixels[None].to(self.device)).cpu().numpy())
        if self.spec.kind == "continuous":
            return Codes(latents=tuple(np.ascontiguousarray(f, np.float32) for f in found))
        grids = np.array([ids.shape for ids in found], np.int64).reshape(-1, 3)
        return Codes((Ragged.of([ids.ravel() for ids in found]),), extra={"grid": grids})

    def decode(self, codes: Codes) -> list[np.ndarray]:
        torch = needed("torch")
        wanted: list[np.ndarray] = list(codes.latents)
        if not wanted:
            grids = codes.extra["grid"].tolist()
            wanted = [r.astype(np.int64).reshape(g) for r, g in zip(codes.ids, grids, strict=True)]
        clips = []
        with torch.inference_mode():
            for code in wanted:
                given = torch.from_numpy(code).to(self.device)[None]
                made = self._decoder(given.to(self._dtype) if codes.latents else given)
                made = made[0] if isinstance(made, tuple | list) else made
                clips.append(made[0].float().cpu().numpy().transpose(1, 2, 3, 0))
        return clips


def cosmos(reference: str, options: Options) -> CosmosVideo:
    """`cosmos-video:FOLDER` with encoder.jit and decoder.jit, discrete or continuous. Options:
    K=64000, the number of ids of a discrete one (8·8·8·5·5·5); device=cpu."""
    size = options.integer("K", 64000, 2, 1 << 31)
    device = device_of(options)
    try:
        return CosmosVideo(options.name, Path(reference).expanduser(), size, device)
    except RuntimeError as error:
        why = one_line(error)
        raise UserError(f"{options.name}: not a Cosmos tokenizer of video: {why}") from error
