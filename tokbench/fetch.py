"""Getting data that a manifest describes: archives by URL, datasets from the hub."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import tarfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tokbench.errors import UserError, one_line
from tokbench.files import atomic_write, cache_dir
from tokbench.hub import require_hub
from tokbench.manifest import Get, Hub, Manifest


def fetch_dataset(manifest: Manifest, split: str) -> Path:
    """Bring a split's files into the cache and return their folder.

    A download is verified and unpacked aside, then moved into place: an interrupted fetch
    leaves nothing that could be mistaken for data. One process fetches; others that want the
    same wait for it.
    """
    from tokbench.dataset import find_files

    target = cache_dir() / "data" / manifest.name
    if manifest.hub is not None:
        target /= split
    elif manifest.get is None:
        raise UserError(
            f"{manifest.name}: nothing to fetch: {manifest.note or 'it is made on this machine'}"
        )
    with _turn(target) as scratch:
        if find_files(manifest, split):  # fetched by another process meanwhile
            return target
        if manifest.hub is not None:
            folder = _fetch_hub(manifest, manifest.hub, split, target)
        elif manifest.get is not None:
            folder = _fetch_url(manifest, manifest.get, scratch)
        _replace(target, folder, scratch)
    return target


@contextmanager
def _turn(target: Path) -> Iterator[Path]:
    """Nobody else fetches the target meanwhile. An empty folder of our own beside it, gone
    afterwards."""
    import filelock

    scratch = target.with_name(f".{target.name}.fetch")
    lock = filelock.FileLock(target.with_name(f".{target.name}.lock"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(f"{target.parent}: cannot write: {reason}") from error
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # of a fetch that was killed
        scratch.mkdir()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is held: who waits for it looks again
        lock.release()


def _fetch_url(manifest: Manifest, get: Get, scratch: Path) -> Path:
    archive = scratch / (Path(urllib.parse.urlsplit(get.url).path).name or "download")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(get.url, timeout=60) as answer, archive.open("wb") as file:
            while piece := answer.read(1 << 20):
                digest.update(piece)
                file.write(piece)
            promised = answer.headers.get("Content-Length")
            if promised is not None and file.tell() != int(promised):
                raise OSError(f"cut short after {file.tell():,} of {int(promised):,} bytes")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = one_line(getattr(error, "reason", None) or error)
        raise UserError(
            f"{manifest.name}: cannot fetch {get.url} ({reason}); "
            "put the files under TOKBENCH_DATA by hand, or try again with a network"
        ) from error
    if get.sha256 is not None and digest.hexdigest() != get.sha256:
        raise UserError(
            f"{manifest.name}: {get.url} has SHA-256 {digest.hexdigest()[:12]}…, "
            f"the manifest says {get.sha256[:12]}…; nothing was kept"
        )
    return _unpack(archive, get, scratch / "unpacked")


def _replace(target: Path, folder: Path, scratch: Path) -> None:
    try:
        if target.exists():
            target.rename(scratch / "before")
        folder.rename(target)
    except OSError as error:
        raise UserError(f"{target}: cannot write: {error.strerror or one_line(error)}") from error


def _unpack(archive: Path, get: Get, folder: Path) -> Path:
    """Unpack into `folder`; the folder that is left after stripping."""
    folder.mkdir()
    if get.unpack == "none":
        archive.rename(folder / archive.name)
        return folder
    try:
        if get.unpack == "zip":
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except (OSError, EOFError, RuntimeError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as e:
        raise UserError(f"{get.url}: not a readable {get.unpack} archive: {one_line(e)}") from e
    for _ in range(get.strip):
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            raise UserError(f"{get.url}: strip = {get.strip}: not one folder at the top of it")
        folder = inside[0]
    return folder


def _fetch_hub(manifest: Manifest, hub: Hub, split: str, target: Path) -> Path:
    """Stream each group from the hub into one JSON lines file, or one tar of its pictures.

    The files wait in a hidden folder until all are there, so that an interrupted fetch goes on
    where it stopped and some of the groups are never taken for the set.
    """
    if not Path(hub.repo).exists():
        require_hub(f"{manifest.name}:{split}", "put the files under TOKBENCH_DATA by hand")
    import datasets

    chosen = manifest.splits[split]
    waiting = target.with_name(f".{target.name}.part")
    for group in hub.groups or [""]:
        path = waiting / f"{group or 'all'}.{'tar' if hub.image else 'jsonl'}"
        if path.is_file():
            continue
        config = hub.config.replace("{group}", group)
        try:
            rows = datasets.load_dataset(
                hub.repo,
                None if config == "default" else config,
                data_dir=hub.folder and hub.folder.replace("{group}", group),
                split=chosen.hub_split or split,
                revision=hub.revision,
                streaming=True,
            )
            if chosen.limit is not None:
                rows = rows.take(chosen.limit)
            if hub.image:
                from tokbench.image.archives import write_shard

                rows = rows.cast_column(hub.image, datasets.Image(decode=False))
                write_shard(path, (row[hub.image] for row in rows))
                continue
            content = [_json_line(row[hub.text]) for row in rows]
        except KeyError as error:
            raise UserError(f"{manifest.name}: {hub.repo} has no column {error}") from error
        except Exception as error:  # the library raises many kinds, from its own to httpx's
            gate = " It is gated: accept its terms and run `hf auth login`." if hub.gated else ""
            raise UserError(
                f"{manifest.name}: cannot stream {hub.repo} ({config}): "
                f"{type(error).__name__}: {one_line(error)}.{gate}"
            ) from error
        atomic_write(path, "".join(content).encode())
    return waiting


def _json_line(text: str | None) -> str:
    return json.dumps({"text": text or ""}, ensure_ascii=False) + "\n"
