"""The runner: shard by shard from text to evidence, resumable, then one record."""

from __future__ import annotations

import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokbench import executors
from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError, near, one_line
from tokbench.evidence import Evidence, Failure
from tokbench.files import atomic_write, sha256
from tokbench.measured import LEVEL, REPLICATES, Measured
from tokbench.plan import Shard, Source
from tokbench.readers import Slice
from tokbench.record import (
    About,
    Bootstrap,
    DatasetAbout,
    Record,
    TaskAbout,
    TokenizerAbout,
    provenance,
    read_record,
    record_key,
)
from tokbench.specs import load_tokenizer
from tokbench.statistics import EncodedText, measure
from tokbench.task import Task
from tokbench.text.batch import TextBatch
from tokbench.text.languages import script_of
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged, Score, Tokenizer

Progress = Callable[[int, int], None]
"""Called with (shards done, shards in all)."""


ACTIVITIES = ("read", "encode", "decode", "measure")
DECODED = 8
"""Samples of each slice decoded by the library itself, for its speed."""


@dataclass
class Job:
    """One tokenizer on one task: everything that a worker needs to know."""

    spec: str
    task: Task
    data: str
    split: str | None = None
    limit: int | None = None
    arguments: list[str] = field(default_factory=list)


class Bench:
    """A job made ready: tokenizer and data loaded, key known."""

    def __init__(self, job: Job, tokenizer: Tokenizer | None = None):
        self.job = job
        self.tokenizer: TextTokenizer = tokenizer or load_tokenizer(job.spec)  # type: ignore[assignment]
        if self.tokenizer.spec.modality != job.task.modality:
            raise UserError(
                f"{self.tokenizer.name} is a tokenizer of {self.tokenizer.spec.modality}; "
                f"task {job.task.name} wants {job.task.modality}"
            )
        self.dataset: Dataset = open_dataset(job.data, job.split)
        self._check_reference()
        self.source = Source(self.dataset, job.task)
        self.key = record_key(
            self.tokenizer.fingerprint(),
            job.task.fingerprint(),
            self.dataset.fingerprint,
            job.limit,
        )

    def _check_reference(self) -> None:
        """Refuse a comparison with a language that is not there before anything is measured."""
        for metric in self.job.task.made:
            language = metric.options().get("reference")
            if language is None:
                continue
            if not self.dataset.parallel:
                raise UserError(
                    f"task {self.job.task.name}: metric '{metric.name}' needs parallel data (the "
                    f"same content in every language), which {self.dataset.name} is not"
                )
            if language not in self.dataset.groups:
                hint = near(language, self.dataset.groups)
                raise UserError(
                    f"task {self.job.task.name}: no reference language '{language}' in "
                    f"{self.dataset.name}{hint}"
                )

    def evidence(self, shard: Shard) -> Evidence:
        """What one shard gives: every slice is encoded, then all are measured, in threads.

        Slices are small enough for their arrays to stay in the processor's cache, and the
        encoder, which brings threads of its own, never competes with the measuring.
        """
        clock = _Clock()
        failures: dict[str, Failure] = {}
        encoded = [self._slice(piece, clock, failures) for piece in shard]
        self._time_decoding([e for e in encoded if e is not None], clock)
        with clock("measure"), ThreadPoolExecutor(self.threads) as pool:
            whole = Evidence.joined(pool.map(self._measured, filter(None, encoded)))
        whole.failures, whole.seconds = failures, clock.seconds
        return whole

    @property
    def threads(self) -> int:
        """Threads for measuring; more than four would wait for each other."""
        return min(4, self.tokenizer.max_threads or os.cpu_count() or 1)

    def _slice(
        self, piece: Slice, clock: _Clock, failures: dict[str, Failure]
    ) -> EncodedText | None:
        with clock("read"):
            batch = self.source.read(piece)
        with clock("encode", f"encode:{self.dataset.groups[piece.part]}"):
            batch, codes = self._encoded(batch, failures)
        if not len(batch):
            return None
        return EncodedText(self.tokenizer, batch, codes, self.dataset.groups)

    def _measured(self, encoded: EncodedText) -> Evidence:
        found = measure(encoded, self.job.task.statistics)
        batch = encoded.batch
        return Evidence(
            batch.group, batch.index, found.columns, found.tallies, examples=found.examples
        )

    def _encoded(self, batch: TextBatch, failures: dict[str, Failure]) -> tuple[TextBatch, Codes]:
        """Codes of a batch. If the tokenizer raises, sample by sample: those that fail are
        left out and counted by cause."""
        if not len(batch):
            return batch, Codes((Ragged(np.empty(0, np.int32), np.zeros(1, np.int64)),))
        try:
            return batch, self._checked(self.tokenizer.encode(batch.texts), len(batch))
        except BaseException as error:
            if not _of_the_tokenizer(error):
                raise
        good, codes = [], []
        for row, text in enumerate(batch.texts):
            try:
                codes.append(self._checked(self.tokenizer.encode([text]), 1))
                good.append(row)
            except BaseException as error:
                if not _of_the_tokenizer(error):
                    raise
                cause = f"encode: {type(error).__name__}: {one_line(error)}"[:200]
                failure = failures.setdefault(cause, Failure())
                failure.count += 1
                if not failure.example:
                    group = self.dataset.groups[int(batch.group[row])]
                    failure.example = f"{group or 'sample'} {int(batch.index[row])}"
        if not good:
            return batch.select([]), Codes((Ragged(np.empty(0, np.int32), np.zeros(1, np.int64)),))
        spans = [c.spans for c in codes if c.spans is not None]
        joined = Ragged.joined([c.ids for c in codes])
        return batch.select(good), Codes((joined,), spans=np.concatenate(spans) if spans else None)

    def _checked(self, codes: Codes, count: int) -> Codes:
        if len(codes.ids) != count:
            raise ValueError(f"encode returned {len(codes.ids)} sequences for {count} texts")
        table, ids = self.tokenizer.pieces, codes.ids.values
        if table is not None and len(ids) and not 0 <= ids.min() <= ids.max() < len(table.pieces):
            raise ValueError(f"ids outside the vocabulary of {len(table.pieces):,}")
        return codes

    def _time_decoding(self, encoded: list[EncodedText], clock: _Clock) -> None:
        """Decode a few samples of each slice with the library itself, for its speed."""
        few = [(e, list(range(min(DECODED, len(e.batch))))) for e in encoded]
        if not few:
            return
        codes = Codes((Ragged.joined([e.codes.ids.take(rows) for e, rows in few]),))
        try:
            with clock("decode"):
                self.tokenizer.decode(codes)
        except Exception:
            return  # the round-trip statistic meets the same error and counts it
        clock.add("decoded bytes", float(sum(e.batch.sizes[: len(rows)].sum() for e, rows in few)))


