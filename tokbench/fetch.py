"""Getting data that a manifest describes: archives by URL, datasets from the hub."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from tokbench.dataset import Get, Hub, Manifest
from tokbench.errors import UserError, one_line
from tokbench.files import atomic_write, cache_dir


def fetch_dataset(manifest: Manifest, split: str) -> Path:
    """Bring a split's files into the cache and return their folder.

    A download is verified and unpacked aside, then moved into place: an interrupted fetch
    leaves nothing that could be mistaken for data.
    """
    target = cache_dir() / "data" / manifest.name
    if manifest.hub is not None:
        return _fetch_hub(manifest, manifest.hub, split, target / split)
    if manifest.get is not None:
        return _fetch_url(manifest, manifest.get, target)
    raise UserError(f"{manifest.name}: nothing to fetch: {manifest.note or 'it is made on this machine'}")


def _fetch_url(manifest: Manifest, get: Get, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
        archive = Path(scratch) / Path(get.url).name
        digest = hashlib.sha256()
        try:
            with urllib.request.urlopen(get.url, timeout=60) as answer, archive.open("wb") as file:
                while piece := answer.read(1 << 20):
                    digest.update(piece)
                    file.write(piece)
        except (OSError, urllib.error.URLError) as error:
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
        unpacked = Path(scratch) / "unpacked"
        unpacked.mkdir()
        _unpack(archive, get, unpacked)
        if target.exists():
            shutil.rmtree(target)
        unpacked.rename(target)
    return target


def _unpack(archive: Path, get: Get, folder: Path) -> None:
    if get.unpack == "none":
        archive.rename(folder / archive.name)
        return
    try:
        if get.unpack == "zip":
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)
        else:
            with tarfile.open(archive) as file:
                file.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(f"{get.url}: not a readable {get.unpack} archive: {one_line(error)}") from error
    for _ in range(get.strip):
        (top,) = list(folder.iterdir())
        for item in list(top.iterdir()):
            item.rename(folder / item.name)
        top.rmdir()


def _fetch_hub(manifest: Manifest, hub: Hub, split: str, target: Path) -> Path:
    """Stream each group from the hub into one JSON lines file."""
    import datasets

    chosen = manifest.splits[split]
    for group in hub.groups or [""]:
        path = target / f"{group or 'all'}.jsonl"
        if path.is_file():
            continue
        config = hub.config.replace("{group}", group)
        try:
            rows = datasets.load_dataset(
                hub.repo,
                None if config == "default" else config,
                split=chosen.hub_split or split,
                revision=hub.revision,
                streaming=True,
            )
            if chosen.limit is not None:
                rows = rows.take(chosen.limit)
            content = [json.dumps({"text": row[hub.text]}, ensure_ascii=False) for row in rows]
        except KeyError as error:
            raise UserError(f"{manifest.name}: {hub.repo} has no column {error}") from error
        except Exception as error:  # the library raises many kinds, from its own to httpx's
            gate = " It is gated: accept its terms and run `hf auth login`." if hub.gated else ""
            raise UserError(
                f"{manifest.name}: cannot stream {hub.repo} ({config}, {chosen.hub_split or split}): "
                f"{type(error).__name__}: {one_line(error)}.{gate}"
            ) from error
        atomic_write(path, ("\n".join(content) + "\n").encode())
    return target
