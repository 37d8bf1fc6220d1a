"""`tokbench diff`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokbench import tables
from tokbench.commands.compare import filed_records, question_of
from tokbench.commands.evaluate import headline
from tokbench.compare import Difference, differences
from tokbench.errors import FAILURES, FINE, UserError, near
from tokbench.gates import Gate, gate, moved
from tokbench.record import Record, read_record
from tokbench.types import Score

Filed = tuple[Record, Path]


@dataclass(frozen=True, slots=True)
class Step:
    """One score before and after. difference: None where one of them was not measured, and
    `note` says why. gates: those that it failed."""

    task: str
    score: str
    unit: str
    old: float | None
    new: float | None
    difference: Difference | None
    note: str
    gates: tuple[str, ...]

    @property
    def unchanged(self) -> bool:
        """Measured, the same, and allowed."""
        return self.old is not None and self.old == self.new and not self.gates


def diff(options: argparse.Namespace, given: list[str]) -> int:
    """What changed from one record to the next, and whether it may."""
    gates = [gate(text) for text in options.fail_on]
    pairs, alone = _pairs(options.old, options.new)
    known = [n for old, new in pairs for r in (old, new) for n in _names(r[0])]
    asked = {name: g for g in gates for name in g.matching(list(dict.fromkeys(known)))}
    wanted = _chosen(options.scores, known)
    steps = [
        step
        for old, new in pairs
        for step in _steps(old, new, [*wanted, *asked] if wanted else list(asked), gates, options)
    ]
    failed = [step for step in steps if step.gates]
    _show(pairs, alone, steps, options.format)
    for step in failed:
        for text in step.gates:
            print(f"tokbench: {step.task}: {_verdict(step, gate(text))}", file=sys.stderr)
    return FAILURES if failed else FINE


def _records(subject: str) -> list[Filed]:
    """The records behind a record file, a run folder, a folder of run folders or a row."""
    found = filed_records(subject)
    if found is not None:
        return found
    path = Path(subject)
    if path.is_dir():
        several = [(read_record(p), p) for p in sorted(path.glob("*/record.json"))]
        if several:
            return several
        raise UserError(f"{subject}: no record.json here or in its folders")
    if path.is_file():
        raise UserError(f"{subject}: is not a record")
    raise UserError(f"{subject}: no such record, run folder or leaderboard row (TASK/NAME)")


def _pairs(old: str, new: str) -> tuple[list[tuple[Filed, Filed]], list[str]]:
    """Records of the same task, before and after (of the same name, where a task has several);
    and what has no counterpart."""
    before, after = _records(old), _records(new)
    pairs, taken = [], set()
    for one in before:
        rivals = [pair for pair in before if pair[0].task == one[0].task]
        found = [pair for pair in after if pair[0].task == one[0].task]
        if len(rivals) > 1 or len(found) > 1:
            found = [pair for pair in found if pair[0].tokenizer == one[0].tokenizer]
        if len(found) > 1:
            raise UserError(
                f"{new}: several records of {one[0].tokenizer} on {one[0].task}; name one of them"
            )
        if found:
            pairs.append((one, found[0]))
            taken |= {one[1], found[0][1]}
    if not pairs:
        tasks = sorted({r.task for r, _ in before}), sorted({r.task for r, _ in after})
        raise UserError(
            f"nothing to compare: {old} is about {', '.join(tasks[0])}, {new} about "
            f"{', '.join(tasks[1])}"
        )
    sides = (("old", before), ("new", after))
    alone = [
        f"only in {side}: {record.tokenizer} on {record.task}"
        for side, several in sides
        for record, path in several
        if path not in taken
    ]
    return pairs, alone


def _names(record: Record) -> list[str]:
    return [score.name for score in (*record.scores, *record.performance)]


def _chosen(scores: str | None, known: list[str]) -> list[str]:
    chosen = [name.strip() for name in scores.split(",")] if scores else []
    for name in chosen:
        if name not in known:
            raise UserError(f"--scores: no score '{name}'{near(name, known)}")
    return chosen


def _steps(
    old: Filed, new: Filed, named: list[str], gates: list[Gate], options: argparse.Namespace
) -> list[Step]:
    """The scores of one task before and after."""
    shown = [] if options.scores else [score.name for score in headline(old[0], options.full)]
    names = list(dict.fromkeys([*shown, *named]))
    task, parallel = question_of(old[0], options)
    found = {d.score: d for d in differences([old, new], task, parallel, names)}
    steps = []
    for name in names:
        a, b = _score(old[0], name), _score(new[0], name)
        if a is None and b is None:
            continue  # a score of another task
        before, after = (None if s is None else s.value for s in (a, b))
        one, note = found.get(name), ""
        if before is None or after is None:
            note = "; ".join(
                f"{side} {'has no such score' if s is None else s.note or 'not measured'}"
                for side, s in (("old", a), ("new", b))
                if s is None or s.value is None
            )
        elif one is None and a is not None and b is not None:
            if a.metric != b.metric:
                note = f"measured in two ways: {a.metric} and {b.metric}"
            one = Difference(task.name, name, a.unit, a.better, before, after, new[0].tokenizer)
        failed = tuple(g.text for g in gates if g.about(name) and _fails(g, before, after))
        unit = (a or b).unit if a or b else ""  # type: ignore[union-attr]
        steps.append(Step(task.name, name, unit, before, after, one, note, failed))
    return steps


def _fails(gate: Gate, old: float | None, new: float | None) -> bool:
    """A gate that cannot be judged is not passed."""
    return old is None or new is None or gate.failed(old, new)


def _score(record: Record, name: str) -> Score | None:
    every = (*record.scores, *record.performance)
    return next((score for score in every if score.name == name), None)


def _change(step: Step, relative: bool) -> str:
    if step.old is None or step.new is None:
        return "—"
    change = moved(step.old, step.new, relative)
    return f"{100 * change:+.3g} %" if relative else tables.signed(change)


def _verdict(step: Step, gate: Gate) -> str:
    if step.old is None or step.new is None:
        return f"gate '{gate.text}' cannot be judged: {step.score}: {step.note}"
    values = f"{tables.number(step.old)} → {tables.number(step.new)}"
    return f"gate '{gate.text}' failed: {step.score} {values} ({_change(step, gate.relative)})"


def _show(pairs: list[tuple[Filed, Filed]], alone: list[str], steps: list[Step], form: str) -> None:
    if form == "json":
        records = [{"old": _about(old[0]), "new": _about(new[0])} for old, new in pairs]
        scores = [
            asdict(step) | {"difference": None}
            if step.difference is None
            else asdict(step)
            | {"difference": asdict(step.difference) | {"verdict": step.difference.verdict}}
            for step in steps
        ]
        print(json.dumps(
            {"records": records, "alone": alone, "scores": scores,
             "failed": sum(len(step.gates) for step in steps)}, ensure_ascii=False,
        ))  # fmt: skip
        return
    if form != "csv":
        for old, new in pairs:
            print(_moved(old[0], new[0]))
        print()
    header = ["task", "score", "old", "new", "change", "change %", "95 % interval", "verdict"]
    rows = []
    quiet = form in ("table", "md")
    for step in steps:
        if quiet and step.unchanged:
            continue
        d = step.difference
        interval = tables.interval(d.low, d.high) if d else ""
        said = step.note or (d.verdict if d else "")
        said += "".join(f"; FAILED {text}" for text in step.gates)
        cells = [step.task, step.score]
        if form == "csv":
            cells += ["" if v is None else repr(v) for v in (step.old, step.new)]
        else:
            cells += [tables.measured(step.old), tables.measured(step.new)]
        rows.append([*cells, _change(step, False), _change(step, True), interval, said])
    if rows or not quiet:
        tables.emit(header, rows, form, (2, 3, 4, 5))
    if quiet:
        same = sum(step.unchanged for step in steps)
        print("\n".join([*[""] * bool(rows), f"{same} of {len(steps)} scores unchanged", *alone]))


def _about(record: Record) -> dict[str, Any]:
    source = record.provenance
    return {
        "task": record.task, "tokenizer": record.tokenizer, "key": record.key,
        "fingerprint": record.about.tokenizer.fingerprint, "created": source.created,
        "tokbench": source.tokbench, "packages": source.packages,
    }  # fmt: skip


def _moved(old: Record, new: Record) -> str:
    """One line on what stands behind the two records and differs."""
    a, b = old.provenance, new.provenance
    same = old.about.tokenizer.fingerprint == new.about.tokenizer.fingerprint
    name = old.tokenizer if old.tokenizer == new.tokenizer else f"{old.tokenizer} → {new.tokenizer}"
    parts = [f"{old.task}: {name}", "same tokenizer" if same else "another tokenizer"]
    parts.append(f"{a.created[:10]} → {b.created[:10]}")
    versions = {"tokbench": (a.tokbench, b.tokbench)} | {
        package: (a.packages.get(package, "none"), b.packages.get(package, "none"))
        for package in sorted(a.packages.keys() | b.packages.keys())
    }
    parts += [f"{package} {x} → {y}" for package, (x, y) in versions.items() if x != y]
    return ", ".join(parts)
