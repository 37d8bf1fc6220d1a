"""Sections on videos: strips and loops, curves, codebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokbench.files import slug
from tokbench.report.codebook_map import usage_maps
from tokbench.report.films import films
from tokbench.report.media_curves import rate_distortion
from tokbench.report.media_section import filled, media_tasks, room, sample_table, with_task
from tokbench.report.page import Page, Section
from tokbench.report.shown import show
from tokbench.report.subjects import Subject

WORST, DRAWN = 2, 2
"""Clips of each kind."""


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section for each task on videos."""
    for task in media_tasks(subjects, "video"):
        having = with_task(subjects, task)
        shown = show(task, having, WORST, DRAWN)
        blocks = [
            *films(page, shown, room(page, subjects)),
            rate_distortion(page, task, having),
            usage_maps(page, shown),
            sample_table(page, shown),
        ]
        yield Section(f"films-{slug(task)}", task, filled(page, blocks), "Video")
