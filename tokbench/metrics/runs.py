"""How long ids stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.codebooks import facets
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score


def runs(encoded: EncodedMedia) -> Statistic:
    """`level-tokens:k` and `level-runs:k` of each sample: tokens of level k, and runs of one id;
    without the number the sums over levels."""
    whole = Statistic()
    tokens, count = (np.zeros(len(encoded.batch), np.int64) for _ in range(2))
    for number, level in enumerate(encoded.codes.levels):
        changes = np.concatenate(([0], np.cumsum(np.diff(level.values) != 0)))
        full = level.lengths > 0
        first, last = level.offsets[:-1][full], level.offsets[1:][full] - 1
        own = np.zeros(len(level), np.int64)
        own[full] = 1 + changes[last] - changes[first]
        whole.columns[f"level-tokens:{number}"] = level.lengths.astype(np.int64)
        whole.columns[f"level-runs:{number}"] = own
        tokens, count = tokens + level.lengths, count + own
    whole.columns |= {"level-tokens": tokens.astype(np.int64), "level-runs": count}
    return whole


class RunLength(Metric):
    """Tokens in a row with the same id, mean over the runs of all levels (`run-length`) and of each
    (`run-length/level-1`, …), in the order of time (or of the raster). 1: no id follows itself.
    What removing repeated units, as is done with HuBERT's, would save."""

    name = "run-length"
    statistics = ("code-runs",)
    needs = ("ids",)
    unit, better, aggregation = "tokens", "neither", "ratio of sums"
    reference = "deduplicated units as in Lakhotia et al. 2021 (2102.01192)"

    def result(self, measured: Measured) -> Iterator[Score]:
        levels = facets(self.name, len(measured.spec.vocabulary))
        for name, suffix in [(self.name, ""), *((facet, f":{k}") for facet, k in levels)]:
            top, bottom = f"level-tokens{suffix}", f"level-runs{suffix}"
            if measured.totals(bottom).sum():
                yield next(measured.ratio(name, top, bottom, self.unit, self.better))
            else:
                yield measured.score(name, None, 0, unit=self.unit, note="no tokens")
