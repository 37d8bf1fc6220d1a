"""Words cut out of pictures by the size of their letters, with what a probe reads in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tokbench.errors import UserError
from tokbench.files import slug
from tokbench.image.words import Word, crop, scale, words_of
from tokbench.metrics.image.words import BUCKETS, EDGES, WordReading, bucket, similarity
from tokbench.probes.ocr import TextProbe, kept_readings, text_probe
from tokbench.report.marked import Piece, letters
from tokbench.report.media_section import Block
from tokbench.report.page import Page
from tokbench.report.pictures import lossless
from tokbench.report.shown import Place, Shown

EACH = 6
"""Words of each bucket that are shown."""
TITLE = "Words and what was read"


class Crop(NamedTuple):
    """A word as one picture shows it."""

    url: str
    width: int
    height: int
    pieces: list[Piece]
    similarity: float


class Found(NamedTuple):
    """A word of the gallery: its truth, then the original and each tokenizer."""

    text: str
    crops: list[Crop]


def read_words(page: Page, shown: Shown) -> Block | None:
    """Some words of the shown pictures, by bucket; None where the task reads none."""
    uses = [m for m in shown.subjects[0].tasks[shown.task].made if isinstance(m, WordReading)]
    names = [subject.name for subject in shown.shown if shown.media[subject.name].outputs]
    if not uses:
        return None
    if not names:
        return Block(TITLE, notes=("No words: no tokenizer shows pictures here.",))
    use = uses[0]
    try:
        probe = text_probe(use.probe)
        chosen = _chosen(shown, names, use.resolution)
    except UserError as error:
        return Block(TITLE, notes=(f"No words: {error}.",))
    if not any(chosen.values()):
        return Block(TITLE, notes=("No words: none is annotated in the pictures shown.",))
    tables = [
        (size, low, high, _read(page, shown, names, probe, picks, f"{slug(shown.task)}-{size}"))
        for (size, picks), low, high in zip(
            chosen.items(), EDGES[use.resolution], EDGES[use.resolution][1:], strict=False
        )
    ]
    body = page.fill("image_words.html", tables=tables, names=names, probe=use.probe)
    return Block(TITLE, body)


def _chosen(shown: Shown, names: list[str], resolution: int) -> dict[str, list[tuple[Place, Word]]]:
    """Words by bucket, drawn with a seed from those that every tokenizer's pictures have."""
    pairs = [shown.pairs(name) for name in names]
    found: dict[str, list[tuple[Place, Word]]] = {size: [] for size in BUCKETS}
    for place in shown.places:
        if not all(place in each for each in pairs):
            continue
        sample = pairs[0][place].sample
        assert sample.data is not None
        for word in words_of(sample):
            number = bucket(scale(word, *sample.data.shape[:2]), resolution)
            if number is not None:
                found[BUCKETS[number]].append((place, word))
    draw = random.Random(f"{shown.task} words")
    return {size: draw.sample(each, min(EACH, len(each))) for size, each in found.items()}


def _read(
    page: Page,
    shown: Shown,
    names: list[str],
    probe: TextProbe,
    picks: Sequence[tuple[Place, Word]],
    key: str,
) -> list[Found]:
    """Each word on the original and in every reconstruction, the worst read first."""
    columns: list[list[tuple[np.ndarray, str]]] = []
    for number, name in enumerate(["", *names]):
        pairs: dict[Place, Any] = shown.pairs(name or names[0])
        pictures = [pairs[p].output if number else pairs[p].sample.data for p, _ in picks]
        cuts = [crop(q, word.box) for q, (_, word) in zip(pictures, picks, strict=True)]
        if number:
            texts = probe.recognise(cuts) if cuts else []
        else:
            texts = [
                kept_readings(probe, q, [word.box])[0]
                for q, (_, word) in zip(pictures, picks, strict=True)
            ]
        columns.append(list(zip(cuts, texts, strict=True)))
    rows = []
    for number, (_, word) in enumerate(picks):
        crops = []
        for place, column in enumerate(columns):
            cut, text = column[number]
            form, content = lossless(cut)
            url = page.url(f"pictures/words-{key}-{number}-{place}.{form}", content)
            height, width = cut.shape[:2]
            pieces = letters(word.text, text)
            crops.append(Crop(url, width, height, pieces, similarity(word.text, text)))
        rows.append(Found(word.text, crops))
    return sorted(rows, key=lambda row: sum(c.similarity for c in row.crops[1:]))
