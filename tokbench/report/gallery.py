"""Galleries of images: original, reconstruction under a slider, amplified difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from tokbench.files import slug
from tokbench.report.media_section import Block, galleries
from tokbench.report.page import Page
from tokbench.report.pictures import (
    SIDES,
    amplification,
    difference,
    lossless,
    summed_error,
    window,
)
from tokbench.report.shown import Place, Shown


class Picture(NamedTuple):
    """One image file of the page."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class View:
    """What one tokenizer made of an image."""

    name: str
    told: str
    output: Picture
    difference: Picture


@dataclass(frozen=True, slots=True)
class Card:
    """An image of the gallery. cut: which part of it is shown, empty for all."""

    key: str
    name: str
    cut: str
    original: Picture
    views: list[View]


@dataclass
class _Row:
    """An image before it is written: the pixels shown of it."""

    place: Place
    name: str
    size: tuple[int, int]
    original: np.ndarray
    outputs: dict[str, np.ndarray]


def gallery(page: Page, shown: Shown, room: int) -> list[Block]:
    """The worst images and some drawn at random, cut where a single file has no room for them."""
    rows = []
    for place, versions in shown.versions().items():
        sample = next(iter(versions.values())).sample
        assert sample.data is not None
        outputs = {name: pair.output for name, pair in versions.items()}
        rows.append(_Row(place, sample.name, sample.data.shape[:2], sample.data, outputs))
    both = [(row.original, output) for row in rows for output in row.outputs.values()]
    factor = amplification(both)
    rows, files, side = _within(rows, factor, room)
    cards = {
        row.place: _card(page, shown, row, file) for row, file in zip(rows, files, strict=True)
    }
    notes = []
    if side:
        notes.append(
            f"To keep this file small, each picture is cut to the {side} × {side} pixels in "
            "which the reconstructions differ most; a report without --single-file has them whole."
        )
    dialog = f"zoom-{slug(shown.task)}"
    blocks = galleries(
        page, shown, "pictures", "image_gallery.html", cards, notes, factor=factor, dialog=dialog
    )
    if cards:
        last = blocks[-1]
        blocks[-1] = Block(last.title, last.body + _dialog(page, dialog, factor), last.notes)
    return blocks


def _dialog(page: Page, key: str, factor: int) -> Markup:
    return page.fill("image_zoom.html", key=key, factor=factor)


Files = list[tuple[str, bytes]]


def _within(rows: list[_Row], factor: int, room: int) -> tuple[list[_Row], list[Files], int]:
    """The rows and their files; cut to the largest side with which they fit (0: whole)."""
    values = sum(row.original.nbytes * (1 + 2 * len(row.outputs)) for row in rows)
    if not room or values < room:  # lossless files are hardly larger than half of the values
        files = [_files(row, factor) for row in rows]
        if not room or _taken(files) <= room:
            return rows, files, 0
    tables = [summed_error(row.original, list(row.outputs.values())) for row in rows]
    pictures = sum(1 + 2 * len(row.outputs) for row in rows)
    # At a byte and a half for each pixel, about what photographs with their noise take.
    guess = (room / (2 * pictures)) ** 0.5
    for side in [side for side in SIDES if side <= 2 * guess] or SIDES[-1:]:
        cut = [_cut(row, table, side) for row, table in zip(rows, tables, strict=True)]
        files = [_files(row, factor) for row in cut]
        if _taken(files) <= room:
            break
    return cut, files, side


def _taken(files: list[Files]) -> int:
    """Characters as data URLs."""
    return sum(len(content) * 4 // 3 for each in files for _, content in each)


def _cut(row: _Row, table: np.ndarray, side: int) -> _Row:
    y, x = window(table, side)
    outputs = {name: output[y, x] for name, output in row.outputs.items()}
    return _Row(row.place, row.name, row.size, row.original[y, x], outputs)


def _files(row: _Row, factor: int) -> Files:
    """The original, then of each tokenizer reconstruction and difference."""
    found = [lossless(row.original)]
    for output in row.outputs.values():
        found += [lossless(output), lossless(difference(row.original, output, factor))]
    return found


def _card(page: Page, shown: Shown, row: _Row, files: Sequence[tuple[str, bytes]]) -> Card:
    height, width = row.original.shape[:2]
    key = f"{slug(shown.task)}-{row.place[0]}-{row.place[1]}"
    order = {subject.name: number for number, subject in enumerate(shown.subjects, 1)}

    def picture(what: str, file: tuple[str, bytes]) -> Picture:
        return Picture(page.url(f"pictures/{key}-{what}.{file[0]}", file[1]), width, height)

    views = []
    for number, name in enumerate(row.outputs):
        output, apart = files[1 + 2 * number : 3 + 2 * number]
        told = shown.measure.told(shown.value(name, row.place)) if shown.measure else ""
        views.append(
            View(
                name, told, picture(f"{order[name]}", output),
                picture(f"{order[name]}-difference", apart),
            )
        )  # fmt: skip
    whole = (height, width) == row.size
    cut = "" if whole else f"{width} × {height} of {row.size[1]} × {row.size[0]} pixels"
    return Card(key, row.name, cut, picture("original", files[0]), views)
