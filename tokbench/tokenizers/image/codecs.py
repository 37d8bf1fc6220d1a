"""Codecs as tokenizers (their tokens are the coded bytes), and the two ceilings."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np

from tokbench.errors import UserError
from tokbench.image.fitting import resized
from tokbench.image.pictures import pillow_needed
from tokbench.specs import Options
from tokbench.tokenizers.image.adapter import ImageTokenizer, sizes
from tokbench.types import Codes, Ragged, TokenizerSpec

_LIBRARIES = {"JPEG": "libjpeg_turbo", "WEBP": "webp", "AVIF": "avif"}


class Codec(ImageTokenizer):
    """A lossy picture format at one quality, through Pillow with its defaults. The coded file is
    the token sequence: every byte is a token and costs 8 bits, headers included."""

    def __init__(self, kind: str, quality: int, name: str):
        self.name, self._kind, self._quality = name, kind, quality
        self.spec = TokenizerSpec(
            modality="image",
            algorithm=f"{kind} at quality {quality}",
            vocabulary=(256,),
            emittable=256,
            source="Pillow",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        import PIL
        from PIL import features

        library = features.version(_LIBRARIES[self._kind]) or "?"
        return "codec", self._kind, str(self._quality), PIL.__version__, library

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        from PIL import Image

        coded = []
        for picture in batch:
            file = io.BytesIO()
            Image.fromarray(picture).save(file, self._kind, quality=self._quality)
            coded.append(np.frombuffer(file.getvalue(), np.uint8))
        return Codes((Ragged.of(coded, np.uint8),))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        from PIL import Image

        files = (Image.open(io.BytesIO(row.astype(np.uint8).tobytes())) for row in codes.ids)
        return [np.asarray(file.convert("RGB")).copy() for file in files]


class Raw(ImageTokenizer):
    """The pixels themselves: a token for each of the three values of each pixel. What every score
    must be at its best for."""

    name = "identity"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="image", algorithm="raw pixels", vocabulary=(256,), emittable=256,
            source="tokbench",
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        return ("raw pixels",)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return Codes((Ragged.of([p.ravel() for p in batch], np.uint8),), extra=sizes(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        shapes = codes.extra["size"].tolist()
        return [row.reshape(*shape, 3) for row, shape in zip(codes.ids, shapes, strict=True)]


class Resize(ImageTokenizer):
    """TokBench's ceiling: scaled down to fit side × side (Lanczos) and up again. What no
    tokenizer of that input size can exceed; its tokens are the small picture's values."""

    def __init__(self, side: int):
        self.name, self._side = f"resize:{side}", side
        self.spec = TokenizerSpec(
            modality="image", algorithm=f"Lanczos to {side} × {side} and back", vocabulary=(256,),
            emittable=256, source="Pillow",
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        return "resize", str(self._side)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        small = []
        for picture in batch:
            scale = min(1.0, self._side / max(picture.shape[:2]))
            inner = [max(1, int(np.ceil(side * scale))) for side in picture.shape[:2]]
            small.append(resized(picture, *inner))
        extra = sizes(batch) | {"inner": sizes(small)["size"]}
        return Codes((Ragged.of([p.ravel() for p in small], np.uint8),), extra=extra)

    def decode(self, codes: Codes) -> list[np.ndarray]:
        pictures = []
        for row, inner, size in zip(
            codes.ids, codes.extra["inner"].tolist(), codes.extra["size"].tolist(), strict=True
        ):
            pictures.append(resized(row.reshape(*inner, 3), *size))
        return pictures


def _loader(kind: str) -> Callable[[str, Options], Codec]:
    def load(reference: str, options: Options) -> Codec:
        pillow_needed()
        from PIL import features

        if kind != "JPEG" and not features.check(_LIBRARIES[kind]):
            raise UserError(f"{options.name}: this Pillow was built without {kind}")
        return Codec(kind, options.whole(reference, 1, 100), options.name)

    return load


jpeg, webp, avif = _loader("JPEG"), _loader("WEBP"), _loader("AVIF")


def resize(reference: str, options: Options) -> Resize:
    """`resize:256`: down to 256 × 256 and back."""
    pillow_needed()
    return Resize(options.whole(reference, 1, 65536))
