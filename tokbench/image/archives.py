"""Readers of images in archives: WebDataset tar shards and parquet, as streams."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tokbench.errors import UserError, near, one_line
from tokbench.files import sha256
from tokbench.image.pictures import SUFFIXES, picture_size, pillow_needed, read_picture
from tokbench.media_parts import Header, Item, SampleStream
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.sources import content_of, opened
from tokbench.types import Sample


def webdataset(found: Found, fields: dict[str, str]) -> list[Part]:
    """WebDataset shards: tar files, or folders of them, in which the files of a sample share their
    name up to its first dot and follow each other: a picture, and a `.json` with its `words` and
    `faces` where there are any. Other files are passed over."""
    pillow_needed()
    return [SampleStream(group, "image", _files(path, ".tar"), _of_tar) for group, path in found]


def parquet(found: Found, fields: dict[str, str]) -> list[Part]:
    """Parquet files, or folders of them, as the hub has them. fields: `image` (default "image"),
    the column of coded pictures, binary or a struct with `bytes`; `name`, a column to name samples
    by (default: the file's name and the row). Columns `words` and `faces` are its annotations."""
    pillow_needed()
    iterate = partial(_of_parquet, key=fields.get("image", "image"), name=fields.get("name", ""))
    return [
        SampleStream(group, "image", _files(path, ".parquet"), iterate) for group, path in found
    ]


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


def image_column(path: Path) -> str:
    """The first column of a parquet file that holds coded pictures as the hub writes them (a
    struct with `bytes`), or an empty string."""
    import pyarrow
    from pyarrow import parquet as pq

    try:
        with content_of(path) as source:
            schema = pq.read_schema(source)
    except (OSError, pyarrow.ArrowException):
        return ""
    for column in schema:
        if pyarrow.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            return str(column.name)
    return ""


def _files(path: Path, suffix: str) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))
    if not files:
        raise UserError(f"{path}: no {suffix} files")
    return files


def _item(name: str, content: bytes, notes: dict[str, Any]) -> Item:
    def load() -> Sample:
        try:
            return Sample(name, read_picture(content), notes=notes)
        except ValueError as error:
            return Sample(name, None, error=str(error))

    def header() -> Header:
        size = picture_size(content)
        return Header(name, size if any(size) else None)

    def weight() -> int:
        height, width = picture_size(content)
        return 3 * height * width

    def digest() -> str:
        return sha256(name, content, msgspec.json.encode(notes, order="sorted"))

    return Item(load, weight, digest, header)


def _of_tar(path: Path) -> Iterator[Item]:
    waiting: dict[str, bytes] = {}
    key = ""
    try:
        with opened(path) as raw, tarfile.open(fileobj=raw, mode="r|*") as file:
            for member in file:
                if not member.isfile() or Path(member.name).name.startswith("."):
                    continue
                folder, slash, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                if f"{folder}{slash}{stem}" != key:
                    yield from _sample(path, key, waiting)
                    key, waiting = f"{folder}{slash}{stem}", {}
                suffix = f".{suffix.lower()}"
                content = file.extractfile(member)
                if content is not None and (suffix in SUFFIXES or suffix == ".json"):
                    waiting[suffix] = content.read()
            yield from _sample(path, key, waiting)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{path}: not a readable tar: {one_line(error)}") from error


def _sample(path: Path, key: str, files: dict[str, bytes]) -> Iterator[Item]:
    pictures = [suffix for suffix in files if suffix != ".json"]
    if not pictures:
        return
    if len(pictures) > 1:
        raise UserError(f"{path}: '{key}' has two pictures: {' and '.join(pictures)}")
    try:
        notes = json.loads(files.get(".json", b"{}"))
    except ValueError as error:
        raise UserError(f"{path}: '{key}.json' is not JSON: {error}") from error
    if not isinstance(notes, dict):
        raise UserError(f"{path}: '{key}.json' is not an object")
    yield _item(key, files[pictures[0]], notes)


def _of_parquet(path: Path, key: str, name: str) -> Iterator[Item]:
    import pyarrow
    from pyarrow import parquet as pq

    try:
        with content_of(path) as source, pq.ParquetFile(source) as file:
            names = file.schema_arrow.names
            for column in filter(None, (key, name)):
                if column not in names:
                    raise UserError(
                        f"{path}: no column '{column}'{near(column, names)} "
                        f"(columns: {', '.join(names)})"
                    )
            wanted = [c for c in (key, name, "words", "faces") if c and c in names]
            row = 0
            for batch in file.iter_batches(batch_size=16, columns=wanted):
                for values in batch.to_pylist():
                    content = values[key]
                    if isinstance(content, dict):
                        content = content.get("bytes")
                    if not isinstance(content, bytes):
                        raise UserError(
                            f"{path}: row {row}: '{key}' holds no coded picture (binary, or a "
                            "struct with 'bytes')"
                        )
                    notes = {n: values[n] for n in ("words", "faces") if values.get(n)}
                    called = str(values[name]) if name else f"{path.stem}/{row:06}"
                    yield _item(called, content, notes)
                    row += 1
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not a readable parquet file: {one_line(error)}") from error
