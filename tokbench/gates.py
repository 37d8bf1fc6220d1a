"""Gates of `tokbench diff`: by how much a score may move before a build fails."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tokbench.errors import UserError, near

_RULE = re.compile(r"\s*(?P<score>[^<>]+?)\s*(?P<side>[<>])\s*(?P<limit>[^<>]*?)\s*")
_LIMIT = re.compile(r"[+-]\d+(?:\.\d+)?(?:[eE][+-]?\d+)?%?")
FORMS = "'SCORE>+2%', 'SCORE<-0.5' or 'SCORE>+0.01'"
ROUNDING = 1e-12
"""A change of just the limit, but for the last bit of a float, has not passed it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A change that is not allowed. score: a name, or a pattern with `*`. up: fails above the
    limit, else below it. relative: the limit is a share of the old value's size."""

    text: str
    score: str
    up: bool
    limit: float
    relative: bool

    def failed(self, old: float, new: float) -> bool:
        """Has the score moved too far?"""
        change = moved(old, new, self.relative)
        slack = ROUNDING * max(1.0, abs(self.limit))
        return change > self.limit + slack if self.up else change < self.limit - slack

    def about(self, name: str) -> bool:
        """Is the score one that it is about?"""
        return name == self.score or fnmatchcase(name, self.score)

    def matching(self, names: Collection[str]) -> list[str]:
        """The scores it is about. Raises `UserError` with a near match where there is none."""
        found = [name for name in names if self.about(name)]
        if not found:
            raise UserError(f"--fail-on '{self.text}': no score '{self.score}'"
                            f"{near(self.score, names)}")  # fmt: skip
        return found


def moved(old: float, new: float, relative: bool) -> float:
    """The change, in the score's unit or as a share of the old value's size; from 0 to anything
    else a share is infinite."""
    change = new - old
    if not relative or change == 0:
        return change
    return change / abs(old) if old else math.copysign(math.inf, change)


def gate(text: str) -> Gate:
    """`premium/tur_Latn>+2%`: fails when the premium has risen by more than 2 %."""
    found = _RULE.fullmatch(text)
    limit = found["limit"] if found else ""
    if not found or not _LIMIT.fullmatch(limit):
        why = ""
        if limit and limit[0].isdigit() and _LIMIT.fullmatch(f"+{limit}"):
            why = f": '{limit}' needs its sign, for it is a change (+{limit} or -{limit})"
        raise UserError(f"--fail-on '{text}'{why}: write {FORMS}")
    relative = limit.endswith("%")
    number = float(limit.rstrip("%")) / (100 if relative else 1)
    return Gate(text.strip(), found["score"], found["side"] == ">", number, relative)
