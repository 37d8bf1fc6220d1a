"""Suites: named lists of tasks, and one for each language that has data (`text-tur_Latn`)."""

from __future__ import annotations

import msgspec

from tokbench.dataset import Dataset, find_files, open_dataset
from tokbench.errors import UserError, near
from tokbench.manifest import load_manifest
from tokbench.task import Task, load_suites, load_task, task_paths, with_option
from tokbench.text.languages import is_code, languages

ONE_LANGUAGE = "text-LANG"
"""How the suites of one language are listed."""

CORPORA = ("flores200", "parallel-mini")
"""Data for one language, the first that is here and has it."""

_STEM = "text-"


def suite(name: str, data: str | None = None, split: str | None = None) -> list[Task]:
    """The tasks of a suite. Raises `UserError` for an unknown one, or without data for it.

    `text-LANG` (a FLORES code, or its first three letters) is every task marked `by_language`,
    restricted to that language, on the best data here or on `data`; and tasks of that language
    alone.
    """
    fixed = load_suites()
    if name in fixed:
        return [load_task(task) for task in fixed[name]]
    language = name.removeprefix(_STEM)
    if name.startswith(_STEM) and (is_code(language) or language in languages()):
        return _one_language(language, data, split)
    hint = "; it is a task (--task)" if name in task_paths() else near(name, [*fixed, ONE_LANGUAGE])
    raise UserError(f"no suite named '{name}'{hint} (see: tokbench list suites)")


def _one_language(language: str, data: str | None, split: str | None) -> list[Task]:
    marked = [task for task in map(load_task, task_paths()) if task.by_language]
    if data is not None:
        general = [task for task in marked if task.dataset in CORPORA]
        return [_restricted(task, open_dataset(data, split), language) for task in general]
    tasks = []
    for task in marked:
        choices = CORPORA if task.dataset in CORPORA else (task.dataset,)
        found = next((d for d in map(_here, choices) if d and _group(d, language)), None)
        if found is not None:
            tasks.append(msgspec.structs.replace(
                _restricted(task, found, language), dataset=found.name
            ))  # fmt: skip
    if not tasks:
        own = [group for group in open_dataset(CORPORA[-1]).groups if is_code(group)]
        raise UserError(
            f"no data in '{language}' here{near(language, own)}; {CORPORA[-1]} has "
            f"{', '.join(own)}; {CORPORA[0]} has 204 (tokbench data fetch {CORPORA[0]}); "
            "or give your own with --data"
        )
    alone = [task for task in map(load_task, task_paths()) if _only_in(task, language)]
    return tasks + [task for task in alone if _here(task.dataset)]


def _only_in(task: Task, language: str) -> bool:
    """Is it a task of this language alone?"""
    fixed = {str(metric.options().get("language_code", "group")) for metric in task.made}
    fixed -= {"group"}
    return len(fixed) == 1 and _matches(fixed.pop(), language)


def _matches(label: str, language: str) -> bool:
    return language in (label, label.partition("_")[0])


def _group(dataset: Dataset, language: str) -> str | None:
    return next((group for group in dataset.groups if _matches(group, language)), None)


def _here(name: str) -> Dataset | None:
    """The dataset, where it needs no fetching."""
    manifest = load_manifest(name)
    if manifest.generator is None and not find_files(manifest, manifest.default_split):
        return None
    return open_dataset(name, fetch=False)


def _restricted(task: Task, dataset: Dataset, language: str) -> Task:
    """The task on one language of the data; data without groups is taken to be in it."""
    group = _group(dataset, language)
    if group is not None:
        return msgspec.structs.replace(task, groups=[group])
    if dataset.groups != [""]:
        hint = near(language, dataset.groups)
        raise UserError(f"{dataset.name}: no group in '{language}'{hint}")
    if not is_code(language):
        full = sorted(_codes(language))
        if len(full) != 1:
            raise UserError(f"text-{language}: give the script too, such as {language}_Latn")
        language = full[0]
    return with_option(task, "language_code", language)


def _codes(language: str) -> set[str]:
    """FLORES codes of a language among those with a lexicon."""
    from tokbench.text.lexicon import SIMPLEMMA

    return {code for code in SIMPLEMMA if _matches(code, language)}
