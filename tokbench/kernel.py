"""The compiled passes over every token (`kernel.c`), where this installation has them.

`hatch_build.py` compiles them when tokbench is installed and a C compiler is there. Without
them numpy computes the same, in some 30 passes instead of three; the tests hold both equal.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

LIBRARY = Path(__file__).with_name("libkernel.so")
REVISION = 2
"""Of the signatures in `kernel.c`: a library of another revision is not called."""

LARGEST = 1 << 30
"""Bytes of the largest batch: positions are 32-bit integers."""
MOST_PLACES = (1 << 31) - 1
"""The most places that are sorted, for the same reason."""
_BLOCKS, _SMALL = 16, 4096  # as in `kernel.c`


class Kernel:
    """A loaded library."""

    def __init__(self, library: ctypes.CDLL):
        self._library = library
        for function in (
            library.place, library.count, library.collect, library.sort_pairs, library.frequencies,
        ):  # fmt: skip
            function.restype = ctypes.c_int64
        for function in (library.cover, library.count_by_block, library.add):
            function.restype = None

    def place(
        self,
        data: np.ndarray,
        bounds: tuple[np.ndarray, np.ndarray],
        ids: np.ndarray,
        offsets: np.ndarray,
        pieces: tuple[np.ndarray, np.ndarray],
        prefix: bytes,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Starts and stops of the tokens, and which samples their bytes tile.

        bounds: first byte of every sample in `data`, and one past its last.
        pieces: the bytes of all ids on end, 8 zeros after them, and where each begins.
        """
        _check(offsets, len(ids), len(bounds[0]))
        starts, stops = np.empty(len(ids), np.int32), np.empty(len(ids), np.int32)
        tiled = np.empty(len(offsets) - 1, np.uint8)
        vocabulary = len(pieces[1]) - 1
        wrong = self._call(
            "place", data, len(data), *bounds, len(tiled), ids, offsets,
            *pieces, vocabulary, prefix, len(prefix), starts, stops, tiled,
        )  # fmt: skip
        if wrong:
            raise IndexError(f"an id outside the vocabulary of {vocabulary:,}")
        return starts, stops, tiled.view(bool)

    def cover(
        self,
        data: np.ndarray,
        spans: tuple[np.ndarray, np.ndarray],
        words: tuple[np.ndarray, np.ndarray, np.ndarray],
        samples: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Words that are one token, and words with a boundary inside, by sample.

        spans: starts and stops of tokens that tile every sample. words: starts, stops, samples.
        """
        single, continued = np.zeros(samples, np.int64), np.zeros(samples, np.int64)
        starts, stops, sample = (np.ascontiguousarray(part, np.int32) for part in words)
        self._call(
            "cover", data, *spans, len(spans[0]), starts, stops, sample, len(starts),
            single, continued,
        )  # fmt: skip
        return single, continued

    def count(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which values occur, in order, how often, and the rank of each among them.

        values: not negative, and small: the rank has a place for each up to the largest.
        """
        if values.min(initial=0) < 0:
            raise ValueError("a negative number among what is counted")
        values = np.ascontiguousarray(values, np.int32)
        span = int(values.max(initial=0)) + 1
        counts = np.zeros(span, np.int64)
        found, rank = np.empty(span, np.int64), np.empty(span, np.int32)
        kinds = self._call("count", values, len(values), span, counts, found, rank)
        return found[:kinds], counts[found[:kinds]], rank

    def count_by_block(
        self,
        ids: np.ndarray,
        offsets: np.ndarray,
        block: np.ndarray,
        found: np.ndarray,
        rank: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """How often ids occur in each block of samples, as keys block·2³² + id and counts.

        block: of each sample. found, rank: what `count` says of the ids.
        """
        _check(offsets, len(ids), len(block))
        ids = np.ascontiguousarray(ids, np.int32)
        table = np.zeros((int(block.max(initial=0)) + 1, len(found)), np.int64)
        arguments = ids, offsets, block, len(block), rank, len(found)
        self._call("count_by_block", *arguments, table)
        return self._collected(table, found, len(ids))

    def sum_tallies(
        self, tallies: Sequence[tuple[np.ndarray, np.ndarray]], rows: int, columns: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keys and counts of several tallies together, by way of a table.

        rows, columns: one more than the largest key // 2³² and the largest key % 2³².
        """
        table = np.zeros((rows, columns), np.int64)
        for keys, counts in tallies:
            self._call("add", keys, counts, len(keys), columns, table)
        return self._collected(table, np.arange(columns), sum(len(keys) for keys, _ in tallies))

    def sort_pairs(
        self,
        before: np.ndarray,
        after: np.ndarray,
        contexts: tuple[int, int],
        kinds: int,
        room: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places whose context is in [first, last), in the order of their pairs (before, after),
        and which begin a new pair.

        before: contexts; after: numbers under `kinds`; room: for how many places.
        """
        many, size = len(before), contexts[1] - contexts[0]
        low, high, bits = widths = _widths(many, size, kinds)
        if len(after) != many or sum(widths) > 64 or many > MOST_PLACES or contexts[0] < 0:
            raise ValueError(f"{many} numbers before and {len(after)} after: not to be sorted")
        before = np.ascontiguousarray(before, np.int32)
        after = np.ascontiguousarray(after, np.uint16 if after.dtype == np.uint16 else np.int32)
        heads = np.zeros((max(size - 1, 0) >> low) + 2, np.int64)
        keys, places = np.empty(room, np.uint64), np.empty(room, np.int32)
        first = np.empty(room, np.uint8)
        left = self._call(
            "sort_pairs", before, after, after.itemsize, many, *contexts, kinds,
            low, high, bits, room, heads, keys, places, first,
        )  # fmt: skip
        if left == -2:
            raise MemoryError("no memory to sort pairs")
        if left < 0:
            raise IndexError(f"more than {room} places, or a number outside {kinds} after")
        return places[:left], first[:left].view(bool)

    def frequencies(
        self, places: np.ndarray, first: np.ndarray, block: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """How many runs of equal pairs are how long: keys 16·2³² + length and counts; and keys
        block·2³² + length for what changes without each of 16 blocks. In no order.

        places, first: from `sort_pairs`; block: of every place.
        """
        inside = not len(places) or 0 <= places.min() <= places.max() < len(block)
        if len(places) != len(first) or not inside:
            raise ValueError(f"{len(places)} places, {len(first)} marks, {len(block)} blocks")
        table = np.zeros((_BLOCKS + 1, _SMALL), np.int64)
        large = np.empty(((len(places) // _SMALL + 1) * (2 * _BLOCKS + 1), 3), np.int64)
        block = np.ascontiguousarray(block, np.uint8)
        made = self._call("frequencies", places, first, len(places), block, table, large)
        if made < 0:
            raise IndexError(f"a block outside {_BLOCKS}")
        row, times = np.nonzero(table)
        keys = np.concatenate(((row << 32) + times, (large[:made, 0] << 32) + large[:made, 1]))
        return keys, np.concatenate((table[row, times], large[:made, 2]))

    def _collected(
        self, table: np.ndarray, low: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        keys, counts = np.empty((2, min(most, table.size) + 1), np.int64)
        made = self._call("collect", table, *table.shape, low, keys, counts)
        return keys[:made], counts[:made]

    def _call(self, name: str, *arguments: Any) -> Any:
        return getattr(self._library, name)(*map(_argument, arguments))


def _check(offsets: np.ndarray, items: int, rows: int) -> None:
    """Do the offsets deal that many items out to that many rows? The library reads blindly."""
    fit = len(offsets) == rows + 1 and offsets[0] == 0 and offsets[-1] == items
    if not fit or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets that do not deal {items} ids out to {rows} samples")


def sortable(many: int, size: int, kinds: int) -> bool:
    """Do a context, a token and a place share an integer, as `Kernel.sort_pairs` needs?"""
    return many <= MOST_PLACES and sum(_widths(many, size, kinds)) <= 64


def _widths(many: int, size: int, kinds: int) -> tuple[int, int, int]:
    """Bits of a context inside its part (of a thousand parts), of a token and of a place."""
    return max((size - 1).bit_length() - 10, 0), (kinds - 1).bit_length(), many.bit_length()


def _argument(value: Any) -> Any:
    """Arrays and bytes by address, numbers as 64-bit integers."""
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int64(value) if isinstance(value, int) else value


def load(path: Path) -> Kernel | None:
    """The library at `path`; None where there is none that this source can call."""
    try:
        library = ctypes.CDLL(str(path))
        revision = library.kernel_revision
    except (OSError, AttributeError):
        return None
    return Kernel(library) if revision() == REVISION else None


compiled: Kernel | None = load(LIBRARY)
"""This installation's kernel, or None: then numpy it is."""
