"""`tokbench eval`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tokbench import tables
from tokbench.bench import Job
from tokbench.commands.chosen import chosen_tasks
from tokbench.errors import FAILURES, FINE
from tokbench.executors import Executor
from tokbench.record import Record, plain
from tokbench.run import Bar, Progress
from tokbench.runner import evaluate_all
from tokbench.shared_codes import codes_folder
from tokbench.specs import expanded, load_tokenizer, resolve
from tokbench.text.languages import is_code
from tokbench.types import Score, Tokenizer


def evaluate(options: argparse.Namespace, given: list[str]) -> int:
    """Measure every spec on every task; print tables or JSON; return the exit code."""
    if options.plan:
        from tokbench.commands.plan import plan

        return plan(options, given)
    results = measure_all(options.spec, options, given)
    records = [record for record, _ in results]
    if options.format == "json":
        print(json.dumps({"records": [plain(record) for record in records]}, ensure_ascii=False))
    else:
        show(results, options.format, options.full)
    return FAILURES if any(record.failures for record in records) else FINE


def measure_all(
    specs: list[str], options: argparse.Namespace, given: list[str]
) -> list[tuple[Record, Path]]:
    """Records of all specs on the chosen tasks, with their paths."""
    found = measure_each(specs, options, given)
    return [pair for spec in specs for pair in found[spec]]


def measure_each(
    specs: list[str], options: argparse.Namespace, given: list[str]
) -> dict[str, list[tuple[Record, Path]]]:
    """The same by spec; one with a range has the records of all that it stands for."""
    if not specs:
        return {}
    parts = {spec: list(expanded(spec)) for spec in specs}
    found: dict[str, list[tuple[Record, Path]]]
    found = {each: [] for several in parts.values() for each in several}
    for spec in found:
        resolve(spec)  # an unknown last one shows before the first is measured
    executor = Executor.chosen(options.executor, options.workers)
    asked: list[str] = []

    def noted(jobs: Iterable[tuple[Job, Tokenizer]]) -> Iterator[tuple[Job, Tokenizer]]:
        for job, tokenizer in jobs:
            asked.append(job.spec)
            yield job, tokenizer

    with codes_folder() as folder, progress_bars() as bar:
        jobs = _jobs(list(found), options, given, executor, folder)
        again = getattr(options, "again", False)
        records = evaluate_all(noted(jobs), Path(options.out), executor, again, bar)
    for spec, pair in zip(asked, records, strict=True):
        found[spec].append(pair)
    return {spec: [pair for each in parts[spec] for pair in found[each]] for spec in parts}


def _jobs(
    specs: list[str],
    options: argparse.Namespace,
    given: list[str],
    executor: Executor,
    scratch: Path,
) -> Iterator[tuple[Job, Tokenizer]]:
    """Every tokenizer's tasks, one after the other; those of text share what they encode, in a
    folder under `scratch`."""
    told: set[str] = set()
    for number, spec in enumerate(specs):
        tokenizer = load_tokenizer(spec)
        tasks = chosen_tasks(options, tokenizer.spec.modality, told)
        shared = len(tasks) > 1 and tokenizer.spec.modality == "text" and executor.kind != "ray"
        folder = str(scratch / str(number)) if shared else ""
        for task in tasks:
            yield Job(
                spec, task, options.data or task.dataset,
                options.split or (None if options.data else task.split), options.limit, given,
                folder,
            ), tokenizer  # fmt: skip
        if shared and executor.kind == "serial":  # else workers may still be at them
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def progress_bars(unit: str = "shards") -> Iterator[Bar]:
    """A bar for each thing under way on a terminal, nothing on a pipe."""
    if not sys.stderr.isatty():
        yield lambda label: nullcontext()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        @contextmanager
        def bar(label: str) -> Iterator[Progress]:
            task = bars.add_task(label, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
            bars.remove_task(task)

        yield bar


@contextmanager
def progress_bar(label: str, unit: str = "shards") -> Iterator[Progress | None]:
    """One bar."""
    with progress_bars(unit) as bar, bar(label) as progress:
        yield progress


HEADLINES = ("max", "mean", "p50", "original", "resized", "truth", "unscored")
"""Facets that a table shows without being asked: extremes, ceilings, what did not enter."""


def headline(record: Record, full: bool) -> list[Score]:
    """The scores of a table: those of the whole data, not of each group; the main one first."""
    main = record.about.task.main
    rows = [score for score in record.scores if full or is_headline(score.name)]
    return sorted(rows, key=lambda score: score.name != main)


def is_headline(name: str) -> bool:
    """Is a score of this name of the whole data?"""
    metric, _, facet = name.partition("/")
    if metric == "construct-bytes":  # it has facets only; those of a group have a second slash
        return "/" not in facet
    return not facet or facet in HEADLINES


def show(results: list[tuple[Record, Path]], form: str, full: bool) -> None:
    """The tables of `eval`: one for each record, or one flat table for csv and md."""
    if form in ("csv", "md"):
        header = [
            "tokenizer",
            "task",
            "score",
            "value",
            "low",
            "high",
            "n",
            "unit",
            "better",
            "signature",
            "note",
        ]
        rows = [
            [
                r.tokenizer,
                r.task,
                s.name,
                _raw(s.value),
                _raw(s.low),
                _raw(s.high),
                s.n,
                s.unit,
                s.better,
                r.score_signature(s),
                s.note,
            ]
            for r, _ in results
            for s in headline(r, full)
        ]
        tables.emit(header, rows, form, right=(3, 4, 5, 6))
        return
    for record, path in results:
        _show_one(record, path, full)


def _raw(value: float | None) -> str:
    return "" if value is None else repr(value)


_ARROW = {"higher": "↑", "lower": "↓", "neither": ""}


def _worth_saying(score: Score) -> bool:
    """Notes of a table: why something was not measured, or what was left out."""
    said = score.value is None or "left out" in score.note or score.name == "digit-scheme"
    return bool(score.note) and said


def _extremes(record: Record) -> str:
    """The languages that pay least and most, in one line."""
    languages = [
        score
        for score in record.scores
        if score.name.startswith("premium/") and is_code(score.name[8:]) and score.value is not None
    ]
    if len(languages) < 8:
        return ""
    ordered = sorted(languages, key=lambda score: score.value or 0.0)
    cheap, dear = (
        " · ".join(f"{score.name[8:]} {tables.number(score.value)}" for score in some)
        for some in (ordered[:4], ordered[-4:])
    )
    return f"premium by language: {cheap} · … · {dear}"


def _examples(record: Record) -> Iterator[str]:
    """The first lossy sample; the most fragmented term of each domain; of what a vocabulary
    metric shows, three a line."""
    shown: dict[str, list[str]] = {}
    for example in sorted(record.examples, key=lambda e: -e.rank):
        if example.statistic.startswith("terms"):
            if example.statistic not in shown:
                shown[example.statistic] = []
                domain = f" {example.group}" if example.group else ""
                yield f"most fragmented{domain}: {example.note}"
        elif example.statistic != "round-trip":
            shown.setdefault(f"{example.statistic}/{example.group}", []).append(example.note)
        elif "round-trip" not in shown:
            shown["round-trip"] = []
            where = f"{example.group or 'sample'} {example.index}"
            yield f"first lossy sample: {where}: {example.note}"
    yield from (f"{name}: {' · '.join(notes[:3])}" for name, notes in shown.items() if notes)


def _show_one(record: Record, path: Path, full: bool) -> None:
    about = record.about
    data = about.dataset
    groups = f", {data.groups} groups" if data.groups > 1 else ""
    several = "" if data.samples == 1 else "s"
    where = f"{data.name}:{data.split}, {data.samples:,} sample{several}{groups}"
    print(f"{record.tokenizer} on {record.task} ({where})")
    rows = []
    notes: dict[str, list[str]] = {}
    for score in headline(record, full):
        if _worth_saying(score):
            notes.setdefault(score.note, []).append(score.name)
        count = score.metric.startswith("counts|") and score.value is not None
        rows.append([
            f"{score.name} {_ARROW[score.better]}".rstrip(),
            tables.measured(int(score.value or 0) if count else score.value),
            tables.interval(score.low, score.high), f"{score.n:,}", tables.unit(score.unit),
            score.metric,
        ])  # fmt: skip
    header = ["score", "value", "95 % interval", "n", "unit", "signature"]
    tables.emit(header, rows, "table", (1, 3), droppable=2)
    for note, names in notes.items():
        print(f"{note} ({', '.join(names)})")
    if extremes := _extremes(record):
        print(extremes)
    speed = [s for s in record.performance if "/" not in s.name and s.value is not None]
    shown_speed = " · ".join(f"{s.name} {tables.number(s.value)} {s.unit}" for s in speed)
    if shown_speed:
        print(f"this machine: {shown_speed}")
    for cause, failure in record.failures.items():
        samples = "sample" if failure.count == 1 else "samples"
        print(f"failed: {failure.count:,} {samples}: {cause} (first: {failure.example})")
    for line in _examples(record):
        print(line)
    print(f"signature: …|{record.signature}")
    print(f"record: {path}\n")
