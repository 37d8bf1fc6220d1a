"""A page being written: sections of safe markup, and the files that they show."""

from __future__ import annotations

import base64
import io
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tokbench import tables

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

INK = "#0a0b0c"
"""The colour of a figure's text and lines, which follows the page's own in light and dark."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a place in its contents. key: its anchor, unique in the page."""

    key: str
    title: str
    body: Markup


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
        found.filters["number"] = tables.number
        return found

    def fill(self, template: str, **values: Any) -> Markup:
        """A template of `report/templates` with values; strings are escaped, `Markup` is not."""
        return Markup(self.templates.get_template(template).render(page=self, **values))

    def url(self, path: str, content: bytes) -> str:
        """Where the page finds a file: beside it at `path`, or in itself."""
        if self.single:
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
        self.files[path] = content
        return path

    def figure(self, name: str, figure: Figure, caption: str, alt: str) -> Markup:
        """A figure of matplotlib, drawn in the page and offered as SVG and PNG for papers.

        name: of its files; alt: what it shows, for those who do not see it.
        """
        import matplotlib

        drawn = {}
        with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            for form, about in (("svg", {"Date": None}), ("png", {"Software": None})):
                file = io.BytesIO()
                figure.savefig(file, format=form, dpi=200, metadata=about)
                drawn[form] = file.getvalue()
        inline = drawn["svg"][drawn["svg"].index(b"<svg") :].decode()
        links = {
            form: self.url(f"figures/{name}.{form}", content) for form, content in drawn.items()
        }
        svg = Markup(inline.replace(INK, "currentColor"))
        return self.fill("figure.html", svg=svg, links=links, caption=caption, alt=alt, name=name)

    def table(
        self,
        name: str,
        header: Sequence[str],
        rows: Sequence[Sequence[Any]],
        caption: str = "",
        right: Sequence[int] = (),
    ) -> Markup:
        """A sortable table, offered as CSV. Cells are text, numbers, None or markup; right:
        columns of numbers."""
        plain = [[_plain(cell) for cell in row] for row in rows]
        csv = self.url(f"tables/{name}.csv", tables.as_csv(header, plain).encode())
        return self.fill(
            "table.html", name=name, header=header, rows=rows, caption=caption, right=right, csv=csv
        )

    def html(self, sections: Sequence[Section], **values: Any) -> bytes:
        """The whole page."""
        return self.fill("page.html", sections=sections, **values).encode()


def _plain(cell: Any) -> Any:
    if cell is None:
        return ""
    return cell.striptags() if isinstance(cell, Markup) else cell
