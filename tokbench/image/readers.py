"""Readers of images: folders, with annotations where there are any."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tokbench.annotations import annotated, folder_of
from tokbench.image.archives import PICTURES
from tokbench.image.pictures import SUFFIXES, picture_size, pillow_needed, read_picture
from tokbench.listing import Files, FilesPart
from tokbench.media_parts import FileItem, Header, Item
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.remote import is_remote
from tokbench.remote_folders import FolderPart
from tokbench.types import Sample


def images(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of pictures, subfolders included, in the order of their paths.

    A file `annotations.jsonl` in the folder says more of a picture: one object a line, with its
    `name` (the path within the folder, with or without suffix) and any of `words`
    ([{"text", "box": [x0, y0, x1, y1]}, …], in pixels, the ends exclusive) and `faces`
    ([{"keypoints": five [x, y], "box"}, …]). A folder behind a URL is read alike.
    """
    pillow_needed()
    return [
        FolderPart(group, path, PICTURES, {})
        if is_remote(path)
        else FilesPart(
            group, "image", Files(folder_of(path), annotated(path, SUFFIXES, "pictures")), item
        )
        for group, path in found
    ]


def item(file: FileItem) -> Item:
    """A picture's file as a sample."""
    weight, header = partial(_weight, file.path), partial(_header, file)
    return Item(partial(_load, file), weight, file.digest, header)


def _load(file: FileItem) -> Sample:
    try:
        return Sample(file.name, read_picture(file.path), notes=file.notes)
    except ValueError as error:
        return Sample(file.name, None, error=str(error))


def _header(file: FileItem) -> Header:
    size = picture_size(file.path)
    return Header(file.name, size if any(size) else None)


def _weight(path: Path) -> int:
    height, width = picture_size(path)
    return 3 * height * width
