"""What a metric is: a name, a definition, the statistics it needs, and a result."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from tokbench.errors import UserError, near
from tokbench.measured import Better, Measured
from tokbench.registry import METRICS
from tokbench.types import Score, Tokenizer


class Metric:
    """A metric. Subclasses set the class attributes and write `result`.

    The docstring is the definition that `tokbench show` prints. Options are the keyword
    arguments of `__init__`, kept as attributes of the same names; `version` is raised
    whenever a number can change.

    statistics: names in the statistics registry (or `my.pkg:function`); `name?key=value&…` for
        one that takes options.
    aggregation: how samples become one number ("ratio of sums", "mean of samples", …).
    reference: paper and convention.
    needs: what a tokenizer must offer: "reconstruction" (it decodes), "ids", "latents",
        "codebook" (explicit code vectors), "neighbors" (near codes); see `lacks`.
    notes: what the data must say of its samples, in words ("a gold segmentation"); empty: nothing.
    paired: can replicates be drawn from the per-sample evidence alone, for `tokbench compare`?
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    statistics: tuple[str, ...]
    unit: ClassVar[str]
    better: ClassVar[Better]
    aggregation: ClassVar[str]
    reference: ClassVar[str]
    tags: dict[str, str] = {}
    needs: ClassVar[tuple[str, ...]] = ()
    notes: ClassVar[str] = ""
    paired: ClassVar[bool] = True

    def result(self, measured: Measured) -> Iterator[Score]:
        """Scores named `name` or `name/facet`."""
        raise AttributeError(f"{type(self).__name__} has no result()")

    def lacks(self, tokenizer: Tokenizer) -> str:
        """Why this tokenizer cannot be measured so, or an empty string."""
        return next((why for need in self.needs if (why := lacking(need, tokenizer))), "")

    def check(self, groups: Sequence[str]) -> None:
        """Raise `UserError` for data of these groups that the metric cannot measure at all, and
        where a library that it needs is not installed; called before anything is measured."""

    def options(self) -> dict[str, Any]:
        """The options in force, defaults included."""
        return {key: getattr(self, key) for key in parameters(type(self))}

    def signature(self) -> str:
        """`name|option:value|…|v1`, the metric's part of a score's signature."""
        parts = [f"{key}:{value}" for key, value in self.options().items()]
        parts += [f"{key}:{value}" for key, value in self.tags.items()]
        return "|".join([self.name, *parts, f"v{self.version}"])


def mean_of_defined(
    metric: Metric, measured: Measured, label: str, column: str, why: str
) -> Iterator[Score]:
    """Mean of a column over the images (or videos) that have it (`column:n`), and how many have
    not: `why`, such as "a side under 32 pixels"."""
    defined, samples = measured.totals(f"{column}:n"), measured.totals("samples")
    what = "clip" if measured.spec.modality == "video" else "image"
    refused = dict.fromkeys(np.flatnonzero(defined == 0).tolist(), f"every {what} has {why}")
    yield from measured.ratio(label, column, f"{column}:n", metric.unit, metric.better, refused)
    if 0 < defined.sum() < samples.sum():
        left_out = (samples - defined).sum()
        yield measured.score(
            f"{label}/left-out", left_out, int(samples.sum()), unit=f"{what}s",
            note=f"{why}: left out",
        )  # fmt: skip


_OFFERS = {
    "reconstruction": "the tokenizer does not decode",
    "ids": "the tokenizer has no discrete codes",
    "latents": "the tokenizer has no continuous latents",
    "codebook": "the tokenizer has no explicit codebook",
    "neighbors": "the tokenizer does not say which codes are near each other",
}


def lacking(need: str, tokenizer: Tokenizer) -> str:
    """Why the tokenizer does not offer `need`, or an empty string. It is read off its spec's
    kind and vocabulary, and off its attributes `decodes`, `codebook` and `neighbors`."""
    kind, stored = tokenizer.spec.kind, hasattr(tokenizer, "reconstructions")
    offered = {
        "reconstruction": getattr(tokenizer, "decodes", True),
        "ids": kind != "continuous" and not stored,
        "latents": kind != "discrete" and not stored,
        "codebook": hasattr(tokenizer, "codebook"),
        "neighbors": hasattr(tokenizer, "neighbors") or hasattr(tokenizer, "codebook"),
    }[need]
    return "" if offered else _OFFERS[need]


def parameters(kind: type) -> dict[str, Any]:
    """Option names of a metric class and their defaults."""
    found = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}


def make_metric(name: str, options: dict[str, Any], where: str) -> Metric:
    """A metric by registered name with its options; `where` begins the error message."""
    try:
        kind = METRICS.get(name)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    known = parameters(kind)
    for key in options:
        if key not in known:
            listed = f" (it knows {', '.join(known)})" if known else " (it has none)"
            raise UserError(
                f"{where}: metric '{name}' has no option '{key}'{near(key, known)}{listed}"
            )
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: metric '{name}': {error}") from error
