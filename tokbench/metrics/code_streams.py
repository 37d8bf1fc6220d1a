"""Code streams under the statistics of text: n-gram bits for each pixel or second, compression.

`zipf`, `heaps` and `ngram-entropy` work on the streams of `tokbench.streams` as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.prediction import NgramBits, StreamCompression
from tokbench.metrics.text.sequences import noted, sequences_of
from tokbench.metrics.text.sequences import shuffled as hashed
from tokbench.ngrams import little_endian
from tokbench.streams import MICRO
from tokbench.types import Score


class NgramBitsPerPixel(NgramBits):
    """Bits for each pixel under the n-gram model of `ngram-bits`, learnt on nine tenths of the
    images and tried on those whose index is 9 modulo 10: what an entropy coder with a memory of
    `order` - 1 tokens would emit. The stream is that of all levels, place by place, coarse to
    fine; only the first 1,024 images of a group and the first 65,536 tokens of each enter (its
    pixels in proportion). Interval: bootstrap over held-out images, the model fixed."""

    name = "ngram-bits-per-pixel"
    statistics = ("sequences",)
    needs = ("ids",)
    unit = "bit/pixel"


class NgramBitsPerSecond(NgramBits):
    """Bits for each second under the n-gram model of `ngram-bits`, learnt on nine tenths of the
    clips and tried on those whose index is 9 modulo 10: what an entropy coder with a memory of
    `order` - 1 tokens would emit. The stream is that of all levels, place by place, coarse to
    fine; only the first 1,024 clips of a group and the first 65,536 tokens of each enter (its
    seconds in proportion). Interval: bootstrap over held-out clips, the model fixed."""

    name = "ngram-bits-per-second"
    statistics = ("sequences",)
    needs = ("ids",)
    unit = "bit/s"
    per = MICRO


class CodeCompression(Metric):
    """How well zstd squeezes the ids: those of each group, little-endian integers of ⌈log₂ ΣK / 8⌉
    bytes, one sample after the other, compressed as one stream, in bits over the nominal bits
    Σ log₂ K of the same tokens (`code-compression`): 1 and above, nothing to gain. As
    `code-compression/shuffled` the same tokens in a random order: the distance between the two is
    what their order, and not their frequencies, gives. Only the first 1,024 samples of a group
    and the first 65,536 tokens of each enter."""

    name = "code-compression"
    statistics = ("sequences",)
    needs = ("ids",)
    unit, better, aggregation = "bits per bit", "neither", "ratio of sums over groups"
    reference = "compressibility of visual tokens, after Chan et al. (2411.05001), who use Huffman"
    tags = StreamCompression.tags

    def __init__(self, *, level: int = 19):
        self._zstd = StreamCompression(level=level)
        self.level = self._zstd.level

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        n, sizes = len(found.lengths), np.array(measured.spec.vocabulary)
        if not len(found.ids):
            yield measured.score(self.name, None, n, unit=self.unit, note="no tokens")
            return
        width = max(1, -(-(int(sizes.sum()) - 1).bit_length() // 8))
        level = np.searchsorted(np.cumsum(sizes), found.ids, side="right")
        nominal = float(np.bincount(level, minlength=len(sizes)) @ np.log2(sizes))
        first = np.searchsorted(found.group, np.arange(len(measured.groups) + 1))
        edges = np.concatenate(([0], np.cumsum(found.lengths)))[first]
        order = np.argsort(hashed(np.arange(len(found.ids))), kind="stable")
        note = noted(measured, "no interval: each group is one stream")
        for name, ids in ((self.name, found.ids), (f"{self.name}/shuffled", found.ids[order])):
            squeezed = sum(
                8 * self._zstd.compressed(little_endian(ids[low:high], width))
                for low, high in pairwise(edges.tolist())
                if high > low
            )
            value = squeezed / nominal if nominal else None
            yield measured.score(name, value, n, unit=self.unit, note=note)


class Innovation(Metric):
    """New types for each new token: of the ids in one half of the samples (a hash of their index
    picks it), the share that are first occurrences of an id absent from the other half. 0: the
    data is large enough to have shown every id; text's falls with size as Heaps' law says. Pooled
    over groups; the first samples only, as for `heaps`."""

    name = "innovation"
    statistics = ("sequences",)
    needs = ("ids",)
    unit, better, aggregation = "types per token", "neither", "types and tokens of two halves"
    reference = "Chan et al. (2411.05001), token innovation; Herdan (1960)"

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        n, (kinds, dense) = len(found.lengths), found.dense
        second = np.repeat(hashed(found.index) >= 0.5, found.lengths)
        if not second.any() or second.all():
            note = "too few samples for two halves"
            yield measured.score(self.name, None, n, unit=self.unit, note=note)
            return
        first = np.bincount(dense[~second], minlength=kinds) > 0
        new = int((~first & (np.bincount(dense[second], minlength=kinds) > 0)).sum())
        emitted = int(second.sum())
        note = noted(measured, f"{new:,} new ids in {emitted:,} tokens; no interval: one split")
        yield measured.score(self.name, new / emitted, n, unit=self.unit, note=note)
