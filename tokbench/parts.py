"""Parts: the samples of one group (one language, one file), planned and read in slices.

A `Part` plans slices that a worker can read by itself, and reads them. What a slice holds
depends on the data and the task's shard size alone, never on workers or machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tokbench.errors import UserError
from tokbench.files import sha256, sha256_file
from tokbench.sources import opened, opened_again, size_of

Notes = dict[str, str]
"""What the data says of one sample beside its text: a gold segmentation, a transcript, …"""
Noted = tuple[str, Notes]


class Reading(NamedTuple):
    """The samples of a slice. numbers: of each within its group; notes: of each, None where
    the data has none; utf8: the samples with a line feed between them, where that is at hand."""

    texts: list[str]
    numbers: np.ndarray
    notes: list[Notes] | None = None
    utf8: bytes | None = None


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
    """The samples of one group. Subclasses give `fingerprint` and `samples`; those whose
    samples have notes are `noted` and give `rows`."""

    noted = False

    modality = "text"

    def __init__(self, group: str):
        self.group = group
        self._cursor: tuple[int, Iterator[Any]] | None = None

    def fingerprint(self) -> str:
        """Hex digest of the content."""
        raise AttributeError(f"{type(self).__name__} has no fingerprint()")

    def size(self) -> int:
        """Bytes of the content as it lies there (compressed files: compressed)."""
        raise AttributeError(f"{type(self).__name__} has no size()")

    def samples(self) -> Iterator[str]:
        """All samples in order; an empty one is skipped but numbered."""
        raise AttributeError(f"{type(self).__name__} has no samples()")

    def rows(self) -> Iterator[Noted]:
        """All samples in order with their notes."""
        raise AttributeError(f"{type(self).__name__} has no rows()")

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

    def read(self, piece: Slice) -> Reading:
        """Texts of a slice, their index within the group and their notes; empty texts left
        out."""
        begin = self.rows if self.noted else self.samples
        place, samples = self._cursor or (0, begin())
        if place > piece.first:  # an earlier slice: begin again
            place, samples = 0, begin()
        while place < piece.first:
            next(samples)
            place += 1
        taken = [sample for _, sample in zip(range(piece.count), samples, strict=False)]
        self._cursor = (piece.first + len(taken), samples)
        index = np.arange(piece.first, piece.first + len(taken))
        if self.noted:
            return _without_empty([text for text, _ in taken], index, [note for _, note in taken])
        return _without_empty(taken, index)

    def whole(self) -> str:
        """All samples joined by single spaces, empty ones included."""
        return " ".join(self.samples())


def _without_empty(
    texts: list[str], index: np.ndarray, notes: list[Notes] | None = None
) -> Reading:
    if all(texts):
        return Reading(texts, index, notes)
    kept = [number for number, text in enumerate(texts) if text]
    return Reading(
        [texts[number] for number in kept],
        index[kept],
        None if notes is None else [notes[number] for number in kept],
    )


class LinesPart(Part):
    """A plain UTF-8 text file, one sample a line; seeks, so any slice is read directly."""

    def __init__(self, group: str, path: Path):
        super().__init__(group)
        self.path = path

    def fingerprint(self) -> str:
        return sha256_file(self.path)

    def size(self) -> int:
        return size_of(self.path)

    def slices(self, number: int, most: int, most_bytes: int, limit: int | None) -> Iterator[Slice]:
        start = first = 0
        with opened(self.path) as file:
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

    def read(self, piece: Slice) -> Reading:
        with opened_again(self.path) as file:
            file.seek(piece.start)
            raw = file.read(piece.stop - piece.start)
        whole = self._decoded(raw, piece.start)
        text = unmarked(whole, piece.start)
        texts = text.removesuffix("\n").split("\n")
        as_read = len(text) == len(whole) and "\r" not in text
        if not as_read:
            texts = [line.removesuffix("\r") for line in texts]
        found = _without_empty(texts, np.arange(piece.first, piece.first + len(texts)))
        same = as_read and len(found.texts) == len(texts)
        return found._replace(utf8=raw.removesuffix(b"\n")) if same else found

    def samples(self) -> Iterator[str]:
        """All lines and, after a last line feed, the empty one that follows it."""
        place, ended = 0, True
        with opened(self.path) as file:
            for raw in file:
                text, ended = unmarked(self._decoded(raw, place), place), raw.endswith(b"\n")
                place += len(raw)
                yield text.removesuffix("\n").removesuffix("\r")
        if ended:
            yield ""

    def _decoded(self, raw: bytes, start: int) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(self.path, f"byte {start + error.start}", error) from error


def unmarked(text: str, place: int) -> str:
    """The text without the byte order mark that some editors put at the start of a file."""
    return text if place else text.removeprefix("\ufeff")


def not_utf8(path: Path, place: str, error: UnicodeDecodeError) -> UserError:
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

    def read(self, piece: Slice) -> Reading:
        here = slice(piece.first, piece.first + piece.count)
        return _without_empty(self.texts[here], self.index[here])


class StreamPart(Part):
    """Samples that come out of files one after the other (JSON lines, parquet, pieces)."""

    def __init__(self, group: str, paths: Sequence[Path], iterate: Callable[[Path], Iterator[Any]]):
        super().__init__(group)
        self.paths, self._iterate = list(paths), iterate

    def fingerprint(self) -> str:
        return sha256(*(sha256_file(path) for path in self.paths))

    def size(self) -> int:
        return sum(map(size_of, self.paths))

    def samples(self) -> Iterator[str]:
        return (text for path in self.paths for text in self._iterate(path))


class NotedPart(StreamPart):
    """Samples with notes that come out of files one after the other (tables, treebanks);
    `iterate` gives pairs of text and notes."""

    noted = True

    def rows(self) -> Iterator[Noted]:
        return (row for path in self.paths for row in self._iterate(path))

    def samples(self) -> Iterator[str]:
        return (text for text, _ in self.rows())


class Chain(Part):
    """Several parts one after the other, as one."""

    def __init__(self, parts: Sequence[Part]):
        super().__init__(parts[0].group)
        self.parts = parts
        self.noted = all(part.noted for part in parts)

    def fingerprint(self) -> str:
        return sha256(*(part.fingerprint() for part in self.parts))

    def size(self) -> int:
        return sum(part.size() for part in self.parts)

    def samples(self) -> Iterator[str]:
        return (text for part in self.parts for text in part.samples())

    def rows(self) -> Iterator[Noted]:
        return (row for part in self.parts for row in part.rows())


class Joined(Part):
    """A part's samples joined by single spaces into one (Petrov et al.): a file's trailing
    empty line included."""

    def __init__(self, part: Part):
        super().__init__(part.group)
        self.part = part

    def fingerprint(self) -> str:
        return self.part.fingerprint()

    def size(self) -> int:
        return self.part.size()

    def samples(self) -> Iterator[str]:
        yield self.part.whole()
