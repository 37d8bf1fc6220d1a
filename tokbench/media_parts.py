"""Parts that hold images or clips: files, streams of archives, generated sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from tokbench.files import sha256, sha256_file, sha256_of
from tokbench.parts import Part, Slice
from tokbench.sources import size_of
from tokbench.types import Sample


class Header(NamedTuple):
    """What is known of a sample without its values: its name, and the height and width of an
    image where they can be told."""

    name: str
    size: tuple[int, int] | None = None


def header_of(sample: Sample) -> Header:
    """The header of a sample that has been read."""
    if sample.data is None or sample.rate or sample.fps:
        return Header(sample.name)
    return Header(sample.name, (sample.data.shape[0], sample.data.shape[1]))


class MediaPart(Part):
    """The images or clips of one group."""

    def __init__(self, group: str, modality: str):
        super().__init__(group)
        self.modality = modality

    def read_samples(self, piece: Slice) -> tuple[list[Sample], np.ndarray]:
        """The samples of a slice and their index within the group."""
        raise AttributeError(f"{type(self).__name__} has no read_samples()")

    def headers(self) -> Iterator[Header]:
        """Of every sample, in order."""
        raise AttributeError(f"{type(self).__name__} has no headers()")


@dataclass(frozen=True, slots=True)
class Item:
    """A sample that can be read by itself.

    load: the sample. weight: bytes it takes when decoded. digest: of its content and notes.
    header: its header, where that costs less than to load it.
    """

    load: Callable[[], Sample]
    weight: Callable[[], int]
    digest: Callable[[], str]
    header: Callable[[], Header] | None = None


class ItemsPart(MediaPart):
    """Samples that can each be read by number: files, or what a seed makes.

    dear: how many files of this machine one of them is like, in the time to look at it.
    """

    dear = 1

    def __init__(self, group: str, modality: str, items: Sequence[Item]):
        super().__init__(group, modality)
        self.items = items

    def fingerprint(self) -> str:
        return sha256_of(item.digest() for item in self.items)

    def size(self) -> int:
        return sum(item.weight() for item in self.items)

    def headers(self) -> Iterator[Header]:
        return map(_header, self.items)

    def slices(self, number: int, most: int, most_bytes: int, limit: int | None) -> Iterator[Slice]:
        return _cut(islice(self.items, limit), number, most, most_bytes)

    def read_samples(self, piece: Slice) -> tuple[list[Sample], np.ndarray]:
        numbers = range(piece.first, piece.first + piece.count)
        return [self.items[number].load() for number in numbers], np.array(numbers, np.int64)


class SampleStream(MediaPart):
    """Samples that come out of archives one after the other (tar, parquet). Nothing is decoded
    but what a slice asks for."""

    def __init__(
        self,
        group: str,
        modality: str,
        paths: Sequence[Path],
        iterate: Callable[[Path], Iterator[Item]],
    ):
        super().__init__(group, modality)
        self.paths, self._iterate = list(paths), iterate
        self._place: tuple[int, Iterator[Item]] | None = None

    def fingerprint(self) -> str:
        return sha256(*(sha256_file(path) for path in self.paths))

    def size(self) -> int:
        return sum(map(size_of, self.paths))

    def headers(self) -> Iterator[Header]:
        return map(_header, self._items())

    def _items(self) -> Iterator[Item]:
        return (item for path in self.paths for item in self._iterate(path))

    def slices(self, number: int, most: int, most_bytes: int, limit: int | None) -> Iterator[Slice]:
        return _cut(islice(self._items(), limit), number, most, most_bytes)

    def read_samples(self, piece: Slice) -> tuple[list[Sample], np.ndarray]:
        place, items = self._place or (0, self._items())
        if place > piece.first:  # an earlier slice: begin again
            place, items = 0, self._items()
        found = [
            item.load()
            for item in islice(items, piece.first - place, piece.first - place + piece.count)
        ]
        self._place = (piece.first + len(found), items)
        return found, np.arange(piece.first, piece.first + len(found))


def _header(item: Item) -> Header:
    return item.header() if item.header else header_of(item.load())


def _cut(items: Iterable[Item], number: int, most: int, most_bytes: int) -> Iterator[Slice]:
    """Slices of at most `most` samples and `most_bytes` decoded bytes, one sample at least."""
    first = count = size = 0
    for item in items:
        weight = item.weight()
        if count and (count >= most or size + weight > most_bytes):
            yield Slice(number, first, count, size)
            first, count, size = first + count, 0, 0
        count, size = count + 1, size + weight
    if count:
        yield Slice(number, first, count, size)


@dataclass(frozen=True, slots=True)
class FileItem:
    """A file of a folder with what is said of it, and its bytes where the listing told them."""

    name: str
    path: Path
    notes: dict[str, Any] = field(default_factory=dict)
    size: int = 0

    def digest(self) -> str:
        """Of its name, bytes and notes."""
        return self.digest_of(sha256_file(self.path, remember=False))

    def digest_of(self, content: str) -> str:
        """The digest, of a file whose bytes have this one."""
        return sha256(self.name, content, msgspec.json.encode(self.notes, order="sorted"))
