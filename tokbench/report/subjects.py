"""What a report is about: tokenizers with their records, and where possible the tokenizers
themselves with the data, to show samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tokbench.bench import Bench, Clock, Job, open_bench
from tokbench.claimed import imports_nothing, named_specs, placed_specs
from tokbench.errors import UserError
from tokbench.evidence import Failure
from tokbench.media import EncodedMedia
from tokbench.parts import Slice
from tokbench.record import Record
from tokbench.samples import Samples, read_samples
from tokbench.specs import load_tokenizer
from tokbench.task import Task
from tokbench.types import Tokenizer


@dataclass(eq=False)
class Subject:
    """One tokenizer of a report.

    name: distinct within the report. records: with their paths, by task.
    tasks: the tasks as they were asked (reference, groups). data: as given with `--data`, by
    task. spec: what loads the tokenizer; None where only records are at hand.
    """

    name: str
    records: dict[str, tuple[Record, Path]]
    tasks: dict[str, Task]
    data: dict[str, str] = field(default_factory=dict)
    spec: str | None = None

    @property
    def modality(self) -> str:
        return next(iter(self.records.values()))[0].about.tokenizer.spec.modality

    @cached_property
    def candidates(self) -> list[str]:
        """Specs that may load the tokenizer again: its own, and of what the record's command
        named all that runs no code of a stranger's."""
        record = next(iter(self.records.values()))[0]
        if self.spec:
            return [self.spec]
        return [*filter(imports_nothing, named_specs(record)), *placed_specs(record)]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer whose fingerprint the records have. Raises `UserError` where it is not
        at hand."""
        record = next(iter(self.records.values()))[0]
        for spec in self.candidates:
            try:
                found = load_tokenizer(spec)
            except UserError:
                continue
            if found.fingerprint() == record.about.tokenizer.fingerprint:
                self.spec = spec
                return found
        raise UserError(
            f"{self.name}: the tokenizer of this record is not at hand; report its spec "
            "(family:reference) to see samples"
        )

    def bench(self, task: str) -> Bench:
        """The task made ready again on the data that the record names. Raises `UserError` where
        tokenizer or data are not at hand, or the data is not what it was."""
        record, _ = self.records[task]
        about = record.about.dataset
        tokenizer = self.tokenizer
        assert self.spec is not None
        data = self.data.get(task, about.name)
        split = None if about.version == "local" else about.split
        bench = open_bench(Job(self.spec, self.tasks[task], data, split, record.limit), tokenizer)
        if bench.dataset.fingerprint != about.fingerprint:
            raise UserError(f"{about.name}: is not the data that the record of {self.name} names")
        return bench

    def samples(self, task: str) -> Samples | None:
        """Per-sample statistics of a task, or None where they are not beside the record."""
        return read_samples(*self.records[task])


def through(bench: Bench, wanted: Sequence[tuple[int, int]]) -> EncodedMedia | None:
    """The named samples (group, index) of images or clips through the tokenizer and back, in
    that order; those that fail are left out; None where none is left."""
    from tokbench.media import together
    from tokbench.media_bench import MediaBench

    assert isinstance(bench, MediaBench)
    found: dict[tuple[int, int], EncodedMedia] = {}
    failures: dict[str, Failure] = {}
    for number, index in sorted(set(wanted)):  # forwards: archives are read in one pass
        batch = bench.source.read_media(Slice(number, index, 1, 0))
        batch.samples = [bench.cut(sample) for sample in batch.samples]
        if not len(batch) or batch.samples[0].data is None:
            continue
        one = bench.encoded(batch, Clock(), failures)
        if one is not None:
            found[number, index] = one
    return together([found[pair] for pair in wanted if pair in found])
