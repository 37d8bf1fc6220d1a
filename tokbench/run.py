"""A run: one job in its folder, from the shards that are still to measure to the record."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

from tokbench.bench import Bench, Job, open_bench
from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence
from tokbench.files import atomic_write, sha256, slug
from tokbench.plan import Shard
from tokbench.record import Record, read_record
from tokbench.results import make_record
from tokbench.samples import samples_parquet
from tokbench.types import Tokenizer

Progress = Callable[[int, int | None], None]
"""Called with (shards done, shards in all; None while that is not known)."""

Bar = Callable[[str], AbstractContextManager[Progress | None]]
"""A progress bar by label."""


def unseen(label: str) -> AbstractContextManager[None]:
    """No bar."""
    return nullcontext()


class Run:
    """One job in `out`. Between `hold` and `close` no other run may write its folder."""

    def __init__(self, job: Job, tokenizer: Tokenizer | None, out: Path):
        self._started = time.perf_counter()
        bench = open_bench(job, tokenizer)
        self._bench: Bench | None = bench
        self.job, self.key = bench.job, bench.key
        self.label = f"{bench.tokenizer.name} · {job.task.name}"
        name = f"{slug(bench.tokenizer.name)}--{slug(job.task.name)}--{bench.key[:12]}"
        self.folder = out / name
        self.path = self.folder / "record.json"
        said = getattr(bench.tokenizer, "gpus", None)
        self.gpus = float("device=cuda" in job.spec if said is None else said)
        """GPUs that a worker needs: what the adapter says, else one for `device=cuda`."""
        self.planned_whole = False
        self._planned = self._done = self._waiting = 0
        self._total: int | None = None
        self._progress: Progress | None = None
        self._stack = ExitStack()

    def hold(self, bar: Bar) -> None:
        """Take the folder. Raises `UserError` where another run has it."""
        self._stack.enter_context(locked(self.folder))
        self._progress = self._stack.enter_context(bar(self.label))

    def close(self) -> None:
        """Leave the folder to others."""
        self._stack.close()

    def let_go(self) -> None:
        """Drop tokenizer and data; what needs them opens them again."""
        self._bench = None

    @property
    def bench(self) -> Bench:
        """The job made ready."""
        if self._bench is None:
            bench = open_bench(self.job)
            if bench.key != self.key:
                raise UserError(f"{self.job.spec}: tokenizer or data changed during the run")
            self._bench = bench
        return self._bench

    @property
    def finished(self) -> bool:
        """Is the record there?"""
        return self.path.is_file()

    @property
    def whole(self) -> bool:
        """Have all shards been planned and measured?"""
        return self.planned_whole and not self._waiting

    def left(self) -> Iterator[tuple[int, Shard]]:
        """Number and shard of what has no file yet. Of large data they are planned as they are
        asked for."""
        shards = self.bench.source.planned(self.job.limit)
        self._total = len(shards) if isinstance(shards, Sequence) else None
        self._done = sum(self._file(number).is_file() for number in range(self._total or 0))
        self._tell()
        for number, shard in enumerate(shards):
            self._planned = number + 1
            if not self._file(number).is_file():
                self._waiting += 1
                yield number, shard
            elif self._total is None:
                self._done += 1
                self._tell()
        self.planned_whole = True

    def keep(self, number: int, content: bytes) -> None:
        """Write a shard's evidence; it counts as done when it is there."""
        atomic_write(self._file(number), content)
        self._waiting -= 1
        self._done += 1
        self._tell()

    def alone(self) -> Iterator[Evidence]:
        """The evidence of every shard, in order; what has no file is measured here."""
        place = 0
        for number, shard in self.left():
            yield from map(self._load, range(place, number))
            evidence = self.bench.evidence(shard)
            self.keep(number, evidence.to_bytes())
            yield evidence
            place = number + 1
        yield from map(self._load, range(place, self._planned))

    def joined(self) -> Evidence:
        """The evidence of all shards, from their files."""
        return Evidence.joined(map(self._load, range(self._planned)))

    def filed(self, evidence: Evidence) -> Record:
        """The record, written with its samples; the shards' files are gone then."""
        if evidence.rows == 0:
            self._drop_shards()  # nothing to go on from
        record = make_record(self.bench, evidence, time.perf_counter() - self._started)
        samples = samples_parquet(evidence, self.bench.dataset.groups)
        record.evidence = sha256(samples)
        atomic_write(self.folder / "samples.parquet", samples)
        atomic_write(self.path, record.to_json())
        self._drop_shards()
        return record

    def filed_before(self) -> Record:
        """The record that is there; shards of a run that was killed as it ended go."""
        self._drop_shards()
        return read_record(self.path)

    def _drop_shards(self) -> None:
        shutil.rmtree(self.folder / "shards", ignore_errors=True)

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._done, self._total)

    def _file(self, number: int) -> Path:
        return self.folder / "shards" / f"{number:06}.npz"

    def _load(self, number: int) -> Evidence:
        path = self._file(number)
        try:
            return Evidence.from_bytes(path.read_bytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: damaged ({one_line(error)}); delete it and run the same command again"
            ) from error


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
