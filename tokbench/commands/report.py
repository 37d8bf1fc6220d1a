"""`tokbench report`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tokbench.commands.compare import filed_records, question_of
from tokbench.commands.evaluate import measure_each
from tokbench.errors import FAILURES, FINE, UserError, near
from tokbench.leaderboard import default_folder, records
from tokbench.record import Record
from tokbench.report.document import target, write
from tokbench.report.subjects import Subject
from tokbench.specs import expanded, resolve
from tokbench.task import task_paths

Filed = tuple[Record, Path]


def report(options: argparse.Namespace, given: list[str]) -> int:
    """Write the page about every subject; print where it is."""
    out = Path(options.out)
    target(out, options.single_file)  # what cannot be written shows before anything is measured
    found = [pair for subject in options.subject for pair in _named(subject)]
    if not any(spec for spec, _ in found):
        for name in ("suite", "groups", "lexicon", "reference", "limit"):
            if getattr(options, name):
                raise UserError(
                    f"--{name} chooses what is measured, and every subject here is a record: leave "
                    "it out, or name a tokenizer"
                )
    runs = argparse.Namespace(**{**vars(options), "out": options.runs})
    measured = measure_each([spec for spec, _ in found if spec], runs, given)
    subjects: list[Subject] = []
    for spec, filed in found:
        for record, path in measured[spec] if spec else filed:
            one = _of(subjects, record, spec)
            known = one.records.get(record.task)
            if known is None or known[0].provenance.created < record.provenance.created:
                one.records[record.task] = (record, path)
            one.tasks[record.task] = question_of(record, options)[0]
            if options.data:
                one.data[record.task] = options.data
    _name_apart(subjects)
    page = write(subjects, out, options.single_file)
    print(page)
    failed = any(r.failures for one in subjects for r, _ in one.records.values())
    return FAILURES if failed else FINE


def _named(subject: str) -> Iterator[tuple[str | None, list[Filed]]]:
    """What a subject stands for: a spec to measure, or records. Raises `UserError` for neither."""
    for each in expanded(subject):
        filed = filed_records(each)
        if filed is not None:
            yield None, filed
        elif each in task_paths():
            yield None, records(default_folder(), each)
        else:
            try:
                resolve(each)  # an unknown last one shows before the first is measured
            except UserError as error:
                hint = near(each, task_paths(), 0.75)
                raise UserError(f"{error}{hint and f'{hint[:-1]}, a task?'}") from error
            yield each, []


def _of(subjects: list[Subject], record: Record, spec: str | None) -> Subject:
    """The tokenizer that a record belongs to: a new one where the known one has answered
    another question of that task."""
    for one in subjects:
        first = next(iter(one.records.values()))[0]
        if first.about.tokenizer.fingerprint == record.about.tokenizer.fingerprint:
            known = one.records.get(record.task)
            if known is None or known[0].key == record.key:
                one.spec = one.spec or spec
                return one
    subjects.append(Subject(record.tokenizer, {}, {}, {}, spec))
    return subjects[-1]


def _name_apart(subjects: list[Subject]) -> None:
    """Names that no two subjects share: by fingerprint, then by what was asked."""
    for name in {one.name for one in subjects}:
        twins = [one for one in subjects if one.name == name]
        if len(twins) < 2:
            continue
        seen: dict[str, int] = {}
        prints = [_first(one).about.tokenizer.fingerprint[:6] for one in twins]
        for one, mark in zip(twins, prints, strict=True):
            label = f"{name} #{mark}" if len(set(prints)) > 1 else name
            seen[label] = seen.get(label, 0) + 1
            one.name = label if seen[label] == 1 else f"{label} ({seen[label]})"


def _first(subject: Subject) -> Record:
    return next(iter(subject.records.values()))[0]
