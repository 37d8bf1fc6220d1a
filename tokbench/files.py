"""Places and files: where data and caches live, atomic writes, content hashes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from tokbench.errors import UserError, one_line

PACKAGE = Path(__file__).parent


def builtin(folder: str) -> Path:
    """The shipped `tasks`, `data_manifests` or `leaderboards`: in the wheel or in the checkout."""
    packed = PACKAGE / "_data" / folder
    return packed if packed.is_dir() else PACKAGE.parent / folder


@cache
def cache_dir() -> Path:
    """`TOKBENCH_CACHE`, else the platform's cache folder. Everything in it can be deleted."""
    chosen = os.environ.get("TOKBENCH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("tokbench"))


def data_roots() -> list[Path]:
    """Folders searched for a manifest's files: `TOKBENCH_DATA` (several with the path
    separator), then what `tokbench data fetch` brought."""
    chosen = os.environ.get("TOKBENCH_DATA", "")
    roots = [Path(p).expanduser() for p in chosen.split(os.pathsep) if p]
    return [*roots, cache_dir() / "data"]


def atomic_write(path: Path, content: bytes, durable: bool = True) -> None:
    """Write `path` whole or not at all: temporary file, fsync, rename, fsync of the folder.

    Raises `UserError` when the disk refuses (full, read-only, no permission); what stood
    at `path` before is then still there. Without `durable` (caches) it does not wait for the
    disk, so a power cut may lose the file, and its reader has to check it.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
        if durable and os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or one_line(error)}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def cache_write(path: Path, content: bytes) -> None:
    """Write a file of the cache whole or not at all. A cache that cannot be written (full disk,
    read-only folder) costs time only, so that is no error; its reader has to check the file."""
    with suppress(UserError):
        atomic_write(path, content, durable=False)


@cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def slug(name: str) -> str:
    """A name as part of a file name: letters, digits, dots and hyphens."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-_") else "-" for c in name[:200])
    kept = kept.strip("-.")[:80] or "tokenizer"
    return f"_{kept}" if kept.partition(".")[0].upper() in _RESERVED else kept


_RESERVED = {"CON", "PRN", "AUX", "NUL"} | {
    f"{port}{n}" for port in ("COM", "LPT") for n in range(10)
}
"""Windows opens a device for a file of such a name, whatever its suffix."""


def read_bytes(path: Path) -> bytes:
    """The content of `path`, or a `UserError` that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error


def sha256(*pieces: bytes | str) -> str:
    """Hex SHA-256 of the pieces, each prefixed by its length so that no two lists collide."""
    return sha256_of(pieces)


def sha256_of(pieces: Iterable[bytes | str]) -> str:
    """`sha256` of pieces that come one after the other; none is held."""
    digest = hashlib.sha256()
    for piece in pieces:
        raw = piece.encode() if isinstance(piece, str) else piece
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


_file_digests: dict[tuple[str, int, int], str] = {}


def sha256_file(path: Path, remember: bool = True) -> str:
    """Hex SHA-256 of a file's bytes (what `sha256sum` prints), read in constant memory.

    remember: for this process while size and modification time stand (some 500 bytes a file).
    Behind a URL: see `tokbench.remote`."""
    if not isinstance(path, Path):
        from tokbench import remote

        return remote.digest(path)
    try:
        if not remember:
            return _sha256_file(path)
        stat = path.stat()
        key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        if key not in _file_digests:
            _file_digests[key] = _sha256_file(path)
        return _file_digests[key]
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error


def _sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
