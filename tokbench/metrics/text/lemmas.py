"""Lemmas: are they one piece by themselves, and is an inflected word cut where they end?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.text.morphemes import gold_words
from tokbench.metrics.text.morphology import ALTINOK, OfGold, why_not
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.batch import TextBatch
from tokbench.text.gold import JOIN
from tokbench.types import Score

ALTERNATING = "tur_Latn"
"""The language whose stems may differ from the lemma in their last consonant (kitap, kitabı)."""


def lemmas(encoded: EncodedText) -> Statistic:
    """`lemmas` encoded by themselves at known positions, `lemmas-single` (one piece, by bytes);
    `lemma-ends` strictly inside their word, `lemma-ends-cut` of them."""
    notes = encoded.batch.notes or []
    named = [note.get("lemma", "") for note in notes]
    alone = _alone(encoded, ["" if JOIN in lemma else lemma for lemma in named])
    words = gold_words(encoded)
    rows, places = [], []
    for row, start, stop in zip(
        words.row.tolist(), words.start.tolist(), words.stop.tolist(), strict=True
    ):
        end = _lemma_end(notes[row], encoded.groups[int(encoded.batch.group[row])])
        if end is not None and start + end < stop:
            rows.append(row)
            places.append(start + end)
    row_of, place = np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64)
    return Statistic(
        {
            "lemmas": encoded.by_sample(np.flatnonzero(alone >= 0)),
            "lemmas-single": encoded.by_sample(np.flatnonzero(alone == 1)),
            "lemma-ends": encoded.by_sample(row_of),
            "lemma-ends-cut": encoded.by_sample(row_of[words.cut_at(place)]),
        }
    )


def _alone(encoded: EncodedText, found: list[str]) -> np.ndarray:
    """For each sample: is its lemma one piece (1) or several (0) when encoded as the samples
    are, after a space or not? -1 where there is none or its positions are not known."""
    batch = encoded.batch
    verdict = np.full(len(batch), -1, dtype=np.int64)
    rows = np.array([row for row, lemma in enumerate(found) if lemma], dtype=np.int64)
    if not len(rows):
        return verdict
    spaces = [" " if batch.texts[row].startswith(" ") else "" for row in rows]
    texts = [space + found[row] for space, row in zip(spaces, rows, strict=True)]
    distinct, place = np.unique(np.array(texts, dtype=object), return_inverse=True)
    zeros = np.zeros(len(distinct), dtype=np.int64)
    notes = [{"segmentation": text.lstrip(" ")} for text in distinct]
    own = TextBatch(list(distinct), zeros, zeros, notes=notes)
    codes = encoded.tokenizer.encode(own.texts)
    whole = gold_words(EncodedText(encoded.tokenizer, own, codes, [""]))
    single = np.full(len(distinct), -1, dtype=np.int64)
    single[whole.row] = whole.inside(whole.start, whole.stop) == 0
    verdict[rows] = single[place]
    return verdict


def _lemma_end(note: dict[str, str], group: str) -> int | None:
    """Where the lemma ends in its word, in bytes; None where it does not begin the word. In
    Turkish a stem as long as its lemma counts for it, if they differ in the last letter alone."""
    lemma, pieces = note.get("lemma", ""), note["segmentation"].split(JOIN)
    if lemma and "".join(pieces).startswith(lemma):
        return len(lemma.encode())
    stem = pieces[0]
    if (
        group == ALTERNATING
        and note.get("stem_index") == "0"
        and len(stem) == len(lemma)
        and stem[:-1] == lemma[:-1]
    ):
        return len(stem.encode())
    return None


class Lemmas(OfGold):
    """`lemma-atomicity`: share of the words' lemmas that are one piece when encoded by
    themselves. `lemma-boundary`: share of the words longer than their lemma that are cut where
    it ends; words that do not begin with their lemma are left out, but in Turkish a stem that
    the gold marks and that differs in its last letter alone stands for it (kitap, kitab-ı)."""

    name = "lemmas"
    statistics = ("morphemes", "lemmas")
    unit, better, aggregation = "share", "higher", "ratio of sums"
    reference = ALTINOK

    def result(self, measured: Measured) -> Iterator[Score]:
        for name, top, bottom, why in (
            ("lemma-atomicity", "lemmas-single", "lemmas", "the data names no lemma"),
            (
                "lemma-boundary", "lemma-ends-cut", "lemma-ends",
                "the data names no lemma that one of its words begins with and goes on after",
            ),
        ):  # fmt: skip
            refused = why_not(measured, bottom, why)
            yield from measured.ratio(name, top, bottom, self.unit, self.better, refused)
