"""Additive evidence: everything a score is made of can be merged, shard by shard.

A shard leaves an `Evidence`: a table of per-sample statistics and tallies of integers.
`Evidence.joined` of any partition of the samples into consecutive shards, in order, is the
same evidence; scores are computed from it only once, at the end.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from tokbench import kernel
from tokbench.kept import Kept

BLOCKS = 4096
"""Most rows kept for one group. Beyond it neighbouring samples are summed in blocks of two,
four, eight …, so memory does not grow with the corpus and the bootstrap resamples blocks."""


class Failure(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Samples lost to one cause."""

    count: int = 0
    example: str = ""


class Example(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One sample worth showing, such as the first that did not survive the round trip.

    rank: of one statistic's examples those of the highest rank are kept, the first of equals.
    """

    statistic: str
    group: str
    index: int
    note: str
    rank: int = 0


WAITING = 1 << 16
"""Rows and tally entries of shards that may wait for a merge, where the whole has no more."""

EXAMPLES = 5

LARGEST_TABLE = 1 << 23
"""Cells (8 bytes each) of the largest table in which tallies are summed."""


@dataclass
class Tally:
    """How often each integer key occurred: sorted keys and their counts, both int64. A key that
    did not occur is not there."""

    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, keys: np.ndarray, counts: np.ndarray) -> Tally:
        """Summed over equal keys."""
        if len(keys) == 0:
            return cls()
        if (keys[1:] > keys[:-1]).all():  # nothing to sum: large tallies are not copied
            if not counts.all():
                keys, counts = keys[counts != 0], counts[counts != 0]
            return cls(keys.astype(np.int64, copy=False), counts.astype(np.int64, copy=False))
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
        first = np.concatenate(([True], keys[1:] != keys[:-1]))
        at = np.flatnonzero(first)
        sums = np.add.reduceat(counts, at).astype(np.int64)
        if not sums.all():
            at, sums = at[sums != 0], sums[sums != 0]
        return cls(keys[at].astype(np.int64, copy=False), sums)

    @classmethod
    def joined(cls, tallies: Iterable[Tally]) -> Tally:
        several = list(tallies)
        if len(several) == 1:
            return several[0]
        if kernel.compiled and (shape := _table(several)):
            return cls(*kernel.compiled.sum_tallies([(t.keys, t.counts) for t in several], *shape))
        return cls.of(
            np.concatenate([t.keys for t in several] or [np.empty(0, np.int64)]),
            np.concatenate([t.counts for t in several] or [np.empty(0, np.int64)]),
        )


def _table(tallies: Sequence[Tally]) -> tuple[int, int] | None:
    """Rows and columns of a table for keys row·2³² + column, or None where it would be sparse."""
    filled = [tally.keys for tally in tallies if len(tally.keys)]
    if not filled or min(int(keys[0]) for keys in filled) < 0:
        return None
    rows = 1 + max(int(keys[-1]) >> 32 for keys in filled)
    entries = sum(map(len, filled))
    columns = 1 + max(int((keys & 0xFFFFFFFF).max()) for keys in filled)
    return (rows, columns) if rows * columns <= min(8 * entries, LARGEST_TABLE) else None


@dataclass
class Evidence:
    """What one or several shards gave.

    group, index: of each row (int64). columns: per-sample additive statistics, by name;
    column `samples` counts the samples of the row. block: samples of one row, a power of two.
    failures: by cause. seconds: time spent by activity and group, never part of a score.
    sums: arrays added up over samples (moments of features), by name. Their values are multiples
        of a power of two coarse enough for every sum to be exact, so the order never matters.
    kept: bounded samples of rows, by name.
    """

    group: np.ndarray
    index: np.ndarray
    columns: dict[str, np.ndarray]
    tallies: dict[str, Tally] = field(default_factory=dict)
    block: int = 1
    failures: dict[str, Failure] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.group)

    @classmethod
    def joined(cls, several: Iterable[Evidence]) -> Evidence:
        """The merge, folded in the given order in bounded memory. Sums, which may take hundreds of
        megabytes, are added up in one place: no more than these and one evidence's are held."""
        waiting: list[Evidence] = []
        size, most = 0, WAITING
        sums: dict[str, np.ndarray] = {}
        for evidence in several:
            for name, values in evidence.sums.items():
                if name in sums:
                    sums[name] += values
                else:
                    sums[name] = values.copy()
            waiting.append(replace(evidence, sums={}))
            size += evidence.entries
            if size > most and len(waiting) > 1:
                waiting = [_joined(waiting)]
                size, most = 0, max(WAITING, waiting[0].entries)
        if not waiting:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), {})
        whole = _joined(waiting)
        whole.sums = sums
        return whole

    @property
    def entries(self) -> int:
        """Rows and entries, which is what takes memory, sums aside; the least evidence takes as
        much as a thousand of them."""
        tallies = sum(len(tally.keys) for tally in self.tallies.values())
        return 1000 + self.rows + tallies + sum(kept.rows.size for kept in self.kept.values())

    def coarsened(self, block: int) -> Evidence:
        """Rows summed over blocks of `block` samples; a block cut by a shard's end heals."""
        return self if block == 1 else self.grouped(block)

    def rows_of(self, rows: np.ndarray) -> Evidence:
        """The given rows alone, without tallies."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Evidence(self.group[rows], self.index[rows], columns, block=self.block)

    def grouped(self, block: int) -> Evidence:
        """One row for each group and block of `block` samples, with the sums."""
        index = self.index // (block // self.block)
        order = np.lexsort((index, self.group))
        group, index = self.group[order], index[order]
        first = np.ones(len(group), dtype=bool)
        first[1:] = (group[1:] != group[:-1]) | (index[1:] != index[:-1])
        at = np.flatnonzero(first)
        columns = {
            name: np.add.reduceat(values[order], at) if len(at) else values
            for name, values in self.columns.items()
        }
        return Evidence(
            group[at],
            index[at],
            columns,
            self.tallies,
            block,
            self.failures,
            self.examples,
            self.seconds,
            self.sums,
            self.kept,
        )

    def to_bytes(self) -> bytes:
        """npz with a JSON header; readable without pickle."""
        header = {
            "block": self.block,
            "failures": self.failures,
            "examples": self.examples,
            "seconds": self.seconds,
        }
        arrays = {
            "header": np.frombuffer(msgspec.json.encode(header), dtype=np.uint8),
            "group": self.group,
            "index": self.index,
        }
        arrays |= {f"column:{name}": values for name, values in self.columns.items()}
        for name, tally in self.tallies.items():
            arrays[f"keys:{name}"], arrays[f"counts:{name}"] = tally.keys, tally.counts
        arrays |= {f"sum:{name}": values for name, values in self.sums.items()}
        for name, kept in self.kept.items():
            arrays[f"kept:{name}"], arrays[f"rows:{name}"] = kept.keys, kept.rows
            arrays[f"most:{name}"] = np.array(kept.most)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Evidence:
        """The inverse of `to_bytes`."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            header = msgspec.json.decode(arrays["header"].tobytes(), type=_Header)
            columns, tallies, sums, kept = {}, {}, {}, {}
            for name in arrays.files:
                kind, _, rest = name.partition(":")
                if kind == "column":
                    columns[rest] = arrays[name]
                elif kind == "keys":
                    tallies[rest] = Tally(arrays[name], arrays[f"counts:{rest}"])
                elif kind == "sum":
                    sums[rest] = arrays[name]
                elif kind == "kept":
                    most = int(arrays[f"most:{rest}"])
                    kept[rest] = Kept(arrays[name], arrays[f"rows:{rest}"], most)
            return cls(
                arrays["group"],
                arrays["index"],
                columns,
                tallies,
                header.block,
                header.failures,
                header.examples,
                header.seconds,
                sums,
                kept,
            )


