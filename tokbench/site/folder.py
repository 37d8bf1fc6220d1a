"""The folder of a site: only ever our own, and replaced as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from tokbench.errors import UserError, one_line
from tokbench.files import atomic_write

GENERATOR = "tokbench leaderboard"
"""How a page says whose it is."""

PARTS = frozenset(("index.html", "assets", "figures", "records", "suites", "tables", "tasks"))
KINDS = frozenset((".html", ".json", ".csv", ".svg", ".png", ".js", ".css"))
"""What a site holds at its top, and below that."""


def refuse_other(out: Path) -> None:
    """Raise `UserError` for a folder that holds anything but an earlier site: it would be lost."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--html {out}: is a file; give a folder")
    try:
        if other := _other(out) if out.is_dir() else None:
            raise UserError(
                f"--html {out}: holds {other}, of no earlier site; give a folder of its own"
            )
    except OSError as error:
        raise UserError(f"--html {out}: cannot read: {one_line(error)}") from error


def _other(out: Path) -> str | None:
    """The first thing in the folder that is not of an earlier site."""
    top = sorted(entry.name for entry in os.scandir(out))
    if foreign := next((name for name in top if name not in PARTS), None):
        return foreign
    if top and not _ours(out / "index.html"):
        return top[0]
    for folder, _, files in os.walk(out):
        for name in files:
            if Path(name).suffix not in KINDS:
                return str((Path(folder) / name).relative_to(out))
    return None


def _ours(page: Path) -> bool:
    if not page.is_file():
        return False
    with page.open("rb") as file:
        head = file.read(2000)
    # The title stands for sites of before the pages said so themselves.
    marks = f'content="{GENERATOR}"', "<title>tokbench leaderboard</title>"
    return any(mark.encode() in head for mark in marks)


def replace(out: Path, pages: Iterable[dict[str, bytes]]) -> None:
    """Write all files by their paths into a folder beside `out`, which then takes its place.

    Interrupted, it leaves what was there before. Raises `UserError` where it cannot write.
    """
    refuse_other(out)
    place = out.resolve()
    own = uuid4().hex[:8]
    new, old = (place.parent / f".{place.name}.{own}.{what}" for what in ("new", "old"))
    try:
        for several in pages:
            for path, content in several.items():
                atomic_write(new / path, content, durable=False)
        if place.is_dir():
            place.rename(old)
        try:
            new.rename(place)
        except BaseException:
            if old.is_dir() and not place.exists():
                old.rename(place)
            raise
    except OSError as error:
        raise UserError(f"{out}: cannot write: {error.strerror or one_line(error)}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if place.is_dir():
            shutil.rmtree(old, ignore_errors=True)
