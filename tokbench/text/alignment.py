"""Where two tokenizations of almost the same text agree, by bytes outside the edits."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tokbench.statistics import EncodedText
from tokbench.text.batch import TextBatch


class Boundaries:
    """Token boundaries of a batch: bytes before which a token begins or after which one ends,
    those inside the samples alone (both ends of a sample are boundaries of any tokenizer)."""

    def __init__(self, encoded: EncodedText):
        self.batch, self.known = encoded.batch, encoded.spans.known
        spans, batch = encoded.spans, encoded.batch
        real = spans.stops > spans.starts
        found = np.zeros(len(batch.data) + 1, dtype=bool)
        found[spans.starts[real]] = True
        found[spans.stops[real]] = True
        found[batch.starts] = found[batch.stops] = False
        self.at = found

    @cached_property
    def characters(self) -> Characters:
        return Characters(self.batch)


class Characters:
    """Byte positions of characters by sample and number, in the batch's buffer."""

    def __init__(self, batch: TextBatch):
        firsts = np.flatnonzero((batch.data & 0xC0) != 0x80)
        self._bytes = np.append(firsts, len(batch.data))
        self._before = np.searchsorted(firsts, batch.starts)

    def byte(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """First byte of a sample's character, one past the sample for its number of them."""
        return self._bytes[self._before[rows] + numbers]


def agreement(
    old: Boundaries,
    new: Boundaries,
    rows: np.ndarray,
    owner: np.ndarray,
    spans: np.ndarray,
    edges: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Boundaries at aligned positions: for each sample of `new`, how many both tokenizations
    have, and how many either has.

    rows: the sample of `old` that each sample of `new` was made from, ascending.
    owner, spans: for each edit its sample in `new` and characters [start, stop) in old and new
        text, in order. What lies between the edits is the same bytes, aligned one by one.
    edges: is a position that touches an edit aligned as well?
    """
    a, b = (old.characters.byte(rows[owner], spans[:, k]) for k in (0, 1))
    c, d = (new.characters.byte(owner, spans[:, k]) for k in (2, 3))
    # The runs between edits; positions in the buffers ascend with samples and within them.
    old_starts = np.sort(np.concatenate((old.batch.starts[rows], b)), kind="stable")
    old_stops = np.sort(np.concatenate((a, old.batch.stops[rows])), kind="stable")
    new_starts = np.sort(np.concatenate((new.batch.starts, d)), kind="stable")
    new_stops = np.sort(np.concatenate((c, new.batch.stops)), kind="stable")
    lengths = old_stops - old_starts
    if not (lengths == new_stops - new_starts).all():
        raise ValueError("old and new text differ outside the edits")
    counts = lengths + 1 if edges else np.maximum(lengths - 1, 0)
    shift = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    shift += 0 if edges else 1
    before = old.at[np.repeat(old_starts, counts) + shift]
    after = new.at[np.repeat(new_starts, counts) + shift]
    samples = np.searchsorted(new.batch.starts, new_starts, side="right") - 1
    sample = np.repeat(samples, counts)
    both = np.bincount(sample, before & after, minlength=len(new.batch)).astype(np.int64)
    either = np.bincount(sample, before | after, minlength=len(new.batch)).astype(np.int64)
    return both, either
