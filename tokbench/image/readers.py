"""Readers of images: folders, with annotations where there are any."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from tokbench.errors import UserError, near
from tokbench.image.pictures import SUFFIXES, picture_size, pillow_needed, read_picture
from tokbench.media_parts import FileItem, Item, ItemsPart
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.types import Sample

ANNOTATIONS = "annotations.jsonl"


def images(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of pictures, subfolders included, in the order of their paths.

    A file `annotations.jsonl` in the folder says more of a picture: one object a line, with its
    `name` (the path within the folder, with or without suffix) and any of `words`
    ([{"text", "box": [x0, y0, x1, y1]}, …]) and `faces` ([{"keypoints": five [x, y], "box"}, …]).
    """
    pillow_needed()
    return [_folder(group, path) for group, path in found]


def _folder(group: str, root: Path) -> Part:
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    files = [path for path in files if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    if not files:
        raise UserError(f"{root}: no pictures ({', '.join(SUFFIXES)})")
    base = root if root.is_dir() else root.parent
    notes = _annotations(base / ANNOTATIONS)
    items, names = [], []
    for path in files:
        name = path.relative_to(base).as_posix()
        names += [name, name.removesuffix(path.suffix)]
        said = notes.get(name) or notes.get(names[-1]) or {}
        items.append(_item(FileItem(names[-1], path, said)))
    for name in notes:
        if name not in names and root.is_dir():
            raise UserError(f"{base / ANNOTATIONS}: no picture '{name}'{near(name, names)}")
    return ItemsPart(group, "image", items)


def _item(file: FileItem) -> Item:
    return Item(partial(_load, file), partial(_weight, file.path), file.digest)


def _load(file: FileItem) -> Sample:
    try:
        return Sample(file.name, read_picture(file.path), notes=file.notes)
    except ValueError as error:
        return Sample(file.name, None, error=str(error))


def _weight(path: Path) -> int:
    height, width = picture_size(path)
    return 3 * height * width


def _annotations(path: Path) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    notes: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
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
