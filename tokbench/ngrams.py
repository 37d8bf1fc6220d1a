"""Token sequences as evidence; `tokbench.kgrams` counts on them.

The evidence is the stream itself, three ids to an integer: smaller than the k-grams of five
orders, exact, and additive, for every entry has a key of its own (group, index, place), so the
shards' tables are disjoint. It grows with the corpus; hence only the first `SAMPLES` samples of
each group enter, which no shard plan changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tokbench import streams
from tokbench.evidence import Tally
from tokbench.media import EncodedMedia
from tokbench.types import TokenizerSpec

if TYPE_CHECKING:
    from tokbench.statistics import EncodedText, Statistic

SAMPLES = 1 << 15
"""Samples of each group (those with the lowest index) whose sequences are kept."""
PORTION = 1 << 20
"""Entries of evidence unpacked at once."""
_PLACE = 31
_INDEX = 15
_PLACES = (1 << _PLACE) - 1
_BYTES = 7  # of the source, to an integer
_END = 1  # code of a sample's end; 0 fills up, an id is id + 2


def id_bits(spec: TokenizerSpec) -> int:
    """Bits that hold one code: three codes to an integer where the vocabulary allows it."""
    return 21 if 0 < sum(spec.vocabulary) < (1 << 21) - 2 else 63


def kept_samples(spec: TokenizerSpec) -> int:
    """Samples of each group (those with the lowest index) whose sequences are kept."""
    return SAMPLES if spec.modality == "text" else streams.SAMPLES


def sequences(encoded: EncodedText | EncodedMedia) -> Statistic:
    """`sequences`: every id in its place, and the size of each sample: bytes of text, pixels of
    an image, microseconds of a clip."""
    from tokbench.statistics import Statistic

    batch, stream = encoded.batch, encoded.stream
    if isinstance(encoded, EncodedMedia):
        stream, sizes = streams.opening(stream, encoded.extents)
    else:
        sizes = _sizes(encoded)
    ids, lengths, group, index = stream.values, stream.lengths, batch.group, batch.index
    rows = index < kept_samples(encoded.tokenizer.spec)
    if not rows.all():
        ids, lengths = ids[np.repeat(rows, lengths)], lengths[rows]
        sizes, group, index = sizes[rows], group[rows], index[rows]
    if not len(group):
        return Statistic(tallies={"sequences": Tally()})
    per = 63 // (bits := id_bits(encoded.tokenizer.spec))
    line = _lines(group, index)
    codes = np.add.reduceat(lengths + 1, line)  # of each line; each sample has an end
    entries = -(-codes // per) + 1
    first = np.cumsum(entries) - entries
    # A sample's codes begin where those of its line do, after the samples before it there.
    begins = np.cumsum(lengths + 1) - lengths - 1
    begins += np.repeat((first + 1) * per - begins[line], np.diff(line, append=len(group)))
    filled = np.zeros(int(entries.sum()) * per, dtype=np.int64)
    stops = np.cumsum(lengths)
    place = np.repeat(begins - stops + lengths, lengths)
    place += np.arange(len(ids))
    filled[place] = ids.astype(np.int64, copy=False) + 2
    filled[begins + lengths] = _END
    packed = filled[::per].copy()
    for k in range(1, per):
        packed |= filled[k::per] << (bits * k)
    packed[first] = np.add.reduceat(sizes, line)
    return Statistic(tallies={"sequences": Tally(_keys(group, index, line, entries), packed)})


def source(encoded: EncodedText) -> Statistic:
    """`source`: the bytes of each sample in their places."""
    from tokbench.statistics import Statistic

    batch = encoded.batch
    rows = np.flatnonzero(batch.index < SAMPLES)
    if not len(rows):
        return Statistic(tallies={"source": Tally()})
    group, index = batch.group[rows], batch.index[rows]
    line = _lines(group, index)
    encoding = "latin-1" if batch.raw_bytes else "utf-8"
    texts = [batch.texts[row].encode(encoding) for row in rows.tolist()]
    if len(line) < len(texts):
        texts = [b"".join(texts[a:b]) for a, b in pairwise([*line.tolist(), len(texts)])]
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    entries = -(-sizes // _BYTES) + 1
    # Each line fills whole entries, after one for its size.
    data = b"".join(bytes(_BYTES) + text + bytes(-len(text) % _BYTES) for text in texts)
    filled = np.zeros((len(data) // _BYTES, 8), dtype=np.uint8)
    filled[:, :_BYTES] = np.frombuffer(data, dtype=np.uint8).reshape(-1, _BYTES)
    packed = filled.view("<i8").ravel().astype(np.int64, copy=False)
    packed[np.cumsum(entries) - entries] = sizes
    return Statistic(tallies={"source": Tally(_keys(group, index, line, entries), packed)})


def _sizes(encoded: EncodedText) -> np.ndarray:
    batch = encoded.batch
    if batch.raw_bytes:
        return np.fromiter(map(len, batch.texts), np.int64, len(batch))
    return batch.sizes


def _lines(group: np.ndarray, index: np.ndarray) -> np.ndarray:
    """First row of each line: samples with one index (the words of a line) follow each other."""
    return np.flatnonzero((np.diff(group, prepend=-1) != 0) | (np.diff(index, prepend=-1) != 0))


def _keys(
    group: np.ndarray, index: np.ndarray, line: np.ndarray, entries: np.ndarray
) -> np.ndarray:
    """(group, index, place) of every entry; at place 0 stands the line's size in bytes."""
    base = (group[line] << (_INDEX + _PLACE)) | (index[line] << _PLACE)
    keys = np.repeat(base - (np.cumsum(entries) - entries), entries)
    keys += np.arange(len(keys))
    return keys


