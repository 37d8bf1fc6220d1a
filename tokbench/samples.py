"""Per-sample evidence as parquet, beside every record: what paired comparison needs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence
from tokbench.files import read_bytes, sha256
from tokbench.record import Record


@dataclass(frozen=True, slots=True)
class Samples:
    """Evidence without tallies, and the labels of its groups."""

    evidence: Evidence
    groups: list[str]


def samples_path(path: Path) -> Path:
    """Where the evidence of the record at `path` lies: in its run folder or leaderboard."""
    if path.name == "record.json":
        return path.with_name("samples.parquet")
    return path.with_suffix(".parquet")


def read_samples(record: Record, path: Path) -> Samples | None:
    """The evidence beside a record, or None.

    Raises `UserError` when the file is there but is not the record's.
    """
    beside = samples_path(path)
    if not beside.is_file():
        return None
    content = read_bytes(beside)
    if sha256(content) != record.evidence:
        raise UserError(f"{beside}: is not the evidence that {path.name} names (its hash differs)")
    return _parsed(content, str(beside))


MOST_BYTES, MOST_CELLS, MOST_COLUMNS = 256 << 20, 1 << 26, 4096
"""What evidence may hold at most, by its own account, before any of it is read."""


def _parsed(content: bytes, where: str = "evidence") -> Samples:
    """The evidence in a parquet file, which is untrusted: its size and types are looked at
    before its columns are read. Raises `UserError` for what is none."""
    import pyarrow as pa

    try:
        samples = _read(content)
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise UserError(f"{where}: damaged, or no evidence ({one_line(error)})") from error
    evidence = samples.evidence
    for what, values, most in (
        ("group", evidence.group, len(samples.groups)),
        ("index", evidence.index, 1 << 40),
        ("samples", evidence.columns["samples"], 1 << 62),
    ):
        if evidence.rows and not 0 <= int(values.min()) <= int(values.max()) < most:
            raise UserError(f"{where}: damaged: a {what} out of range")
    return samples


def _allowed(content: bytes) -> None:
    """Refuse, by `ValueError`, what is too large or has columns of other types."""
    import pyarrow as pa
    from pyarrow import parquet

    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content) >> 20} MiB are too many")
    about = parquet.read_metadata(pa.BufferReader(content))
    if about.num_columns > MOST_COLUMNS:
        raise ValueError(f"{about.num_columns:,} columns are too many")
    if about.num_rows * about.num_columns > MOST_CELLS:
        raise ValueError(f"{about.num_rows:,} rows of {about.num_columns} columns are too many")
    groups = [about.row_group(number) for number in range(min(about.num_row_groups, 1 << 16))]
    if sum(group.total_byte_size for group in groups) > MOST_CELLS * 8:
        raise ValueError(f"more than {MOST_CELLS >> 17} MiB when unpacked")
    schema = parquet.read_schema(pa.BufferReader(content))
    for field in schema:
        words = pa.types.is_dictionary(field.type) and pa.types.is_string(field.type.value_type)
        plain = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        if not (words if field.name == "group" else plain):
            raise ValueError(f"column '{field.name[:80]}' is of type {str(field.type)[:80]}")


def _read(content: bytes) -> Samples:
    import pyarrow as pa
    from pyarrow import parquet

    _allowed(content)
    # `read_table` would import pyarrow's datasets, and arrays made numpy's by pyarrow pandas:
    # half a second each time that a command reads evidence.
    table = parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    if any(table[name].null_count for name in table.column_names):
        raise ValueError("a value is missing")
    arrays = {name: table[name].combine_chunks() for name in table.column_names}
    labels = arrays.pop("group")
    columns = {name: _widest(np.from_dlpack(values)) for name, values in arrays.items()}
    index = columns.pop("index")
    block = int((table.schema.metadata or {}).get(b"block", b"1"))
    if block < 1 or block & (block - 1) or block > 1 << 40 or "samples" not in columns:
        raise ValueError("no blocks of samples")
    evidence = Evidence(
        np.from_dlpack(labels.indices).astype(np.int64), index, columns, block=block
    )
    return Samples(evidence, [str(label) for label in labels.dictionary.to_pylist()])


def _widest(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def aligned(a: Samples, b: Samples) -> tuple[Samples, Samples]:
    """Both on the same rows: blocks of the same size, and only those that hold the same
    number of samples in both."""
    if a.groups != b.groups:
        raise UserError("the evidence of the two records has different groups")
    block = max(a.evidence.block, b.evidence.block)
    one, two = a.evidence.coarsened(block), b.evidence.coarsened(block)
    keys = [e.group << 40 | e.index for e in (one, two)]
    if not all(len(np.unique(key)) == len(key) for key in keys):  # words of a line: by line
        one, two = one.grouped(block), two.grouped(block)
        keys = [e.group << 40 | e.index for e in (one, two)]
    _, rows_one, rows_two = np.intersect1d(
        keys[0], keys[1], assume_unique=True, return_indices=True
    )
    same = one.columns["samples"][rows_one] == two.columns["samples"][rows_two]
    return (
        Samples(one.rows_of(rows_one[same]), a.groups),
        Samples(two.rows_of(rows_two[same]), b.groups),
    )


def smaller(content: bytes, most: int) -> bytes:
    """The parquet in blocks of two, four, eight … samples until it has at most `most` bytes, and
    packed as small as every reader of parquet understands."""
    samples = _parsed(content)
    evidence = samples.evidence
    while len(content) > most:
        coarser = evidence.coarsened(2 * evidence.block)
        if coarser.rows == evidence.rows:
            break
        evidence = coarser
        content = samples_parquet(evidence, samples.groups)
    packed = (
        samples_parquet(
            evidence, samples.groups, use_dictionary=words, compression_level=19,
            write_statistics=False,
        )
        for words in (True, ["group"])
    )  # fmt: skip
    return min(packed, key=len)


def samples_parquet(evidence: Evidence, groups: list[str], **packing: Any) -> bytes:
    """Per-sample statistics as parquet: group, index and one column for each statistic.

    packing: further arguments of `pyarrow.parquet.write_table`."""
    import pyarrow as pa
    from pyarrow import parquet

    def column(values: np.ndarray) -> pa.Array:
        # Built from buffers: pa.array would import pandas, half a second for nothing.
        small = values.dtype.kind == "i" and int(values.max(initial=0)) < 1 << 31
        kind = np.dtype(np.int32 if small else values.dtype)
        buffer = pa.py_buffer(np.ascontiguousarray(values, kind))
        return pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(values), [None, buffer])

    joined = "".join(groups).encode()
    ends = np.cumsum([0] + [len(group.encode()) for group in groups]).astype(np.int32)
    names = pa.Array.from_buffers(
        pa.string(), len(groups), [None, pa.py_buffer(ends), pa.py_buffer(joined)]
    )
    labels = pa.DictionaryArray.from_arrays(column(evidence.group), names)
    columns = {"group": labels, "index": column(evidence.index)}
    columns |= {name: column(values) for name, values in evidence.columns.items()}
    table = pa.table(columns).replace_schema_metadata({"block": str(evidence.block)})
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd", **packing)
    return file.getvalue()
