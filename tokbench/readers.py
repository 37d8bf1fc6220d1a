"""Readers: how the samples of one group (one language, one file) come out of files.

A `Part` plans slices that a worker can read by itself, and reads them. What a slice holds
depends on the data and the task's shard size alone, never on workers or machines.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, near, one_line
from tokbench.files import sha256, sha256_file


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive samples of one part: [first, first + count) by number; for line files the
    bytes [start, stop) that hold them. size: UTF-8 bytes, for planning."""

    part: int
    first: int
    count: int
    size: int
    start: int = 0
    stop: int = 0


class Part:
    """The samples of one group. Subclasses give `fingerprint` and `samples`."""

    def __init__(self, group: str):
        self.group = group
        self._cursor: tuple[int, Iterator[str]] | None = None

    def fingerprint(self) -> str:
        """Hex digest of the content."""
        raise AttributeError(f"{type(self).__name__} has no fingerprint()")

    def size(self) -> int:
        """Bytes of the content as it lies there (compressed files: compressed)."""
        raise AttributeError(f"{type(self).__name__} has no size()")

    def samples(self) -> Iterator[str]:
        """All samples in order; an empty one is skipped but numbered."""
        raise AttributeError(f"{type(self).__name__} has no samples()")

    def slices(self, number: int, most: int, most_bytes: int, limit: int | None) -> Iterator[Slice]:
        """Slices of at most `most` samples and about `most_bytes` bytes."""
        first = count = size = 0
        for text in self.samples():
            if limit is not None and first + count >= limit:
                break
            length = len(text.encode(errors="replace"))
            if count and (count >= most or size + length > most_bytes):
                yield Slice(number, first, count, size)
                first, count, size = first + count, 0, 0
            count, size = count + 1, size + length
        if count:
            yield Slice(number, first, count, size)

    def read(self, piece: Slice) -> tuple[list[str], np.ndarray]:
        """Texts of a slice and their index within the group; empty texts left out."""
        place, samples = self._cursor or (0, self.samples())
        if place > piece.first:  # an earlier slice: begin again
            place, samples = 0, self.samples()
        while place < piece.first:
            next(samples)
            place += 1
        texts = [text for _, text in zip(range(piece.count), samples, strict=False)]
        self._cursor = (piece.first + len(texts), samples)
        return _without_empty(texts, np.arange(piece.first, piece.first + len(texts)))

    def whole(self) -> str:
        """All samples joined by single spaces, empty ones included."""
        return " ".join(self.samples())


def _without_empty(texts: list[str], index: np.ndarray) -> tuple[list[str], np.ndarray]:
    if all(texts):
        return texts, index
    kept = [number for number, text in enumerate(texts) if text]
    return [texts[number] for number in kept], index[kept]


class LinesPart(Part):
    """A plain UTF-8 text file, one sample a line; seeks, so any slice is read directly."""

    def __init__(self, group: str, path: Path):
        super().__init__(group)
        self.path = path

    def fingerprint(self) -> str:
        return sha256_file(self.path)

    def size(self) -> int:
        return self.path.stat().st_size

    def slices(self, number: int, most: int, most_bytes: int, limit: int | None) -> Iterator[Slice]:
        start = first = 0
        with _opened(self.path) as file:
            while limit is None or first < limit:
                raw = file.read(most_bytes)
                if not raw:
                    return
                raw += file.readline()
                breaks = np.flatnonzero(np.frombuffer(raw, np.uint8) == 10) + 1
                if not len(breaks) or breaks[-1] < len(raw):
                    breaks = np.append(breaks, len(raw))
                at = 0
                while at < len(breaks):
                    last = min(at + most, len(breaks))
                    if limit is not None:
                        last = min(last, at + limit - first)
                        if last == at:
                            return
                    begin = int(breaks[at - 1]) if at else 0
                    end = int(breaks[last - 1])
                    yield Slice(number, first, last - at, end - begin, start + begin, start + end)
                    first, at = first + last - at, last
                start += len(raw)

    def read(self, piece: Slice) -> tuple[list[str], np.ndarray]:
        with _opened(self.path) as file:
            file.seek(piece.start)
            raw = file.read(piece.stop - piece.start)
        text = _unmarked(self._decoded(raw, piece.start), piece.start)
        texts = text.removesuffix("\n").split("\n")
        if "\r" in text:
            texts = [line.removesuffix("\r") for line in texts]
        return _without_empty(texts, np.arange(piece.first, piece.first + len(texts)))

    def samples(self) -> Iterator[str]:
        """All lines and, after a last line feed, the empty one that follows it."""
        place, ended = 0, True
        with _opened(self.path) as file:
            for raw in file:
                text, ended = _unmarked(self._decoded(raw, place), place), raw.endswith(b"\n")
                place += len(raw)
                yield text.removesuffix("\n").removesuffix("\r")
        if ended:
            yield ""

    def _decoded(self, raw: bytes, start: int) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path, f"byte {start + error.start}", error) from error


