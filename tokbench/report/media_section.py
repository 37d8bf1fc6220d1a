"""A section on images or clips: what both have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from tokbench.files import slug
from tokbench.report.page import Page
from tokbench.report.per_sample import cell, measures
from tokbench.report.shown import Place, Shown
from tokbench.report.subjects import Subject

ROOM = 6_500_000
"""Characters of a single file that its pictures and clips may take, all sections together."""
LONGEST_TABLE = 500
"""Rows of a table of samples, the worst first."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a section under a heading of its own. notes: lines on what is missing, and why."""

    title: str
    body: Markup = field(default_factory=Markup)
    notes: tuple[str, ...] = ()


def galleries(
    page: Page,
    shown: Shown,
    what: str,
    template: str,
    cards: Mapping[Place, object],
    notes: Sequence[str] = (),
    **values: object,
) -> list[Block]:
    """The worst samples and those drawn, each a card of the template, which is given `values`
    too; what is not there is said in the first block. what: "clips", say."""
    notes = (*absent(shown), *notes)
    if not cards:
        return [Block(what.capitalize(), notes=notes or (f"No {what} can be shown.",))]
    how = f"by {shown.measure.name}" if shown.measure else ""
    if how and len(shown.values) > 1:
        how += ", mean of the tokenizers"
    if not how:
        notes += (f"No per-sample scores: the worst {what} cannot be told.",)
    blocks: list[Block] = []
    for title, places, about in (
        ("Worst", shown.worst, how),
        ("Drawn at random", shown.drawn, "the same for every tokenizer"),
    ):
        listed = [cards[place] for place in places if place in cards]
        if listed:
            body = page.fill(template, cards=listed, about=about, first=not blocks, **values)
            blocks.append(Block(title, body, () if blocks else notes))
    return blocks


def room(page: Page, subjects: Sequence[Subject]) -> int:
    """Characters that the samples of one task may take; 0 for as many as they need."""
    media = {
        t for s in subjects for t in s.tasks if s.tasks[t].modality in ("image", "audio", "video")
    }
    return ROOM // max(len(media), 1) if page.single else 0


def with_task(subjects: Sequence[Subject], task: str) -> list[Subject]:
    """The subjects that have a record of the task."""
    return [subject for subject in subjects if task in subject.records]


def media_tasks(subjects: Sequence[Subject], modality: str) -> list[str]:
    """The tasks of a modality, in the order of the records."""
    found = dict.fromkeys(task for subject in subjects for task in subject.records)
    wanted = {t for s in subjects for t in s.tasks if s.tasks[t].modality == modality}
    return [task for task in found if task in wanted]


def absent(shown: Shown) -> tuple[str, ...]:
    """One line for each tokenizer that shows nothing."""
    return tuple(f"{name}: no samples: {why}" for name, why in shown.absent.items())


def sample_table(page: Page, shown: Shown) -> Block | None:
    """Every sample with its numbers, the worst first; None where no evidence lies beside the
    records. Names are known of the samples shown."""
    title = "Sample by sample"
    rows, header, left = [], [], ""
    known = {s: v for s, v in shown.values.items() if v.evidence.block == 1}
    if not known:
        why = (
            "the samples are summed in blocks"
            if shown.values
            else "samples.parquet is not beside the records"
        )
        return Block(title, notes=(f"No table of samples: {why}.",))
    names = {
        place: pair.sample.name
        for subject in shown.media
        for place, pair in shown.pairs(subject).items()
    }
    for subject, samples in known.items():
        evidence = samples.evidence
        main = shown.subjects[0].records[shown.task][0].about.task.main
        columns = measures(main, evidence.columns)
        if not columns:
            return None
        header = [f"{m.name}{f' ({m.unit})' if m.unit != '1' else ''}" for m in columns]
        table = np.stack([measure.of(evidence) for measure in columns], 1)
        places = zip(evidence.group.tolist(), evidence.index.tolist(), strict=True)
        for (group, index), values in zip(places, table.tolist(), strict=True):
            name = names.get((group, index), "")
            label = samples.groups[group] if len(samples.groups) > 1 else ""
            rows.append([subject, label, index, name, *map(cell, values)])
        sign = 1 if columns[0].better == "higher" else -1
    rows.sort(key=lambda row: (row[4] is None, sign * (row[4] or 0.0), row[0], row[1], row[2]))
    if len(rows) > LONGEST_TABLE:
        left = f"The worst {LONGEST_TABLE:,} of {len(rows):,} rows."
    head = ["tokenizer", "group", "number", "name", *header]
    keep = [n for n in range(len(head)) if n not in (1, 3) or any(row[n] for row in rows)]
    if len(known) == 1:
        keep.remove(0)
    cells = [[row[n] for n in keep] for row in rows[:LONGEST_TABLE]]
    right = [place for place, n in enumerate(keep) if n == 2 or n > 3]
    table_name = f"samples-{slug(shown.task)}"
    body = page.table(table_name, [head[n] for n in keep], cells, right=right)
    return Block(title, body, (left,) if left else ())


def filled(page: Page, blocks: Sequence[Block | None], lead: str = "") -> Markup:
    """The blocks one after the other."""
    return page.fill("media_section.html", blocks=[b for b in blocks if b], lead=lead)
