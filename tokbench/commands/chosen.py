"""Which tasks a command measures."""

from __future__ import annotations

import argparse
import sys

import msgspec

from tokbench.dataset import open_dataset
from tokbench.demands import answered
from tokbench.errors import UserError
from tokbench.suites import suite
from tokbench.task import Task, load_task, with_option, with_reference

DEFAULT_SUITE = {
    "text": "text", "image": "image-mini", "video": "video-mini", "audio": "audio-mini",
}  # fmt: skip


def chosen_tasks(
    options: argparse.Namespace, modality: str, told: set[str] | None = None
) -> list[Task]:
    """The tasks asked for: by name, by suite, or the default for the modality and data.

    told: what was said of the choice before; each line is said once, on stderr. None: say nothing.
    """
    glance = getattr(options, "plan", False)
    data = None
    if options.data and modality == "text":
        data = open_dataset(options.data, options.split, glance=glance)
    if options.suite:
        tasks = suite(options.suite, options.data, options.split)
    elif options.task:
        tasks = [load_task(name) for name in options.task]
    elif data is not None:
        tasks = [load_task("text-parallel" if data.parallel else "text")]
    elif options.data:
        tasks = [load_task(modality)]
    else:
        tasks = suite(DEFAULT_SUITE[modality])
    if options.groups:
        groups = [name for name in options.groups.split(",") if name]
        tasks = [msgspec.structs.replace(task, groups=groups) for task in tasks]
    if options.lexicon:
        if not any("lexicon" in metric.options() for task in tasks for metric in task.made):
            listed = ", ".join(task.name for task in tasks)
            raise UserError(f"--lexicon {options.lexicon}: no metric of {listed} uses a word list")
        tasks = [with_option(task, "lexicon", options.lexicon) for task in tasks]
    reference = options.reference
    if reference is None and data is not None:
        # A set without English is held against its own first language.
        groups = data.groups
        reference = None if "eng_Latn" in groups or not groups else groups[0]
    if options.reference and not any(
        "reference" in metric.options() for task in tasks for metric in task.made
    ):
        listed = ", ".join(task.name for task in tasks)
        raise UserError(
            f"--reference {options.reference}: no metric of {listed} compares with a language"
        )
    if reference:
        tasks = [with_reference(task, reference) for task in tasks]
    if options.suite and data is not None and data.modality == "text":
        tasks, left_out = answered(tasks, data)
        for line in left_out:
            if told is not None and line not in told:
                told.add(line)
                print(f"tokbench: suite {options.suite}: {line}", file=sys.stderr)
    return tasks
