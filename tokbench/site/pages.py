"""The site's pages, and how they are written."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tokbench import tables
from tokbench.files import PACKAGE, read_bytes
from tokbench.report import datatables
from tokbench.report.page import Page
from tokbench.site.board import Board, Question, Row, file_name
from tokbench.site.folder import GENERATOR, replace
from tokbench.site.tables import Column, live_table

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass
class SitePage(Page):
    """A page of the site at `path`, with what all pages share one or two folders up."""

    path: str = "index.html"

    @cached_property
    def templates(self) -> Environment:
        """The site's templates, and those of reports."""
        return environment()

    @property
    def root(self) -> str:
        """The way from this page to the site's folder."""
        return "../" * self.path.count("/")

    def figure(self, name: str, figure: Figure, caption: str, alt: str) -> Markup:
        """As in a report. Names are in every script; a font that lacks one is no news."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return super().figure(name, figure, caption, alt)

    def made(self, template: str, live: bool = True, **values: Any) -> dict[str, bytes]:
        """The page and the files beside it, by their paths in the site."""
        content = self.fill(
            template, root=self.root, live=live, generator=GENERATOR, **values
        ).encode()
        folder = self.path.rpartition("/")[0]
        beside = {f"{folder}/{path}".lstrip("/"): data for path, data in self.files.items()}
        return beside | {self.path: content}


_environment: list[Environment] = []


def environment() -> Environment:
    """One for all pages, so that a template is read once."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    if not _environment:
        loaders = [PackageLoader("tokbench.site"), PackageLoader("tokbench.report")]
        made = Environment(
            loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        made.filters |= {
            "number": tables.number,
            "measured": tables.measured,
            "padding": tables.padding,
        }
        made.globals |= {"interval": tables.interval, "unit": tables.unit}
        _environment.append(made)
    return _environment[0]


def write(found: Board, out: Path) -> Path:
    """Write the site in place of an earlier one and return its first page. Raises `UserError`
    where anything else is in the folder."""
    from tokbench.site.records import record_pages
    from tokbench.site.suites import suite_pages
    from tokbench.site.tasks import task_page

    def pages() -> Iterator[dict[str, bytes]]:
        yield assets()
        for task, questions in found.tasks.items():
            yield task_page(task, questions)
        named, suites = suite_pages(found)
        yield from suites
        yield from record_pages(found)
        yield index_page(found, named)

    replace(out, pages())
    return out / "index.html"


def assets() -> dict[str, bytes]:
    """What all pages share."""
    templates = PACKAGE / "site" / "templates"
    own = {f"assets/{name}": read_bytes(templates / name) for name in ("site.css", "site.js")}
    return own | {
        "assets/datatables.js": datatables.script().encode(),
        "assets/datatables.css": datatables.style(),
    }


def index_page(found: Board, suites: list[dict[str, Any]]) -> dict[str, bytes]:
    """Every task with its leader."""
    page = SitePage("tokbench leaderboard")
    rows = found.rows
    columns = [
        Column("task", "task"),
        Column("best", "name", "of those that lose no text and are not the original itself; "
               "several where they cannot be told apart"),
        Column("score", "best", "its value of the task's main score, by which it is ranked"),
        Column("kind"), Column("records", "number"), Column("newest", "date"),
    ]  # fmt: skip
    lines = [_task_line(task, questions) for task, questions in found.tasks.items()]
    return page.made(
        "index.html",
        records=len(rows),
        tokenizers=len({row.record.tokenizer for row in rows}),
        tasks=len(found.tasks),
        newest=max((row.created[:10] for row in rows), default=""),
        table=live_table(page, "tasks", columns, lines, "Tasks with records"),
        suites=suites,
        left_out=list(found.left_out.items()),
    )


def _task_line(task: str, questions: list[Question]) -> list[Any]:
    from tokbench.task import load_task, task_paths

    rows: list[Row] = [row for one in questions for row in one.rows]
    ranked = [row for row in questions[0].rows if row.place and not row.lossy]
    whole = [row for row in ranked if not row.ceiling] or ranked
    best = [row for row in whole if row.place == whole[0].place]
    leader, value = ["—", ""], None
    if best:
        more = f" and {len(best) - 1} more" if len(best) > 1 else ""
        leader, value = [f"{best[0].record.tokenizer}{more}", f"{best[0].stem}.html"], best[0].value
    about = load_task(task).title if task in task_paths() else ""
    return [
        [task, f"tasks/{file_name(task)}.html", about],
        leader, [value, questions[0].main], questions[0].first.about.tokenizer.spec.modality,
        len(rows), max(row.created for row in rows),
    ]  # fmt: skip
