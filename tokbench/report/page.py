"""A page being written: sections of safe markup, and the files that they show."""

from __future__ import annotations

import base64
import gzip
import io
import mimetypes
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tokbench import own_version, tables
from tokbench.report import datatables

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

INK = "#0a0b0c"
"""The colour of a figure's text and lines, which follows the page's own in light and dark."""

GENERATOR = "tokbench report"
"""How a page says whose it is."""

UNPAGED = 40
"""Rows that a table shows at once; longer ones have pages."""

PACKED = 64 << 10
"""Bytes of an exported table above which a single file offers it packed."""

SMALLEST = 0.68
"""Of its own width, what a figure keeps on a narrow screen, where its words would else be too small
to read: it scrolls in its box."""

LONGEST = 96
"""Characters of a name that a page or a figure shows."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a place in its contents. key: its anchor, unique in the page.

    part: what the sections beside it share (`Scores`); the contents name it once.
    """

    key: str
    title: str
    body: Markup
    part: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that shows one thing and is sorted and exported as another.

    value: a number, text, or None for what was not measured. below: what stands below, smaller.
    """

    shown: str | Markup
    value: float | int | str | None
    below: str = ""


@dataclass
class Page:
    """What sections are made with. All text goes through templates, which escape it: names,
    samples and errors are untrusted.

    single: everything lies in the page itself, as data URLs; else files lie beside it.
    files: what lies beside the page, by its path.
    """

    title: str
    single: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)

    @cached_property
    def templates(self) -> Environment:
        """The package's templates, escaping."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        found = Environment(
            loader=PackageLoader("tokbench.report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        found.filters |= {
            "number": tables.number,
            "measured": tables.measured,
            "short": short,
            "interval": _interval,
            "clipped": _clipped,
        }
        found.filters["groupby_order"] = _runs
        found.globals |= {"ARROWS": ARROWS, "version": own_version()}
        return found

    def fill(self, template: str, **values: Any) -> Markup:
        """A template of `report/templates` with values; strings are escaped, `Markup` is not."""
        return Markup(self.templates.get_template(template).render(page=self, **values))

    def url(self, path: str, content: bytes) -> str:
        """Where the page finds a file: beside it at `path`, or in itself."""
        if self.single:
            guessed, packed = mimetypes.guess_type(path)
            kind = "application/gzip" if packed else guessed or "application/octet-stream"
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
        if self.files.get(path, content) != content:
            parts = PurePosixPath(path)
            path = str(parts.with_stem(self._own(parts.stem)))
        self.files[path] = content
        return path

    def _own(self, name: str) -> str:
        """The name, numbered where the page has it already."""
        self.names[name] = self.names.get(name, 0) + 1
        return name if self.names[name] == 1 else f"{name}-{self.names[name]}"

    def figure(self, name: str, figure: Figure, caption: str, alt: str) -> Markup:
        """A figure of matplotlib, drawn in the page and offered as SVG and PNG for papers (as
        SVG alone in a single file).

        name: of its files; alt: what it shows, for those who do not see it.
        """
        import matplotlib

        name = self._own(name)
        drawn = {}
        forms: list[tuple[str, dict[str, Any]]] = [("svg", {"Date": None, "Creator": None})]
        if not self.single:
            forms.append(("png", {"Software": None}))
        with (
            matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}),
            warnings.catch_warnings(),
        ):
            # The page's own fonts have the letters that matplotlib's has not.
            warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from")
            for form, about in forms:
                file = io.BytesIO()
                figure.savefig(file, format=form, dpi=200, metadata=about)
                drawn[form] = file.getvalue()
        inline = drawn["svg"][drawn["svg"].index(b"<svg") :].decode()
        inline = _UNUSED.sub("", _METADATA.sub("", inline))
        links = {
            form: self.url(f"figures/{name}.{form}", content) for form, content in drawn.items()
        }
        svg = Markup(inline.replace(INK, "currentColor"))
        return self.fill(
            "figure.html", svg=svg, links=links, caption=caption, alt=alt, name=name,
            least=round(figure.get_figwidth() * 96 * SMALLEST),
        )  # fmt: skip

    def table(
        self,
        name: str,
        header: Sequence[str],
        rows: Sequence[Sequence[Any]],
        caption: str = "",
        right: Collection[int] = (),
        *,
        bold: Collection[tuple[int, int]] = (),
        exports: tuple[Sequence[str], Sequence[Sequence[Any]]] | None = None,
        alike: bool = True,
    ) -> Markup:
        """A table to sort and filter, offered as CSV, Markdown and LaTeX (booktabs).

        Cells are text, numbers, None (not measured), markup or `Cell`. right: columns of
        numbers. bold: cells (row, column) of the best, where that can be told. exports: header
        and rows of the CSV, where it says more than the page shows. alike: a column measures one
        thing, so that decimal points belong below each other.
        """
        name = self._own(name)
        plain = [[_plain(cell) for cell in row] for row in rows]
        sorted_by = {n for n in range(len(header)) if _numeric(plain, n)}
        out_header, out_rows = exports or (header, plain)
        worded = [[_worded(cell) for cell in row] for row in rows]
        lined = right if alike else ()
        lacking = [tables.padding([row[n] for row in worded]) if n in lined else [""] * len(rows)
                   for n in range(len(header))]  # fmt: skip
        files = {
            "csv": tables.as_csv(out_header, [[_blank(cell) for cell in row] for row in out_rows]),
            "md": tables.as_markdown(header, worded, sorted(sorted_by)),
            "tex": tables.as_latex(header, worded, sorted(sorted_by), bold),
        }
        links = {}
        for form, content in files.items():
            raw = content.encode()
            if self.single and len(raw) > PACKED:
                form, raw = f"{form}.gz", gzip.compress(raw, mtime=0)
            links[form] = self.url(f"tables/{name}.{form}", raw)
        return self.fill(
            "table.html",
            name=name,
            header=header,
            rows=[
                list(zip(row, line, lacks, strict=True))
                for row, line, lacks in zip(rows, plain, zip(*lacking, strict=True), strict=True)
            ],
            caption=caption,
            right=set(right),
            bold=set(bold),
            sorted_by=sorted_by,
            links=links,
            unpaged=UNPAGED,
            labels={"csv": "CSV", "md": "Markdown", "tex": "LaTeX"}
            | {"csv.gz": "CSV, gzip", "md.gz": "Markdown, gzip", "tex.gz": "LaTeX, gzip"},
        )

    def html(self, sections: Sequence[Section], **values: Any) -> bytes:
        """The whole page."""
        script = Markup(datatables.script())
        return self.fill("page.html", sections=sections, datatables=script, **values).encode(
            errors="replace"  # half a surrogate pair, which no file may hold
        )


ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}

