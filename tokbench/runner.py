"""The runner: jobs from text to evidence to records, resumable, alone or several together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, nullcontext
from pathlib import Path

from tokbench.bench import Job
from tokbench.evidence import Evidence
from tokbench.executors import SERIAL, Executor
from tokbench.record import Record
from tokbench.run import Bar, Progress, Run, unseen
from tokbench.types import Tokenizer


def evaluate(
    job: Job,
    out: Path,
    workers: int = 1,
    progress: Progress | None = None,
    tokenizer: Tokenizer | None = None,
    again: bool = False,
    executor: Executor | None = None,
) -> tuple[Record, Path]:
    """Run a job in `out` and return its record and the record's path.

    `workers` are processes unless an executor is given. The rest is as in `evaluate_all`.
    """
    chosen = executor or Executor.chosen(None, workers)
    [found] = evaluate_all(
        [(job, tokenizer)], out, chosen, again, lambda label: nullcontext(progress)
    )
    return found


def evaluate_all(
    jobs: Iterable[tuple[Job, Tokenizer | None]],
    out: Path,
    executor: Executor = SERIAL,
    again: bool = False,
    bar: Bar = unseen,
) -> list[tuple[Record, Path]]:
    """Run jobs in `out` and return their records and the records' paths, in order. Each job
    comes with its tokenizer where that is loaded already.

    One worker does one job after the other; several share the shards of all of them. Finished
    shards of an interrupted run are taken up again; a finished record of the same key is
    returned as it is unless `again`. One run at a time may write a run folder.
    """
    if executor.kind != "serial":
        from tokbench.schedule import Schedule

        return Schedule(jobs, out, executor, again, bar).results()
    return [_alone(Run(job, tokenizer, out), again, bar) for job, tokenizer in jobs]


def _alone(run: Run, again: bool, bar: Bar) -> tuple[Record, Path]:
    with closing(run):
        run.hold(bar)
        if run.finished and not again:
            return run.filed_before(), run.path
        return run.filed(Evidence.joined(run.alone())), run.path
