"""Statistics of token sequences: k-gram entropies, the laws of Zipf and Heaps."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np

from tokbench.evidence import Tally
from tokbench.kgrams import Counts, kgram_counts
from tokbench.measured import JACKKNIFE_BLOCKS, Measured, jackknife
from tokbench.metrics.metric import Metric
from tokbench.ngrams import Sequences, kept_samples
from tokbench.types import Score

FEW = f"no interval: under {JACKKNIFE_BLOCKS} samples"
_sequences: WeakKeyDictionary[Measured, Sequences] = WeakKeyDictionary()


def sequences_of(measured: Measured) -> Sequences:
    """The token sequences in the evidence, unpacked once."""
    if measured not in _sequences:
        tally = measured.evidence.tallies.get("sequences", Tally())
        _sequences[measured] = Sequences.of(tally, measured.spec)
    return _sequences[measured]


def noted(measured: Measured, *notes: str) -> str:
    """Notes together; that only the first samples entered, where that is so."""
    part = len(sequences_of(measured).lengths) < int(measured.totals("samples").sum())
    first = f"the first {kept_samples(measured.spec):,} samples of each group"
    return "; ".join(filter(None, [*notes, first if part else ""]))


def entropy(counts: np.ndarray, estimator: str) -> float:
    """Entropy in bits of what was counted, by one of `NgramEntropy.ESTIMATORS`."""
    return entropy_of(*np.unique(counts[counts > 0], return_counts=True), estimator)


def entropy_of(value: np.ndarray, times: np.ndarray, estimator: str) -> float:
    """The same, of `times` things counted `value` times each; values ascend."""
    n, singles = int((value * times).sum()), int(times[value == 1].sum())
    p = value / n
    if estimator == "chao-shen":
        # All singletons: as if one of them were not, so that the coverage is not zero.
        p = p * (1 - min(singles, n - 1) / n)
        with np.errstate(divide="ignore"):
            seen = -np.expm1(n * np.log1p(-p))
        return float(-(times * p * np.log2(p) / seen).sum())
    plain = float(-(times * p * np.log2(p)).sum())
    if estimator == "plug-in":
        return plain
    return plain + (float(times.sum()) - 1) / (2 * n * np.log(2))


def coverage(value: np.ndarray, times: np.ndarray) -> float:
    """Good-Turing: the probability that the next k-gram is one of those seen, of which `times`
    occur `value` times each."""
    n = int((value * times).sum())
    return 1 - int(times[value == 1].sum()) / n if n else 0.0


class NgramEntropy(Metric):
    """Joint entropy H_k of k consecutive tokens, k = 1 … order (`ngram-entropy/k`, bits), the
    conditional entropy H_k − H_{k−1} (`conditional-entropy/k`, bits a token), and the use of
    the channel's capacity: η₁ = H₁/log₂|V| (`capacity-utilisation/1`) and
    η₂ = (H₂ − H₁)/log₂|V| (`capacity-utilisation/2`).

    K-grams are counted over all samples together and never cross the end of one. estimator:
    `chao-shen` (Good-Turing coverage and Horvitz-Thompson weights), `miller-madow`, or
    `plug-in`, the paper's, uncorrected. Where the Good-Turing coverage 1 − n₁/n of the k-grams
    (n₁ of n occur once) is under `coverage`, the sample starves: H_k is refused, since every
    estimator then reports the size of the sample (on FLORES, twice the text moves the
    conditional entropy by 4 % at coverage 0.85 and by 10 % at 0.7). Only the first 32,768 samples
    of a group enter. Interval: delete-one-block jackknife; it does not hold the bias left."""

    name = "ngram-entropy"
    statistics = ("sequences",)
    unit, better, aggregation = "bits", "neither", "pooled k-gram counts"
    reference = (
        "Erdogan, Gorle et al. (2026), arXiv 2601.09039, for H_k and η; "
        "Chao and Shen (2003); Miller (1955)"
    )
    ESTIMATORS = ("chao-shen", "miller-madow", "plug-in")

    def __init__(self, *, order: int = 5, estimator: str = "chao-shen", coverage: float = 0.8):
        if not 1 <= order <= 8:
            raise ValueError("order is a whole number from 1 to 8")
        if estimator not in self.ESTIMATORS:
            raise ValueError(f"estimator is one of {', '.join(self.ESTIMATORS)}")
        if not 0 <= coverage < 1:
            raise ValueError("coverage is a share below 1")
        self.order, self.estimator, self.coverage = int(order), estimator, float(coverage)

    def result(self, measured: Measured) -> Iterator[Score]:
        kgrams = kgram_counts(sequences_of(measured), self.order)
        vocabulary = sum(measured.spec.vocabulary)
        capacity = np.log2(vocabulary) if vocabulary > 1 else 0.0
        before: np.ndarray | float | None = 0.0
        starved = ""
        for k in range(1, self.order + 1):
            values: np.ndarray | None = None
            if not starved:
                counts = next(kgrams)
                covered = coverage(*counts.whole)
                different, n = int(counts.whole[1].sum()), int(np.prod(counts.whole, axis=0).sum())
                if not n:
                    starved = f"no sample has {k} tokens" if k > 1 else "no tokens"
                elif covered < self.coverage:
                    starved = (
                        f"the sample starves: coverage {covered:.2f} of {k}-grams is under "
                        f"{self.coverage:g} ({different:,} different in {n:,})"
                    )
                else:
                    values = self._estimates(counts)
            step = None if values is None or before is None else values - before
            why = starved
            if step is not None and step[0] < 0:
                step, why = None, "the estimates of H_k and H_{k-1} leave it negative"
            yield self._score(measured, f"{self.name}/{k}", values, starved)
            if k > 1:
                yield self._score(measured, f"conditional-entropy/{k}", step, why)
            if k <= 2:
                share = step / capacity if step is not None and capacity else None
                why = why if capacity else "no vocabulary size"
                yield self._score(measured, f"capacity-utilisation/{k}", share, why, "share")
            before = values

    def _estimates(self, counts: Counts) -> np.ndarray:
        """The entropy, and that without each block."""
        values = [entropy_of(*counts.whole, self.estimator)]
        for value, times in counts.without:
            values.append(entropy_of(value, times, self.estimator) if len(value) else np.nan)
        return np.array(values)

    def _score(
        self, measured: Measured, name: str, values: np.ndarray | None, why: str, unit: str = "bits"
    ) -> Score:
        n = len(sequences_of(measured).lengths)
        if values is None:
            return measured.score(name, None, n, unit=unit, note=why)
        return with_jackknife(measured, name, values, n, unit)


def with_jackknife(
    measured: Measured, name: str, values: np.ndarray, n: int, unit: str, note: str = ""
) -> Score:
    """A score from its estimate followed by those without each block."""
    value, rest = float(values[0]), values[1:]
    if len(rest) < JACKKNIFE_BLOCKS or not np.isfinite(rest).all():
        few = FEW if len(rest) < JACKKNIFE_BLOCKS else "no interval: undefined without a block"
        return measured.score(name, value, n, unit=unit, note="; ".join(filter(None, [few, note])))
    low, high = jackknife(rest, value)
    return measured.score(
        name, value, n, unit=unit, low=low, high=high, interval="jackknife", note=note
    )


def zipf_exponent(counts: np.ndarray, least: int) -> tuple[float, float]:
    """(exponent, Kolmogorov-Smirnov distance) of a Zipf law truncated to the ids counted at
    least `least` times; NaN for under ten of them."""
    from scipy.optimize import brentq

    frequency = np.sort(counts[counts >= least])[::-1]
    if len(frequency) < 10:
        return np.nan, np.nan
    log_rank = np.log(np.arange(1, len(frequency) + 1))
    share = frequency / frequency.sum()
    mean = float(share @ log_rank)

    def excess(s: float) -> float:
        weight = np.exp(-s * log_rank)
        return float(weight @ log_rank / weight.sum()) - mean

    if excess(0.0) <= 1e-12:
        s = 0.0  # all alike
    elif excess(20.0) >= 0:
        return np.nan, np.nan
    else:
        s = float(brentq(excess, 0.0, 20.0, xtol=1e-10))
    model = np.exp(-s * log_rank)
    return s, float(np.abs(np.cumsum(share) - np.cumsum(model / model.sum())).max())


class Zipf(Metric):
    """Exponent s of Zipf's law p(r) ∝ r^−s by maximum likelihood over the ids that occur at
    least `least` times, r their rank by frequency (`zipf`), and the Kolmogorov-Smirnov distance
    between law and data as goodness of fit (`zipf/ks`; 0 is perfect). Ranks come from the
    same counts as frequencies, which makes any fit look better than it is (Piantadosi 2014):
    compare distances between tokenizers, do not test with them. Pooled over groups."""

    name = "zipf"
    statistics = ("ids",)
    unit, better, aggregation = "exponent", "neither", "pooled counts"
    reference = "Zipf (1949); Clauset, Shalizi and Newman (2009) for ML and KS"

    def __init__(self, *, least: int = 5):
        if least < 1:
            raise ValueError("least is at least 1")
        self.least = int(least)

    def result(self, measured: Measured) -> Iterator[Score]:
        n = int(measured.totals("samples").sum())
        whole, left_out = measured.jackknifed("ids-by-block")
        s, distance = zipf_exponent(whole, self.least)
        if not np.isfinite(s):
            kept = int((whole >= self.least).sum())
            note = f"no fit: {kept} ids occur {self.least} times or more"
            yield measured.score(self.name, None, n, unit=self.unit, note=note)
            yield measured.score(f"{self.name}/ks", None, n, unit="distance", note=note)
            return
        rest = [zipf_exponent(counts, self.least)[0] for counts in left_out]
        yield with_jackknife(measured, self.name, np.array([s, *rest]), n, self.unit)
        note = "no interval: a distance of the fit to its own data"
        yield measured.score(
            f"{self.name}/ks", distance, n, unit="distance", better="lower", note=note
        )


def shuffled(index: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each index, the same on every machine (splitmix64)."""
    z = index.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


