"""Where tokens begin and where text is dark: what positions in the source are judged by."""

from __future__ import annotations

import numpy as np

from tokbench.statistics import EncodedText

WHITE = np.zeros(256, dtype=bool)
WHITE[[9, 10, 11, 12, 13, 32]] = True
"""ASCII white space."""


class Marks:
    """Token starts and white space of a batch, for looking up spans of its bytes at once.

    begins: True at bytes where a token with bytes starts. before[p]: token starts before p.
    white: ASCII white space; what stands between two samples is not.
    """

    @classmethod
    def of(cls, encoded: EncodedText) -> Marks:
        """The marks of a batch, made once for all statistics."""
        if "marks" not in encoded.shared:
            encoded.shared["marks"] = cls(encoded)
        return encoded.shared["marks"]

    def __init__(self, encoded: EncodedText):
        batch, spans = encoded.batch, encoded.spans
        real = spans.stops > spans.starts
        self.starts, self.stops = spans.starts[real], spans.stops[real]
        self.sample = encoded.token_sample[real]
        size = len(batch.data)
        self.begins = np.zeros(size + 1, dtype=bool)
        self.begins[self.starts] = True
        self.before = counted(self.begins)
        self.white = WHITE[batch.data]
        self._between = np.zeros(size + 1, dtype=bool)
        self._between[batch.starts - 1] = True
        self._between[size] = True
        self.white[batch.starts - 1] = False
        place = np.arange(size + 1, dtype=np.int32)
        seen = np.where(self.white, np.int32(-1), place[:-1])
        self._last = np.maximum.accumulate(seen, out=seen)
        place[:-1][self.white] = size
        self._next = np.minimum.accumulate(place[::-1], out=place[::-1])[::-1]

    def dark_at(self, places: np.ndarray) -> np.ndarray:
        """The first byte at or after each place that is not white."""
        return self._next.take(places)

    def dark_end(self, places: np.ndarray) -> np.ndarray:
        """One past the last byte before each place that is not white."""
        return self._last.take(places - 1) + 1

    def cuts(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """Token starts strictly inside each span."""
        return self.before.take(np.maximum(stops, starts + 1)) - self.before.take(starts + 1)

    def start_aligned(self, starts: np.ndarray) -> np.ndarray:
        """Does the token of each place start there, white space before it aside?"""
        return self.before.take(starts + 1) > self.before.take(self.dark_end(starts))

    def stop_aligned(self, stops: np.ndarray) -> np.ndarray:
        """Does the token of the byte before each place end there, white space after it aside?"""
        following = self._next.take(stops)
        ends = self._between.take(following)
        following = np.minimum(following, len(self.before) - 2)
        return ends | (self.before.take(following + 1) > self.before.take(stops))


def counted(marks: np.ndarray) -> np.ndarray:
    """How many marks stand before each place: one longer than `marks`."""
    before = np.zeros(len(marks) + 1, dtype=np.int32)
    np.cumsum(marks, out=before[1:])
    return before


def inside(places: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Boolean marks at `places`, counted strictly inside each span."""
    before = counted(places)
    return before.take(np.maximum(stops, starts + 1)) - before.take(starts + 1)


def lost(encoded: EncodedText, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Which of these byte spans an UNK token touches: what is lost has no cuts to judge."""
    ids, spans, unknown = encoded.codes.ids.values, encoded.spans, encoded.tokenizer.unknown
    at = np.flatnonzero(ids == unknown) if unknown is not None else ()
    if not len(at):
        return np.zeros(len(starts), dtype=bool)
    depth = np.zeros(len(encoded.batch.data) + 1, dtype=np.int64)
    np.add.at(depth, spans.starts[at], 1)
    np.add.at(depth, spans.stops[at], -1)
    under = counted(np.cumsum(depth) > 0)
    return under[stops] > under[starts]