def _unmarked(text: str, place: int) -> str:
    """The text without the byte order mark that some editors put at the start of a file."""
    return text if place else text.removeprefix("\ufeff")


def _not_utf8(path: Path, place: str, error: UnicodeDecodeError) -> UserError:
    return UserError(
        f"{path}: {place}: 0x{error.object[error.start]:02x} is not valid UTF-8; "
        "convert the file (iconv -f … -t utf-8)"
    )


class ListedPart(Part):
    """Samples already at hand (small sets: tables, catalogues, generated data)."""

    def __init__(self, group: str, texts: Sequence[str], index: Sequence[int] | None = None):
        super().__init__(group)
        self.texts = list(texts)
        self.index = np.arange(len(self.texts)) if index is None else np.asarray(index)

    def fingerprint(self) -> str:
        return sha256(
            *(text.encode(errors="surrogatepass") for text in self.texts), str(self.index.tolist())
        )

    def size(self) -> int:
        return sum(map(len, self.texts))

    def samples(self) -> Iterator[str]:
        return iter(self.texts)

    def read(self, piece: Slice) -> tuple[list[str], np.ndarray]:
        here = slice(piece.first, piece.first + piece.count)
        return _without_empty(self.texts[here], self.index[here])


class StreamPart(Part):
    """Samples that come out of files one after the other (JSON lines, parquet, pieces)."""

    def __init__(self, group: str, paths: Sequence[Path], iterate: Callable[[Path], Iterator[str]]):
        super().__init__(group)
        self.paths, self._iterate = list(paths), iterate

    def fingerprint(self) -> str:
        return sha256(*(sha256_file(path) for path in self.paths))

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    def samples(self) -> Iterator[str]:
        return (text for path in self.paths for text in self._iterate(path))


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or one_line(error)}") from error


Found = list[tuple[str, Path]]
"""Files of a dataset: group label and path."""

FIELDS: dict[str, tuple[str, ...]] = {
    "lines": (), "jsonl": ("text",), "parquet": ("text",), "tsv": (), "po": (),
    "binary": ("most",), "hub": (), "generated": (),
}  # fmt: skip
"""What each reader takes from a manifest's `fields`."""


def lines(found: Found, fields: dict[str, str]) -> list[Part]:
    """Text files, one sample a line; `.gz` and `.zst` are streamed."""
    return [
        StreamPart(group, [path], _compressed_lines)
        if path.suffix in (".gz", ".zst", ".zstd")
        else LinesPart(group, path)
        for group, path in found
    ]


def jsonl(found: Found, fields: dict[str, str]) -> list[Part]:
    """JSON lines. fields: `text` (default "text"), the key of the sample."""
    key = fields.get("text", "text")

    def iterate(path: Path) -> Iterator[str]:
        for number, line in enumerate(_compressed_lines(path), start=1):
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
            with pq.ParquetFile(path) as file:
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
        table = [line.split("\t") for line in _compressed_lines(path)] or [[]]
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
        with _opened(path) as file:
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece.decode("latin-1")

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


def _compressed_lines(path: Path) -> Iterator[str]:
    """Lines of a text file, plain, gzip or zstd; ends at line feeds only."""
    with _opened(path) as raw:
        stream: Any = raw
        if path.suffix == ".gz":
            stream = gzip.GzipFile(fileobj=raw)
        elif path.suffix in (".zst", ".zstd"):
            import pyarrow  # unlike zstandard's, its reader tells a file that was cut short

            stream = pyarrow.CompressedInputStream(raw, "zstd")
        place = 0
        try:
            for line in io.BufferedReader(stream) if stream is not raw else raw:
                text = _unmarked(line.decode("utf-8"), place)
                yield text.removesuffix("\n").removesuffix("\r")
                place += len(line)
        except UnicodeDecodeError as error:
            at = f"byte {place + error.start}" + (" (uncompressed)" if stream is not raw else "")
            raise _not_utf8(path, at, error) from error
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: cannot be decompressed: {one_line(error)}") from error
