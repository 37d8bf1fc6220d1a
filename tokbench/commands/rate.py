"""`tokbench rate`."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokbench import tables
from tokbench.commands.chosen import DEFAULT_SUITE
from tokbench.commands.compare import filed_records, question_of
from tokbench.commands.correlate import plot_path
from tokbench.commands.evaluate import measure_each
from tokbench.compare import refuse_unlike, replicates
from tokbench.errors import FAILURES, FINE, UserError, near
from tokbench.files import atomic_write
from tokbench.rates import (
    Curve,
    Found,
    at_equal_rate,
    at_rate,
    bd_quality,
    bd_rate,
    curve_name,
    falls,
)
from tokbench.record import Record
from tokbench.samples import Samples, aligned, read_samples
from tokbench.specs import expanded, load_tokenizer, resolve
from tokbench.suites import suite
from tokbench.types import Score

RATES = ("bits-per-pixel", "bits-per-second")
Filed = tuple[Record, Path]


@dataclass(frozen=True, slots=True)
class Panel:
    """One task: the baseline, the other curves, and points that could not be placed, with why."""

    task: str
    metric: Score
    rate: Score
    anchor: Curve
    others: list[Curve]
    left_out: dict[str, str]


def rate(options: argparse.Namespace, given: list[str]) -> int:
    """Every curve of the subjects against the baseline, task by task."""
    plot = plot_path(options.plot)
    against, subjects = _records(options, given)
    tasks = list(dict.fromkeys(record.task for record, _ in against))
    panels = []
    for task in tasks:
        base, rest = ([pair for pair in s if pair[0].task == task] for s in (against, subjects))
        if rest:
            panels.append(panel_of(base, rest, options))
    if not panels:
        refuse_unlike(against[0][0], subjects[0][0])
    rows = [row for panel in panels for row in panel_rows(panel, options)]
    if options.format == "json":
        falling = {panel.task: _falling(panel) for panel in panels}
        found = {"fit": options.fit, "rows": rows, "falling": falling}
        print(json.dumps(found, ensure_ascii=False))
    elif options.format == "table":
        for panel in panels:
            _show(panel, [row for row in rows if row["task"] == panel.task], options)
    else:
        names = list(rows[0])
        table = [["" if row[n] is None else row[n] for n in names] for row in rows]
        tables.emit(names, table, options.format)
    if plot:
        from tokbench.rate_figure import drawn

        pictures = [(p.task, p.rate, p.metric, p.anchor, p.others) for p in panels]
        atomic_write(plot, drawn(pictures, plot.suffix[1:]))
    failed = any(record.failures for record, _ in [*against, *subjects])
    return FAILURES if failed else FINE


def _records(options: argparse.Namespace, given: list[str]) -> tuple[list[Filed], list[Filed]]:
    """Records of the baseline and of the subjects, each read or measured once."""
    sides = [
        [each for text in side for each in expanded(text)]
        for side in (options.against, options.subject)
    ]
    filed = {name: filed_records(name) for side in sides for name in side}
    for name, found in filed.items():
        if found is None:
            resolve(name)  # an unknown last one shows before the first is measured
    if options.task is None and options.suite is None:
        tasks = sorted({record.task for found in filed.values() if found for record, _ in found})
        options.task = tasks or _tasks(next(iter(filed)), options)
    measured = measure_each([name for name, found in filed.items() if not found], options, given)
    records = {name: found or measured[name] for name, found in filed.items()}
    against, subjects = ([pair for name in side for pair in records[name]] for side in sides)
    return against, subjects


def _tasks(spec: str, options: argparse.Namespace) -> list[str] | None:
    """Tasks of the default suite that have the rate, and the metric where one of them has it:
    the others would be measured for nothing. None: those of --data."""
    if options.data:
        return None
    modality = load_tokenizer(spec).spec.modality
    rates = {options.rate.partition("/")[0]} if options.rate else set(RATES)
    tasks = {
        task.name: {metric.name for metric in task.made} for task in suite(DEFAULT_SUITE[modality])
    }
    found = [name for name, metrics in tasks.items() if metrics & rates]
    if not found:
        raise UserError(
            f"no task of suite {DEFAULT_SUITE[modality]} has {' or '.join(sorted(rates))}; "
            "choose one with --task"
        )
    wanted = (options.metric or "").partition("/")[0]
    return [name for name in found if wanted in tasks[name]] or found


def panel_of(base: list[Filed], rest: list[Filed], options: argparse.Namespace) -> Panel:
    """The curves of one task. Raises `UserError` where there are no points to draw."""
    first = base[0][0]
    for record, _ in [*base, *rest]:
        refuse_unlike(first, record)
    rate_name = options.rate or next((n for n in RATES if first.score(n)), RATES[0])
    metric_name = options.metric or first.about.task.main
    rate_score, metric = _score(first, rate_name, "--rate"), _score(first, metric_name, "--metric")
    if metric.metric == rate_score.metric:
        scores = {s.name for s in first.scores if s.better == "higher" and "/" not in s.name}
        raise UserError(
            f"{first.task}: {metric_name} is a rate: say --metric with a score of quality"
            + (f", such as {min(scores)}" if scores else "")
        )
    if metric.better == "neither":
        raise UserError(f"{metric_name} has no better direction: it makes no quality")
    draws = _draws([*base, *rest], rate_score, metric, options)
    left_out: dict[str, str] = {}
    curves: dict[str, list[Filed]] = {}
    for record, path in rest:
        curves.setdefault(curve_name(record.tokenizer), []).append((record, path))
    sign = 1 if metric.better == "higher" else -1

    def curve(name: str, members: list[Filed]) -> Curve:
        points, rates, qualities, drawn = [], [], [], []
        for record, path in members:
            x, y = record.score(rate_name), record.score(metric_name)
            if x is None or y is None or x.value is None or y.value is None:
                missing = next((s.note for s in (x, y) if s and s.value is None), "no such score")
                left_out[record.tokenizer] = missing
                continue
            points.append(record.tokenizer)
            rates.append(x.value)
            qualities.append(sign * y.value)
            drawn.append(draws.get(path))
        known = [pair for pair in drawn if pair is not None]
        both = ([a for a, _ in known], [sign * b for _, b in known])
        return Curve.of(name, points, rates, qualities, both if len(known) == len(drawn) else None)

    names = list(dict.fromkeys(curve_name(record.tokenizer) for record, _ in base))
    anchor = curve(", ".join(names) if len(base) > 1 else first.tokenizer, base)
    others = [
        found
        for name, many in curves.items()
        if (found := curve(name if len(many) > 1 else many[0][0].tokenizer, many)).points
    ]
    if not anchor.points or not others:
        why = "; ".join(f"{n}: {w}" for n, w in list(left_out.items())[:4])
        raise UserError(f"{first.task}: no points of {rate_name} and {metric_name} ({why})")
    return Panel(first.task, metric, rate_score, anchor, others, left_out)


def _score(record: Record, name: str, option: str) -> Score:
    found = record.score(name)
    if found is None:
        known = [score.name for score in record.scores]
        raise UserError(f"{option} {name}: {record.task} has no such score{near(name, known)}")
    return found


def _draws(
    records: list[Filed], rate_score: Score, metric: Score, options: argparse.Namespace
) -> dict[Path, tuple[np.ndarray, np.ndarray]]:
    """Replicates of rate and quality of each record by its path, all on the samples that every
    record has; nothing where a record has no evidence beside it."""
    found = {path: read_samples(record, path) for record, path in records}
    if any(samples is None for samples in found.values()):
        return {}
    known: dict[Path, Samples] = {path: s for path, s in found.items() if s is not None}
    shared = next(iter(known.values()))
    for samples in known.values():
        shared, _ = aligned(shared, samples)
    task, parallel = question_of(records[0][0], options)
    wanted = {rate_score.metric, metric.metric}
    draws = {}
    for record, path in records:
        _, own = aligned(shared, known[path])
        kept = replicates(record, own, task, parallel, wanted)
        if rate_score.name in kept and metric.name in kept:
            draws[path] = kept[rate_score.name], kept[metric.name]
    return draws


def panel_rows(panel: Panel, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What was found, in long form."""
    sign = 1 if panel.metric.better == "higher" else -1
    unit, name = panel.metric.unit, panel.metric.name
    rows = []

    def row(
        curve: str, tokenizer: str, measure: str, at: float | None, quality: float | None,
        base: float | None, found: Found, unit: str, factor: int = 1,
    ) -> None:  # fmt: skip
        ends = [None if e is None else factor * e for e in (found.low, found.high)]
        low, high = ends if factor > 0 else ends[::-1]
        rows.append({
            "task": panel.task, "curve": curve, "tokenizer": tokenizer, "measure": measure,
            "rate": at, "quality": quality, "baseline": base,
            "value": None if found.value is None else factor * found.value,
            "low": low, "high": high, "unit": unit, "note": found.note,
        })  # fmt: skip

    for curve in panel.others:
        if len(curve.points) > 1:
            one = bd_rate(panel.anchor, curve, options.fit)
            row(curve.name, "", "bd-rate", None, None, None, one, "%")
            two = bd_quality(panel.anchor, curve, options.fit)
            row(curve.name, "", f"bd-{name}", None, None, None, two, unit, sign)
        for k, point in enumerate(curve.points):
            base, found = at_equal_rate(panel.anchor, curve, k)
            row(
                curve.name, point, f"{name} at equal rate", float(curve.rate[k]),
                sign * float(curve.quality[k]), None if base is None else sign * base, found,
                unit, sign,
            )  # fmt: skip
        for where in options.at if len(curve.points) > 1 else []:
            quality, base, found = at_rate(panel.anchor, curve, where)
            row(
                curve.name, f"{curve.name} at {where:g}", f"{name} at equal rate", where,
                None if quality is None else sign * quality, None if base is None else sign * base,
                found, unit, sign,
            )  # fmt: skip
    return rows


