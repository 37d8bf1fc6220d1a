"""Jobs on several workers: the shards of all of them in one queue.

Workers take shards of one job after the other, so that the next job begins while the last shards
of this one are measured. A job's record is made as soon as its shards are there. A worker holds
one job's tokenizer and data, and lets them go when it gets a shard of another.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tokbench import executors
from tokbench.bench import Bench, Job, open_bench
from tokbench.errors import UserError
from tokbench.executors import Executor, Unready
from tokbench.plan import Shard
from tokbench.record import Record
from tokbench.remote import is_url
from tokbench.run import Bar, Run
from tokbench.types import Tokenizer

HELD = 8
"""Jobs whose tokenizers this process holds, beside the one that is planned; one that needs a GPU
is never held. The others are loaded once more when their record is made."""


class Piece(NamedTuple):
    """A shard, and all that a worker has to know to measure it."""

    path: Path
    number: int
    shard: Shard
    job: Job
    key: str

    @property
    def label(self) -> str:
        return f"{self.job.spec} on {self.job.task.name}: shard {self.number}"


class Schedule:
    """Jobs that are measured together. See `runner.evaluate_all`, which says what it is given."""

    def __init__(
        self,
        jobs: Iterable[tuple[Job, Tokenizer | None]],
        out: Path,
        executor: Executor,
        again: bool,
        bar: Bar,
    ):
        self._jobs, self._out, self._again, self._bar = iter(jobs), out, again, bar
        self._executor = executor
        self._paths: list[Path] = []
        self._found: dict[Path, Record] = {}
        self._open: dict[Path, Run] = {}
        self._codes: list[str] = []
        self._following: Run | None = None
        self._refused: UserError | None = None

    def results(self) -> list[tuple[Record, Path]]:
        """Records of all jobs and their paths, in order. Like one job after the other: what
        cannot be measured is told when what came before it has its record."""
        try:
            while (run := self._opened()) is not None:
                self._following = run
                self._measured(replace(self._executor, gpus=self._gpus(run)))
            if self._refused:
                raise self._refused
        finally:
            for run in list(self._open.values()):
                run.close()
        return [(self._found[path], path) for path in self._paths]

    def _measured(self, executor: Executor) -> None:
        with closing(executors.completed(_work, self._pieces(), executor, _begin)) as done:
            for _, (path, shard, content) in done:
                run = self._open[path]
                run.keep(shard, content)
                self._settle(run)

    def _gpus(self, run: Run) -> float:
        return run.gpus if self._executor.kind == "ray" else 0

    def _opened(self) -> Run | None:
        """The next job that has something to do, its folder held; None after the last, and after
        one that was refused."""
        if self._following is not None:
            run, self._following = self._following, None
            return run
        while self._refused is None:
            try:
                following = next(self._jobs, None)
                if following is None:
                    return None
                run = Run(*following, self._out)
                self._paths.append(run.path)
                if run.job.codes not in self._codes:
                    self._codes.append(run.job.codes)
                    self._drop_codes()
                if run.path in self._paths[:-1]:
                    continue
                run.hold(self._bar)
                self._open[run.path] = run
                if self._again or not run.finished:
                    return run
                self._end(run, run.filed_before())
            except UserError as error:
                self._refused = error
        return None

    def _pieces(self) -> Iterator[Piece]:
        """Shards of job after job, as long as the same workers can have them. A job is opened
        when its first shard is asked for."""
        here: float | None = None
        while (run := self._opened()) is not None:
            if here is not None and self._gpus(run) != here:
                self._following = run
                return
            here = self._gpus(run)
            try:
                for shard in run.left():
                    yield Piece(run.path, *shard, run.job, run.key)
            except UserError as error:
                self._refused = error
                return
            self._settle(run)
            several = [one for one in self._open.values() if one.planned_whole]
            for one in several[: -HELD or None]:
                one.let_go()
            if run.gpus:
                run.let_go()

    def _settle(self, run: Run) -> None:
        """Make the job's record if all its shards are there."""
        if run.path not in self._open or not run.whole:
            return
        try:
            self._end(run, run.filed(run.joined()))
        except UserError as error:
            self._refused = self._refused or error
            self._close(run)

    def _end(self, run: Run, record: Record) -> None:
        self._found[run.path] = record
        self._close(run)

    def _close(self, run: Run) -> None:
        self._open.pop(run.path).close()
        self._drop_codes()

    def _drop_codes(self) -> None:
        """Remove the codes of tokenizers that are done: there may be thousands in a call, and the
        tasks of each follow one another."""
        used = {run.job.codes for run in self._open.values()}
        for folder in [each for each in self._codes[:-1] if each not in used]:
            self._codes.remove(folder)
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


# In a worker

_threads = 1
_bench: Bench | None = None


def _begin(threads: int) -> None:
    global _threads, _bench
    _threads, _bench = threads, None


def _work(piece: Piece) -> tuple[Path, int, bytes]:
    return piece.path, piece.number, _ready(piece).evidence(piece.shard).to_bytes()


def _ready(piece: Piece) -> Bench:
    """The piece's job, opened here. The tokenizer of the job before it stays if it is the same;
    else it makes room first."""
    global _bench
    if _bench is not None and _bench.key == piece.key:
        return _bench
    tokenizer = _bench.tokenizer if _bench and _bench.job.spec == piece.job.spec else None
    _bench = None
    try:
        bench = open_bench(piece.job, tokenizer)
    except UserError as error:
        raise Unready(str(error)) from error
    bench.tokenizer.max_threads = _threads
    bench.ahead = _threads > 1 or is_url(piece.job.data)
    if bench.key != piece.key:
        raise Unready(
            f"{piece.job.spec}: a worker loaded another tokenizer or other data (key differs)"
        )
    _bench = bench
    return bench
