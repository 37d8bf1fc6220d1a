"""A leaderboard's scores as one table, kept in the cache so that a file is parsed only once.

The cache is never believed without looking: a file counts as known while its size, times and
inode stand. Where it was written so shortly before the cache that a change could hide in one tick
of the clock, or where only its times moved, its content is hashed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tokbench import own_version
from tokbench.files import cache_dir, cache_write, read_bytes, sha256
from tokbench.leaderboard import empty, located, opened_folder, question
from tokbench.record import SCHEMA, Record, record_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT = 1
"""Of the cache; another one is read anew."""

SETTLED = 2_000_000_000
"""Nanoseconds after which a file's times tell a change: file systems tick in up to 2 s."""

Stat = tuple[int, int, int, int]


class Entry(msgspec.Struct, array_like=True):
    """One record of the board, without its scores. data: its dataset, for people."""

    path: str
    stat: Stat
    digest: str
    task: str
    tokenizer: str
    key: str
    signature: str
    question: str
    created: str
    main: str
    data: str
    data_hash: str


class _Head(msgspec.Struct):
    """What lies beside the cached scores. seen: when, in nanoseconds."""

    version: str
    seen: int
    entries: list[Entry]


@dataclass
class Index:
    """Entries in the order of their paths, and the scores of all of them."""

    folder: Path
    entries: list[Entry]
    scores: pa.Table

    def frame(self) -> pd.DataFrame:
        """As `tokbench.leaderboard.frame`, which says what the columns are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        at = self.scores["record"].combine_chunks()

        def of_record(values: Iterable[str]) -> Any:
            return pa.array(list(values), pa.string()).take(at)

        def text(column: str, change: Any = lambda value: value) -> Any:
            coded = self.scores[column].combine_chunks()
            known = pa.array([change(v) for v in coded.dictionary.to_pylist()], pa.string())
            return known.take(coded.indices)

        signature = of_record(entry.signature for entry in self.entries)
        columns = {
            "task": of_record(entry.task for entry in self.entries),
            "tokenizer": of_record(entry.tokenizer for entry in self.entries),
            "score": text("name", lambda name: name.partition("/")[0]),
            "facet": text("name", lambda name: name.partition("/")[2]),
            **{name: self.scores[name] for name in ("value", "low", "high", "n")},
            "unit": text("unit"),
            "better": text("better"),
            "signature": pc.binary_join_element_wise(text("metric"), signature, "|"),
            "key": of_record(entry.key for entry in self.entries),
            "question": of_record(entry.question for entry in self.entries),
            "created": of_record(entry.created for entry in self.entries),
            "path": of_record(str(self.folder / entry.path) for entry in self.entries),
        }
        return pa.table(columns).to_pandas()


def index(folder: Path, task: str | None = None) -> Index:
    """The index of a leaderboard, or of one task. Raises `UserError` for a record that is none."""
    files = {f"{path.parent.name}/{path.name}": path for path in located(folder, task)}
    place = cache_dir() / "leaderboards" / f"{sha256(str(folder.resolve()), task or '')[:32]}.arrow"
    now = time.time_ns()
    head, scores = _load(place)
    known = {entry.path: (number, entry) for number, entry in enumerate(head.entries)}
    kept: list[tuple[int, Entry]] = []
    fresh: list[tuple[Entry, Record]] = []
    same = len(known) == len(files)
    for name, path in files.items():
        stat = _stat(path)
        number, entry = known.get(name, (-1, None))
        if entry is not None:
            trusted = entry.stat == stat and max(stat[1:3]) < head.seen - SETTLED
            if trusted or entry.digest == sha256(read_bytes(path)):
                same = same and trusted
                entry.stat = stat
                kept.append((number, entry))
                continue
        same = False
        fresh.append(_parsed(path, name, stat))
    if same:
        return Index(folder, head.entries, scores)
    found = _joined(folder, scores, kept, fresh)
    _keep(place, found, now)
    return found


def index_of(folder: str | None, task: str | None = None) -> Index:
    """That of a leaderboard with records, the default one for None. Raises `UserError` for one
    without."""
    where = opened_folder(folder)
    found = index(where, task)
    if not found.entries:
        raise empty(where)
    return found


def _stat(path: Path) -> Stat:
    found = os.stat(path)  # noqa: PTH116  a third of the time of Path.stat, ten thousand times
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _parsed(path: Path, name: str, stat: Stat) -> tuple[Entry, Record]:
    content = read_bytes(path)
    record = record_of(content, path)
    data = record.about.dataset
    entry = Entry(
        name, stat, sha256(content), record.task, record.tokenizer, record.key, record.signature,
        question(record), record.provenance.created, record.about.task.main,
        f"{data.name}@{data.version}:{data.split}", data.fingerprint,
    )  # fmt: skip
    return entry, record


def _joined(
    folder: Path,
    scores: pa.Table,
    kept: list[tuple[int, Entry]],
    fresh: list[tuple[Entry, Record]],
) -> Index:
    """Known and new rows, numbered anew in the order of the paths."""
    import numpy as np
    import pyarrow as pa

    entries = sorted([*(e for _, e in kept), *(e for e, _ in fresh)], key=lambda e: e.path)
    places = {entry.path: number for number, entry in enumerate(entries)}
    tables = []
    if kept:
        numbers = np.full(max(number for number, _ in kept) + 1, -1, np.int32)
        for number, entry in kept:
            numbers[number] = places[entry.path]
        old = np.asarray(scores["record"].combine_chunks())
        renumbered = np.where(old < len(numbers), numbers[np.minimum(old, len(numbers) - 1)], -1)
        table = scores.set_column(0, "record", pa.array(renumbered.astype(np.int32)))
        tables.append(table.filter(pa.array(renumbered >= 0)))
    if fresh:
        tables.append(_table([(places[entry.path], record) for entry, record in fresh]))
    if not tables:
        return Index(folder, [], _table([]))
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return Index(folder, entries, whole.sort_by("record"))


def _table(records: list[tuple[int, Record]]) -> pa.Table:
    import pyarrow as pa

    rows = [(number, score) for number, record in records for score in record.scores]

    def coded(values: list[str]) -> Any:
        return pa.array(values, pa.string()).dictionary_encode()

    def numbers(values: list[float | None]) -> Any:
        return pa.array([float("nan") if v is None else v for v in values], pa.float64())

    return pa.table({
        "record": pa.array([number for number, _ in rows], pa.int32()),
        "name": coded([score.name for _, score in rows]),
        "value": numbers([score.value for _, score in rows]),
        "low": numbers([score.low for _, score in rows]),
        "high": numbers([score.high for _, score in rows]),
        "n": pa.array([score.n for _, score in rows], pa.int64()),
        "unit": coded([score.unit for _, score in rows]),
        "better": coded([score.better for _, score in rows]),
        "metric": coded([score.metric for _, score in rows]),
    })  # fmt: skip


def _version() -> str:
    return f"{own_version()} {SCHEMA} {FORMAT}"


def _load(place: Path) -> tuple[_Head, Any]:
    """What the cache holds: nothing where it is not there, damaged or another version's."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(place)) as file:
            table = pa.ipc.open_file(file).read_all()
        metadata = table.schema.metadata or {}
        head = msgspec.json.decode(metadata[b"head"], type=_Head)
        digest = sha256(str(table.num_rows), *(e.digest for e in head.entries)).encode()
        if head.version == _version() and metadata[b"digest"] == digest:
            return head, table
    except (OSError, pa.ArrowException, KeyError, msgspec.MsgspecError):
        pass
    return _Head(_version(), 0, []), None


def _keep(place: Path, found: Index, seen: int) -> None:
    import pyarrow as pa

    head = msgspec.json.encode(_Head(_version(), seen, found.entries))
    digest = sha256(str(found.scores.num_rows), *(e.digest for e in found.entries))
    table = found.scores.replace_schema_metadata({"head": head, "digest": digest})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    cache_write(place, sink.getvalue().to_pybytes())
