"""What per-sample statistics say of one image or clip: which columns make which score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokbench import tables
from tokbench.evidence import Evidence
from tokbench.measured import Better


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of each sample: sum of the columns `top` over the sum of `bottom`."""

    name: str
    unit: str
    better: Better
    top: tuple[str, ...]
    bottom: tuple[str, ...]

    def of(self, rows: Evidence) -> np.ndarray:
        """Of each row; NaN where there is none."""
        over = sum(rows.columns[name].astype(np.float64) for name in self.top)
        under = sum(rows.columns[name].astype(np.float64) for name in self.bottom)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.asarray(under) > 0, over / np.asarray(under), np.nan)

    def told(self, value: float | None) -> str:
        """The number with its unit, for a caption."""
        unit = "" if self.unit in ("1", "share", "cosine") else f" {self.unit}"
        return f"{self.name} {tables.number(value)}{unit if value is not None else ''}"


_KNOWN: Sequence[tuple[str, str, Better, str, str]] = (
    ("psnr", "dB", "higher", r"psnr", "samples"),
    ("ssim", "1", "higher", r"ssim\?.*", "{}:n"),
    ("lpips", "1", "lower", r"lpips\?.*", "{}:n"),
    ("frame-psnr", "dB", "higher", r"frame-psnr", "samples"),
    ("frame-ssim", "1", "higher", r"frame-ssim", "{}:n"),
    ("flicker", "levels", "lower", r"flicker", "{}:n"),
    ("t-acc", "share", "higher", r"(words-.+):\w+:t-acc", r"{}:\w+:n"),
    ("t-ned", "1", "higher", r"(words-.+):\w+:t-ned", r"{}:\w+:n"),
    ("f-sim", "cosine", "higher", r"faces\?.*:all", "{}:n"),
    ("pesq", "MOS", "higher", r"pesq:wb", "{}:n"),
    ("stoi", "1", "higher", r"stoi:no:aligned", "{}:n"),
    ("si-sdr", "dB", "higher", r"si-sdr:no:aligned", "{}:n"),
    ("mel-distance", "1", "lower", r"mel-distance", "{}:n"),
    ("dnsmos", "MOS", "higher", r"dnsmos:output:overall", "{}:n"),
    ("wer", "1", "lower", r"(heard:.*:output:words):errors", "{}:reference"),
    ("dwer", "1", "lower", r"(heard:.*:change:words):errors", "{}:reference"),
)
"""Name, unit, better, columns summed (a pattern), columns they are divided by (with the pattern's
group, or the whole name, filled in)."""


def measures(main: str, columns: Iterable[str]) -> list[Measure]:
    """Those that the columns allow, the main score's first."""
    names, found = list(columns), []
    for name, unit, better, pattern, under in _KNOWN:
        hits = [match for column in names if (match := re.fullmatch(pattern, column))]
        stems = list(dict.fromkeys(hit[hit.lastindex or 0] for hit in hits))
        if not stems:
            continue
        below = under.replace("{}", re.escape(stems[0]))
        bottom = tuple(column for column in names if re.fullmatch(below, column))
        top = tuple(hit[0] for hit in hits if hit[hit.lastindex or 0] == stems[0])
        if bottom:
            found.append(Measure(name, unit, better, top, _matching(top, bottom)))
    head = main.partition("/")[0]
    return sorted(found, key=lambda measure: not head.startswith(measure.name))


def _matching(top: tuple[str, ...], bottom: tuple[str, ...]) -> tuple[str, ...]:
    """The divisors of the parts that are summed (`…:small:n` of `…:small:t-acc`)."""
    if len(top) == 1:
        return bottom[:1]
    parts = {name.rpartition(":")[0] for name in top}
    return tuple(name for name in bottom if name.rpartition(":")[0] in parts)


def cell(value: float) -> Any:
    """For a table: None where there is no number."""
    return None if np.isnan(value) else float(value)