_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_UNUSED = re.compile(r'(?<=<g) id="[A-Za-z][\w.]*_\d+"')
"""Ids that nothing refers to, and that every figure has."""


def short(text: str, most: int = LONGEST) -> str:
    """A name as it is shown: on one line, its middle left out where it is very long."""
    line = " ".join("".join(c if c.isprintable() or c == " " else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 20]}…{line[-19:]}"


def unmarked(text: str, most: int = 48) -> str:
    """A name as matplotlib draws it: on one line, without mathematics between dollar signs."""
    return short(text, most).replace("$", r"\$")


def _clipped(cell: Any) -> Any:
    """Text of a cell, its middle left out where no table could hold it; the files have it all."""
    if isinstance(cell, Markup) or (isinstance(cell, str) and len(cell) <= 300):
        return cell
    return short(str(cell), 300)


def _runs(items: Sequence[Any], name: str) -> list[tuple[Any, list[Any]]]:
    """Items in order, in runs of equal attribute `name`."""
    return [(key, list(run)) for key, run in groupby(items, lambda item: getattr(item, name))]


def _interval(score: Any) -> str:
    return tables.interval(score.low, score.high)


def _plain(cell: Any) -> Any:
    if isinstance(cell, Cell):
        cell = cell.value
    if isinstance(cell, float) and cell != cell:
        return None
    return cell.striptags() if isinstance(cell, Markup) else cell


def _number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _numeric(rows: Sequence[Sequence[Any]], column: int) -> bool:
    """Has the column numbers, and nothing else but what was not measured?"""
    kept = [row[column] for row in rows if row[column] is not None]
    return bool(kept) and all(map(_number, kept))


def _blank(cell: Any) -> Any:
    return "" if cell is None else cell


def _worded(cell: Any) -> str:
    """A cell as text for people: what the page shows, without its markup."""
    if isinstance(cell, Cell):
        if isinstance(cell.shown, str) and not isinstance(cell.shown, Markup):
            return cell.shown
        cell = cell.value
    if cell is None or _number(cell):
        return tables.measured(cell)
    return str(_plain(cell))
