"""`tokbench report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tokbench.commands.compare import filed_records, question_of
from tokbench.commands.evaluate import measure_all
from tokbench.errors import FAILURES, FINE
from tokbench.leaderboard import records
from tokbench.record import Record
from tokbench.report.document import write
from tokbench.report.subjects import Subject
from tokbench.specs import expanded, resolve
from tokbench.task import task_paths

Filed = tuple[Record, Path]


def report(options: argparse.Namespace, given: list[str]) -> int:
    """Write the page about every subject; print where it is."""
    named = [each for subject in options.subject for each in expanded(subject)]
    found: list[tuple[str | None, list[Filed]]] = []
    for subject in named:
        filed = filed_records(subject)
        if filed is None and subject in task_paths():
            from tokbench.leaderboard import default_folder

            found += [(None, [pair]) for pair in records(default_folder(), subject)]
            continue
        if filed is None:
            resolve(subject)  # an unknown last one shows before the first is measured
        found.append((None if filed else subject, filed or []))
    runs = argparse.Namespace(**{**vars(options), "out": options.runs})
    subjects: dict[str, Subject] = {}
    for spec, filed in found:
        own = measure_all([spec], runs, given) if spec else filed
        for record, path in own:
            fingerprint = record.about.tokenizer.fingerprint
            one = subjects.setdefault(fingerprint, Subject(record.tokenizer, {}, {}, {}, spec))
            one.records[record.task] = (record, path)
            one.tasks[record.task] = question_of(record, options)[0]
            if options.data:
                one.data[record.task] = options.data
    page = write(list(subjects.values()), Path(options.out), options.single_file)
    print(page)
    failed = any(r.failures for one in subjects.values() for r, _ in one.records.values())
    return FAILURES if failed else FINE
