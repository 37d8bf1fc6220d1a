"""Registries: names of things, resolved on demand. Importing this imports nothing heavy.

A registry is a table `name -> "module:attribute"`. A name that is not in the table is
looked for among the installed packages' entry points (group `tokbench.<kind>`), and
`my.pkg:Class` is accepted wherever a registered name is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tokbench.errors import UserError, near, one_line


class Entry(NamedTuple):
    """One registered thing: where it lives, what it serves, one line about it."""

    target: str
    modality: str
    summary: str


LISTED = ("tokenizer", "metric")
"""Kinds that `tokbench list` prints."""


class Registry:
    """A table of one kind of thing, resolved on demand."""

    def __init__(self, kind: str, table: dict[str, Entry]):
        self.kind = kind
        self.table = table

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def get(self, name: str) -> Any:
        """The object behind `name`; with `name?key=value&…` that function with those options.

        Raises `UserError` with a near match for an unknown one.
        """
        if name in self.table:
            return locate(self.table[name].target)
        base, _, query = name.partition("?")
        if query:
            options = dict(pair.split("=", 1) for pair in query.split("&"))
            return partial(self.get(base), **options)
        for point in self._plugins():
            if point.name == name:
                return locate(point.value)
        if ":" in name:
            return locate(name)
        known = [*self.table, *(point.name for point in self._plugins())]
        where = f"see: tokbench list {self.kind}s" if self.kind in LISTED else ", ".join(self.table)
        raise UserError(f"no {self.kind} named '{name}'{near(name, known)} ({where})")

    def _plugins(self) -> Any:
        from importlib.metadata import entry_points

        return entry_points(group=f"tokbench.{self.kind}s")


def is_module(name: str) -> bool:
    """Can a module of that name be imported, from here or from what is installed?"""
    if "." in name:
        return all(part.isidentifier() for part in name.split("."))
    _see_own_modules()
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def _see_own_modules() -> None:
    """Modules in the working folder count, after those that are installed."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def locate(target: str) -> Any:
    """The attribute behind `module:attribute`."""
    module_name, _, attribute = target.partition(":")
    if not module_name.startswith("tokbench."):
        _see_own_modules()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(
            f"{error.name}."
        ):
            raise UserError(f"'{target}': no module '{error.name}' can be imported") from error
        if module_name.startswith("tokbench.") and not isinstance(error, ImportError):
            raise
        why = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"'{target}': its module cannot be imported: {why}") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        hint = near(attribute, vars(module))
        raise UserError(f"'{target}': '{module_name}' has no '{attribute}'{hint}") from error
