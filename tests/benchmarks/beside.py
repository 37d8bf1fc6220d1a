"""What the comparisons share: timing two ways to the same numbers, and one table of them."""

from __future__ import annotations

import importlib.metadata
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

HEADER = (
    "| what | beside | tokbench s | theirs s | ratio | largest difference |\n"
    "|---|---|---:|---:|---:|---:|"
)


class Row(NamedTuple):
    """Median processor seconds of both; difference: the largest between values, or why none."""

    what: str
    beside: str
    ours: float | None
    theirs: float | None
    difference: str

    def __str__(self) -> str:
        both = self.ours is not None and self.theirs is not None
        ratio = f"{self.ours / self.theirs:.2f}" if both else "–"
        seconds = ["–" if s is None else f"{s:.3f}" for s in (self.ours, self.theirs)]
        return (
            f"| {self.what} | {self.beside} | {' | '.join(seconds)} | {ratio} | {self.difference} |"
        )


Values = Callable[[], Sequence[float]]


def compared(what: str, beside: str, ours: Values, theirs: Values, runs: int) -> Row:
    """Both in turn, `runs` times after a warm-up: medians of processor seconds, which what else the
    machine does changes little, and by how much the values differ."""
    seconds: list[list[float]] = [[], []]
    found: list[np.ndarray] = []
    for run in range(runs + 1):
        found = []
        for place, function in enumerate((ours, theirs)):
            started = time.process_time()
            found.append(np.asarray(function(), dtype=np.float64))
            if run:
                seconds[place].append(time.process_time() - started)
    one, other = map(statistics.median, seconds)
    return Row(what, beside, one, other, f"{np.abs(found[0] - found[1]).max():.1e}")


def absent(what: str, package: str) -> Row:
    """The row of a package that is not installed."""
    return Row(what, package, None, None, "not installed")


def installed(package: str) -> bool:
    """Is there a distribution of that name?"""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def machine(packages: Sequence[str]) -> str:
    """Processor, cores, Python and versions in one line."""
    model = platform.processor()
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.partition(": ")[2] for x in lines if x.startswith("model name")), model)
    versions = [
        f"{name} {importlib.metadata.version(name)}" for name in packages if installed(name)
    ]
    return f"{model}, one thread, Python {platform.python_version()}, {', '.join(versions)}"
