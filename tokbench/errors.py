"""What a user can mend is a `UserError`: one line that says what, where and how."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Sequence
from typing import Any

FINE, BUG, USER, FAILURES, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes of the command line. FAILURES: samples that failed, or a gate of `diff`."""


class UserError(Exception):
    """Bad input. Shown as one line, without a traceback; exit code 2."""


class MissingExtra(UserError):
    """A library of an optional extra is not installed."""

    def __init__(self, need: str, extra: str):
        super().__init__(f"{need} is not installed; pip install 'tokbench[{extra}]'")
        self.given = need, extra

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.given  # so that a worker process can raise it here


def optional(module: str, extra: str) -> Any:
    """An optional module. Raises `MissingExtra` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(module, extra) from error


def near(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`"; did you mean 'x'?"` for a near match of `name` in `known`, else an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names as a line shows them: the first, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def one_line(error: BaseException) -> str:
    """The message of a foreign exception, folded to one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "…"
