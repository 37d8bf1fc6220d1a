"""`annotations.jsonl`: what a folder says of its images or clips, one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokbench.errors import UserError, near, one_line
from tokbench.listing import Listed, walk

NAME = "annotations.jsonl"


def annotated(root: Path, suffixes: Sequence[str], what: str) -> Iterator[Listed]:
    """The files of a folder (subfolders included, in the order of their paths) that have one of
    the suffixes, each with its line of `annotations.jsonl`.

    A line names its file by the path within the folder, with or without suffix. Refuses a
    folder without such files, a line that is no object with a `name`, and a name without file.
    """
    base = folder_of(root)
    notes = _notes(base / NAME)
    without_file = set(notes)
    none = True
    for path in _below(root, suffixes):
        none, name = False, path[: path.rindex(".")]
        without_file -= {path, name}
        yield Listed(name, path, notes.get(path) or notes.get(name) or {})
    if none:
        raise UserError(f"{root}: no {what} ({', '.join(suffixes)})")
    for name in notes:
        if name in without_file and root.is_dir():
            names = {n for path in _below(root, suffixes) for n in (path, path[: path.rindex(".")])}
            raise UserError(f"{base / NAME}: no file '{name}'{near(name, names)}")


def folder_of(root: Path) -> Path:
    """The folder that paths are told within: the file's own where `root` is one."""
    return root if root.is_dir() else root.parent


def files_of(root: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """The files of a folder (subfolders included, in the order of their paths) that have one of
    the suffixes and are not hidden; the file itself where `root` is one."""
    base = folder_of(root)
    return (base / path for path in _below(root, suffixes))


def _below(root: Path, suffixes: Sequence[str]) -> Iterator[str]:
    for path in [root.name] if root.is_file() else walk(root):
        name = path.rpartition("/")[2]
        stem, dot, suffix = name.rpartition(".")
        if stem and name[0] != "." and (dot + suffix).lower() in suffixes:
            yield path


def stem_of(root: Path, path: Path) -> str:
    """The name of a sample: the path of its file within the folder, without suffix."""
    return path.relative_to(root).as_posix().removesuffix(path.suffix)


def _notes(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read: {one_line(error)}") from error
    return noted(path, lines)


def noted(path: Any, lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What each line of the file says, by the name that it says it of."""
    notes: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            name = row.pop("name")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise UserError(f"{path}: line {number}: not an object with a 'name'") from error
        if name in notes:
            raise UserError(f"{path}: line {number}: '{name}' comes twice")
        notes[name] = row
    return notes
