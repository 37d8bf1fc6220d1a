"""What a task demands of the data as a whole, known before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

from tokbench.dataset import Dataset
from tokbench.errors import UserError, near
from tokbench.task import Task


def check(task: Task, dataset: Dataset) -> None:
    """Raise `UserError` for data that cannot answer a metric of the task at all: a comparison of
    languages wants parallel data with the reference in it, some want notes of the samples."""
    for metric in task.made:
        if metric.notes and not any(part.noted for part in dataset.parts):
            raise UserError(
                f"task {task.name}: metric '{metric.name}' needs {metric.notes}, which "
                f"{dataset.name} has not"
            )
        language = metric.options().get("reference")
        if language is None:
            continue
        if not dataset.parallel:
            raise UserError(
                f"task {task.name}: metric '{metric.name}' needs parallel data (the "
                f"same content in every language), which {dataset.name} is not"
            )
        if language not in dataset.groups:
            hint = near(language, dataset.groups)
            raise UserError(
                f"task {task.name}: no reference language '{language}' in {dataset.name}{hint}"
            )


def answered(tasks: Sequence[Task], dataset: Dataset) -> tuple[list[Task], list[str]]:
    """The tasks of a suite that other data than their own can answer, and why the others are left
    out, a line for each cause. A task that asks no more than another of them of the same samples
    is left out too. Raises `UserError` where no task is left."""
    refused: dict[str, list[str]] = {}
    fitting: list[Task] = []
    for task in tasks:
        try:
            check(task, dataset.only(task.groups))
            fitting.append(task)
        except UserError as error:
            refused.setdefault(str(error).removeprefix(f"task {task.name}: "), []).append(task.name)
    if not fitting:
        why, names = next(iter(refused.items()))
        raise UserError(f"task {names[0]}: {why}")
    kept = []
    for number, task in enumerate(fitting):
        wider = [
            other
            for place, other in enumerate(fitting)
            if _asks_all(other, task) and (place < number or not _asks_all(task, other))
        ]
        if wider:
            most = max(wider, key=lambda other: len(other.made))
            why = f"every metric is in {most.name} too"
            refused.setdefault(why, []).append(task.name)
        else:
            kept.append(task)
    return kept, [f"left out {', '.join(names)}: {why}" for why, names in refused.items()]


def _asks_all(wide: Task, narrow: Task) -> bool:
    """Does the first task ask all that the second does, of the same samples?"""
    if wide.sampling != narrow.sampling:
        return False
    return {m.signature() for m in narrow.made} <= {m.signature() for m in wide.made}
