"""How a corpus uses the vocabulary, and how long its tokens are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.types import Score

_GROWS = "no interval: a count of types grows with the sample"


class Utilisation(Metric):
    """Distinct ids seen on the data (`types`), as a share of all |V| ids (`utilisation`) and of
    those that text can produce (`utilisation-emittable`: special, control and unused ids
    excluded). Grows with the corpus: compare on the same data only."""

    name = "utilisation"
    statistics = ("ids",)
    unit, better, aggregation = "share", "higher", "set union"
    reference = "TokEval vocabulary utilisation, with both denominators"

    def result(self, measured: Measured) -> Iterator[Score]:
        samples = measured.totals("samples")
        seen = [("", len(measured.tally("ids-by-group").keys), int(samples.sum()))]
        if measured.grouped:
            seen += [
                (f"/{label}", len(measured.tally("ids-by-group", g).keys), int(samples[g]))
                for g, label in enumerate(measured.groups)
            ]
        size = sum(measured.spec.vocabulary) or None
        for name, denominator in (
            ("types", 1),
            ("utilisation", size),
            ("utilisation-emittable", measured.spec.emittable),
        ):
            for facet, count, n in seen:
                if denominator is None:
                    note = "open vocabulary: no denominator"
                    yield measured.score(name + facet, None, n, unit=self.unit, note=note)
                    continue
                unit = "ids" if denominator == 1 else self.unit
                better = "neither" if denominator == 1 else self.better
                yield measured.score(
                    name + facet, count / denominator, n, unit=unit, better=better, note=_GROWS
                )


class VocabularySize(Metric):
    """Ids of the vocabulary, |V| (`vocabulary-size`), and those that text can produce
    (`vocabulary-size-emittable`: special, control and unused ids excluded)."""

    name = "vocabulary-size"
    statistics = ()
    unit, better, aggregation = "ids", "neither", "count"
    reference = "usual model card figure"

    def result(self, measured: Measured) -> Iterator[Score]:
        for name, size in (
            (self.name, sum(measured.spec.vocabulary) or None),
            (f"{self.name}-emittable", measured.spec.emittable),
        ):
            note = "open vocabulary" if size is None else "no interval: a count"
            yield measured.score(name, size, size or 0, unit=self.unit, note=note)


class TokenLength(Metric):
    """Length of the tokens as they occur, in source bytes: mean, median, 90th and 99th
    percentile and maximum. Tokens without source bytes (a lone prefix space) count as 0."""

    name = "token-length"
    statistics = ("token-bytes",)
    unit, better, aggregation = "bytes", "neither", "pooled tokens"
    reference = "distribution behind bytes per token"

    def result(self, measured: Measured) -> Iterator[Score]:
        n = int(measured.totals("samples").sum())
        tally = measured.tally("token-bytes")
        total = int(tally.counts.sum())
        if not total:
            yield measured.score(self.name, None, n, unit=self.unit, note="token positions unknown")
            return
        cumulative = np.cumsum(tally.counts)
        note = "no interval: read off the distribution"
        for facet, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
            place = min(int(np.ceil(share * total)), total)
            value = int(tally.keys[np.searchsorted(cumulative, place)])
            yield measured.score(f"{self.name}/{facet}", value, n, unit=self.unit, note=note)
        mean = float((tally.keys * tally.counts).sum() / total)
        yield measured.score(f"{self.name}/mean", mean, n, unit=self.unit, note=note)
