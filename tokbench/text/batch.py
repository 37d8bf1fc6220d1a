"""A batch of texts, flat: one UTF-8 buffer with offsets, and what is counted on it once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tokbench.files import cache_dir, cache_write
from tokbench.text import uax29


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a batch. starts, stops: bytes in the batch's buffer; sample: row of each word;
    unsegmented: words that UAX-29 cannot delimit (scripts without spaces)."""

    starts: np.ndarray
    stops: np.ndarray
    sample: np.ndarray
    unsegmented: np.ndarray


@dataclass
class TextBatch:
    """Samples as they go to a tokenizer.

    texts: the samples. group: for each its group (language) number. index: its number
    within the group; in a parallel dataset the same index is the same content.
    raw_bytes: True where each code point stands for one byte (binaries as Latin-1).
    content: tells the content apart from any other's, empty where only its bytes do; None
        for data too large to keep word positions of.
    notes: for each sample what the data says of it beside its text; None where it says nothing.
    utf8: the samples with a line feed between them, where whoever made the batch had it.
    analyses: what else was worked out on the texts (syntax, by language), for all statistics.
    """

    texts: list[str]
    group: np.ndarray
    index: np.ndarray
    raw_bytes: bool = False
    content: str | None = ""
    notes: list[dict[str, str]] | None = None
    utf8: bytes | None = field(default=None, repr=False, compare=False)
    analyses: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def data(self) -> np.ndarray:
        """UTF-8 of all samples, a line feed before each, as uint8."""
        whole = self.utf8 if self.utf8 is not None else "\n".join(self.texts).encode()
        return np.frombuffer(b"\n" + whole, dtype=np.uint8)

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        data = self.data
        breaks = np.flatnonzero(data == 10)
        if len(breaks) != len(self.texts):  # a sample holds line feeds of its own
            lengths = np.fromiter(
                (len(text.encode()) for text in self.texts), np.int64, len(self.texts)
            )
            breaks = np.cumsum(lengths + 1) - lengths - 1
        starts = breaks + 1
        return starts, np.append(breaks[1:], len(data))

    @property
    def starts(self) -> np.ndarray:
        """First byte of each sample in `data`."""
        return self._bounds[0]

    @property
    def stops(self) -> np.ndarray:
        """One past the last byte of each sample in `data`."""
        return self._bounds[1]

    @property
    def sizes(self) -> np.ndarray:
        """UTF-8 bytes of each sample."""
        return self.stops - self.starts

    @cached_property
    def characters(self) -> np.ndarray:
        """Code points of each sample."""
        return self._counted[0]

    @cached_property
    def words(self) -> Words:
        """UAX-29 words, see `tokbench.text.uax29`."""
        return self._counted[1]

    @cached_property
    def _counted(self) -> tuple[np.ndarray, Words]:
        # Counted once for each content and kept: every tokenizer sees the same words.
        import regex

        if self.content is None:
            return _count(self.data.tobytes(), self.starts, self.stops)
        version = f"uax29-{uax29.VERSION}-{regex.__version__}"
        content = self.content.encode() or self.data.tobytes()
        name = hashlib.sha256(version.encode() + content).hexdigest()
        path = cache_dir() / "words" / name[:2] / f"{name}.int32"
        samples = len(self.texts)
        if path.is_file():
            try:
                return _unpack(np.frombuffer(path.read_bytes(), "<i4"), samples)
            except (OSError, ValueError, IndexError):
                pass  # cut short by a crash of the file system; written anew below
        characters, words = _count(self.data.tobytes(), self.starts, self.stops)
        cache_write(path, _pack(characters, words))
        return characters, words

    def select(self, rows: Sequence[int] | np.ndarray) -> TextBatch:
        """The batch of the given rows."""
        picked = np.asarray(rows, dtype=np.int64)
        return TextBatch(
            [self.texts[row] for row in picked],
            self.group[picked],
            self.index[picked],
            self.raw_bytes,
            None if self.content is None else "",
            None if self.notes is None else [self.notes[row] for row in picked],
        )

    def __len__(self) -> int:
        return len(self.texts)


def _count(raw: bytes, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, Words]:
    points = np.frombuffer(raw.decode().encode("utf-32-le"), dtype="<u4")
    byte_of = np.empty(len(points) + 1, dtype=np.int64)  # byte offset of each code point
    byte_of[0] = 0
    width = np.ones(len(points), dtype=np.uint8)
    width += points > 0x7F
    width += points > 0x7FF
    width += points > 0xFFFF
    np.cumsum(width, out=byte_of[1:])
    if len(byte_of) == len(raw) + 1:
        first, last = starts, stops
    else:
        first, last = np.searchsorted(byte_of, starts), np.searchsorted(byte_of, stops)
    begin, end, unsegmented = uax29.words(points)
    sample = np.searchsorted(starts, byte_of[begin], side="right") - 1
    return last - first, Words(byte_of[begin], byte_of[end], sample, unsegmented)


def _pack(characters: np.ndarray, words: Words) -> bytes:
    columns = (
        characters,
        np.array([len(words.starts)]),
        words.starts,
        words.stops,
        words.sample,
        words.unsegmented,
    )
    return b"".join(column.astype("<i4").tobytes() for column in columns)


def _unpack(packed: np.ndarray, samples: int) -> tuple[np.ndarray, Words]:
    characters, rest = packed[:samples], packed[samples + 1 :]
    count = int(packed[samples])
    if len(rest) != 4 * count:
        raise ValueError("not a word cache of this batch")
    starts, stops, sample, unsegmented = rest.reshape(4, count)
    if count and not 0 <= sample.min() <= sample.max() < samples:
        raise ValueError("not a word cache of this batch")
    return characters.astype(np.int64), Words(starts, stops, sample, unsegmented.astype(bool))