class _Header(msgspec.Struct):
    block: int
    failures: dict[str, Failure]
    examples: list[Example]
    seconds: dict[str, float]


def _joined(several: list[Evidence]) -> Evidence:
    several = [e for e in several if e.rows or e.failures or e.seconds] or several[:1]
    block = max(e.block for e in several)
    several = [e.coarsened(block) for e in several]
    names = next((list(e.columns) for e in several if e.rows), [])
    filled = [e for e in several if e.rows]
    failures: dict[str, Failure] = {}
    examples: list[Example] = []
    seconds: dict[str, float] = {}
    for evidence in several:
        for cause, failure in evidence.failures.items():
            known = failures.setdefault(cause, Failure(0, failure.example))
            known.count += failure.count
        examples += evidence.examples
        for name, value in evidence.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    tallies = {
        name: Tally.joined(e.tallies[name] for e in several if name in e.tallies)
        for name in dict.fromkeys(name for e in several for name in e.tallies)
    }
    kept = {
        name: Kept.joined(e.kept[name] for e in several if name in e.kept)
        for name in dict.fromkeys(name for e in several for name in e.kept)
    }
    empty = np.empty(0, np.int64)
    whole = Evidence(
        np.concatenate([e.group for e in filled] or [empty]),
        np.concatenate([e.index for e in filled] or [empty]),
        {name: np.concatenate([e.columns[name] for e in filled]) for name in names},
        tallies,
        block,
        failures,
        _worth_showing(examples),
        seconds,
        kept=kept,
    )
    highest = int(whole.index.max(initial=0))
    step = 1
    while highest // step >= BLOCKS:
        step *= 2
    return whole.coarsened(block * step)


def _worth_showing(examples: list[Example]) -> list[Example]:
    """A few of each statistic, statistic by statistic: those of the highest rank, the first of
    equals, in order."""
    kept: dict[str, list[int]] = {}
    for place in sorted(range(len(examples)), key=lambda place: -examples[place].rank):
        of = kept.setdefault(examples[place].statistic, [])
        if len(of) < EXAMPLES:
            of.append(place)
    return [examples[place] for name in sorted(kept) for place in sorted(kept[name])]
