"""Files to read, here or behind a URL."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tokbench import remote
from tokbench.errors import UserError, one_line
from tokbench.remote import is_remote

_noted: list[io.BufferedReader] | None = None


@contextmanager
def noted() -> Iterator[list[io.BufferedReader]]:
    """The files that are opened meanwhile: how far each has been read says how much is left."""
    global _noted
    found: list[io.BufferedReader] = []
    _noted = found
    try:
        yield found
    finally:
        _noted = None


def opened(path: Path) -> io.BufferedReader:
    """A file, here or behind a URL, open for reading."""
    file = remote.opened(path) if is_remote(path) else _opened(path)
    if _noted is not None:
        _noted.append(file)
    return file


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error


def opened_again(path: Path) -> AbstractContextManager[io.BufferedReader]:
    """A file whose slices are read one after the other: one behind a URL stays open between."""
    return nullcontext(remote.kept_open(path)) if is_remote(path) else opened(path)


def size_of(path: Path) -> int:
    """Bytes of a file, here or behind a URL."""
    return remote.size_of(path) if is_remote(path) else path.stat().st_size


@contextmanager
def content_of(path: Path) -> Iterator[Any]:
    """What libraries take for a file: its path, or one behind a URL as an open file."""
    if is_remote(path):
        with remote.opened(path) as file:
            yield file
    else:
        yield path