def _portions(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """Stretches of whole lines, so that little is unpacked at once."""
    heads = np.flatnonzero((keys & _PLACES) == 0)
    cuts = np.searchsorted(heads, np.arange(0, len(keys), PORTION))
    edges = np.unique([*heads[np.minimum(cuts, len(heads) - 1)].tolist(), len(keys)])
    return pairwise(edges.tolist()) if len(heads) else iter(())


def sources(tally: Tally) -> Iterator[tuple[int, bytes]]:
    """(group, its samples' bytes one after the other), from the tally `source`."""
    number = -1
    waiting: list[bytes] = []
    for low, high in _portions(tally.keys):
        keys, packed = tally.keys[low:high], tally.counts[low:high]
        heads = (keys & _PLACES) == 0
        sizes, stops = packed[heads], np.cumsum(packed[heads])
        filled = packed[~heads].astype("<i8").view(np.uint8).reshape(-1, 8)[:, :_BYTES].ravel()
        spare = -sizes % _BYTES
        ends = np.cumsum(sizes + spare)
        real = np.ones(len(filled), dtype=bool)
        for k in range(1, _BYTES):
            real[(ends - k)[spare >= k]] = False
        data = filled[real].tobytes()
        group = keys[heads] >> (_INDEX + _PLACE)
        edges = np.flatnonzero(np.diff(group, prepend=-1))
        for row, last in pairwise([*edges.tolist(), len(group)]):
            if group[row] != number:
                if waiting:
                    yield number, b"".join(waiting)
                number, waiting = int(group[row]), []
            waiting.append(data[int(stops[row] - sizes[row]) : int(stops[last - 1])])
    if waiting:
        yield number, b"".join(waiting)


@dataclass
class Sequences:
    """Samples as id sequences. ids: all of them; lengths, group, index: of each sample;
    line: its line's number, for samples that share an index; sizes: bytes of each line."""

    ids: np.ndarray
    lengths: np.ndarray
    group: np.ndarray
    index: np.ndarray
    line: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, tally: Tally, spec: TokenizerSpec) -> Sequences:
        """From the tally `sequences`."""
        bits = id_bits(spec)
        per, kind = 63 // bits, narrow(sum(spec.vocabulary) or 1 << 62)
        ids, lengths = [np.empty(0, kind)], [np.empty(0, np.int64)]
        groups, indices, lines, sizes = ([np.empty(0, np.int64)] for _ in range(4))
        count = 0
        for low, high in _portions(tally.keys):
            keys, packed = tally.keys[low:high], tally.counts[low:high]
            heads = (keys & _PLACES) == 0
            place = np.flatnonzero(heads)
            packed_codes = packed[~heads]
            codes = np.empty((len(packed_codes), per), dtype=np.int64)
            for k in range(per):
                codes[:, k] = packed_codes >> (bits * k) & ((1 << bits) - 1)
            flat = codes.ravel()
            ends = np.flatnonzero(flat == _END)
            real = flat > _END
            ids.append((flat[real] - 2).astype(kind))
            before = np.concatenate(([0], np.cumsum(real, dtype=np.int64)))[ends]
            lengths.append(np.diff(before, prepend=0))
            stops = (np.diff(place, append=len(keys)) - 1).cumsum() * per  # codes of each line
            line = np.searchsorted(stops, ends, side="right")
            lines.append(line + count)
            count += len(place)
            sizes.append(packed[place])
            groups.append(keys[place][line] >> (_INDEX + _PLACE))
            indices.append(keys[place][line] >> _PLACE & ((1 << _INDEX) - 1))
        parts = (ids, lengths, groups, indices, lines, sizes)
        return cls(*map(np.concatenate, parts))

    @cached_property
    def dense(self) -> tuple[int, np.ndarray]:
        """How many different ids there are, and each id's number among them."""
        highest = int(self.ids.max(initial=0))
        if highest >= _TABLE:
            known, inverse = np.unique(self.ids, return_inverse=True)
            return len(known), inverse.astype(narrow(len(known)))
        seen = np.zeros(highest + 1, dtype=bool)
        seen[self.ids] = True
        kinds = int(seen.sum())
        return kinds, (np.cumsum(seen) - 1).astype(narrow(kinds))[self.ids]


_TABLE = 1 << 24


def narrow(kinds: int) -> type[np.integer[Any]]:
    """The narrowest type for numbers under `kinds`: sequences are long."""
    return np.uint16 if kinds <= 1 << 16 else np.int32 if kinds <= 1 << 31 else np.int64


def little_endian(ids: np.ndarray, width: int) -> bytes:
    """Ids as unsigned integers of `width` bytes each."""
    if sys.byteorder == "big":
        ids = ids.byteswap()
    return np.ascontiguousarray(ids, np.int64).view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
