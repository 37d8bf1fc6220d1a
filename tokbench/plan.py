"""The shard plan: which samples each shard holds. A function of data and task alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tokbench.dataset import Dataset
from tokbench.errors import UserError
from tokbench.media import MediaBatch
from tokbench.media_parts import MediaPart
from tokbench.parts import Joined, Slice
from tokbench.task import Task
from tokbench.text.batch import TextBatch

Shard = tuple[Slice, ...]

SLICE_SAMPLES, SLICE_BYTES = 1024, 512 << 10
"""The most that is encoded and measured at once: its arrays stay in the processor's cache."""

BATCH, BATCH_BYTES = 16, 16 << 20
"""The most images or clips, and bytes of them, that go through a tokenizer together."""

OF_VIDEO = 1, 1 << 62
"""Clips go through alone, however long: one is held and never a set."""

CACHED = 256 << 20
"""Bytes of the largest dataset whose word positions are kept on disk (about twice its size)."""


@dataclass
class Source:
    """A dataset cut the way a task wants it."""

    dataset: Dataset
    task: Task

    def __post_init__(self) -> None:
        self.parts = self.dataset.parts
        if self.task.unit == "joined":
            self.parts = [Joined(part) for part in self.parts]
        self.cached = sum(part.size() for part in self.parts) <= CACHED

    @property
    def slice_limits(self) -> tuple[int, int]:
        """Samples and bytes of a slice at most."""
        of_modality = {"text": (SLICE_SAMPLES, SLICE_BYTES), "video": OF_VIDEO}
        return of_modality.get(self.task.modality, (BATCH, BATCH_BYTES))

    def planned(self, limit: int | None) -> Iterable[Shard]:
        """All shards; of large data as they are asked for, while the first are measured, so that
        neither time nor memory is spent on the plan alone."""
        return self.plan(limit) if self.cached else self.shards(limit)

    def first_of_each(self, limit: int | None) -> int | None:
        """How many samples of each group are measured, the task's bound and `limit` together;
        None for all."""
        if not self.task.most_samples:
            return limit
        share = max(1, self.task.most_samples // max(1, len(self.parts)))
        return share if limit is None else min(share, limit)

    def plan(self, limit: int | None) -> list[Shard]:
        """All shards."""
        return list(self.shards(limit))

    def shards(self, limit: int | None) -> Iterator[Shard]:
        """Shards of at most `shard_samples` samples and `shard_bytes` bytes, in order.

        `limit` keeps the first samples of every group. Raises `UserError` for an empty dataset.
        """
        limit = self.first_of_each(limit)
        most, most_bytes = self.task.shard_samples, self.task.shard_bytes
        slice_most, slice_bytes = self.slice_limits
        found = False
        waiting: list[Slice] = []
        samples = size = 0
        for number, part in enumerate(self.parts):
            for piece in part.slices(
                number, min(most, slice_most), min(most_bytes, slice_bytes), limit
            ):
                samples, size = samples + piece.count, size + piece.size
                if waiting and (samples > most or size > most_bytes):
                    yield tuple(waiting)
                    waiting, samples, size = [], piece.count, piece.size
                waiting.append(piece)
                found = True
        if waiting:
            yield tuple(waiting)
        if not found:
            raise self.empty()

    def empty(self) -> UserError:
        """The refusal of a dataset without samples."""
        return UserError(f"{self.dataset.name}:{self.dataset.split}: the dataset is empty")

    def read(self, piece: Slice) -> TextBatch:
        """The samples of one slice."""
        texts, index, notes, utf8 = self.parts[piece.part].read(piece)
        if self.task.unit == "spaced":
            texts, utf8 = [f" {text}" for text in texts], None
        group = np.full(len(texts), piece.part, dtype=np.int64)
        # The whole set's hash, not the file's: reader and fields decide what text a file holds.
        content = None
        if self.cached:
            place = f"{self.parts[piece.part].group} {piece.first} {piece.count} {self.task.unit}"
            content = f"{self.dataset.fingerprint} {place}"
        raw_bytes = self.dataset.raw_bytes
        numbers = index.astype(np.int64)
        batch = TextBatch(texts, group, numbers, raw_bytes, content, notes, utf8)
        return _words_of(batch) if self.task.unit == "word" else batch

    def read_media(self, piece: Slice) -> MediaBatch:
        """The images or clips of one slice; those that cannot be read say why."""
        part = self.parts[piece.part]
        assert isinstance(part, MediaPart)
        samples, index = part.read_samples(piece)
        return MediaBatch(samples, np.full(len(samples), piece.part, dtype=np.int64), index)


def _words_of(batch: TextBatch) -> TextBatch:
    """Each word of the batch as a sample of its own, numbered by the line it came from, so
    that the bootstrap resamples lines."""
    raw, found = batch.data.tobytes(), batch.words
    bounds = zip(found.starts.tolist(), found.stops.tolist(), strict=True)
    texts = [raw[start:stop].decode() for start, stop in bounds]
    return TextBatch(texts, batch.group[found.sample], batch.index[found.sample], batch.raw_bytes)
