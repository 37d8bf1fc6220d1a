"""Streams of images and clips out of archives: WebDataset tar shards and parquet.

Nothing is held but the sample at hand (of parquet: a row group), however long the archive.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec

from tokbench.errors import UserError, near, one_line
from tokbench.files import sha256
from tokbench.media_parts import Header, Item, SampleStream
from tokbench.readers import Found
from tokbench.sources import content_of, opened
from tokbench.types import Sample

ROWS, BUFFER = 16, 1 << 20
"""Rows of a parquet file that are taken at a time, and bytes read of it."""


@dataclass(frozen=True)
class Coded:
    """The coded samples of one modality as archives hold them.

    noun: what one is called. suffixes: of its files. read: its array and rate. weight: bytes it
    takes when decoded, from its header. size: height and width, where it has them. columns: by
    note, the names that columns and keys with it go by. beside: by the suffix of a file beside
    the sample, the note that its text is.
    """

    modality: str
    noun: str
    suffixes: tuple[str, ...]
    read: Callable[[bytes], tuple[Any, int]]
    weight: Callable[[bytes], int]
    columns: Mapping[str, tuple[str, ...]]
    size: Callable[[bytes], tuple[int, int] | None] | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False
    """Are its notes plain words, so that a number (a speaker's) is read as one?"""

    def noted(self, row: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """What a row says by the names of our notes, over what is said of all."""
        notes = dict(said)
        for note, names in self.columns.items():
            there = (row[name] for name in names if row.get(name) not in (None, "", []))
            value = next(there, None)
            if value is not None:
                notes[note] = str(value) if self.plain else value
        return notes

    def item(self, name: str, content: bytes, notes: dict[str, Any]) -> Item:
        """A coded sample, decoded when it is loaded."""

        def load() -> Sample:
            try:
                data, rate = self.read(content)
            except ValueError as error:
                return Sample(name, None, error=str(error))
            return Sample(name, data, rate, notes)

        def header() -> Header:
            return Header(name, self.size(content) if self.size else None)

        def digest() -> str:
            return sha256(name, content, msgspec.json.encode(notes, order="sorted"))

        return Item(load, partial(self.weight, content), digest, header)


def tar_streams(found: Found, coded: Coded, said: Mapping[str, Any]) -> list[SampleStream]:
    """Tar shards, or folders of them, as streams. The files of a sample share their name up to
    its first dot and follow each other."""
    iterate = partial(_of_tar, coded=coded, said=said)
    return [
        SampleStream(group, coded.modality, _files(path, ".tar"), iterate) for group, path in found
    ]


def parquet_streams(
    found: Found, coded: Coded, key: str, name: str, said: Mapping[str, Any], *needed: str
) -> list[SampleStream]:
    """Parquet files, or folders of them, as streams. key: the column of coded samples, binary or
    a struct with `bytes`. name: a column to name samples by; empty: the file's name and the row.
    needed: other columns that have to be there."""
    iterate = partial(_of_parquet, coded=coded, key=key, name=name, said=said, needed=needed)
    return [
        SampleStream(group, coded.modality, _files(path, ".parquet"), iterate)
        for group, path in found
    ]


def _files(path: Path, suffix: str) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))
    if not files:
        raise UserError(f"{path}: no {suffix} files")
    return files


def members(path: Path, wanted: Collection[str] = ()) -> Iterator[tuple[str, str, bytes]]:
    """Key and suffix (lower case) of every file in a tar that is not hidden, and the content of
    those with a wanted suffix."""
    try:
        with opened(path) as raw, tarfile.open(fileobj=raw, mode="r|*", tarinfo=_Member) as file:
            while (member := file.next()) is not None:
                file.members = []  # type: ignore[attr-defined]  # it would remember every one
                folder, slash, name = member.name.rpartition("/")
                if not member.isfile() or name.startswith("."):
                    continue
                stem, _, suffix = name.partition(".")
                suffix = f".{suffix.lower()}"
                content = file.extractfile(member) if suffix in wanted else None
                yield f"{folder}{slash}{stem}", suffix, content.read() if content else b""
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{path}: not a readable tar: {one_line(error)}") from error