def _falling(panel: Panel) -> list[str]:
    """Where a curve's quality falls as its rate rises."""
    return [line for curve in (panel.anchor, *panel.others) for line in falls(curve)]


def _show(panel: Panel, rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    name, unit = panel.metric.name, panel.metric.unit
    data = f"{panel.rate.name} ({panel.rate.unit})"
    print(f"{panel.task}: {name} over {data}, against {panel.anchor.name}, fit {options.fit}")
    averages = [row for row in rows if not row["tokenizer"]]
    found = [
        [
            row["curve"], row["measure"],
            "—" if row["value"] is None else f"{tables.signed(row['value'])} {row['unit']}",
            tables.interval(row["low"], row["high"]), row["note"],
        ]
        for row in averages
    ]  # fmt: skip
    if found:
        tables.emit(["curve", "measure", "value", "95 % interval", "note"], found, "table", (2,))
        print()
    points = [
        [
            row["tokenizer"], tables.number(row["rate"]), tables.number(row["quality"]),
            tables.number(row["baseline"]),
            "—" if row["value"] is None else tables.signed(row["value"]),
            tables.interval(row["low"], row["high"]), row["note"],
        ]
        for row in rows
        if row["tokenizer"]
    ]  # fmt: skip
    header = [
        "tokenizer", panel.rate.name, name, "baseline there", f"difference, {unit}",
        "95 % interval", "note",
    ]  # fmt: skip
    tables.emit(header, points, "table", (1, 2, 3, 4))
    for line in _falling(panel):
        print(f"not monotone: {line}")
    for tokenizer, why in panel.left_out.items():
        print(f"left out: {tokenizer}: {why}")
    print()
