"""How evenly a tokenizer uses its ids: Shannon and Rényi efficiency, percentile frequency."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tokbench.measured import JACKKNIFE_BLOCKS, Better, Measured, jackknife
from tokbench.metrics.metric import Metric
from tokbench.types import Score


def renyi_entropy(counts: np.ndarray, alpha: float) -> float:
    """Rényi entropy of order alpha in bits; Shannon's for alpha = 1."""
    p = counts[counts > 0] / counts.sum()
    if alpha == 1:
        return float(-(p * np.log2(p)).sum())
    return float(np.log2((p**alpha).sum()) / (1 - alpha))


def percentile_frequency(counts: np.ndarray, low: float, high: float) -> float:
    """Probability mass of the types ranked int(low·n) to int(high·n), most frequent first."""
    ordered = np.sort(counts)[::-1]
    ordered = ordered[ordered > 0]
    return float(ordered[int(low * len(ordered)) : int(high * len(ordered))].sum() / ordered.sum())


class _OfCounts(Metric):
    """A function of the pooled id counts, with a delete-one-block jackknife interval."""

    statistics = ("ids",)

    def scored(
        self,
        measured: Measured,
        functions: dict[str, tuple[Callable[[np.ndarray], float], str, Better]],
    ) -> Iterator[Score]:
        n = int(measured.totals("samples").sum())
        whole, left_out = measured.jackknifed("ids-by-block")
        if not len(whole):
            for name in functions:
                yield measured.score(name, None, n, note="no tokens")
            return
        for name, (function, unit, better) in functions.items():
            value = function(whole)
            if len(left_out) < JACKKNIFE_BLOCKS:
                note = f"no interval: under {JACKKNIFE_BLOCKS} samples"
                yield measured.score(name, value, n, unit=unit, better=better, note=note)
                continue
            low, high = jackknife(np.array([function(rest) for rest in left_out]), value)
            yield measured.score(
                name, value, n, unit=unit, better=better, low=low, high=high, interval="jackknife"
            )


class ShannonEfficiency(_OfCounts):
    """Entropy of the id distribution, H₁ = −Σ p log₂ p, divided by log₂ of the vocabulary
    size |V| (`shannon-efficiency`) and of the number of observed ids (`…-observed`); the
    entropy itself in bits as `shannon-entropy`."""

    name = "shannon-efficiency"
    unit, better, aggregation = "share", "higher", "pooled counts"
    reference = "Zouhar et al. (2023), tokenization-scorer; TokEval for |V|"

    def result(self, measured: Measured) -> Iterator[Score]:
        functions = _efficiencies(measured, "shannon", 1.0)
        functions["shannon-entropy"] = (lambda c: renyi_entropy(c, 1.0), "bits", "neither")
        return self.scored(measured, functions)


class RenyiEfficiency(_OfCounts):
    """Rényi entropy of order alpha, H_α = log₂(Σ p^α)/(1−α), divided by log₂|V|
    (`renyi-efficiency`) and by log₂ of the observed ids (`…-observed`, the default of
    tokenization-scorer). The paper's best alpha is 2.5; the package's default is 3."""

    name = "renyi-efficiency"
    unit, better, aggregation = "share", "higher", "pooled counts"
    reference = "Zouhar et al. (2023), Tokenization and the Noiseless Channel"

    def __init__(self, *, alpha: float = 2.5):
        if not alpha > 0:
            raise ValueError("alpha is a positive number")
        self.alpha = float(alpha)

    def result(self, measured: Measured) -> Iterator[Score]:
        return self.scored(measured, _efficiencies(measured, "renyi", self.alpha))


def _efficiencies(
    measured: Measured, stem: str, alpha: float
) -> dict[str, tuple[Callable[[np.ndarray], float], str, Better]]:
    def over(counts: np.ndarray, size: int) -> float:
        return renyi_entropy(counts, alpha) / np.log2(size) if size > 1 else np.nan

    functions: dict[str, tuple[Callable[[np.ndarray], float], str, Better]] = {}
    size = sum(measured.spec.vocabulary)
    if size:
        functions[f"{stem}-efficiency"] = (lambda c: over(c, size), "share", "higher")
    functions[f"{stem}-efficiency-observed"] = (
        lambda c: over(c, int((c > 0).sum())),
        "share",
        "higher",
    )
    return functions


class PercentileFrequency(_OfCounts):
    """PCT: share of all tokens that fall on the types ranked from int(low·n) to int(high·n)
    of the n observed types, most frequent first."""

    name = "percentile-frequency"
    unit, better, aggregation = "share", "higher", "pooled counts"
    reference = "tokenization-scorer `percentile_freq`; Zouhar et al. (2023)"

    def __init__(self, *, low: float = 0.03, high: float = 0.83):
        if not 0 <= low < high <= 1:
            raise ValueError("low and high are shares, low below high")
        self.low, self.high = float(low), float(high)

    def result(self, measured: Measured) -> Iterator[Score]:
        def of(counts: np.ndarray) -> float:
            return percentile_frequency(counts, self.low, self.high)

        return self.scored(measured, {self.name: (of, self.unit, self.better)})
