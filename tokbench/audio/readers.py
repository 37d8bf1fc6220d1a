"""Readers of clips: folders, with annotations where there are any."""

from __future__ import annotations

from functools import partial

from tokbench.annotations import annotated
from tokbench.audio.clips import SUFFIXES, clip_weight, read_clip, soundfile_needed
from tokbench.media_parts import FileItem, Item, ItemsPart
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.types import Sample


def clips(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of clips, subfolders included, in the order of their paths.

    A file `annotations.jsonl` in the folder says more of a clip: one object a line, with its
    `name` (the path within the folder, with or without suffix) and any of `transcript`,
    `speaker`, `language`, `domain` (speech, music, sound).
    """
    soundfile_needed()
    return [
        ItemsPart(group, "audio", [_item(file) for file in annotated(path, SUFFIXES, "clips")])
        for group, path in found
    ]


def _item(file: FileItem) -> Item:
    return Item(partial(_load, file), partial(clip_weight, file.path), file.digest)


def _load(file: FileItem) -> Sample:
    try:
        data, rate = read_clip(file.path)
    except ValueError as error:
        return Sample(file.name, None, error=str(error))
    return Sample(file.name, data, rate, file.notes)
