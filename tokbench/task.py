"""Tasks: a dataset, how it is cut into samples, and the metrics with their options."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from tokbench.errors import UserError, near
from tokbench.files import builtin, sha256
from tokbench.metrics.metric import Metric, make_metric
from tokbench.registry import METRICS, STATISTICS
from tokbench.strict import load_toml


class MetricUse(msgspec.Struct, forbid_unknown_fields=True):
    """A metric as a task file names it."""

    name: str
    options: dict[str, str | int | float | bool] = {}


class Task(msgspec.Struct, forbid_unknown_fields=True, dict=True):
    """A task as a TOML file describes it.

    unit: what one sample is: a `line` of the dataset, the line after a space (`spaced`: words
        as they stand inside a sentence), each `word` of it encoded by itself, or all lines
        `joined` by single spaces and encoded once.
    main: the score to rank by.
    view: images only: 0 for each at its own size, S for TokBench's protocol at S × S.
    crop: images only: S cuts each to the S × S of its centre before anything else, originals too
        (the shorter side scaled to S first, as published ImageNet figures have it); 0 does not.
    groups: the only groups (languages) of the data that are measured; all when empty.
    by_language: belongs to the suites of one language (`text-tur_Latn`), which restrict it.
    most_samples: the most samples that are measured, dealt evenly over the groups (the first of
        each, one at least); 0 for all. For what is many times as dear as encoding.
    shard_samples, shard_bytes: the most that one shard holds. They belong to the task, so
        that one process and a cluster cut the data alike.
    """

    name: str
    title: str
    modality: Literal["text", "image", "video", "audio"]
    dataset: str
    metrics: Annotated[list[str | MetricUse], msgspec.Meta(min_length=1)]
    main: str
    split: str | None = None
    description: str = ""
    unit: Literal["line", "spaced", "word", "joined"] = "line"
    view: Annotated[int, msgspec.Meta(ge=0)] = 0
    crop: Annotated[int, msgspec.Meta(ge=0)] = 0
    groups: list[str] = []
    by_language: bool = False
    most_samples: Annotated[int, msgspec.Meta(ge=0)] = 0
    shard_samples: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    shard_bytes: Annotated[int, msgspec.Meta(ge=1)] = 8 << 20
    seed: int = 0

    @cached_property
    def made(self) -> list[Metric]:
        """The metrics, ready to use. Raises `UserError` for unknown names or options."""
        made = []
        for number, use in enumerate(self.metrics):
            use = MetricUse(use) if isinstance(use, str) else use
            made.append(make_metric(use.name, dict(use.options), f"{self.name}: metrics[{number}]"))
        return made

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """The statistics that the metrics need, by name."""
        return self.statistics_of(self.made)

    def statistics_of(self, metrics: Sequence[Metric]) -> dict[str, Any]:
        """The statistics that some of the metrics need. A name may bring options, which its
        function gets by keyword: `ssim?window=uniform-7`."""
        names = dict.fromkeys(name for metric in metrics for name in metric.statistics)
        return {name: STATISTICS.get(name) for name in names}

    @property
    def cut(self) -> str:
        """What one sample is: the unit of text, the view of an image."""
        if self.modality == "text":
            return self.unit
        cuts = [f"crop-{self.crop}"] * bool(self.crop) + [f"fit-{self.view}"] * bool(self.view)
        return "-".join(cuts) or "whole"

    def fingerprint(self) -> str:
        """Hash of everything in the task that a score depends on."""
        parts = [metric.signature() for metric in self.made]
        return sha256("task", self.name, self.sampling, *parts)

    @property
    def sampling(self) -> str:
        """Which samples of the data are measured and how they are cut, as the fingerprint has
        it."""
        cut = f"unit={self.unit} shard={self.shard_samples},{self.shard_bytes} seed={self.seed}"
        cut += f" view={self.view}" if self.view else ""
        cut += f" crop={self.crop}" if self.crop else ""
        cut += f" most={self.most_samples}" if self.most_samples else ""
        if self.groups:
            cut += f" groups={','.join(self.groups)}"
        return cut


def load_task(name: str) -> Task:
    """A shipped task by name, or a task file by path."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"{name}: no such task file (see: tokbench list tasks)")
    else:
        paths = task_paths()
        if name not in paths:
            if Path(name).is_file():
                raise UserError(f"{name}: a task file's name ends in .toml")
            hint = near(name, paths)
            if not hint and (suite := near(name, load_suites())):
                hint = f"{suite[:-1]}, a suite (--suite)?"
            raise UserError(f"no task named '{name}'{hint} (see: tokbench list tasks)")
        path = paths[name]
    task = load_toml(path, Task)
    if path.is_relative_to(builtin("tasks")) and task.name != path.stem:
        raise UserError(f"{path}: name: '{task.name}' is not the file's name")
    try:
        _refuse_foreign(task)  # wrong metrics show before anything is measured
    except UserError as error:
        raise UserError(f"{path}: {str(error).removeprefix(f'{task.name}: ')}") from error
    return task


def _refuse_foreign(task: Task) -> None:
    """Raise `UserError` for metrics that there are not, and for those of another modality. One of
    your own is known by the statistics that it needs."""
    for number, (use, metric) in enumerate(zip(task.metrics, task.made, strict=True)):
        name = use if isinstance(use, str) else use.name
        entries = [METRICS.table[name]] if name in METRICS else [
            STATISTICS.table[base]
            for each in metric.statistics
            if (base := each.partition("?")[0]) in STATISTICS
        ]  # fmt: skip
        for entry in entries:
            if task.modality not in entry.modality.split(", "):
                fitting = [n for n, e in METRICS.table.items() if task.modality in e.modality]
                raise UserError(
                    f"{task.name}: metrics[{number}]: '{name}' is a metric of {entry.modality}, "
                    f"the task is of {task.modality}{near(name, fitting, 0.55)} (see: tokbench "
                    "list metrics)"
                )


def task_paths() -> dict[str, Path]:
    """Shipped tasks: name -> file."""
    return {path.stem: path for path in sorted(builtin("tasks").glob("*/*.toml"))}


def load_suites() -> dict[str, list[str]]:
    """Suites: name -> task names, from `tasks/suites.toml`."""
    return load_toml(builtin("tasks") / "suites.toml", dict[str, list[str]])


def with_option(task: Task, option: str, value: str) -> Task:
    """The task with another value of an option for every metric that has it."""
    uses: list[str | MetricUse] = []
    for use, metric in zip(task.metrics, task.made, strict=True):
        use = MetricUse(use) if isinstance(use, str) else use
        if option in metric.options():
            use = MetricUse(use.name, {**use.options, option: value})
        uses.append(use)
    return msgspec.structs.replace(task, metrics=uses)


def with_reference(task: Task, reference: str) -> Task:
    """The task with another reference language for every metric that has one."""
    return with_option(task, "reference", reference)
