"""`tokbench compare`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tokbench import tables
from tokbench.commands.evaluate import headline, measure_each
from tokbench.compare import Difference, Overlap, differences, overlap, refuse_unlike
from tokbench.dataset import open_dataset
from tokbench.errors import FAILURES, FINE, UserError
from tokbench.leaderboard import find_row, refuse_missing_row
from tokbench.manifest import load_manifest, manifest_names
from tokbench.record import Record, read_record
from tokbench.specs import load_tokenizer, resolve
from tokbench.task import Task, load_task, task_paths, with_reference
from tokbench.tokenizers.text.adapter import TextTokenizer

OVERLAP_SAMPLES = 2000


def compare(options: argparse.Namespace, given: list[str]) -> int:
    """Differences of every subject against the first, task by task."""
    if len(options.subject) < 2:
        raise UserError("compare needs two or more tokenizers, records or leaderboard rows")
    filed = {subject: filed_records(subject) for subject in options.subject}
    for subject, found_records in filed.items():
        if found_records is None:
            resolve(subject)  # an unknown last one shows before the first is measured
    if options.task is None and options.suite is None:
        tasks = sorted({record.task for found in filed.values() if found for record, _ in found})
        options.task = tasks or None
    measured = measure_each([name for name, found in filed.items() if not found], options, given)
    by_subject = [filed[subject] or measured[subject] for subject in options.subject]
    found: list[Difference] = []
    questions = {record.task for record, _ in by_subject[0]}
    for several in by_subject[1:]:
        if not questions & {record.task for record, _ in several}:
            refuse_unlike(by_subject[0][0][0], several[0][0])
    for name in sorted(questions):
        rows = [
            next((pair for pair in several if pair[0].task == name), None) for several in by_subject
        ]
        pairs = [pair for pair in rows if pair is not None]
        if len(pairs) > 1:
            task, parallel = question_of(pairs[0][0], options)
            scores = [
                score.name
                for score in headline(pairs[0][0], options.full)
                if not score.metric.startswith("counts|")  # told by the rates, with intervals
            ]
            found += differences(pairs, task, parallel, scores)
    vocabularies = _overlaps(options, filed)
    if options.format == "json":
        rows_json = [
            asdict(d) | {"difference": d.other - d.baseline, "verdict": d.verdict} for d in found
        ]
        shared = {name: asdict(value) if value else None for name, value in vocabularies.items()}
        print(
            json.dumps(
                {
                    "baseline": by_subject[0][0][0].tokenizer,
                    "differences": rows_json,
                    "overlap": shared,
                },
                ensure_ascii=False,
            )
        )
    else:
        _print(by_subject[0][0][0].tokenizer, found, vocabularies, options.format)
    failed = any(record.failures for several in by_subject for record, _ in several)
    return FAILURES if failed else FINE


def filed_records(subject: str) -> list[tuple[Record, Path]] | None:
    """The record behind a subject that is a record file, a run folder or a leaderboard row."""
    path = Path(subject)
    if (path / "record.json").is_file():
        return [(read_record(path / "record.json"), path / "record.json")]
    if path.is_file() and path.suffix == ".json":
        head = path.read_bytes()[:200]
        if b'"schema"' in head:
            return [(read_record(path), path)]
    row = find_row(subject)
    if row is None and not path.exists():
        refuse_missing_row(subject)
    return [row] if row else None


def question_of(record: Record, options: argparse.Namespace) -> tuple[Task, bool]:
    """The task of a record (with its own reference language), and whether its data is parallel."""
    own = next((t for t in options.task or [] if t.endswith(".toml")), None)
    if own is None and record.task not in task_paths():
        raise UserError(
            f"'{record.task}' is not a task of this tokbench; give its file with --task"
        )
    task = load_task(own or record.task)
    for signature in record.about.task.metrics:
        for part in signature.split("|"):
            if part.startswith("reference:"):
                task = with_reference(task, part.partition(":")[2])
    data = record.about.dataset
    if data.version == "local" or data.name not in manifest_names():
        return task, open_dataset(options.data, options.split).parallel if options.data else False
    return task, load_manifest(data.name).parallel


def _overlaps(
    options: argparse.Namespace, filed: dict[str, list[tuple[Record, Path]] | None]
) -> dict[str, Overlap | None]:
    """Vocabulary overlap of the first spec with each other spec; records have no vocabulary."""
    specs = [subject for subject, records in filed.items() if records is None]
    if len(specs) < 2 or specs[0] != options.subject[0]:
        return {}
    tokenizers = [load_tokenizer(spec) for spec in specs]
    text_only = [t for t in tokenizers if isinstance(t, TextTokenizer)]
    from tokbench.commands.chosen import chosen_tasks

    task = chosen_tasks(options, "text")[0]
    dataset = open_dataset(options.data or task.dataset, options.split)
    each = max(1, OVERLAP_SAMPLES // len(dataset.parts))
    texts = [
        text for part in dataset.parts for _, text in zip(range(each), part.samples(), strict=False)
    ]
    return {other.name: overlap(text_only[0], other, texts) for other in text_only[1:]}


def _print(
    baseline: str, found: list[Difference], vocabularies: dict[str, Overlap | None], form: str
) -> None:
    header = [
        "task",
        "score",
        "tokenizer",
        baseline,
        "other",
        "difference",
        "95 % interval",
        "p (Holm)",
        "verdict",
    ]
    several = len({d.other_name for d in found}) > 1
    rows = [
        [
            d.task, d.score, d.other_name, tables.measured(d.baseline), tables.measured(d.other),
            tables.signed(d.other - d.baseline), tables.interval(d.low, d.high),
            tables.p_value(d.adjusted), d.verdict,
        ]
        for d in found
    ]  # fmt: skip
    if form == "table":
        for task in dict.fromkeys(d.task for d in found):
            print(f"{task}: difference to {baseline}, paired over the same samples")
            kept = [1, *([2] if several else []), 3, 4, 5, 6, 7, 8]
            names = [header[i] for i in kept]
            if not several:
                names[2] = found[0].other_name
            tables.emit(
                names,
                [[row[i] for i in kept] for row in rows if row[0] == task],
                "table",
                (1, 2, 3) if not several else (2, 3, 4),
            )
            print()
    else:
        tables.emit(header, rows, form, (3, 4, 5))
    if form != "csv":
        for name, shared in vocabularies.items():
            if shared is None:
                print(f"vocabularies of {baseline} and {name}: no byte surfaces to compare")
                continue
            covered = "—" if shared.covered is None else f"{shared.covered:.1%}"
            numbers = "—" if shared.numbers is None else f"{shared.numbers:.1%}"
            print(
                f"vocabularies: {baseline} and {name} share {shared.shared:,} tokens (Jaccard "
                f"{shared.jaccard:.3f}); {baseline} has {covered} of {name}'s tokens by frequency; "
                f"{numbers} of numbers are cut alike"
            )