class _Member(tarfile.TarInfo):
    """A member that is whole, or an error: without the mark that ends a tar nobody can tell it
    from one that was cut short, which Python takes for its end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if isinstance(error, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            raise tarfile.ReadError(f"cut short or damaged ({error})") from error


def _of_tar(path: Path, coded: Coded, said: Mapping[str, Any]) -> Iterator[Item]:
    wanted = {*coded.suffixes, *coded.beside, ".json"}
    waiting: dict[str, bytes] = {}
    last = ""
    for key, suffix, content in members(path, wanted):
        if key != last:
            yield from _sample(path, last, waiting, coded, said)
            last, waiting = key, {}
        if suffix in wanted:
            waiting[suffix] = content
    yield from _sample(path, last, waiting, coded, said)


def _sample(
    path: Path, key: str, files: dict[str, bytes], coded: Coded, said: Mapping[str, Any]
) -> Iterator[Item]:
    found = [suffix for suffix in files if suffix in coded.suffixes]
    if not found:
        return
    if len(found) > 1:
        raise UserError(f"{path}: '{key}' has two {coded.noun}s: {' and '.join(found)}")
    try:
        notes = json.loads(files.get(".json", b"{}"))
    except ValueError as error:
        raise UserError(f"{path}: '{key}.json' is not JSON: {error}") from error
    if not isinstance(notes, dict):
        raise UserError(f"{path}: '{key}.json' is not an object")
    for suffix, note in coded.beside.items():
        if suffix in files:
            try:
                notes[note] = files[suffix].decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise UserError(f"{path}: '{key}{suffix}' is not UTF-8: {error}") from error
    yield coded.item(key, files[found[0]], coded.noted(notes, {**said, **notes}))


def _of_parquet(
    path: Path,
    coded: Coded,
    key: str,
    name: str,
    said: Mapping[str, Any],
    needed: tuple[str, ...],
) -> Iterator[Item]:
    import pyarrow
    from pyarrow import parquet as pq

    try:
        with (
            content_of(path) as source,  # which pre_buffer would keep, all that was read of it
            pq.ParquetFile(source, buffer_size=BUFFER, pre_buffer=False) as file,
        ):
            names = file.schema_arrow.names
            for column in filter(None, (key, name, *needed)):
                if column not in names:
                    raise UserError(
                        f"{path}: no column '{column}'{near(column, names)} "
                        f"(columns: {', '.join(names)})"
                    )
            told = [column for columns in coded.columns.values() for column in columns]
            wanted = [c for c in dict.fromkeys((key, name, *told)) if c and c in names]
            row = 0
            for batch in file.iter_batches(batch_size=ROWS, columns=wanted):
                for values in batch.to_pylist():
                    content = values[key]
                    if isinstance(content, dict):
                        content = content.get("bytes")
                    if not isinstance(content, bytes):
                        raise UserError(
                            f"{path}: row {row}: '{key}' holds no coded {coded.noun} (binary, or "
                            "a struct with 'bytes')"
                        )
                    called = str(values[name]) if name else f"{path.stem}/{row:06}"
                    yield coded.item(called, content, coded.noted(values, said))
                    row += 1
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not a readable parquet file: {one_line(error)}") from error


def in_tar(path: Path) -> str:
    """`image` or `audio`, by the first file in a tar that is either; empty where none is."""
    from tokbench.audio import clips
    from tokbench.image import pictures

    for _, suffix, _ in members(path):
        if suffix in pictures.SUFFIXES:
            return "image"
        if suffix in clips.SUFFIXES:
            return "audio"
    return ""


def in_parquet(path: Path) -> tuple[str, str]:
    """`image` or `audio`, and the first column of a parquet file that holds them coded as the hub
    writes them (a struct with `bytes`); empty where there is none. It is of clips where the hub's
    own description says so or where it is called `audio`."""
    import pyarrow
    from pyarrow import parquet as pq

    try:
        with content_of(path) as source:
            schema = pq.read_schema(source)
    except (OSError, pyarrow.ArrowException):
        return "", ""
    for column in schema:
        if pyarrow.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
            kind = _described(schema.metadata or {}, column.name)
            if kind is None:
                kind = "Audio" if column.name == "audio" else "Image"
            return ("audio" if kind == "Audio" else "image"), str(column.name)
    return "", ""


def _described(metadata: Mapping[bytes, bytes], column: str) -> str | None:
    """The kind of a column in the description that the hub's library leaves in a file."""
    try:
        found = json.loads(metadata[b"huggingface"])["info"]["features"][column]["_type"]
    except (KeyError, ValueError, TypeError):
        return None
    return found if found in ("Audio", "Image") else None
