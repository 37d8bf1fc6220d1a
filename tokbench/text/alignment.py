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
    edges: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Boundaries at aligned positions: for each sample of `new`, how many both tokenizations
    have, and how many either has.

    rows: the sample of `old` that each sample of `new` was made from.
    owner, spans: for each edit its sample in `new` and characters [start, stop) in old and new
        text, in order. What lies between the edits is the same bytes, aligned one by one.
    edges: of each sample of `new`, is a position that touches an edit aligned as well?
    """
    a, b = (old.characters.byte(rows[owner], spans[:, k]) for k in (0, 1))
    c, d = (new.characters.byte(owner, spans[:, k]) for k in (2, 3))
    # The runs between edits: one more for each sample than it has edits.
    count, edits = len(rows), np.arange(len(owner))
    runs = np.bincount(owner, minlength=count) + 1
    last = np.cumsum(runs)
    after, first = (
        edits + owner + 1,
        last - runs,
    )  # the run after an edit, that a sample begins with
    old_starts, old_stops, new_starts, new_stops = np.empty((4, int(runs.sum())), np.int64)
    old_starts[first], old_starts[after] = old.batch.starts[rows], b
    new_starts[first], new_starts[after] = new.batch.starts, d
    old_stops[last - 1], old_stops[after - 1] = old.batch.stops[rows], a
    new_stops[last - 1], new_stops[after - 1] = new.batch.stops, c
    samples = np.repeat(np.arange(count), runs)
    lengths = old_stops - old_starts
    if not (lengths == new_stops - new_starts).all():
        raise ValueError("old and new text differ outside the edits")
    touching = edges[samples]
    counts = np.where(touching, lengths + 1, np.maximum(lengths - 1, 0))
    shift = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    inside = ~touching
    one = old.at[np.repeat(old_starts + inside, counts) + shift]
    other = new.at[np.repeat(new_starts + inside, counts) + shift]
    sample = np.repeat(samples, counts)
    both = np.bincount(sample, one & other, minlength=count).astype(np.int64)
    either = np.bincount(sample, one | other, minlength=count).astype(np.int64)
    return both, either
