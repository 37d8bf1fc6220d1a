"""Tables of the site: rows as JSON in the page, drawn by DataTables; the same as CSV beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from markupsafe import Markup

from tokbench import tables
from tokbench.report.page import Page

Kind = Literal[
    "text", "note", "name", "task", "number", "score", "best", "rank", "date", "interval", "copy",
    "links",
]  # fmt: skip


class Column(NamedTuple):
    """kind: how a cell is shown, and what it holds. `note`: a sentence; `name`:
    [text, address]; `task`: [text, address, what stands below]; `score`: [number, address];
    `best`: [number, what stands below]; `links`: a list of [text, address]; `copy`: text
    that a button copies; numbers are raw, None where not measured.
    about: what the heading says when one points at it."""

    title: str
    kind: Kind = "text"
    about: str = ""


def live_table(
    page: Page,
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    caption: str,
    order: tuple[int, Literal["asc", "desc"]] | None = None,
) -> Markup:
    """A table that sorts and filters; 10,000 rows are drawn a page at a time. order: of its
    first look, the given order where None."""
    data = {
        "columns": [
            column._asdict() | {"places": _places(column, [row[k] for row in rows])}
            for k, column in enumerate(columns)
        ],
        "rows": [[_plain(cell) for cell in row] for row in rows],
        "order": [order] if order else [],
    }
    kept = [k for k, column in enumerate(columns) if column.kind != "links"]
    header = [columns[k].title for k in kept]
    csv = tables.as_csv(header, [[_cell(row[k], columns[k]) for k in kept] for row in rows])
    address = page.url(f"tables/{name}.csv", csv.encode())
    # Nothing in a script is markup but what could end it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return page.fill(
        "live.html", name=name, columns=columns, caption=caption, csv=address, rows=len(rows),
        data=Markup(text.replace("<", "\\u003c")), shown=min(len(rows), 25),
    )  # fmt: skip


def _places(column: Column, cells: Sequence[Any]) -> int:
    """The most decimals of a column of numbers that measure one thing."""
    if column.kind not in ("number", "score"):
        return 0
    values = [cell[0] if isinstance(cell, list | tuple) else cell for cell in cells]
    shown = [tables.measured(_plain(value)) for value in values]
    return max((len(text.partition(".")[2]) for text in shown), default=0)


def _plain(cell: Any) -> Any:
    """As JSON has it: no NaN, no number of numpy's."""
    if isinstance(cell, list):
        return [_plain(part) for part in cell]
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell


def _cell(cell: Any, column: Column) -> Any:
    if column.kind in ("name", "task", "score", "best"):
        cell = cell[0]
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return ""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"  # a spreadsheet would take it for a formula
    return cell
