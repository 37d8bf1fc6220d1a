"""A report from its subjects: which sections it has, and how it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from tokbench import own_version
from tokbench.errors import UserError
from tokbench.files import atomic_write
from tokbench.lookup import locate
from tokbench.report.page import GENERATOR, Page, Section
from tokbench.report.subjects import Subject

Sections = Callable[[Page, Sequence[Subject]], Iterator[Section]]
"""Makes the sections of one kind; yields none where the subjects have nothing of it."""

SECTIONS: tuple[str, ...] = (
    "tokbench.report.summary:sections",
    "tokbench.report.comparison:sections",
    "tokbench.report.text:sections",
    "tokbench.report.scores:sections",
    "tokbench.report.image:sections",
    "tokbench.report.audio:sections",
    "tokbench.report.video:sections",
    "tokbench.report.definitions:sections",
    "tokbench.report.provenance:sections",
)
"""In the order of the page."""

LISTING = "report.json"
"""What a report lists its files in, so that the next one into the folder replaces them only."""


def target(out: Path, single: bool = False) -> Path:
    """The page that a report into `out` writes: `out/index.html`, or `out` itself where one
    file is asked for and it is named `*.html`.

    Raises `UserError` where it cannot be written, or something else lies there.
    """
    if single and out.suffix == ".html":
        page, folder = out, out.parent
    else:
        page, folder = out / "index.html", out
        if out.exists() and not out.is_dir():
            hint = "" if single else "; a single page is --single-file --out NAME.html"
            raise UserError(f"--out {out}: is a file; give a folder{hint}")
    above = next(part for part in (folder.absolute(), *folder.absolute().parents) if part.exists())
    if not above.is_dir():
        raise UserError(f"--out {out}: {above} is a file; give another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"--out {out}: no permission to write in {above}")
    if page.is_dir() or (page.exists() and not _ours(page)):
        raise UserError(f"--out {out}: {page} is not a report of tokbench; give another folder")
    return page


def _ours(page: Path) -> bool:
    try:
        with page.open("rb") as file:
            return f'content="{GENERATOR}"'.encode() in file.read(2000)
    except OSError as error:
        raise UserError(f"{page}: cannot read: {error.strerror}") from error


def write(subjects: Sequence[Subject], out: Path, single: bool = False) -> Path:
    """Write `out/index.html` with the files it shows (single: everything in the one page) and
    return its path. Files of an earlier report there are replaced, all others left alone;
    interrupted, it leaves no new file behind."""
    place = target(out, single)
    page = Page(" and ".join([*_listed([subject.name for subject in subjects])]), single)
    sections = [section for name in SECTIONS for section in locate(name)(page, subjects)]
    content = page.html(sections, about=_about(subjects))
    folder = place.parent
    earlier = _earlier(folder) if place.name == "index.html" else []
    files = dict(page.files)
    if files:
        listing = {"generator": GENERATOR, "tokbench": own_version(), "files": sorted(files)}
        files[LISTING] = (json.dumps(listing, indent=1) + "\n").encode()
    new: list[Path] = []
    try:
        for path, data in [*files.items(), (place.name, content)]:  # the page last
            if not (folder / path).exists():
                new.append(folder / path)
            atomic_write(folder / path, data, durable=path == place.name)
    except BaseException:
        for each in new:
            each.unlink(missing_ok=True)
        raise
    for each in earlier:
        if each not in {folder / path for path in files}:
            each.unlink(missing_ok=True)
    return place


def _earlier(folder: Path) -> list[Path]:
    """The files of the report that lies in the folder: below it, none of them a link."""
    try:
        listed = json.loads((folder / LISTING).read_bytes())
        names = listed["files"] if listed["generator"] == GENERATOR else []
        paths = [PurePosixPath(name) for name in [*names, LISTING]]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    kept = [p for p in paths if not p.is_absolute() and ".." not in p.parts]
    found = [folder / path for path in kept]
    inside = folder.resolve()
    return [
        path
        for path in found
        if path.is_file() and path.resolve() == inside / path.relative_to(folder)
    ]


def _listed(names: Sequence[str]) -> list[str]:
    return (
        [", ".join(names[:-1]), names[-1]]
        if 1 < len(names) < 5
        else [", ".join(names[:3])] + ([f"{len(names) - 3} more"] if len(names) > 4 else [])
    )


def _about(subjects: Sequence[Subject]) -> str:
    """When what was measured, and with what."""
    made = [record.provenance for one in subjects for record, _ in one.records.values()]
    days = sorted({each.created[:10] for each in made})
    versions = sorted({each.tokbench for each in made})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    tasks = len({task for one in subjects for task in one.records})
    return f"{tasks} task{'s' * (tasks != 1)}, measured {when} with tokbench {', '.join(versions)}"
