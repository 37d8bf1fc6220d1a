"""Folders of files by the million: walked in order, and kept in a few bytes a file."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, overload

from tokbench.errors import UserError, one_line
from tokbench.media_parts import FileItem, Item, ItemsPart

PACKED = 256
"""Files whose names and notes are compressed together. Numbered names then take 5 to 10 bytes."""


def walk(root: Path) -> Iterator[str]:
    """The files below a folder, by their path within it, in the order of sorted `Path`s. The
    names of one folder are held at a time. Folders that are links are not entered, and those
    that may not be read are passed over."""
    return _walk(root, "")


def _walk(folder: Path, before: str) -> Iterator[str]:
    names: list[str] = []
    folders: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                elif not entry.is_file():
                    continue
                names.append(entry.name)
    except OSError:
        return
    names.sort()
    for name in names:
        if name in folders:
            yield from _walk(folder / name, f"{before}{name}/")
        else:
            yield before + name


class Listed(NamedTuple):
    """A file of a folder: the sample's name, its path within the folder, what is said of it, and
    its bytes where the listing tells them."""

    name: str
    path: str
    notes: dict[str, Any]
    size: int = 0


class Files(Sequence[FileItem]):
    """Files of a folder with what is said of them, packed. Read one after the other, or by
    number; a block is unpacked at a time."""

    def __init__(self, base: Path, files: Iterable[Listed]):
        self.base = base
        self._packed: list[bytes] = []
        self._count = 0
        self._unpacked: tuple[int, list[FileItem]] = (-1, [])
        files = iter(files)
        while block := list(islice(files, PACKED)):
            self._packed.append(zlib.compress(json.dumps(block).encode()))
            self._count += len(block)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> FileItem: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[FileItem]: ...
    def __getitem__(self, number: int | slice) -> FileItem | Sequence[FileItem]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(self._count))]
        block, place = divmod(range(self._count)[number], PACKED)
        at, files = self._unpacked
        if at != block:
            files = list(self._block(self._packed[block]))
            self._unpacked = (block, files)
        return files[place]

    def __iter__(self) -> Iterator[FileItem]:
        return (file for packed in self._packed for file in self._block(packed))

    def _block(self, packed: bytes) -> Iterator[FileItem]:
        for name, path, notes, size in json.loads(zlib.decompress(packed)):
            yield FileItem(name, self.base / path, notes, size)

    @cached_property
    def seal(self) -> tuple[str, int]:
        """Hash of names, notes, sizes and times of modification: while it stands, no file has
        changed. And the bytes of all files."""
        digest = hashlib.sha256(str(self.base.resolve()).encode(errors="surrogateescape"))
        total = 0
        for packed in self._packed:
            digest.update(packed)
        for file in self:
            try:
                stat = file.path.stat()
            except OSError as error:
                why = error.strerror or one_line(error)
                raise UserError(f"{file.path}: cannot read: {why}") from error
            total += stat.st_size
            digest.update(f"{stat.st_size} {stat.st_mtime_ns},".encode())
        return digest.hexdigest(), total


class FilesPart(ItemsPart):
    """The files of a folder as samples, each made from its file when it is asked for."""

    def __init__(
        self, group: str, modality: str, files: Files, make: Callable[[FileItem], Item]
    ) -> None:
        super().__init__(group, modality, Made(files, make))
        self.files = files

    def fingerprint(self) -> str:
        """Remembered for this process while the files stand."""
        seal, _ = self.files.seal
        if seal not in _fingerprints:
            _fingerprints[seal] = super().fingerprint()
        return _fingerprints[seal]

    def size(self) -> int:
        return self.files.seal[1]


_fingerprints: dict[str, str] = {}


class Made(Sequence[Item]):
    """Files as samples, each made when it is asked for."""

    def __init__(self, files: Files, make: Callable[[FileItem], Item]) -> None:
        self._files, self._make = files, make

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, number: int) -> Item: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Item]: ...
    def __getitem__(self, number: int | slice) -> Item | Sequence[Item]:
        if isinstance(number, slice):
            return [self._make(file) for file in self._files[number]]
        return self._make(self._files[number])

    def __iter__(self) -> Iterator[Item]:
        return map(self._make, self._files)
