"""What the text sections look at: the first samples of every group, encoded once for all of them
by every tokenizer that is at hand. One group is in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from tokbench.bench import Bench
from tokbench.errors import UserError
from tokbench.plan import Source
from tokbench.report.subjects import Subject
from tokbench.report.text_found import Found
from tokbench.report.text_tokens import Cells, cells_of
from tokbench.statistics import EncodedText
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer

LINES, FEWEST, MOST = 8_000, 20, 500
"""Samples of all groups together that are encoded again; of one group at least and at most."""
CHARACTERS = 2_000
"""Longer samples are cut there before they are encoded again."""
SHOWN, SHOWN_IN_ALL, SHOWN_CHARACTERS, SHOWN_BYTES = 3, 240, 480, 120
"""Samples of a group whose tokens are shown, at most; of all groups, about; characters of all that
are shown of a group; those of binaries."""
SLICE = 256 << 10
"""Bytes of a group that are read, about."""


@dataclass
class Shown:
    """A sample whose tokens are shown. cut: it is only the beginning of one. cells: by subject."""

    group: str
    index: int
    text: str
    cut: bool
    cells: dict[str, Cells] = field(default_factory=dict)


@dataclass
class Survey:
    """One dataset, and what every tokenizer at hand made of its first samples.

    lines: of each group that were encoded, at most. found: by subject.
    """

    name: str
    groups: list[str]
    lines: int
    shown: list[Shown] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)


def survey(subjects: Sequence[Subject]) -> tuple[list[Survey], list[str]]:
    """A survey of every dataset that the records name, and why some of them are missing."""
    benches: dict[tuple[str, ...], dict[str, Bench]] = {}
    absent: dict[str, None] = {}
    for subject in subjects:
        for task, (record, _) in subject.records.items():
            limit = "" if record.limit is None else str(record.limit)
            key = (record.about.dataset.fingerprint, limit, *subject.tasks[task].groups)
            if subject.name in benches.get(key, {}):
                continue
            try:
                bench = subject.bench(task)
            except UserError as error:
                absent[str(error)] = None
                continue
            benches.setdefault(key, {})[subject.name] = bench
    return [_surveyed(several) for several in benches.values()], list(absent)


def _surveyed(benches: dict[str, Bench]) -> Survey:
    """The first samples of each group of one dataset, by every tokenizer."""
    first = next(iter(benches.values()))
    dataset, limit = first.dataset, first.job.limit
    # Line by line, whatever the task makes of the data: words are looked at in their context.
    unit = "spaced" if first.job.task.unit == "spaced" else "line"
    source = Source(dataset, msgspec.structs.replace(first.job.task, unit=unit))
    lines = max(FEWEST, min(MOST, LINES // len(dataset.groups)))
    lines = lines if limit is None else min(lines, limit)
    shown = max(1, min(SHOWN, SHOWN_IN_ALL // len(dataset.groups)))
    name = f"{dataset.name} {dataset.split}" if dataset.version != "local" else dataset.name
    found = {subject: Found(bench.tokenizer) for subject, bench in benches.items()}
    whole = Survey(name, dataset.groups, lines, found=found)
    for number, part in enumerate(source.parts):
        piece = next(part.slices(number, lines, SLICE, limit), None)
        read = source.read(piece) if piece is not None else None
        if read is None or not len(read):
            continue
        batch, few = _cut(read, lines, CHARACTERS), _beginning(read, shown)
        samples = [
            Shown(part.group, int(index), text, len(text) < len(before))
            for index, text, before in zip(few.index, few.texts, read.texts, strict=False)
        ]
        for subject, bench in benches.items():
            kept, codes = bench.codes_of(batch, found[subject].failures)
            if len(kept):
                encoded = EncodedText(bench.tokenizer, kept, codes, dataset.groups)
                found[subject].add(encoded, part.group)
            _show(samples, few, subject, bench)
        whole.shown += samples
    return whole


def _cut(batch: TextBatch, samples: int, characters: int) -> TextBatch:
    """The first samples, and of each its beginning; nothing of it is cached."""
    texts = [text[:characters] for text in batch.texts[:samples]]
    few = len(texts)
    return TextBatch(texts, batch.group[:few], batch.index[:few], batch.raw_bytes, None)


def _beginning(read: TextBatch, samples: int) -> TextBatch:
    """The samples whose tokens are shown: fewer of them where they are long."""
    most = SHOWN_BYTES if read.raw_bytes else SHOWN_CHARACTERS
    length = np.cumsum([len(text) for text in read.texts[:samples]])
    return _cut(read, min(samples, 1 + int(np.searchsorted(length, most))), most)


def _show(samples: list[Shown], few: TextBatch, subject: str, bench: Bench) -> None:
    """Give each sample the cells of a subject; one that fails to encode has none."""
    kept, codes = bench.codes_of(few, {})
    encoded = EncodedText(bench.tokenizer, kept, codes, [])
    row_of = {int(index): row for row, index in enumerate(kept.index)}
    for sample in samples:
        if sample.index in row_of:
            sample.cells[subject] = cells_of(encoded, row_of[sample.index])


def text_tokenizer(subject: Subject) -> TextTokenizer | None:
    """The subject's tokenizer, None where it is not at hand."""
    try:
        found = subject.tokenizer
    except UserError:
        return None
    return found if isinstance(found, TextTokenizer) else None
