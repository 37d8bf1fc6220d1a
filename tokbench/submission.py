"""Submission: what a record must hold to be filed on a leaderboard, and the filing."""

from __future__ import annotations

import re
from pathlib import Path
from unicodedata import category

import msgspec

from tokbench.errors import UserError
from tokbench.files import atomic_write, read_bytes, sha256, slug
from tokbench.manifest import load_manifest, manifest_names
from tokbench.plausible import implausible
from tokbench.record import Record, read_record, record_key
from tokbench.samples import read_samples, samples_path, smaller
from tokbench.task import Task, load_task, task_paths, with_reference

MOST_EVIDENCE = 512 << 10
"""Bytes of a record's evidence on a leaderboard, which lives in git."""

LONGEST_NAME = 200
"""Characters of a tokenizer's or task's name."""

_HEX = re.compile(r"[0-9a-f]{64}")


def check_record(record: Record, path: Path, folder: Path) -> list[str]:
    """What stands against filing a record: one line for each failed check, its name first."""
    about, refused = record.about, []
    expected = record_key(
        about.tokenizer.fingerprint, about.task.fingerprint, about.dataset.fingerprint, record.limit
    )
    if record.key != expected:
        refused.append(f"key: {record.key[:12]} is not the hash of the record's own fingerprints")
    if record.status != "complete" or record.failures:
        lost = sum(failure.count for failure in record.failures.values())
        refused.append(f"complete: {lost:,} samples failed; only complete records are filed")
    if record.limit is not None:
        refused.append(f"limit: made with --limit {record.limit}; evaluate the whole data")
    refused += _name_checks(record)
    refused += _task_checks(record)
    refused += _data_checks(record)
    refused += [f"scores: {line}" for line in implausible(record)]
    evidence = samples_path(path)
    if not evidence.is_file():
        refused.append(f"evidence: no {evidence.name} beside {path.name}")
    elif sha256(read_bytes(evidence)) != record.evidence:
        refused.append(f"evidence: {evidence.name} is not the file that the record names")
    if not _HEX.fullmatch(record.key):
        return [*refused, "key: is not 64 hexadecimal digits"]
    for twin in (folder / slug(record.task)).glob(f"*--{record.key[:12]}.json"):
        if twin.resolve() != path.resolve():
            refused.append(f"duplicate: {twin} has the same key")
    return refused


def _name_checks(record: Record) -> list[str]:
    """Names end up in file names, tables and pages."""
    return [
        f"names: the {what} is {why}"
        for what, name in (("tokenizer", record.tokenizer), ("task", record.task))
        for why in [_unfit(name)]
        if why
    ]


def _unfit(name: str) -> str:
    """Why a name cannot be shown, or an empty string."""
    if not name.strip():
        return "empty"
    if len(name) > LONGEST_NAME:
        return f"{len(name):,} characters long; at most {LONGEST_NAME}"
    if any(category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in name):
        return "written with control characters"
    return ""


def asked(record: Record) -> Task:
    """The shipped task as the record was asked it: with its reference language and groups.
    Raises `UserError` for a task that is none of tokbench's."""
    if record.task not in task_paths():
        raise UserError(f"'{record.task}' is not a task of this tokbench")
    task = load_task(record.task)
    for signature in record.about.task.metrics:
        for part in signature.split("|"):
            if part.startswith("reference:"):
                task = with_reference(task, part.partition(":")[2])
    for part in record.signature.split("|"):
        if part.startswith("groups:"):
            task = msgspec.structs.replace(task, groups=part.partition(":")[2].split(","))
    return task


def _task_checks(record: Record) -> list[str]:
    if record.task not in task_paths():
        return [f"task: '{record.task}' is not a task of this tokbench"]
    try:
        task = asked(record)
    except UserError as error:
        return [f"task: {error}"]
    if task.fingerprint() != record.about.task.fingerprint:
        return [
            f"task: '{record.task}' has changed since (its fingerprint differs); evaluate again"
        ]
    return []


def _data_checks(record: Record) -> list[str]:
    data = record.about.dataset
    if data.name not in manifest_names():
        return [f"data: '{data.name}' is not a dataset with a manifest"]
    manifest = load_manifest(data.name)
    split = manifest.splits.get(data.split)
    known = split.fingerprints if split else {}
    if not known and manifest.varies:
        return [f"data: {data.name} depends on {manifest.varies}: nobody else could check it"]
    if "+" in data.split or data.fingerprint not in known.values():
        return [
            f"data: the hash of {data.name}:{data.split} is not among the manifest's known contents"
        ]
    return []


def submit(path: Path, folder: Path) -> Path:
    """Check a record and file it with its evidence (in blocks of samples where it is large);
    the path it now has.

    Raises `UserError` naming every failed check; nothing is written then.
    """
    if path.is_dir():
        path = path / "record.json"
    record = read_record(path)
    refused = check_record(record, path, folder) or _against_evidence(record, path)
    if refused:
        raise UserError(f"{path}: refused:\n  " + "\n  ".join(refused))
    stem = f"{slug(record.tokenizer)}--{record.key[:12]}"
    target = folder / slug(record.task) / f"{stem}.json"
    evidence = samples_path(target)
    samples = smaller(read_bytes(samples_path(path)), MOST_EVIDENCE)
    record.evidence = sha256(samples)
    atomic_write(evidence, samples)
    try:
        atomic_write(target, record.to_json())
    except UserError:
        evidence.unlink(missing_ok=True)  # evidence of nothing
        raise
    return target


def _against_evidence(record: Record, path: Path) -> list[str]:
    """Scores that the record's own per-sample evidence does not give."""
    from tokbench.rerun import from_evidence

    samples = read_samples(record, path)
    assert samples is not None  # check_record has seen it
    differences, _ = from_evidence(record, samples, asked(record))
    return [f"evidence: {line}" for line in differences[:8]]
