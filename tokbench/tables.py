"""Tables for people (rich on a terminal, aligned text elsewhere) and for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

Row = Sequence[Any]


def number(value: float | int | None) -> str:
    """Four significant digits, thousands separated; a dash for what was not measured."""
    if value is None:
        return "—"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 1000):
        return f"{int(value):,}"
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def measured(value: float | int | None) -> str:
    """As `number`, with the zeros among a fraction's four digits, for the columns of tables."""
    shown = number(value)
    if value is None or "." not in shown or "e" in shown or abs(value) < 1e-3:
        return shown
    return f"{value:#.4g}"


def signed(value: float) -> str:
    """As `measured`, with its sign."""
    return f"+{measured(value)}" if value >= 0 else measured(value)


def unit(name: str) -> str:
    """A unit as it is shown beside a number: nothing for `1`."""
    return "" if name == "1" else name


def interval(low: float | None, high: float | None) -> str:
    """`low … high`, with as many decimals as the larger of them has in four digits, or empty."""
    if low is None or high is None:
        return ""
    size = max(abs(low), abs(high))
    if not size >= 1e-3 or size == math.inf:
        return f"{number(low)} … {number(high)}"
    decimals = max(0, 3 - math.floor(math.log10(size)))

    def end(value: float) -> str:
        exact = value == round(value)  # as 0 and 1 mostly are
        rounded = f"{value:,.{decimals}f}"
        return number(value) if exact or not float(rounded.replace(",", "")) else rounded

    return f"{end(low)} … {end(high)}"


_NUMBER = re.compile(r"[-+]?[\d,]+(\.\d+(?:e[-+]\d+)?)?|—")


def padding(column: Sequence[str]) -> list[str]:
    """What each number of a column lacks to end where the longest fraction does, as the digits
    (and the point) that would stand there: shown as nothing, they put the points in line. Empty
    for what is no number."""
    found = [_NUMBER.fullmatch(cell) for cell in column]
    fractions = [len(match[1] or "") if match else 0 for match in found]
    longest = "." + "0" * (max(fractions, default=0) - 1)
    return [
        longest[have:] if match and have < len(longest) and max(fractions) else ""
        for match, have in zip(found, fractions, strict=True)
    ]


def p_value(value: float | None) -> str:
    """Two significant digits; below 0.0001 no more than that: a bootstrap cannot tell how far."""
    if value is None:
        return ""
    return "<0.0001" if value < 1e-4 else f"{value:.2g}"


def emit(
    header: Row, rows: Sequence[Row], form: str, right: Sequence[int] = (), droppable: int = 0
) -> None:
    """Print a table as `table`, `csv`, `md` or `json` (a list of objects).

    droppable: how many of the last columns a narrow terminal may leave out.
    """
    if form == "csv":
        print(as_csv(header, rows), end="")
    elif form == "md":
        print(as_markdown(header, rows, right))
    elif form == "json":
        print(json.dumps([dict(zip(header, row, strict=True)) for row in rows], ensure_ascii=False))
    elif sys.stdout.isatty():
        _rich(header, _in_line(rows, right), right, droppable)
    else:
        print(as_text(header, _in_line(rows, right), right))


def _in_line(rows: Sequence[Row], right: Collection[int]) -> list[list[str]]:
    """The cells as text, the decimal points of the columns `right` below each other."""
    table = [[str(cell) for cell in row] for row in rows]
    for column in right:
        for row, lacking in zip(table, padding([row[column] for row in table]), strict=True):
            row[column] += " " * len(lacking)
    return table


def as_csv(header: Row, rows: Sequence[Row]) -> str:
    """RFC 4180 with LF."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()


def as_markdown(header: Row, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """A GitHub table."""
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"}, "—": "---", "…": r"\dots{}",
})  # fmt: skip


def as_latex(
    header: Row,
    rows: Sequence[Row],
    right: Sequence[int] = (),
    bold: Collection[tuple[int, int]] = (),
) -> str:
    """A `tabular` for the package booktabs. bold: cells as (row, column)."""

    def written(cell: Any) -> str:
        return " ".join(str(cell).split()).translate(_LATEX)

    columns = "".join("r" if column in right else "l" for column in range(len(header)))
    lines = [" & ".join(map(written, header)), r"\midrule"]
    for number, row in enumerate(rows):
        cells = [
            rf"\textbf{{{written(cell)}}}" if (number, column) in bold else written(cell)
            for column, cell in enumerate(row)
        ]
        lines.append(" & ".join(cells))
    body = "\n".join(line if line.startswith(r"\midrule") else rf"{line} \\" for line in lines)
    return (
        f"% \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def as_text(header: Row, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """Columns aligned with spaces."""
    table = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = []
    for row in table:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)


def _rich(header: Row, rows: Sequence[Row], right: Sequence[int], droppable: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table_rows = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in table_rows) for column in range(len(header))]
    shown = len(header)
    while droppable and sum(widths[:shown]) + 2 * shown > console.width:
        shown, droppable = shown - 1, droppable - 1
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column, name in enumerate(header[:shown]):
        if column in right:  # half a number is another number
            table.add_column(Text(str(name)), justify="right", min_width=widths[column])
        else:
            table.add_column(Text(str(name)))
    for row in table_rows[1:]:
        table.add_row(*map(Text, row[:shown]))
    console.print(table)
    if left_out := ", ".join(map(str, header[shown:])):
        console.print(Text(f"in a wider terminal: {left_out}", style="dim"))
