"""Data behind a URL (`https://`, `s3://`, `gs://`, `hf://`, `memory://`, …), through fsspec.

Whoever measures a shard reads it there; nothing is stored on the way. What stands for the content
in a fingerprint: the SHA-256 that the store gives (the hub's large files); else a hash of the
content for files up to 256 MiB and where the store says nothing of it; else the store's tag
(ETag, MD5, CRC32C) with the size, so that no terabyte is read twice. Such data has no manifest,
so its records are never filed.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from tokbench.errors import MissingExtra, UserError, one_line

HASHED = 256 << 20
"""Bytes of the largest file whose content is hashed although the store has a tag for it."""

TAGS = ("md5Hash", "crc32c", "content_md5", "Content-MD5", "ETag", "etag", "blob_id")
"""What stores call the tag of a content; the first that is there is taken."""


def is_url(reference: str) -> bool:
    """Is this `scheme://…`?"""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", reference))


class RemotePath:
    """A file or folder behind a URL, with as much of `pathlib.Path` as readers use."""

    def __init__(self, fs: Any, path: str, url: str):
        self.fs, self.path, self._url = fs, path.rstrip("/"), url
        self.plain_web = url.startswith(("http://", "https://"))
        self.name = PurePosixPath(self.path).name or self.path
        self.suffix, self.stem = PurePosixPath(self.name).suffix, PurePosixPath(self.name).stem
        self.listings: dict[str, dict[str, tuple[bool, int, str]]] = {}  # see `remote_folders`

    def __str__(self) -> str:
        return self._url

    def __lt__(self, other: RemotePath) -> bool:
        return self.path < other.path

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the store says of it. Raises `UserError` where it says nothing."""
        if self.plain_web and self._url.endswith("/"):  # a page that lists a folder's files
            return {"type": "directory"}
        try:
            return dict(self.fs.info(self.path))
        except FileNotFoundError as error:
            raise UserError(f"{self}: nothing is there") from error
        except Exception as error:  # what a store raises has no common kind
            raise UserError(f"{self}: cannot be reached: {_why(error)}") from error

    def is_file(self) -> bool:
        return bool(self.info["type"] == "file")

    def is_dir(self) -> bool:
        return not self.is_file()

    def resolve(self) -> RemotePath:
        return self

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(self.fs, f"{self.path}/{name}", f"{self._url.rstrip('/')}/{name}")

    @property
    def parent(self) -> RemotePath:
        path, url = self.path.rpartition("/")[0], self._url.rpartition("/")[0]
        return RemotePath(self.fs, path, f"{url}/")

    def open(self, mode: str = "rb") -> Any:
        return self.fs.open(self.path, mode)

    def iterdir(self) -> Iterator[RemotePath]:
        return map(self._beside, self._listed(self.fs.ls, detail=False))

    def rglob(self, pattern: str) -> Iterator[RemotePath]:
        found = map(self._beside, self._listed(self.fs.find))
        return (path for path in found if fnmatch(path.name, pattern))

    def relative_to(self, other: RemotePath) -> PurePosixPath:
        return PurePosixPath(self.path).relative_to(other.path)

    def entries(self, folder: str) -> list[dict[str, Any]]:
        """What the store says of each file and folder in a folder of the same store. It is asked
        each time: what fsspec would remember takes a kilobyte a file."""
        try:
            found: list[dict[str, Any]] = self.fs.ls(f"{folder}/", detail=True)
            self.fs.invalidate_cache()
        except Exception as error:
            raise UserError(f"{self}: cannot be listed: {_why(error)}") from error
        return found

    def _listed(self, how: Any, **options: Any) -> list[str]:
        try:
            return sorted(how(self.path, **options))
        except Exception as error:
            raise UserError(f"{self}: cannot be listed: {_why(error)}") from error

    def _beside(self, path: str) -> RemotePath:
        return RemotePath(self.fs, path, self.fs.unstrip_protocol(path))


def is_remote(path: Any) -> TypeGuard[RemotePath]:
    """Is this a path behind a URL?"""
    return isinstance(path, RemotePath)


def _why(error: Exception) -> str:
    """What a store says, with what mends it where that is known."""
    said = one_line(error)
    if "credentials" in said.lower() and "locate" in said.lower():
        return (
            f"{said} (set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a "
            "public bucket FSSPEC_S3_ANON=true)"
        )
    return said


def located(url: str) -> Any:
    """The path behind a URL: a plain one for `file://`, else a `RemotePath`.

    Raises `UserError` for an unknown scheme and for what is not there, `MissingExtra` for a
    scheme whose package is not installed.
    """
    import fsspec

    scheme, _, rest = url.partition("://")
    if scheme == "file":
        return Path(unquote("/" + rest.lstrip("/")))
    try:
        fs, inside = fsspec.url_to_fs(url)
        fs.invalidate_cache()  # what was listed for an earlier call may have changed
    except ImportError as error:  # it names the package that the scheme needs
        raise MissingExtra(f"{url}: {one_line(error)}: what {scheme}:// needs", "remote") from error
    except Exception as error:
        raise UserError(f"{url}: cannot be reached: {_why(error)}") from error
    path = RemotePath(fs, inside, url)
    if not path.path:
        raise UserError(f"{url}: name a file or folder")
    path.is_file()  # raises where nothing is there
    return path


class _Raw(io.RawIOBase):
    """The bytes of a remote file; whatever the store raises is a `UserError`."""

    def __init__(self, path: Any):
        self._path = path
        self._file = self._tried(lambda: path.open("rb"))

    def _tried(self, action: Any) -> Any:
        try:
            return action()
        except Exception as error:
            raise UserError(f"{self._path}: cannot read: {_why(error)}") from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def readinto(self, buffer: Any) -> int:
        content = self._tried(lambda: self._file.read(len(buffer)))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, place: int, whence: int = 0) -> int:
        return int(self._tried(lambda: self._file.seek(place, whence)))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


BUFFER = 1 << 20


def opened(path: RemotePath) -> io.BufferedReader:
    """A remote file, open for reading."""
    return io.BufferedReader(_Raw(path), BUFFER)


@lru_cache(maxsize=4)
def kept_open(path: RemotePath) -> io.BufferedReader:
    """A remote file that stays open, for one slice after the other: what was read ahead for one
    serves the next."""
    return opened(path)


def digest(path: RemotePath) -> str:
    """What stands for the content, as hex SHA-256 (see above)."""
    if path not in _digests:
        _digests[path] = _digest(path)
    return _digests[path]


_digests: WeakKeyDictionary[RemotePath, str] = WeakKeyDictionary()


def _digest(path: RemotePath) -> str:
    large = path.info.get("lfs")
    if large and large.get("sha256"):
        return str(large["sha256"])
    size = path.info.get("size")
    tag = tag_of(path.info)
    if tag and size is not None and size > HASHED:
        return hashlib.sha256(f"{path.name} {size} {tag}".encode()).hexdigest()
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tag_of(info: dict[str, Any]) -> str:
    """The store's tag of a content, with its kind; empty where there is none."""
    return next((f"{name} {info[name]}" for name in TAGS if info.get(name)), "")


def content(path: RemotePath) -> bytes:
    """All bytes of a small file, in one request."""
    try:
        return bytes(path.fs.cat_file(path.path))
    except Exception as error:
        raise UserError(f"{path}: cannot read: {_why(error)}") from error


def size_of(path: RemotePath) -> int:
    """Bytes of the file; 0 where the store does not say."""
    return int(path.info.get("size") or 0)
