"""Readers of clips: folders, with annotations where there are any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tokbench.annotations import annotated, folder_of
from tokbench.audio.archives import CLIPS, said_of
from tokbench.audio.clips import SUFFIXES, clip_weight, read_clip, soundfile_needed
from tokbench.audio.transcripts import transcripts
from tokbench.errors import UserError
from tokbench.listing import Files, FilesPart, Listed
from tokbench.media_parts import FileItem, Header, Item
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.remote import is_remote
from tokbench.remote_folders import FolderPart
from tokbench.types import Sample


def clips(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of clips, subfolders included, in the order of their paths.

    A file `annotations.jsonl` in the folder says more of a clip: one object a line, with its
    `name` (the path within the folder, with or without suffix) and any of `transcript`,
    `speaker`, `language`, `domain` (speech, music, sound). Transcripts are also taken from
    LibriSpeech's `*.trans.txt` and from Sphinx's `transcription`; of a folder behind a URL from
    `annotations.jsonl` alone.

    Fields of a manifest: `names`, a regular expression for the path without suffix, whose named
    groups are notes (clips that it does not match are left out); `transcripts`, the form they are
    in (see tokbench.audio.transcripts) or a path with the named groups in braces; `domain`,
    `language`, `speaker`: the same for all.
    """
    soundfile_needed()
    return [
        FolderPart(group, path, CLIPS, said_of(fields))
        if is_remote(path)
        else FilesPart(group, "audio", Files(folder_of(path), _noted(path, fields)), _item)
        for group, path in found
    ]


def _noted(root: Path, fields: dict[str, str]) -> Iterator[Listed]:
    """The folder's clips with all that is said of them; annotations say it last."""
    form = fields.get("transcripts", "")
    said = {} if "{" in form else transcripts(root, form)
    pattern = re.compile(fields.get("names", ".*"))
    for_all = {key: fields[key] for key in ("domain", "language", "speaker") if key in fields}
    none = True
    for file in annotated(root, SUFFIXES, "clips"):
        match = pattern.fullmatch(file.name)
        stem = file.name.rpartition("/")[2]
        listed = form != "common-voice" or stem in said  # its table is the split
        if match is None or not listed:
            continue
        named = match.groupdict()
        notes = for_all | named | said.get(stem, {})
        if "{" in form:
            notes |= _beside(root / form.format(**named, path=file.name))
        none = False
        yield file._replace(notes=notes | file.notes)
    if none:
        raise UserError(f"{root}: no clip is one that the manifest means: {pattern.pattern}")


def _beside(path: Path) -> dict[str, str]:
    """The transcript in a file of its own, where there is one."""
    try:
        return {"transcript": path.read_text(encoding="utf-8").strip()} if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not text: {error}") from error


def _item(file: FileItem) -> Item:
    weight, header = partial(clip_weight, file.path), partial(Header, file.name)
    return Item(partial(_load, file), weight, file.digest, header)


def _load(file: FileItem) -> Sample:
    try:
        data, rate = read_clip(file.path)
    except ValueError as error:
        return Sample(file.name, None, error=str(error))
    return Sample(file.name, data, rate, file.notes)
