"""Images, clips and video through a tokenizer and back: batches, and what statistics see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from tokbench.streams import MICRO, interleaved
from tokbench.types import Codes, Ragged, Sample, Tokenizer


@dataclass
class MediaBatch:
    """Samples with their group and index within it."""

    samples: list[Sample]
    group: np.ndarray
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def select(self, rows: Sequence[int]) -> MediaBatch:
        """The batch of the given rows."""
        at = np.asarray(rows, dtype=np.int64)
        return MediaBatch([self.samples[row] for row in rows], self.group[at], self.index[at])


@dataclass
class EncodedMedia:
    """A batch with its codes and reconstructions: what a statistic works on.

    outputs: one array for each sample, of the form of its `data`.
    restore: decodes other codes of some of the samples, given by row, and restores them as
        `outputs` were; None where nothing can be decoded. Raises what the decoder raises.
    view: the side that the task scaled pictures to before the tokenizer saw them; 0: none.
    again: other samples through the same tokenizer and back, fitted and restored alike, as
        codes and reconstructions; None where the tokenizer cannot be asked.
    encode: the codes of other samples alone; None likewise.
    """

    tokenizer: Tokenizer
    batch: MediaBatch
    codes: Codes
    outputs: list[np.ndarray]
    groups: list[str]
    shared: dict[str, Any] = field(default_factory=dict)
    """Intermediate results that several statistics need, by name."""
    restore: Callable[[Codes, Sequence[int]], list[np.ndarray]] | None = None
    again: Callable[[list[Sample]], tuple[Codes, list[np.ndarray]]] | None = None
    encode: Callable[[list[Sample]], Codes] | None = None
    view: int = 0

    @property
    def inputs(self) -> list[np.ndarray]:
        """The originals."""
        return [sample.data for sample in self.batch.samples if sample.data is not None]

    @cached_property
    def extents(self) -> np.ndarray:
        """Pixels of each image, of all frames of each video; microseconds of each clip of sound;
        int64."""
        if self.tokenizer.spec.modality == "audio":
            return self.durations
        return np.array([p.size // 3 for p in self.inputs], np.int64)

    @cached_property
    def durations(self) -> np.ndarray:
        """Microseconds of each clip of sound or video; int64."""
        samples = [s for s in self.batch.samples if s.data is not None]
        if self.tokenizer.spec.modality == "audio":
            seconds = [s.data.shape[1] / s.rate for s in samples if s.data is not None]
        else:
            seconds = [len(s.data) / s.fps for s in samples if s.data is not None]
        return np.rint(np.array(seconds) * MICRO).astype(np.int64)

    @cached_property
    def stream(self) -> Ragged:
        """The ids of all levels as one sequence for each sample (`streams.interleaved`)."""
        return interleaved(self.codes, self.tokenizer.spec)

    @cached_property
    def counts(self) -> np.ndarray:
        """Tokens of each sample."""
        return self.stream.lengths

    @cached_property
    def one_group(self) -> int | None:
        """The group of all samples, or None when there are several."""
        group = self.batch.group
        return int(group[0]) if len(group) and (group == group[0]).all() else None

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """`make()`, made once for this batch."""
        if name not in self.shared:
            self.shared[name] = make()
        return self.shared[name]


def exact(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Floats rounded to multiples of 2⁻²⁴ (6e-8), whose sums are exact in float64 up to 2²⁹: in
    any order and any grouping the same bits, as counts are."""
    return np.round(np.asarray(values, dtype=np.float64) * 2.0**24) / 2.0**24


def together(parts: list[EncodedMedia]) -> EncodedMedia | None:
    """Several encoded batches as one."""
    if len(parts) < 2:
        return parts[0] if parts else None
    first = parts[0]
    batch = MediaBatch(
        [sample for part in parts for sample in part.batch.samples],
        np.concatenate([part.batch.group for part in parts]),
        np.concatenate([part.batch.index for part in parts]),
    )
    outputs = [output for part in parts for output in part.outputs]
    codes = Codes.joined([part.codes for part in parts])
    sizes = [len(part.batch) for part in parts]

    def restore(codes: Codes, rows: Sequence[int]) -> list[np.ndarray]:
        """Part by part: what was too much at once still is."""
        restored: list[np.ndarray] = []
        start = 0
        for part, size in zip(parts, sizes, strict=True):
            here = [place for place, row in enumerate(rows) if start <= row < start + size]
            if here:
                assert part.restore is not None
                own = [rows[place] - start for place in here]
                restored += part.restore(codes.select(here), own)
            start += size
        return restored

    return EncodedMedia(
        first.tokenizer, batch, codes, outputs, first.groups,
        restore=restore if all(part.restore for part in parts) else None, again=first.again,
        encode=first.encode,
        view=first.view,
    )  # fmt: skip
