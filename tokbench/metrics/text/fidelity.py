"""What encoding loses: unknown tokens, round trips."""

from __future__ import annotations

from collections.abc import Iterator

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.types import Score


class Unknown(Metric):
    """`unknown`: share of tokens that are UNK. `unknown-characters`: share of the source's code
    points that stand under them."""

    name = "unknown"
    statistics = ("size", "tokens", "unknown")
    unit, better, aggregation = "share", "lower", "ratio of sums"
    reference = "Petrov et al. (2305.15425), fraction of unknown"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from measured.ratio("unknown", "unknown-tokens", "tokens", self.unit, self.better)
        yield from measured.ratio(
            "unknown-characters", "unknown-characters", "characters", self.unit, self.better
        )


class Lossless(Metric):
    """`lossless`: share of samples whose decoding is the sample, to the byte.
    `character-error-rate`: Levenshtein distance between decoded text and sample, divided by
    the sample's code points, both summed. The first differing byte of the first failures
    stands in the record's examples."""

    name = "lossless"
    statistics = ("size", "round-trip")
    unit, better, aggregation = "share", "higher", "ratio of sums"
    reference = "round trip decode(encode(x)) = x; CER as in jiwer"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from measured.ratio("lossless", "exact", "samples", self.unit, self.better)
        yield from measured.ratio(
            "character-error-rate", "edits", "characters", "edits/character", "lower"
        )
