"""Trained weights that no wheel carries: found where they lie, else fetched on first use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from tokbench.errors import UserError, one_line
from tokbench.files import cache_dir, sha256_file

VARIABLE = "TOKBENCH_WEIGHTS"
_ALLOWED = ContextVar("fetching is allowed", default=True)


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Within it nothing is downloaded: to be told what a task measures is no reason to."""
    before = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def fetching() -> bool:
    """False within `nothing_fetched`."""
    return _ALLOWED.get()


def may_fetch(what: str) -> None:
    """Raise `UserError` within `nothing_fetched`."""
    if not fetching():
        raise UserError(f"{what}: not on this machine; fetched when it is first measured with")


def hub_folder() -> Path:
    """Where torch.hub keeps its downloads, without importing torch."""
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME") or home).expanduser() / "hub"


def folders() -> list[Path]:
    """Those that the user names, in `TOKBENCH_WEIGHTS` or with `--weights`."""
    chosen = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(each).expanduser() for each in chosen if each]


def found(name: str, digest: str = "") -> Path | None:
    """The file of that name in the folders of `TOKBENCH_WEIGHTS`, in tokbench's cache or in
    torch.hub's. Raises `UserError` where its SHA-256 does not begin with `digest`."""
    for folder in [*folders(), cache_dir() / "weights", hub_folder() / "checkpoints"]:
        path = folder if folder.name == name else folder / name
        if path.is_file():
            if not sha256_file(path).startswith(digest):
                raise UserError(
                    f"{path}: SHA-256 {sha256_file(path)[:12]}… is not {digest[:12]}…: damaged, or "
                    "other weights; delete it or put the right file in its place"
                )
            return path
    return None


def weights(name: str, url: str, digest: str) -> Path:
    """The verified file, downloaded into the cache where it is not on this machine."""
    path = found(name, digest)
    if path is not None:
        return path
    may_fetch(name)
    target = cache_dir() / "weights" / name
    import torch

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), digest, progress=False)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the weights {name} are not here and cannot be fetched ({one_line(error)}): download "
            f"{url} and put the file into {target.parent}, or name its folder in {VARIABLE}"
        ) from error
    return target
