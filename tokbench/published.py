"""Published figures, and whether a record agrees with them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

import msgspec

from tokbench.files import PACKAGE
from tokbench.record import Record
from tokbench.strict import load_toml


class Figure(msgspec.Struct, forbid_unknown_fields=True):
    """What a paper says of some tokenizers on a task. tokenizers: patterns of their names.
    tolerance: the largest absolute difference that rounding or protocol explain."""

    source: str
    task: str
    tokenizers: list[str]
    tolerance: float
    values: dict[str, float]


class _Figures(msgspec.Struct, forbid_unknown_fields=True):
    figure: list[Figure]


@cache
def figures() -> list[Figure]:
    """Every published figure that records are held against."""
    return load_toml(PACKAGE / "published.toml", _Figures).figure


def against_published(record: Record) -> tuple[list[str], int]:
    """Where a record differs from what was published of its tokenizer, and how many figures it
    was held against."""
    differences, known = [], 0
    for figure in figures():
        names = (fnmatchcase(record.tokenizer, pattern) for pattern in figure.tokenizers)
        if figure.task != record.task or not any(names):
            continue
        for name, value in figure.values.items():
            score = record.score(name)
            if score is None or score.value is None:
                continue
            known += 1
            if abs(score.value - value) > figure.tolerance + 1e-12:
                differences.append(
                    f"{name}: the record says {score.value:.6g}, published is {value:g} "
                    f"± {figure.tolerance:g} ({figure.source})"
                )
    return differences, known
