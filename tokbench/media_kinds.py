"""What a path of one's own holds: images, clips or videos, as files or in archives, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tokbench.listing import walk
from tokbench.remote import is_remote
from tokbench.remote_folders import below

_BESIDE = (".jsonl", ".json", ".tsv", ".csv", ".txt", ".md", "")
"""Suffixes of what may lie beside images or clips: annotations, transcripts, a licence."""


def media_of(path: Path) -> tuple[str, dict[str, str]]:
    """The reader of images, clips or videos and its fields, where most files are such; else
    empty."""
    from tokbench.audio import clips
    from tokbench.image import pictures
    from tokbench.video.clips import SUFFIXES as VIDEOS

    kinds = dict.fromkeys(pictures.SUFFIXES, "images")
    kinds |= dict.fromkeys(clips.SUFFIXES, "clips")
    kinds |= dict.fromkeys(VIDEOS, "videos")
    kinds |= {".tar": "tar", ".parquet": "parquet"}
    counts: Counter[str] = Counter()
    first: dict[str, Path] = {}
    for file in _files(path):
        suffix = file.suffix.lower()
        if file.name[0] == "." or suffix in _BESIDE:
            continue
        kind = kinds.get(suffix, "")
        counts[kind] += 1
        first.setdefault(kind, file)
    kind = counts.most_common(1)[0][0] if counts else ""
    if kind in ("tar", "parquet"):
        return _archived(kind, first[kind])
    return kind, {}


FIRST = 10_000
"""Files of a folder behind a URL that are looked at to know what it holds."""


def _files(path: Any) -> Iterator[Any]:
    """Of a folder here or behind a URL; the file itself where it is one."""
    if path.is_file():
        yield path
    elif is_remote(path):
        yield from (path / entry.path for entry in islice(below(path, again=True), FIRST))
    else:
        yield from map(path.joinpath, walk(path))


def _archived(kind: str, first: Path) -> tuple[str, dict[str, str]]:
    from tokbench.archives import in_parquet, in_tar

    if kind == "tar":
        return ("audio-webdataset" if in_tar(first) == "audio" else "webdataset"), {}
    modality, column = in_parquet(first)
    return (f"{modality}-parquet", {modality: column}) if modality else ("", {})
