"""What noise does to a tokenization: boundaries moved outside the edits, tokens added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from tokbench.derived import derived
from tokbench.evidence import Failure
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.pooled import pooled, total
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.alignment import Boundaries, agreement
from tokbench.text.perturb import EVERY, PERTURBATIONS, TYPOS, VERSION, perturb
from tokbench.types import Score

_COUNTED = ("applied", "before", "after", "placed", "both", "either", "moved")
TOGETHER = 1 << 17
"""Bytes of the samples that are perturbed and encoded together: bounds the memory."""


def perturbations(encoded: EncodedText) -> Statistic:
    """The samples under every perturbation, as columns `NAME-…`: `applied` (it changes the
    sample), of those the tokens `before` and `after`, `placed` (token positions known in both),
    boundaries outside the edits that `both` or `either` have, and `moved` (they are not equal)."""
    samples = len(encoded.batch)
    columns = {
        f"{name}-{what}": np.zeros(samples, dtype=np.int64)
        for name in PERTURBATIONS
        for what in _COUNTED
    }
    failures: dict[str, Failure] = {}
    if not encoded.batch.raw_bytes and samples:
        old = Boundaries(encoded)
        for some in _handfuls(encoded.batch.sizes):
            _compare(encoded, old, some, columns, failures)
    return Statistic(columns, failures=failures)


def _handfuls(sizes: np.ndarray) -> list[np.ndarray]:
    """Samples of about `TOGETHER` bytes at a time."""
    number = np.cumsum(sizes) // TOGETHER
    return np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(number)) + 1)


def _compare(
    encoded: EncodedText,
    old: Boundaries,
    some: np.ndarray,
    columns: dict[str, np.ndarray],
    failures: dict[str, Failure],
) -> None:
    """Fills the columns of some samples. All their perturbations are encoded in one call and
    compared together: calls for a few texts each would cost more than the texts."""
    made = [
        (row, name, noisy)
        for row in some.tolist()
        for name in PERTURBATIONS
        if (noisy := perturb(name, encoded.batch.texts[row])) is not None
    ]
    source = np.array([row for row, _, _ in made], dtype=np.int64)
    names = [name for _, name, _ in made]
    new, good = derived(encoded, source, [noisy.text for _, _, noisy in made], names, failures)
    if not len(good):
        return
    rows, kept = source[good], [made[place][2].spans for place in good.tolist()]
    owner = np.repeat(np.arange(len(kept)), [len(spans) for spans in kept])
    name = np.array(names)[good]
    whole = np.isin(name, [each for each, how in PERTURBATIONS.items() if how.whole])
    boundaries = Boundaries(new)
    both, either = agreement(old, boundaries, rows, owner, np.concatenate(kept), whole)
    placed = old.known[rows] & boundaries.known
    found = {
        "applied": np.ones(len(rows), np.int64), "before": encoded.counts[rows],
        "after": new.counts, "placed": placed, "both": both * placed, "either": either * placed,
        "moved": (both != either) & placed,
    }  # fmt: skip
    for each in PERTURBATIONS:
        at = np.flatnonzero(name == each)
        for what, values in found.items():
            columns[f"{each}-{what}"][rows[at]] = values[at]


class _UnderNoise(Metric):
    """A ratio of sums over the samples that a perturbation changes.

    Without a facet and by language: the four typos together; then every perturbation by itself
    over all languages. A sample that a perturbation does not change is in none of its sums.
    """

    statistics = ("perturbations",)
    aggregation = "ratio of sums"
    tags = {"perturbations": str(VERSION), "every": str(EVERY)}
    top: ClassVar[str]
    bottom: ClassVar[str]
    entered: ClassVar[str]

    def result(self, measured: Measured) -> Iterator[Score]:
        yield self._score(measured, self.name, TYPOS)
        if measured.grouped:
            for g, label in enumerate(measured.groups):
                yield self._score(measured, f"{self.name}/{label}", TYPOS, g)
        for name in PERTURBATIONS:
            yield self._score(measured, f"{self.name}/{name}", (name,))

    def _score(
        self, measured: Measured, score: str, names: Sequence[str], group: int | None = None
    ) -> Score:
        def columns(what: str) -> list[str]:
            return [f"{name}-{what}" for name in names]

        samples = len(names) * total(measured, ["samples"], group)
        applied = total(measured, columns("applied"), group)
        n = total(measured, columns(self.entered), group)
        notes = []
        if applied < samples:
            notes.append(f"{samples - applied:,} of {samples:,} left out: nothing to change")
        if n < applied:
            notes.append(f"{applied - n:,} of {samples:,} left out: token positions unknown")
        refused = "no boundary to compare" if n else "; ".join(notes)
        return pooled(
            measured, score, columns(self.top), columns(self.bottom), n,
            self.unit, self.better, refused, "; ".join(notes), group,
        )  # fmt: skip


class Stability(_UnderNoise):
    """Jaccard index of the token boundaries of the original and of the perturbed sample, by
    bytes, outside the edits: boundaries at aligned positions that both have, divided by those
    that either has, both summed over samples. 1: what is not edited is cut as before.

    Local perturbations (typos, OCR, white space, emoji, zero-width) make one edit for each 50
    characters; positions that touch an edit are left out. Casing, diacritics and normal forms
    change every character (grapheme cluster) that they can; old and new are aligned at its
    edges too. Casing is Unicode's, without language rules. n: perturbed samples; samples in
    which there is nothing to change are left out, and the note counts them. `stability` and
    `stability/LANGUAGE` sum the four typos: `swap`, `delete`, `insert`, `substitute`;
    the other facets are one perturbation over all languages: these, `ocr`; `lower`, `upper`,
    `title`; `diacritics`, `nfc`, `nfd`; `double-blank`, `tab`, `no-break-space`,
    `trailing-blank`; `emoji`, `emoji-zwj`; `zero-width-space`, `soft-hyphen`. What is edited
    depends on the sample's text alone."""

    name = "stability"
    unit, better = "share", "higher"
    reference = "tokbench: boundary stability under perturbation, byte-exact"
    top, bottom, entered = "both", "either", "placed"


class Disturbed(_UnderNoise):
    """Share of the perturbed samples in which any token boundary outside the edits moved.
    Perturbations, alignment and facets are those of `stability`. Longer samples hold more
    edits and more boundaries: compare on the same data."""

    name = "disturbed"
    unit, better = "share", "lower"
    reference = Stability.reference
    top, bottom, entered = "moved", "placed", "placed"


class Surcharge(_UnderNoise):
    """Tokens of the perturbed samples divided by tokens of the same samples as they were, both
    summed over the samples that the perturbation changes: what noise costs. Below 1 where less
    is left to encode (`delete`). Perturbations and facets are those of `stability`."""

    name = "surcharge"
    unit, better = "ratio", "lower"
    reference = "tokbench: token surcharge under perturbation; NFC/NFD and diacritics surcharge"
    top, bottom, entered = "after", "before", "applied"
