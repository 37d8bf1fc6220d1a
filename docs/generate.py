"""Write docs/reference/*.md from the registries, tasks and manifests: `python docs/generate.py`.

The text depends on the source alone, not on what is installed or fetched, so that
tests/test_docs.py can tell whether the pages are fresh.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokbench.manifest import Manifest, load_manifest, manifest_names
from tokbench.metrics.metric import parameters
from tokbench.registry import METRICS, READERS, TOKENIZERS
from tokbench.strict import load_toml
from tokbench.suites import ONE_LANGUAGE
from tokbench.task import MetricUse, Task, load_suites, task_paths

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py. Do not edit: run it again. -->"
MODALITIES = {
    "text": "Text",
    "image": "Images",
    "video": "Video",
    "audio": "Sound",
    "image, audio": "Images and sound",
    "image, video": "Images and video",
    "audio, video": "Sound and video",
    "image, audio, video": "Images, sound and video",
    "text, image, audio, video": "Every modality",
}
NEEDS = {
    "reconstruction": "a tokenizer that decodes",
    "ids": "token ids",
    "latents": "continuous latents",
    "codebook": "explicit code vectors",
    "neighbors": "near codes of a code",
}


def pages() -> dict[str, str]:
    """The pages by file name."""
    tasks = {name: load_toml(path, Task) for name, path in task_paths().items()}
    return {
        "metrics.md": _page("Metrics", _metrics(tasks)),
        "tasks.md": _page("Tasks", _tasks(tasks)),
        "datasets.md": _page("Datasets", _datasets(tasks)),
        "tokenizers.md": _page("Tokenizers", _tokenizers()),
        "suites.md": _page("Suites", _suites(tasks)),
    }


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", NOTE, "", *lines]).rstrip() + "\n"


def _metrics(tasks: dict[str, Task]) -> Iterator[str]:
    yield "`↑` higher is better, `↓` lower is better, `·` neither. `tokbench show NAME`"
    yield "prints an entry."
    yield ""
    modalities = {name: entry.modality for name, entry in METRICS.table.items()}
    for modality, names in _by_modality(modalities):
        yield from _heading(modality)
        rows = []
        for name in names:
            kind = METRICS.get(name)
            arrow = {"higher": "↑", "lower": "↓"}.get(kind.better, "·")
            rows.append((_link(name), arrow, kind.unit, METRICS.table[name].summary))
        yield from _table(("metric", "", "unit", "what it is"), rows)
        for name in names:
            kind = METRICS.get(name)
            yield from _entry(name, kind.__doc__, {
                "unit": kind.unit,
                "better": kind.better,
                "aggregation": _plain(kind.aggregation),
                "reference": _plain(kind.reference),
                "options": _options(parameters(kind)),
                "needs": ", ".join(NEEDS[need] for need in kind.needs),
                "version": str(kind.version),
                "tasks": _links("tasks.md", (n for n, t in tasks.items() if name in _used(t))),
            })  # fmt: skip


def _tasks(tasks: dict[str, Task]) -> Iterator[str]:
    yield "`tokbench eval SPEC --task NAME` measures one; a task file of your own is given by its"
    yield "path."
    yield ""
    for modality, names in _by_modality({name: task.modality for name, task in tasks.items()}):
        yield from _heading(modality)
        for name in names:
            task = tasks[name]
            yield from _entry(name, f"{task.title}\n\n{task.description}", {
                "dataset": f"[{task.dataset}](datasets.md#{task.dataset})"
                + (f", split {task.split}" if task.split else ""),
                "sample": _sample(task),
                "groups": ", ".join(task.groups),
                "main score": f"`{task.main}`",
                "metrics": ", ".join(_use(use) for use in task.metrics),
            })  # fmt: skip


def _datasets(tasks: dict[str, Task]) -> Iterator[str]:
    yield "`tokbench data fetch NAME` gets one; `tokbench show NAME` says whether it is here."
    yield ""
    manifests = {name: load_manifest(name) for name in manifest_names()}
    for modality, names in _by_modality({name: m.modality for name, m in manifests.items()}):
        yield from _heading(modality)
        for name in names:
            manifest = manifests[name]
            reader = READERS.table.get(manifest.reader)
            yield from _entry(name, f"{manifest.title}\n\n{manifest.description}", {
                "licence": manifest.licence,
                "citation": _plain(manifest.citation),
                "homepage": f"<{manifest.homepage}>" if manifest.homepage else "",
                "note": _plain(manifest.note),
                "read as": f"`{manifest.reader}`" + (f" ({reader.summary})" if reader else ""),
                "parallel": "yes" if manifest.parallel else "",
                "splits": ", ".join(manifest.splits),
                "how to get it": _source(manifest),
                "tasks": _links("tasks.md", (n for n, t in tasks.items() if t.dataset == name)),
            })  # fmt: skip


def _tokenizers() -> Iterator[str]:
    yield "What goes before the colon of a spec. `my.pkg:Class` is an adapter of your own."
    yield ""
    modalities = {name: entry.modality for name, entry in TOKENIZERS.table.items()}
    for modality, names in _by_modality(modalities):
        yield from _heading(modality)
        for name in names:
            about = TOKENIZERS.table[name].summary
            yield from _entry(name, f"{about}\n\n{TOKENIZERS.get(name).__doc__ or ''}", {})


def _suites(tasks: dict[str, Task]) -> Iterator[str]:
    yield "`tokbench eval SPEC --suite NAME` measures every task of one."
    yield ""
    for name, members in load_suites().items():
        yield from [f"## {name}", ""]
        yield from [f"- [{task}](tasks.md#{task}): {_plain(tasks[task].title)}" for task in members]
        yield ""
    marked = _links("tasks.md", (name for name, task in tasks.items() if task.by_language))
    yield from [
        f"## {ONE_LANGUAGE}",
        "",
        "One language on the data here; LANG is a FLORES code, such as",
    ]
    yield from [f"`text-tur_Latn`, or its first three letters. It restricts {marked}.", ""]


def _by_modality(modalities: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    for modality in MODALITIES:
        if names := [name for name, own in modalities.items() if own == modality]:
            yield modality, names


def _heading(modality: str) -> list[str]:
    return [f"## {MODALITIES[modality]}", ""]


def _entry(name: str, text: str | None, fields: dict[str, str]) -> Iterator[str]:
    yield from [f"### {name}", ""]
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        if paragraph.strip():
            yield from [_plain(paragraph), ""]
    listed = [f"- {key}: {value}" for key, value in fields.items() if value]
    yield from [*listed, ""] if listed else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _plain(text: str) -> str:
    """One line of Markdown that shows `text` as it is; what is between backticks stays code."""
    parts = " ".join(text.split()).split("`")
    parts[::2] = [re.sub(r"([<*_\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _link(name: str) -> str:
    return f"[{name}](#{name})"


def _links(page: str, names: Iterable[str]) -> str:
    return ", ".join(f"[{name}]({page}#{name})" for name in names)


def _options(values: dict[str, Any]) -> str:
    return ", ".join(f"`{key} = {value!r}`" for key, value in values.items())


def _used(task: Task) -> set[str]:
    return {use if isinstance(use, str) else use.name for use in task.metrics}


def _use(use: str | MetricUse) -> str:
    name, options = (use, {}) if isinstance(use, str) else (use.name, use.options)
    return f"[{name}](metrics.md#{name})" + (f" ({_options(options)})" if options else "")


def _sample(task: Task) -> str:
    if task.modality == "text":
        return task.unit
    if task.crop:
        return f"the centre, {task.crop} × {task.crop}"
    return f"seen at {task.view} × {task.view}" if task.view else "whole"


def _source(manifest: Manifest) -> str:
    """Where the data comes from, as the manifest says it; nothing that depends on this machine."""
    if manifest.hub:
        pinned = f"@{manifest.hub.revision}" if manifest.hub.revision else " (no revision pinned)"
        return f"hub `{manifest.hub.repo}`{pinned}" + (", gated" if manifest.hub.gated else "")
    if manifest.get:
        return f"<{manifest.get.url}>"
    embedded = manifest.splits[manifest.default_split].fingerprints.get("embedded")
    return "there at once" if manifest.generator or embedded else "see its homepage"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
