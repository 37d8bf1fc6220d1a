"""Sections on images: galleries, words, faces, curves, codebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokbench.files import slug
from tokbench.report.codebook_map import usage_maps
from tokbench.report.gallery import gallery
from tokbench.report.image_faces import seen_faces
from tokbench.report.image_words import read_words
from tokbench.report.media_curves import disturbed, rate_distortion
from tokbench.report.media_section import filled, media_tasks, room, sample_table, with_task
from tokbench.report.page import Page, Section
from tokbench.report.shown import show
from tokbench.report.subjects import Subject

WORST, DRAWN = 4, 4
"""Images in each gallery."""


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """One section for each task on images."""
    for task in media_tasks(subjects, "image"):
        having = with_task(subjects, task)
        shown = show(task, having, WORST, DRAWN)
        blocks = [
            *gallery(page, shown, room(page, subjects)),
            read_words(page, shown),
            seen_faces(page, shown),
            rate_distortion(page, task, having),
            *disturbed(page, task, having),
            usage_maps(page, shown),
            sample_table(page, shown),
        ]
        yield Section(f"pictures-{slug(task)}", task, filled(page, blocks), "Pictures")
