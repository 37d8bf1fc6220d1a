"""A report from its subjects: which sections it has, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tokbench.files import atomic_write
from tokbench.lookup import locate
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject

Sections = Callable[[Page, Sequence[Subject]], Iterator[Section]]
"""Makes the sections of one kind; yields none where the subjects have nothing of it."""

SECTIONS: tuple[str, ...] = ("tokbench.report.scores:sections", "tokbench.report.text:sections")
"""In the order of the page."""


def write(subjects: Sequence[Subject], out: Path, single: bool = False) -> Path:
    """Write `out/index.html` with the files it shows (single: everything in the one page) and
    return its path. Files that are not part of the report are left alone."""
    page = Page(", ".join(subject.name for subject in subjects), single)
    sections = [section for place in SECTIONS for section in locate(place)(page, subjects)]
    content = page.html(sections, subjects=subjects)
    for path, data in page.files.items():
        atomic_write(out / path, data)
    atomic_write(out / "index.html", content)
    return out / "index.html"
