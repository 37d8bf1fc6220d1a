"""`tokbench list` and `tokbench show`: what there is, read off the registries."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tokbench.errors import UserError, near, one_line
from tokbench.files import builtin
from tokbench.registry import METRICS, TOKENIZERS

_REGISTRIES = {"tokenizers": TOKENIZERS, "metrics": METRICS}

_MODALITIES = (
    "text", "image", "audio", "video", "image, audio", "image, video", "audio, video",
    "image, audio, video", "text, image, audio, video", "",
)  # fmt: skip
"""The order in which they are listed; a suite bears its modality in its name."""


def list_names(options: argparse.Namespace, given: list[str]) -> int:
    """Print one kind, or all of them."""
    kinds = (
        [options.kind] if options.kind else ["tokenizers", "tasks", "datasets", "metrics", "suites"]
    )
    found = {kind: _rows(kind) for kind in kinds}
    if options.format == "json":
        flat = {
            kind: [{"name": n, "modality": m, "about": a} if m else {"name": n, "about": a}
                   for n, m, a in rows]
            for kind, rows in found.items()
        }  # fmt: skip
        print(json.dumps(flat, ensure_ascii=False))
        return 0
    for kind, rows in found.items():
        if len(kinds) > 1:
            print(kind)
        indent = "  " if len(kinds) > 1 else ""
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for name, modality, about in rows:
            cells = [name.ljust(widths[0])] + [modality.ljust(widths[1])] * bool(widths[1])
            print(f"{indent}{'  '.join([*cells, about])}".rstrip())
        if len(kinds) > 1:
            print()
    return 0


def _rows(kind: str) -> list[tuple[str, str, str]]:
    """Name, modality and one line about each, modality by modality."""
    rows = _unordered(kind)
    return sorted(rows, key=lambda row: _MODALITIES.index(row[1]))


def _unordered(kind: str) -> list[tuple[str, str, str]]:
    import tomllib

    if kind in _REGISTRIES:
        table = _REGISTRIES[kind].table
        return [(name, entry.modality, entry.summary) for name, entry in table.items()]
    if kind == "suites":
        suites = tomllib.loads((builtin("tasks") / "suites.toml").read_text(encoding="utf-8"))
        rows = [(name, "", ", ".join(tasks)) for name, tasks in suites.items()]
        return [*rows, ("text-LANG", "", "one language, such as text-tur_Latn, on the data here")]
    pattern = "*/*.toml" if kind == "tasks" else "*.toml"
    folder = builtin("tasks" if kind == "tasks" else "data_manifests")
    rows = []
    for path in sorted(folder.glob(pattern)):
        described = tomllib.loads(path.read_text(encoding="utf-8"))
        rows.append((path.stem, described["modality"], described["title"]))
    return rows


def _described(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: {one_line(error)}") from error


def show_name(options: argparse.Namespace, given: list[str]) -> int:
    """Print everything about a name, whatever kinds of thing bear it."""
    name = options.name
    kinds = ("tokenizers", "tasks", "datasets", "metrics", "suites")
    names = {kind: [name for name, _, _ in _rows(kind)] for kind in kinds}
    found = [kind for kind in kinds if name in names[kind]]
    if not found and name.startswith("text-"):
        found = ["suites"]
    if not found and name.endswith(".toml") and Path(name).is_file():
        found = ["tasks" if "metrics" in _described(Path(name)) else "datasets"]
    if not found and (":" in name or Path(name).exists()):
        found = ["tokenizers"]
    if not found:
        known = [n for several in names.values() for n in several]
        raise UserError(f"nothing is named '{name}'{near(name, known)} (see: tokbench list)")
    for place, kind in enumerate(found):
        if place:
            print()
        _PRINTERS[kind](name)
    return 0


def _print(fields: dict[str, Any]) -> None:
    import textwrap

    width = max(len(key) for key in fields) + 2
    for key, value in fields.items():
        if value in (None, "", [], {}, ()):
            continue
        indent = " " * width
        text = " ".join(str(value).split())
        filled = textwrap.fill(text, 98, initial_indent=indent, subsequent_indent=indent)
        print(f"{key.ljust(width)}{filled[width:]}")


def _show_tokenizer(name: str) -> None:
    if name not in TOKENIZERS:
        from tokbench.specs import load_tokenizer

        tokenizer = load_tokenizer(name)
        spec = tokenizer.spec
        _print({
            "tokenizer": tokenizer.name, "algorithm": spec.algorithm,
            "vocabulary": " × ".join(f"{size:,}" for size in spec.vocabulary) or "open",
            "emittable": f"{spec.emittable:,} ids that text can produce" if spec.emittable else "",
            "special tokens": spec.special_tokens, "source": spec.source, "licence": spec.licence,
            "fingerprint": tokenizer.fingerprint(),
        })  # fmt: skip
        return
    target = TOKENIZERS.get(name)
    _print({"tokenizer": name, "about": TOKENIZERS.table[name].summary, "": target.__doc__})
    if name == "mistral":
        from tokbench.tokenizers.text.mistral import packaged

        _print({"there are": ", ".join(packaged())})


def _show_metric(name: str) -> None:
    from tokbench.metrics.metric import parameters

    kind = METRICS.get(name)
    defaults = parameters(kind)
    _print({
        "metric": name, "definition": kind.__doc__, "unit": kind.unit, "better": kind.better,
        "aggregation": kind.aggregation, "reference": kind.reference, "version": kind.version,
        "options": ", ".join(f"{key} = {value!r}" for key, value in defaults.items()),
        "statistics": ", ".join(kind.statistics),
    })  # fmt: skip


def _show_task(name: str) -> None:
    from tokbench.probes.weights import nothing_fetched
    from tokbench.task import load_task

    task = load_task(name)
    with nothing_fetched():
        signatures, fingerprint = [metric.signature() for metric in task.made], task.fingerprint()
    most = f", the first {task.most_samples:,}, dealt evenly over the groups"
    _print({
        "task": name, "title": task.title, "description": task.description,
        "dataset": task.dataset + (f", split {task.split}" if task.split else ""),
        "sample": task.unit + most * bool(task.most_samples), "main score": task.main,
        "shards": f"{task.shard_samples:,} samples or {task.shard_bytes >> 20} MiB at most",
        "fingerprint": fingerprint[:16],
    })  # fmt: skip
    print("metrics")
    for signature in signatures:
        print(f"  {signature}")


def _show_dataset(name: str) -> None:
    from tokbench.dataset import find_files, load_manifest

    manifest = load_manifest(name)
    how = (
        "there at once"
        if manifest.generator
        or manifest.splits[manifest.default_split].fingerprints.get("embedded")
        else ""
    )
    if manifest.hub:
        how = f"hub {manifest.hub.repo}" + (
            f"@{manifest.hub.revision}" if manifest.hub.revision else " (no revision pinned)"
        )
    if manifest.get:
        how = manifest.get.url
    here = [split for split in manifest.splits if manifest.generator or find_files(manifest, split)]
    _print({
        "dataset": f"{manifest.name} (manifest version {manifest.version})",
        "title": manifest.title,
        "description": manifest.description, "licence": manifest.licence,
        "citation": manifest.citation, "homepage": manifest.homepage, "note": manifest.note,
        "reader": manifest.reader, "parallel": "yes" if manifest.parallel else "no",
        "splits": ", ".join(manifest.splits), "how to get it": how,
        "here now": ", ".join(here) or f"no (tokbench data fetch {name})",
    })  # fmt: skip
    for split in manifest.splits.values():
        for label, digest in split.fingerprints.items():
            print(f"  known content: {label} {digest[:16]}…")


def _show_suite(name: str) -> None:
    from tokbench.suites import ONE_LANGUAGE, suite

    print(f"suite {name}")
    if name == ONE_LANGUAGE:
        print("  every task of one language; LANG is a FLORES code, such as text-tur_Latn")
        return
    for task in suite(name):
        groups = f" ({', '.join(task.groups)} of {task.dataset})" if task.groups else ""
        print(f"  {task.name}: {task.title}{groups}")


_PRINTERS = {
    "tokenizers": _show_tokenizer,
    "metrics": _show_metric,
    "tasks": _show_task,
    "datasets": _show_dataset,
    "suites": _show_suite,
}