def _of_the_tokenizer(error: BaseException) -> bool:
    """Is it the tokenizer that failed on a text? (Rust panics arrive as BaseException.)"""
    if isinstance(error, UserError | MemoryError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


class _Clock:
    """Seconds by activity."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, value: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + value

    @contextmanager
    def __call__(self, *names: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        for name in names:
            self.add(name, time.perf_counter() - started)


def evaluate(
    job: Job,
    out: Path,
    workers: int = 1,
    progress: Progress | None = None,
    tokenizer: Tokenizer | None = None,
    again: bool = False,
) -> tuple[Record, Path]:
    """Run a job in `out` and return its record and the record's path.

    Finished shards of an interrupted run are taken up again; a finished record of the same
    key is returned as it is unless `again`. One run at a time may write a run folder.
    """
    started = time.perf_counter()
    bench = Bench(job, tokenizer)
    folder = out / f"{slug(bench.tokenizer.name)}--{slug(job.task.name)}--{bench.key[:12]}"
    path = folder / "record.json"
    with locked(folder):
        if path.is_file() and not again:
            return read_record(path), path
        shards = bench.source.plan(job.limit)
        folder_shards = folder / "shards"
        executors.run(bench, shards, folder_shards, workers, progress)
        evidence = Evidence.joined(
            _load_shard(folder_shards / f"{number:06}.npz") for number in range(len(shards))
        )
        if evidence.rows == 0:
            shutil.rmtree(folder_shards)  # nothing to go on from
        record = make_record(bench, evidence, time.perf_counter() - started)
        samples = samples_parquet(evidence, bench.dataset.groups)
        record.evidence = sha256(samples)
        atomic_write(folder / "samples.parquet", samples)
        atomic_write(path, record.to_json())
        shutil.rmtree(folder_shards)
    return record, path


def slug(name: str) -> str:
    """A name as part of a file name: letters, digits, dots and hyphens."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-_") else "-" for c in name)
    return kept.strip("-.")[:80] or "tokenizer"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder; a second run in it gets a `UserError` instead of a mixture."""
    import filelock

    lock = filelock.FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise UserError(
            f"{folder}: another tokbench run is writing here; wait for it or choose another --out"
        ) from error
    except OSError as error:
        raise UserError(f"{folder}: cannot write: {error.strerror or one_line(error)}") from error
    try:
        for leftover in folder.rglob(".*.part"):  # of a run that was killed while it wrote
            leftover.unlink(missing_ok=True)
        yield
    finally:
        if [path.name for path in folder.glob("*")] == [".lock"]:  # failed before its first shard
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _load_shard(path: Path) -> Evidence:
    try:
        return Evidence.from_bytes(path.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}: damaged ({one_line(error)}); delete it and run the same command again"
        ) from error


def make_record(bench: Bench, evidence: Evidence, seconds: float) -> Record:
    """Scores, signature and provenance from finished evidence."""
    job, dataset, tokenizer = bench.job, bench.dataset, bench.tokenizer
    task = job.task
    if evidence.rows == 0:
        causes = "; ".join(evidence.failures) or "no sample has any text"
        raise UserError(f"{tokenizer.name} on {task.name}: nothing was encoded: {causes}")
    measured = Measured(
        evidence,
        dataset.groups,
        dataset.parallel,
        tokenizer.spec,
        task.seed,
        tokenizer=tokenizer,
    )
    scores = []
    for metric in task.made:
        measured.metric = metric.signature()
        scores += list(metric.result(measured))
    samples = int(evidence.columns["samples"].sum())
    manifest = dataset.manifest
    times = {k: v for k, v in evidence.seconds.items() if k in ACTIVITIES} | {"all": seconds}
    limit = f"|limit:{job.limit}" if job.limit is not None else ""
    return Record(
        tokenizer=tokenizer.name,
        task=task.name,
        key=bench.key,
        signature=f"{dataset.label}|unit:{task.unit}{limit}|tok:{tokenizer.fingerprint()[:8]}",
        status="failures" if evidence.failures else "complete",
        limit=job.limit,
        about=About(
            TokenizerAbout(tokenizer.fingerprint(), tokenizer.spec),
            TaskAbout(
                task.fingerprint(), task.main, task.unit,
                [metric.signature() for metric in task.made],
            ),
            DatasetAbout(
                dataset.name, dataset.version, dataset.split, dataset.fingerprint, dataset.known,
                manifest.licence if manifest else "", len(dataset.parts), samples,
            ),
        ),
        scores=scores,
        performance=performance(bench, evidence),
        failures=evidence.failures,
        examples=evidence.examples,
        bootstrap=Bootstrap(REPLICATES, LEVEL, task.seed, evidence.block),
        provenance=provenance(job.arguments or sys.argv[1:], times),
    )  # fmt: skip


def performance(bench: Bench, evidence: Evidence) -> list[Score]:
    """Speed and memory on this machine: encode (also by script) and decode MB/s of UTF-8 through
    the library's batch calls; seconds to load; peak memory of the process."""
    seconds, groups = evidence.seconds, bench.dataset.groups
    if "bytes" not in evidence.columns:
        return []
    totals = np.zeros(len(groups))
    np.add.at(totals, evidence.group, evidence.columns["bytes"])
    rows: list[Score] = []

    def speed(name: str, size: float, taken: float, note: str) -> None:
        value = float(size / taken / 1e6) if taken > 0 and size > 0 else None
        rows.append(
            Score(
                name=name,
                value=value,
                n=1,
                unit="MB/s",
                better="higher",
                metric="performance",
                note=note,
            )
        )

    taken = {group: seconds.get(f"encode:{group}", 0.0) for group in groups}
    size = dict(zip(groups, totals.tolist(), strict=True))
    by_script: dict[str, list[str]] = {}
    for group in groups:
        by_script.setdefault(script_of(group), []).append(group)
    note = f"{os.cpu_count()} cores, batches"
    speed("encode-speed", sum(size.values()), sum(taken.values()), note)
    for script, members in sorted(by_script.items()):
        if script and len(by_script) > 1:
            total, spent = sum(size[m] for m in members), sum(taken[m] for m in members)
            speed(f"encode-speed/{script}", total, spent, note)
    note = "the library's own decoder, a few samples of each group"
    speed("decode-speed", seconds.get("decoded bytes", 0.0), seconds.get("decode", 0.0), note)
    for name, value, unit in (
        ("load-time", bench.tokenizer.load_seconds, "s"),
        ("peak-memory", peak_memory(), "MiB"),
    ):
        rows.append(
            Score(name=name, value=value, n=1, unit=unit, better="lower", metric="performance")
        )
    return rows


def peak_memory() -> float:
    """Largest resident set of this process so far, MiB."""
    try:
        import resource
    except ImportError:  # Windows keeps the peak in psutil
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)


def samples_parquet(evidence: Evidence, groups: list[str]) -> bytes:
    """Per-sample statistics as parquet: group, index and one column for each statistic."""
    import io

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
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
