"""Single samples, from the evidence beside the records: what needs no tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokbench.errors import UserError
from tokbench.report.subjects import Subject
from tokbench.samples import Samples


@dataclass(frozen=True, slots=True)
class Single:
    """The evidence of one task, by subject."""

    task: str
    samples: dict[str, Samples]


def single_samples(subjects: Sequence[Subject]) -> Single | None:
    """Bytes and tokens of the samples of the task with most groups and samples; None where no
    record has any. Words encoded by themselves come last: a word is no sample of text."""
    size: dict[str, tuple[bool, int, int]] = {}
    for subject in subjects:
        for task, (record, _) in subject.records.items():
            size[task] = (
                subject.tasks[task].unit != "word",
                record.about.dataset.groups,
                record.about.dataset.samples,
            )
    for task in sorted(size, key=size.__getitem__, reverse=True):
        found = {}
        for subject in subjects:
            samples = _of(subject, task) if task in subject.records else None
            if samples is not None:
                found[subject.name] = samples
        if found:
            return Single(task, found)
    return None


def _of(subject: Subject, task: str) -> Samples | None:
    try:
        samples = subject.samples(task)
    except UserError:  # evidence that is not the record's: as if there were none
        return None
    if samples is None or not {"bytes", "tokens"} <= samples.evidence.columns.keys():
        return None
    return samples if np.isfinite(rates_of(samples)).any() else None


def rates_of(samples: Samples) -> np.ndarray:
    """Bytes per token of every row; infinite where there is no token."""
    tokens, size = (samples.evidence.columns[name] for name in ("tokens", "bytes"))
    return np.divide(size, tokens, out=np.full(len(tokens), np.inf), where=tokens > 0)
