"""Readers of samples with notes: tables whose other columns go with the text."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from tokbench.errors import UserError, near, one_line
from tokbench.parts import Noted, NotedPart, Notes, Part
from tokbench.readers import Found, text_lines

Row = tuple[int, Notes]
"""A row of a table: its line and its cells by column."""


def table(found: Found, fields: dict[str, str]) -> list[Part]:
    """Tables with a header (tab-separated, `.csv` by commas), one sample a row. fields: `text`
    (default "text"), the column of the sample; all other columns become its notes."""
    key = fields.get("text", "text")

    def iterate(path: Path) -> Iterator[Noted]:
        return ((row.pop(key), row) for _, row in rows(path, (key,)))

    return [NotedPart(group, [path], iterate) for group, path in found]


def rows(path: Path, needed: tuple[str, ...] = ()) -> Iterator[Row]:
    """Rows of a table with a header. Raises `UserError` where a needed column is missing, a
    column is there twice or a row has another number of cells."""
    lines = text_lines(path)
    parsed = _by_commas(path, lines) if _is_csv(path) else _by_tabs(lines)
    _, header = next(parsed, (1, [""]))
    for name in needed:
        if name not in header:
            columns = ", ".join(column or "(unnamed)" for column in header)
            raise UserError(
                f"{path}: no column '{name}'{near(name, header)} (columns: {columns}; "
                "the manifest's fields name the columns to read)"
            )
    if twice := [name for name in header if header.count(name) > 1]:
        raise UserError(f"{path}: line 1: two columns are named '{twice[0]}'")
    for number, cells in parsed:
        if len(cells) != len(header):
            raise UserError(
                f"{path}: line {number}: {len(cells)} cells where the header has {len(header)}"
            )
        yield number, dict(zip(header, cells, strict=True))


def unheaded(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a tab-separated table without a header, its columns in the given order; blank
    lines are skipped."""
    for number, cells in _by_tabs(text_lines(path)):
        if cells == [""]:
            continue
        if len(cells) != len(columns):
            raise UserError(
                f"{path}: line {number}: {len(cells)} cells, not {len(columns)} "
                f"({', '.join(columns)})"
            )
        yield number, dict(zip(columns, cells, strict=True))


def _is_csv(path: Path) -> bool:
    name = path.name.removesuffix(".gz").removesuffix(".zst").removesuffix(".zstd")
    return name.endswith(".csv")


def _by_tabs(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    return ((number, line.split("\t")) for number, line in enumerate(lines, start=1))


def _by_commas(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    # The line feeds go back on: a quoted cell may hold one.
    reader = csv.reader(line + "\n" for line in lines)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            where = f"{path}: line {reader.line_num}"
            raise UserError(f"{where}: not CSV: {one_line(error)}") from error
        if cells is None:
            return
        if cells:
            yield reader.line_num, cells
