"""How codebooks are used: share of the ids, entropy and perplexity, by level and by place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from tokbench.evidence import Tally
from tokbench.measured import JACKKNIFE_BLOCKS, Better, Measured, jackknife
from tokbench.media import EncodedMedia
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.sequences import FEW, coverage, entropy
from tokbench.statistics import Statistic, ids
from tokbench.streams import bases
from tokbench.types import Score

EXTENT, SIDE, DURATION = 0, 1, 2
"""Keys of the tally `amounts-by-block`."""
PLACES = 4096
"""Places of a sample at which ids are counted apart."""

Levels = list[np.ndarray]
"""How often each id seen at each level occurs."""


def codes(encoded: EncodedMedia) -> Statistic:
    """`ids-by-block`: how often each id of each level occurs in each jackknife block;
    `amounts-by-block`: pixels or microseconds (of video both), and bits of side information."""
    found = ids(encoded).tallies["ids-by-block"]
    block = (encoded.batch.index % JACKKNIFE_BLOCKS).astype(np.int64) << 32
    side = np.zeros(len(block), np.int64)
    if encoded.codes.side_bits is not None:
        side = np.ceil(encoded.codes.side_bits).astype(np.int64)
    of_samples = {EXTENT: encoded.extents, SIDE: side}
    if encoded.tokenizer.spec.modality == "video":
        of_samples[DURATION] = encoded.durations
    amounts = Tally.of(
        np.concatenate([block + key for key in of_samples]),
        np.concatenate(list(of_samples.values())),
    )
    return Statistic(tallies={"ids-by-block": found, "amounts-by-block": amounts})


def places(encoded: EncodedMedia) -> Statistic:
    """`ids-by-place`: how often each id occurs at each of the first 4096 places of the stream;
    `stream-tokens` and their square tell whether all samples are of one length."""
    stream, counts = encoded.stream, encoded.counts
    place = np.arange(len(stream.values)) - np.repeat(stream.offsets[:-1], counts)
    near = place < PLACES
    keys = (place[near] << 32) + stream.values[near]
    tally = Tally(*np.unique(keys, return_counts=True))
    columns = {"stream-tokens": counts, "stream-tokens-squared": counts**2}
    return Statistic(columns, tallies={"ids-by-place": tally})


def by_level(measured: Measured) -> tuple[Levels, list[Levels]]:
    """Counts of the ids seen at each level, and the same without each jackknife block."""
    whole, left_out = measured.jackknifed("ids-by-block")
    edges = np.searchsorted(measured.tally("ids-by-block").keys, bases(measured.spec))
    cuts = [slice(low, high) for low, high in pairwise(edges.tolist())]
    return [whole[cut] for cut in cuts], [[rest[cut] for cut in cuts] for rest in left_out]


def entropy_of(counts: np.ndarray) -> float:
    """Plug-in entropy in bits; 0 for no tokens."""
    return entropy(counts, "plug-in") if counts.any() else 0.0


def stream_bits(levels: Levels) -> float:
    """Bits of all tokens when each costs the entropy of its level."""
    return sum(float(counts.sum()) * entropy_of(counts) for counts in levels)


class _OfLevels(Metric):
    """A function of the counts of the levels, with a delete-one-block jackknife interval."""

    statistics: tuple[str, ...] = ("codes",)
    needs = ("ids",)
    aggregation = "pooled counts of each level"

    def scored(
        self,
        measured: Measured,
        functions: dict[str, tuple[Callable[[Levels], float], str, Better]],
    ) -> Iterator[Score]:
        """Each function of the levels as a score, its name the key."""
        n = int(measured.totals("samples").sum())
        whole, left_out = by_level(measured)
        tokens = int(sum(counts.sum() for counts in whole))
        for name, (function, unit, better) in functions.items():
            if not tokens:
                yield measured.score(name, None, n, unit=unit, better=better, note="no tokens")
                continue
            value, note = function(whole), f"{tokens:,} tokens"
            if len(left_out) < JACKKNIFE_BLOCKS:
                note = f"{FEW}; {note}"
                yield measured.score(name, value, n, unit=unit, better=better, note=note)
                continue
            low, high = jackknife(np.array([function(rest) for rest in left_out]), value)
            yield measured.score(
                name, value, n, unit=unit, better=better, low=low, high=high,
                interval="jackknife", note=note,
            )  # fmt: skip


def facets(name: str, levels: int) -> list[tuple[str, int]]:
    """`name/level-1`, … where there is more than one level."""
    return [(f"{name}/level-{k + 1}", k) for k in range(levels)] if levels > 1 else []


class CodebookUsage(Metric):
    """Share of the ids of all codebooks that occur at all (`codebook-usage`), and of each level
    (`codebook-usage/level-1`, …); `codebook-usage/dead` counts the ids that never occur. It only
    grows with the number of tokens, which the note states: compare at one dataset. n: samples.
    No interval: resampling loses ids and is biased."""

    name = "codebook-usage"
    statistics = ("codes",)
    needs = ("ids",)
    unit, better, aggregation = "share", "higher", "set of the ids seen"
    reference = "codebook utilisation as in LlamaGen (2406.06525), at a stated number of tokens"

    def result(self, measured: Measured) -> Iterator[Score]:
        n = int(measured.totals("samples").sum())
        whole, _ = by_level(measured)
        sizes = measured.spec.vocabulary
        tokens, seen = (
            [int(counts.sum()) for counts in whole],
            [int(np.count_nonzero(counts)) for counts in whole],
        )
        if not sum(tokens):
            yield measured.score(self.name, None, n, unit=self.unit, note="no tokens")
            return

        def note(emitted: int) -> str:
            return f"at {emitted:,} tokens; no interval: it grows with the tokens"

        yield measured.score(
            self.name, sum(seen) / sum(sizes), n, unit=self.unit, better=self.better,
            note=note(sum(tokens)),
        )  # fmt: skip
        for facet, k in facets(self.name, len(sizes)):
            yield measured.score(
                facet, seen[k] / sizes[k], n, unit=self.unit, better=self.better,
                note=note(tokens[k]),
            )  # fmt: skip
        yield measured.score(
            f"{self.name}/dead", sum(sizes) - sum(seen), n, unit="ids", better="lower",
            note=note(sum(tokens)),
        )  # fmt: skip


class CodeEntropy(_OfLevels):
    """Entropy of the ids in bits a token, H = −Σ p log₂ p, plug-in: the mean over tokens of the
    entropy of their level (`code-entropy`), and of each level (`code-entropy/level-1`, …).
    `code-entropy/normalised` divides it by the mean of log₂ K: 1 where all ids are alike. A
    sample much smaller than K makes it too low; the note says how many tokens there are."""

    name = "code-entropy"
    unit, better = "bits", "neither"
    reference = "CodebookEntropy as in TiTok's evaluator, without its 1e-8"

    def result(self, measured: Measured) -> Iterator[Score]:
        sizes = measured.spec.vocabulary

        def capacity(levels: Levels) -> float:
            pairs = zip(levels, sizes, strict=True)
            return float(sum(counts.sum() * np.log2(size) for counts, size in pairs))

        functions: dict[str, tuple[Callable[[Levels], float], str, Better]] = {
            self.name: (_mean_entropy, "bits", "neither"),
            f"{self.name}/normalised": (
                lambda c: _over(stream_bits(c), capacity(c)),
                "1",
                "higher",
            ),
        }
        for facet, k in facets(self.name, len(sizes)):
            functions[facet] = (_at(k, entropy_of), "bits", "neither")
        yield from self.scored(measured, functions)


class CodePerplexity(_OfLevels):
    """2 to the power of `code-entropy`: how many equally frequent ids would carry as much, of
    the mean over tokens (`code-perplexity`) and of each level. K for uniform codes."""

    name = "code-perplexity"
    unit, better = "ids", "neither"
    reference = "perplexity = exp(-Σ p ln p), as in van den Oord et al. 2017 (VQ-VAE)"

    def result(self, measured: Measured) -> Iterator[Score]:
        functions: dict[str, tuple[Callable[[Levels], float], str, Better]] = {
            self.name: (lambda c: 2 ** _mean_entropy(c), "ids", "neither")
        }
        for facet, k in facets(self.name, len(measured.spec.vocabulary)):
            functions[facet] = (_at(k, lambda c: 2 ** entropy_of(c)), "ids", "neither")
        yield from self.scored(measured, functions)


def _mean_entropy(levels: Levels) -> float:
    return _over(stream_bits(levels), float(sum(counts.sum() for counts in levels)))


def _at(level: int, function: Callable[[np.ndarray], float]) -> Callable[[Levels], float]:
    return lambda levels: function(levels[level])


def _over(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")


class PositionEntropy(Metric):
    """Entropy of the ids at one place of the token sequence, over samples: mean over places
    (`position-entropy`), `/min` and `/max`. Low: the place says little. Only where every sample
    has as many tokens (a fixed number, or pictures of one size), and only their first 4096. It is
    refused where the sample starves: Good-Turing coverage of the ids at their places under
    `coverage`."""

    name = "position-entropy"
    statistics = ("places",)
    needs = ("ids",)
    unit, better, aggregation = "bits", "neither", "counts of each place"
    reference = "One-D-Piece (2501.10064), per-position entropy"

    def __init__(self, *, coverage: float = 0.8):
        if not 0 <= coverage < 1:
            raise ValueError("coverage is a share below 1")
        self.coverage = float(coverage)

    def result(self, measured: Measured) -> Iterator[Score]:
        n = int(measured.totals("samples").sum())
        tokens = int(measured.totals("stream-tokens").sum())
        squared = int(measured.totals("stream-tokens-squared").sum())
        tally = measured.evidence.tallies.get("ids-by-place", Tally())
        why = "" if tokens else "no tokens"
        if n * squared != tokens**2:
            why = "samples have different numbers of tokens"
        covered = coverage(*np.unique(tally.counts, return_counts=True))
        if not why and covered < self.coverage:
            why = (
                f"the sample starves: coverage {covered:.2f} of ids at their places is under "
                f"{self.coverage:g}"
            )
        if why:
            yield measured.score(self.name, None, n, unit=self.unit, note=why)
            return
        edges = np.flatnonzero(np.diff(tally.keys >> 32, prepend=-1))
        found = self._entropies(tally.counts, edges)
        note = f"no interval: plug-in; at most {np.log2(n):.3g} bits with {n:,} samples"
        for name, value in (
            (self.name, found.mean()),
            (f"{self.name}/min", found.min()),
            (f"{self.name}/max", found.max()),
        ):
            yield measured.score(name, value, n, unit=self.unit, note=note)

    @staticmethod
    def _entropies(counts: np.ndarray, edges: Sequence[int] | np.ndarray) -> np.ndarray:
        """Plug-in entropy of each place: log₂ N − Σ c log₂ c / N."""
        total = np.add.reduceat(counts, edges)
        weighted = np.add.reduceat(counts * np.log2(counts), edges)
        return np.log2(total) - weighted / total
