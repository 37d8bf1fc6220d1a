"""A job made ready, and what it does with a shard: read, encode, count."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from tokbench import demands
from tokbench.dataset import Dataset, open_dataset
from tokbench.derived import of_the_tokenizer
from tokbench.errors import UserError, one_line
from tokbench.evidence import Evidence, Failure
from tokbench.parts import Slice
from tokbench.plan import Shard, Source
from tokbench.record import record_key
from tokbench.remote import is_url
from tokbench.shared_codes import SharedCodes
from tokbench.specs import load_tokenizer
from tokbench.statistics import EncodedText, measure
from tokbench.task import Task
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged, Score, Tokenizer

ACTIVITIES = ("read", "encode", "decode", "measure")
DECODED = 2
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
    codes: str = ""
    """Folder in which the tasks of one call share what they encode; empty: each for itself."""


def open_bench(
    job: Job, tokenizer: Tokenizer | None = None, dataset: Dataset | None = None
) -> Bench:
    """The job made ready, by its modality. tokenizer, dataset: where they are open already."""
    if job.task.modality == "text":
        return Bench(job, tokenizer, dataset)
    from tokbench.media_bench import BENCHES

    return BENCHES[job.task.modality](job, tokenizer, dataset)


class Bench:
    """A job made ready: tokenizer and data loaded, key known. This one is of text."""

    def __init__(
        self, job: Job, tokenizer: Tokenizer | None = None, dataset: Dataset | None = None
    ):
        self.job = job
        self.tokenizer: TextTokenizer = tokenizer or load_tokenizer(job.spec)  # type: ignore[assignment]
        if self.tokenizer.spec.modality != job.task.modality:
            raise UserError(
                f"{self.tokenizer.name} is a tokenizer of {self.tokenizer.spec.modality}; "
                f"task {job.task.name} wants {job.task.modality}"
            )
        dataset = dataset or open_dataset(job.data, job.split)
        self.dataset: Dataset = dataset.only(job.task.groups)
        if self.dataset.modality != job.task.modality:
            raise UserError(
                f"task {job.task.name} wants {job.task.modality} data; {self.dataset.name} is "
                f"{self.dataset.modality}"
            )
        if job.task.groups:  # by their full labels, so that one question has one key
            task = msgspec.structs.replace(job.task, groups=self.dataset.groups)
            self.job = job = replace(job, task=task)
        self.lacking = {
            metric.signature(): why
            for metric in job.task.made
            if (why := metric.lacks(self.tokenizer))
        }
        self.statistics = job.task.statistics_of(
            [metric for metric in job.task.made if metric.signature() not in self.lacking]
        )
        demands.check(job.task, self.dataset)
        for metric in job.task.made:
            metric.check(self.dataset.groups)
        self.source = Source(self.dataset, job.task)
        # What is here takes a core of its own to read ahead; behind a URL it is waited for.
        self.ahead = (os.cpu_count() or 1) > 1 or is_url(job.data)
        self.shared = None
        if job.codes:
            self.shared = SharedCodes(Path(job.codes), self.tokenizer.fingerprint())
        self.key = record_key(
            self.tokenizer.fingerprint(),
            job.task.fingerprint(),
            self.dataset.fingerprint,
            job.limit,
        )

    def evidence(self, shard: Shard) -> Evidence:
        """What one shard gives: every slice is encoded, then all are measured.

        Slices are small enough for their arrays to stay in the processor's cache, and the
        encoder, which brings threads of its own, never competes with the measuring. (Measuring
        in threads was tried: they wait for the interpreter's lock more than they gain.)
        """
        clock = Clock()
        failures: dict[str, Failure] = {}
        encoded = [self._slice(piece, clock, failures) for piece in shard]
        self._time_decoding([e for e in encoded if e is not None], clock)
        with clock("measure"):
            whole = Evidence.joined(map(self._measured, filter(None, encoded)))
        whole.failures |= failures
        whole.seconds = clock.seconds
        return whole

    def _slice(
        self, piece: Slice, clock: Clock, failures: dict[str, Failure]
    ) -> EncodedText | None:
        with clock("read"):
            batch = self.source.read(piece)
        activities = "encode", f"encode:{self.dataset.groups[piece.part]}"
        # Large data have no content to be known by: their codes are too many to be kept.
        shared, content = self.shared, batch.content
        if shared and content and (known := shared.get(content)):
            codes, seconds = known
            for name in activities:
                clock.add(name, seconds)
        else:
            samples, before = len(batch), clock.seconds.get("encode", 0.0)
            with clock(*activities):
                batch, codes = self.codes_of(batch, failures)
            if shared and content and len(batch) == samples:
                shared.put(content, codes, clock.seconds["encode"] - before)
        if not len(batch):
            return None
        return EncodedText(self.tokenizer, batch, codes, self.dataset.groups)

    def _measured(self, encoded: EncodedText) -> Evidence:
        found = measure(encoded, self.statistics)
        batch = encoded.batch
        encoded.shared.clear()  # large, and of no use to the next slice
        batch.analyses.clear()
        return Evidence(
            batch.group,
            batch.index,
            found.columns,
            found.tallies,
            failures=found.failures,
            examples=found.examples,
        )

    def codes_of(self, batch: TextBatch, failures: dict[str, Failure]) -> tuple[TextBatch, Codes]:
        """Codes of a batch. If the tokenizer raises, sample by sample: those that fail are
        left out and counted by cause."""
        if not len(batch):
            return batch, Codes((Ragged(np.empty(0, np.int32), np.zeros(1, np.int64)),))
        try:
            return batch, self._checked(self.tokenizer.encode(batch.texts), len(batch))
        except BaseException as error:
            if not of_the_tokenizer(error):
                raise
        good, codes = [], []
        for row, text in enumerate(batch.texts):
            try:
                codes.append(self._checked(self.tokenizer.encode([text]), 1))
                good.append(row)
            except BaseException as error:
                if not of_the_tokenizer(error):
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
        # as unsigned numbers, negative ids are too large as well
        unsigned = ids.view(ids.dtype.str.replace("i", "u"))
        if table is not None and unsigned.max(initial=0) >= max(len(table.pieces), 1):
            raise ValueError(f"ids outside the vocabulary of {len(table.pieces):,}")
        return codes

    def performance(self, evidence: Evidence) -> list[Score]:
        """Speed and memory on this machine."""
        from tokbench.results import performance

        return performance(self, evidence)

    def _time_decoding(self, encoded: list[EncodedText], clock: Clock) -> None:
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


class Clock:
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
