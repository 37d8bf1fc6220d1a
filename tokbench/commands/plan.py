"""`tokbench eval --plan`: what a run would take, without running it."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from tokbench import downloads, tables
from tokbench.bench import Job
from tokbench.commands.chosen import chosen_tasks
from tokbench.commands.evaluate import progress_bar
from tokbench.cost import Estimate, estimate
from tokbench.downloads import Download
from tokbench.errors import FINE
from tokbench.executors import Executor
from tokbench.registry import TOKENIZERS
from tokbench.specs import expanded, load_tokenizer, resolve


def plan(options: argparse.Namespace, given: list[str]) -> int:
    """An estimate for every spec on every task; nothing is asked, fetched or filed."""
    specs = [each for spec in options.spec for each in expanded(spec)]
    for spec in specs:
        resolve(spec)
    chosen = Executor.chosen(options.executor, options.workers)
    workers = (
        chosen.workers or os.cpu_count() or 1
    )  # 0: every core of the cluster, here of this one
    found: list[Estimate] = []
    told: set[str] = set()
    with progress_bar("plan", "tokenizers") as progress:
        for number, spec in enumerate(specs):
            lacking = downloads.of_the_spec(spec)
            tokenizer = None if lacking else load_tokenizer(spec)
            modality = tokenizer.spec.modality if tokenizer else _modality(spec)
            for task in chosen_tasks(_unopened(options, modality), modality, told):
                job = Job(
                    spec, task, options.data or task.dataset,
                    options.split or (None if options.data else task.split), options.limit, given,
                )  # fmt: skip
                one = estimate(job, Path(options.out), workers, tokenizer)
                one.downloads = [*lacking, *one.downloads]
                found.append(one)
            if progress:
                progress(number + 1, len(specs))
    if options.format == "json":
        print(json.dumps({"plan": [asdict(one) for one in found]}, ensure_ascii=False))
    elif options.format in ("csv", "md"):
        tables.emit(_HEADER, [_row(one) for one in found], options.format, range(3, 8))
    else:
        _print(found)
    return FINE


def _modality(spec: str) -> str:
    """Of a tokenizer that is not here, by its family."""
    entry = TOKENIZERS.table.get(resolve(spec).family)
    return entry.modality if entry else "text"


def _unopened(options: argparse.Namespace, modality: str) -> argparse.Namespace:
    """The options without data that would be fetched to choose the tasks by it."""
    if not options.data or not downloads.of_the_data(options.data, options.split):
        return options
    task = options.task if options.task or options.suite else [modality]
    return argparse.Namespace(**{**vars(options), "data": None, "task": task})


_HEADER = (
    "tokenizer", "task", "state", "shards", "samples", "MB", "seconds", "MiB", "download", "note",
)  # fmt: skip


def _row(one: Estimate) -> list[object]:
    return [
        one.tokenizer, one.task, one.state, _blank(one.shards), _blank(one.samples),
        _blank(one.size and one.size / 1e6), _blank(one.seconds), _blank(one.memory),
        "; ".join(map(_said, one.downloads)), one.note,
    ]  # fmt: skip


def _blank(value: float | None) -> object:
    return "" if value is None else value


def _said(download: Download) -> str:
    size = "size unknown" if download.size is None else f"{download.size / 1e6:,.1f} MB"
    return f"{download.what}: {download.source or 'see its manifest'} ({size})"


def _print(found: list[Estimate]) -> None:
    rows = [
        [
            one.tokenizer, one.task, one.state, _count(one.shards), _count(one.samples),
            tables.number(one.size and one.size / 1e6), duration(one.seconds),
            tables.number(one.memory and round(one.memory)),
        ]
        for one in found
    ]  # fmt: skip
    header = ["tokenizer", "task", "state", "shards", "samples", "MB", "time", "MiB"]
    tables.emit(header, rows, "table", range(3, 8))
    for one in found:
        if one.tried:
            whole = sum(one.parts.values()) or 1.0
            shares = " · ".join(
                f"{name} {value / whole:.0%}" for name, value in one.parts.items() if value
            )
            print(f"{one.tokenizer} on {one.task}: {shares} (tried: {one.tried})")
        if one.note:
            print(f"{one.tokenizer} on {one.task}: {one.note}")
    wanted = dict.fromkeys(download for one in found for download in one.downloads)
    for download in wanted:
        print(f"to download: {_said(download)}" + (f": {download.why}" if download.why else ""))
    if not wanted:
        print("nothing to download")
    known = [one.seconds for one in found if one.state != "finished" and one.seconds is not None]
    if known:
        unknown = "" if all(one.seconds is not None for one in found) else ", what is unknown aside"
        workers = found[0].workers
        print(
            f"about {duration(sum(known))} in all on {workers} "
            f"process{'es' if workers > 1 else ''} of this machine{unknown}"
        )


def _count(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """`3.2 s`, `12 min`, `5.1 h`, `8.2 d`."""
    if seconds is None:
        return "—"
    units = (("s", 1, 120.0), ("min", 60, 120.0), ("h", 3600, 48.0), ("d", 86400, float("inf")))
    unit, value = next(
        (unit, seconds / size) for unit, size, most in units if seconds < most * size
    )
    return f"{value:,.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
