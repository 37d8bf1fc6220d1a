"""Readers of clips in archives: WebDataset tar shards and parquet, as streams."""

from __future__ import annotations

from dataclasses import replace

from tokbench.archives import Coded, parquet_streams, tar_streams
from tokbench.audio.clips import SUFFIXES, clip_weight, read_clip, soundfile_needed
from tokbench.parts import Part
from tokbench.readers import Found

SAID = ("domain", "language", "speaker")
"""Fields of a manifest that hold for every clip which does not say otherwise."""


def webdataset(found: Found, fields: dict[str, str]) -> list[Part]:
    """WebDataset shards: tar files, or folders of them, in which the files of a sample share their
    name up to its first dot and follow each other: a clip, and where there are any a `.txt` with
    its transcript and a `.json` with `transcript` (or `text`), `speaker`, `language` and `domain`.
    Other files are passed over. fields: `domain`, `language`, `speaker`: the same for all."""
    soundfile_needed()
    return list(tar_streams(found, CLIPS, said_of(fields)))


def parquet(found: Found, fields: dict[str, str]) -> list[Part]:
    """Parquet files, or folders of them, as the hub has them. fields: `audio` (default "audio"),
    the column of coded clips, binary or a struct with `bytes`; `name`, a column to name samples by
    (default: the file's name and the row); `transcript`, the column of what is said (default: the
    first of transcript, text, sentence, transcription); `domain`, `language`, `speaker`: the same
    for all, over which columns `domain`, `language` and `speaker` (or speaker_id, client_id) go."""
    soundfile_needed()
    clips, words = CLIPS, fields.get("transcript", "")
    if words:
        clips = replace(clips, columns={**clips.columns, "transcript": (words,)})
    key, name = fields.get("audio", "audio"), fields.get("name", "")
    return list(parquet_streams(found, clips, key, name, said_of(fields), words))


def said_of(fields: dict[str, str]) -> dict[str, str]:
    """What a manifest says of all clips."""
    return {key: fields[key] for key in SAID if key in fields}


CLIPS = Coded(
    "audio", "clip", SUFFIXES, read_clip, clip_weight,
    columns={
        "transcript": ("transcript", "text", "sentence", "transcription"),
        "speaker": ("speaker", "speaker_id", "client_id"),
        "language": ("language",),
        "domain": ("domain",),
    },
    beside={".txt": "transcript"},
    plain=True,
)  # fmt: skip
