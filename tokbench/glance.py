"""How much there is in a large set, from the beginning of each of its groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tokbench import sources
from tokbench.media_parts import ItemsPart
from tokbench.parts import LinesPart, Part, Slice

if TYPE_CHECKING:
    from tokbench.bench import Bench

LARGE, FILES = 256 << 20, 5_000
"""Bytes of a set, and files of a folder, above which a plan does not read it."""

BUDGET, LEAST = 2.0, 16
"""Seconds spent on all groups, and slices of all streams that are read however long it takes:
files are read in pieces, by which the first slices do not tell how far."""


def is_large(parts: Sequence[Part]) -> bool:
    """Would it take long to read?"""
    counts = [len(part.items) * part.dear for part in parts if isinstance(part, ItemsPart)]
    streams = (part.size() for part in parts if not isinstance(part, ItemsPart))
    return sum(counts) > FILES or sum(streams) > LARGE


def glanced(bench: Bench) -> tuple[list[Slice], dict[int, float], float]:
    """The first slices of every group, and by them the samples of each group and the bytes of all
    as a plan counts them: as far as the files were read for these, so much is taken to be left."""
    source, task = bench.source, bench.job.task
    most, most_bytes = source.slice_limits
    slices: list[Slice] = []
    counts: dict[int, float] = {}
    size = 0.0
    for number, part in enumerate(source.parts):
        began = time.perf_counter()
        own: list[Slice] = []
        least = 1.0 if isinstance(part, ItemsPart) else LEAST / len(source.parts)
        with sources.noted() as files:
            pieces = part.slices(
                number, min(most, task.shard_samples), min(most_bytes, task.shard_bytes), None
            )
            share = 1.0
            for piece in pieces:
                own.append(piece)
                if len(own) >= least and time.perf_counter() - began > BUDGET / len(source.parts):
                    share = _share(part, own, files)  # before the files are closed
                    break
        slices += own
        counts[number] = sum(piece.count for piece in own) / share
        size += sum(piece.size for piece in own) / share
    return slices, counts, size


def _share(part: Part, slices: Sequence[Slice], files: Sequence[Any]) -> float:
    """The part of a group that its first slices are."""
    count = sum(piece.count for piece in slices)
    if isinstance(part, ItemsPart):
        return count / len(part.items)
    if isinstance(part, LinesPart):
        return slices[-1].stop / part.size()
    paths = getattr(part, "paths", [])
    if paths and all(path.suffix == ".parquet" for path in paths):
        return count / sum(map(_rows, paths))
    read = sum(file.tell() if not file.closed else 0 for file in files)
    read += sum(
        sources.size_of(path) for path in paths[: len(files) - 1]
    )  # closed: read to the end
    return min(1.0, read / part.size()) if read and part.size() else 1.0


def _rows(path: Any) -> int:
    from pyarrow import parquet

    with sources.content_of(path) as content:
        return int(parquet.read_metadata(content).num_rows)
