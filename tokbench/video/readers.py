"""Readers of video: folders of files, and folders of frames."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tokbench.annotations import annotated, files_of, folder_of
from tokbench.errors import UserError
from tokbench.files import sha256, sha256_file
from tokbench.image.pictures import SUFFIXES as PICTURES
from tokbench.image.pictures import pillow_needed
from tokbench.listing import Files, FilesPart
from tokbench.media_parts import FileItem, Header, Item, ItemsPart
from tokbench.parts import Part
from tokbench.readers import Found
from tokbench.remote import is_remote
from tokbench.types import Sample
from tokbench.video.clips import (
    SUFFIXES,
    frames_weight,
    pyav,
    read_frames,
    read_video,
    video_weight,
)


def videos(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of video files, subfolders included, in the order of their paths, with an
    `annotations.jsonl` as of pictures. fields: `frames`, how many of each clip's first frames are
    read (default: all; a clip is held in memory whole)."""
    pyav()
    for _, path in found:
        if is_remote(path):
            raise UserError(f"{path}: videos behind a URL are not read: copy the folder here")
    make = partial(_file, most=_whole(fields, "frames"))
    return [
        FilesPart(group, "video", Files(folder_of(path), annotated(path, SUFFIXES, "videos")), make)
        for group, path in found
    ]


def frames(found: Found, fields: dict[str, str]) -> list[Part]:
    """Folders of frames: every folder that holds pictures is a clip, its pictures in the order of
    their names. fields: `fps`, frames per second (default 24); `frames`, how many of each clip's
    first frames are read (default: all); `folder`, where the clips are within the set's folder;
    `list`, a file within it that names one clip (a folder) in each line, in place of all."""
    pillow_needed()
    parts: list[Part] = []
    for group, root in found:
        clips = _clips(root, fields)
        items = [_folder(name, paths, fields) for name, paths in clips.items()]
        parts.append(ItemsPart(group, "video", items))
    return parts


def _clips(root: Path, fields: dict[str, str]) -> dict[str, list[Path]]:
    base = root / fields["folder"] if "folder" in fields else root
    clips: dict[str, list[Path]] = {}
    most = _whole(fields, "frames")
    for path in files_of(base, PICTURES):
        inside = clips.setdefault(path.parent.relative_to(base).as_posix(), [])
        if not most or len(inside) < most:
            inside.append(path)
    if not clips:
        raise UserError(f"{base}: no folders of frames ({', '.join(PICTURES)})")
    if "list" not in fields:
        return clips
    listed = root / fields["list"]
    try:
        wanted = [line.strip() for line in listed.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{listed}: cannot read the list of clips: {error}") from error
    if missing := [name for name in wanted if name and name not in clips]:
        raise UserError(f"{listed}: no folder of frames '{missing[0]}' in {base}")
    return {name: clips[name] for name in wanted if name}


def _whole(fields: dict[str, str], key: str) -> int:
    value = fields.get(key, "0")
    if not value.isdecimal():
        raise UserError(f"fields.{key}: give a whole number, not '{value}'")
    return int(value)


def _file(file: FileItem, most: int) -> Item:
    def load() -> Sample:
        try:
            data, fps = read_video(file.path, most)
        except ValueError as error:
            return Sample(file.name, None, error=str(error))
        return Sample(file.name, data, notes=file.notes, fps=fps)

    weight = partial(video_weight, file.path, most)
    return Item(load, weight, file.digest, lambda: Header(file.name))


def _folder(name: str, paths: Sequence[Path], fields: dict[str, str]) -> Item:
    try:
        fps = float(fields.get("fps", "24"))
    except ValueError:
        fps = 0.0
    if not 0 < fps < 1e4:
        raise UserError(f"fields.fps: give frames per second, not '{fields['fps']}'")

    def load() -> Sample:
        try:
            return Sample(name, read_frames(paths), fps=fps)
        except ValueError as error:
            return Sample(name, None, error=str(error))

    def digest() -> str:
        return sha256(name, *(sha256_file(path) for path in paths))

    return Item(load, partial(frames_weight, paths), digest, lambda: Header(name))
