"""Readers of images in archives: WebDataset tar shards and parquet, as streams."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.archives import Coded, parquet_streams, tar_streams
from tokbench.image.pictures import SUFFIXES, picture_size, pillow_needed, read_picture
from tokbench.parts import Part
from tokbench.readers import Found


def webdataset(found: Found, fields: dict[str, str]) -> list[Part]:
    """WebDataset shards: tar files, or folders of them, in which the files of a sample share their
    name up to its first dot and follow each other: a picture, and a `.json` with its `words` and
    `faces` where there are any. Other files are passed over."""
    pillow_needed()
    return list(tar_streams(found, PICTURES, {}))


def parquet(found: Found, fields: dict[str, str]) -> list[Part]:
    """Parquet files, or folders of them, as the hub has them. fields: `image` (default "image"),
    the column of coded pictures, binary or a struct with `bytes`; `name`, a column to name samples
    by (default: the file's name and the row). Columns `words` and `faces` are its annotations."""
    pillow_needed()
    key, name = fields.get("image", "image"), fields.get("name", "")
    return list(parquet_streams(found, PICTURES, key, name, {}))


def write_shard(path: Path, pictures: Iterable[dict[str, Any]]) -> None:
    """A tar of coded pictures (each a dict with `bytes`) numbered in their order, whole or not at
    all. Raises `ValueError` for one that has no bytes."""
    from PIL import Image

    part = path.with_name(f".{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(part, "w") as file:
        for number, picture in enumerate(pictures):
            content = picture["bytes"]
            if content is None:
                raise ValueError(f"row {number} names a picture and does not hold it")
            with Image.open(io.BytesIO(content)) as image:
                kind = f".{(image.format or 'png').lower()}"
            member = tarfile.TarInfo(f"{number:06}{kind if kind in SUFFIXES else '.png'}")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    part.replace(path)


def _read(content: bytes) -> tuple[np.ndarray, int]:
    return read_picture(content), 0


def _size(content: bytes) -> tuple[int, int] | None:
    size = picture_size(content)
    return size if any(size) else None


def _weight(content: bytes) -> int:
    height, width = picture_size(content)
    return 3 * height * width


PICTURES = Coded(
    "image", "picture", SUFFIXES, _read, _weight,
    columns={"words": ("words",), "faces": ("faces",)}, size=_size,
)  # fmt: skip