class Heaps(Metric):
    """Heaps' law, types = K·tokens^β: β (`heaps`), K (`heaps/k`) and R² (`heaps/r2`) of a
    least-squares line in log-log through nested parts of the data: 1/64, 1/32, … 1/1 of the
    samples, picked by a hash of their index, so neither order nor shards matter and every
    tokenizer sees the same parts. Types are ids, pooled over groups. At least four parts with
    different numbers of tokens are needed. Only the first 32,768 samples of a group enter."""

    name = "heaps"
    statistics = ("sequences",)
    unit, better, aggregation = "exponent", "neither", "types and tokens of nested parts"
    reference = "Herdan (1960); Heaps (1978)"

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        n, (kinds, dense) = len(found.lengths), found.dense
        # The smallest of the nested parts that a sample is in, 1/64 being the seventh.
        smallest = np.searchsorted(-(2.0 ** -np.arange(7)), -shuffled(found.index)).astype(np.uint8)
        part = np.repeat(smallest, found.lengths)
        points, seen, tokens = {}, np.zeros(kinds, dtype=bool), 0
        for number in range(7, 0, -1):
            seen[dense[part == number]] = True
            tokens += int(found.lengths[smallest == number].sum())
            if tokens:
                points[tokens] = int(seen.sum())
        names = ((self.name, self.unit), (f"{self.name}/k", "types"), (f"{self.name}/r2", "share"))
        if len(points) < 4:
            for name, unit in names:
                note = f"too few samples: {len(points)} nested parts that differ, of 4 needed"
                yield measured.score(name, None, n, unit=unit, note=note)
            return
        x, y = (np.log(np.array(list(side), dtype=float)) for side in (points, points.values()))
        dx, dy = x - x.mean(), y - y.mean()
        beta = float(dx @ dy / (dx @ dx))
        r2 = float((dx @ dy) ** 2 / (dx @ dx) / (dy @ dy)) if dy.any() else None
        note = noted(measured, f"no interval: one fit through {len(points)} nested parts")
        flat = "the types do not grow"
        for (name, unit), value in zip(
            names, (beta, float(np.exp(y.mean() - beta * x.mean())), r2), strict=True
        ):
            yield measured.score(name, value, n, unit=unit, note=flat if value is None else note)
