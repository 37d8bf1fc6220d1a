"""Invariants that hold for every codec: where one breaks, a score or a pipeline is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from tokbench.audio import distortion
from tokbench.audio.pairs import Pair, pairs
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.waveform import SLACK, over_channels
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score


def sanity(encoded: EncodedMedia) -> Statistic:
    """Of each clip 0 or 1: `identical` to its output, `off-cap` although it is, `below-floor`."""
    found = np.array([_judged(pair) for pair in pairs(encoded)], np.int64).reshape(-1, 3)
    names = ("identical", "off-cap", "below-floor")
    return Statistic(dict(zip(names, found.T, strict=True)))


def _judged(pair: Pair) -> tuple[bool, bool, bool]:
    values = [over_channels(pair, which, distortion.si_sdr) for which in ("raw", "aligned")]
    known = [value for value in values if isinstance(value, float)]
    if not known:
        return False, False, False
    same = np.array_equal(pair.original, pair.output)
    a, _ = pair.raw
    # Without means: an offset alone would make any two sounds alike.
    floors = [distortion.si_sdr(x, x[::-1], zero_mean=True) for x in a if np.ptp(x) > 0]
    above = [
        value
        for which in ("raw", "aligned")
        if isinstance(value := over_channels(pair, which, _without_means), float)
    ]
    floor = float(np.mean(floors)) if floors else -distortion.CAP
    below = any(np.isfinite(above)) and np.nanmax(above) < floor - SLACK
    return same, same and max(known) < distortion.CAP - SLACK, below


def _without_means(a: np.ndarray, b: np.ndarray) -> float:
    return distortion.si_sdr(a, b, zero_mean=True)


class Sanity(Metric):
    """Clips that break an invariant of all codecs: `sanity`, their number, must be 0; by
    invariant, `sanity/sdr-below-si-sdr` (SI-SDR is one tap of SDR's 512 and never above it),
    `sanity/off-cap` (a clip that came back bit for bit has an SI-SDR of 100 dB; `sanity/identical`
    counts such clips), and `sanity/below-floor` (SI-SDR without means, aligned or not, below
    that of the original played backwards: the output has less to do with the clip than another
    sound has).
    Floors and other sounds are meant to break the last. That quality rises with codebooks is
    checked over the points of a curve, by `tokbench rate`."""

    name = "sanity"
    version = 2
    statistics = ("sdr", "sanity")
    needs = ("reconstruction",)
    unit, better, aggregation = "clips", "lower", "count"
    reference = "invariants of the definitions; VERSA and MOSS-Eval tables break them"

    def result(self, measured: Measured) -> Iterator[Score]:
        scored = int(measured.totals("sdr:raw:n").sum())
        names = {
            "sdr-below-si-sdr": "impossible", "off-cap": "off-cap", "below-floor": "below-floor",
        }  # fmt: skip
        counts = {facet: int(measured.totals(column).sum()) for facet, column in names.items()}
        rows = {self.name: sum(counts.values())}
        rows |= {f"{self.name}/{facet}": count for facet, count in counts.items()}
        for name, count in rows.items():
            yield self._count(measured, name, count, scored, "must be 0")
        identical = int(measured.totals("identical").sum())
        score = self._count(measured, f"{self.name}/identical", identical, scored, "a count")
        yield msgspec.structs.replace(score, better="neither")

    def _count(self, measured: Measured, name: str, count: int, n: int, note: str) -> Score:
        note = f"no interval: {note}" if n else "every clip or output is silent"
        value = float(count) if n else None
        return measured.score(name, value, n, unit=self.unit, better="lower", note=note)
