"""What tokens cost: a compressor on the token stream, and an n-gram model of the tokens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import ClassVar
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import zstandard

from tokbench.evidence import Tally
from tokbench.files import cache_dir, cache_write, sha256
from tokbench.kneser_ney import Surprisal, kneser_ney
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.sequences import noted, sequences_of
from tokbench.ngrams import little_endian, sources
from tokbench.types import Score

HELD = 10
"""Samples whose index is 9 modulo this are held out: a tenth, the same in every language."""
_surprisals: WeakKeyDictionary[Measured, dict[int, Surprisal]] = WeakKeyDictionary()


class StreamCompression(Metric):
    """How well zstd squeezes the token stream. Each group's ids, little-endian integers of
    ⌈log₂|V|/8⌉ bytes, one sample after the other, are compressed as one stream, and so is its
    source text (UTF-8, or a binary's bytes): compressed ids over source bytes
    (`stream-compression`), over compressed source (`stream-against-text`: under 1, tokens
    help the compressor), and for comparison compressed source over source
    (`text-compression`). Ratio of sums over groups; frames carry no header. Only the first
    32,768 samples of a group enter. Level 19 takes 12 to 19 times as long for 5 to 9 % less."""

    name = "stream-compression"
    statistics = ("sequences", "source")
    unit, better, aggregation = "bytes per byte", "lower", "ratio of sums over groups"
    reference = "arXiv 2601.09039 (gzip and LZ of token streams); zstd, RFC 8878"
    tags = {"zstd": ".".join(map(str, zstandard.ZSTD_VERSION))}

    def __init__(self, *, level: int = 9):
        if not 1 <= level <= 22:
            raise ValueError("level is a whole number from 1 to 22")
        self.level = int(level)

    def compressed(self, data: bytes) -> int:
        """Bytes of `data` once compressed."""
        parameters = zstandard.ZstdCompressionParameters.from_level(
            self.level, source_size=len(data), format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False, write_checksum=False, write_dict_id=False,
        )  # fmt: skip
        return len(zstandard.ZstdCompressor(compression_params=parameters).compress(data))

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        size = sum(measured.spec.vocabulary) or int(found.ids.max(initial=0)) + 1
        width = max(1, -(-(size - 1).bit_length() // 8))
        texts = dict(sources(measured.evidence.tallies.get("source", Tally())))
        raw = [texts.pop(number, b"") for number in range(len(measured.groups))]
        first = np.searchsorted(found.group, np.arange(len(raw) + 1))
        edges = np.concatenate(([0], np.cumsum(found.lengths)))[first]

        def stream(ends: tuple[int, int]) -> int:
            return self.compressed(little_endian(found.ids[slice(*ends)], width))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            tokens = np.array(list(pool.map(stream, pairwise(edges.tolist()))))
            text = np.array(self._texts(raw, pool))
        plain = np.array([len(data) for data in raw])
        samples = np.bincount(found.group, minlength=len(raw))
        tokens, text = tokens * (plain > 0), text * (plain > 0)  # no frame of nothing
        note = noted(measured, "no interval: each group is one stream")
        for name, top, bottom in (
            (self.name, tokens, plain),
            ("stream-against-text", tokens, text),
            ("text-compression", text, plain),
        ):
            unit = self.unit
            rows = [(name, top.sum(), bottom.sum(), samples.sum())]
            if measured.grouped:
                labels = [f"{name}/{label}" for label in measured.groups]
                rows += list(zip(labels, top, bottom, samples, strict=True))
            for label, above, below, n in rows:
                value = float(above / below) if below else None
                why = note if below else "no text"
                better = "neither" if name == "text-compression" else "lower"
                yield measured.score(label, value, n, unit=unit, better=better, note=why)

    def _texts(self, raw: list[bytes], pool: ThreadPoolExecutor) -> list[int]:
        """Compressed bytes of each text, kept on disk: they are the same for every tokenizer."""
        name = sha256("zstd", self.tags["zstd"], str(self.level), *raw)
        path = cache_dir() / "compressed" / f"{name}.json"
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known = msgspec.json.decode(path.read_bytes(), type=list[int])
            if len(known) == len(raw):
                return known
        sizes = list(pool.map(self.compressed, raw))
        cache_write(path, msgspec.json.encode(sizes))
        return sizes


def surprisal_of(measured: Measured, order: int) -> Surprisal | str:
    """Bits of the held-out tokens, made once for each order; or why there are none."""
    found = sequences_of(measured)
    vocabulary = sum(measured.spec.vocabulary)
    held = found.index % HELD == HELD - 1
    if not vocabulary:
        return "no vocabulary size: unseen ids would have no probability"
    if not len(found.ids):
        return "no tokens"
    if held.all() or not held.any():
        return f"no held-out samples: every {HELD}th sample of a group is held out"
    known = _surprisals.setdefault(measured, {})
    if order not in known:
        known[order] = kneser_ney(found, held, vocabulary, order)
    return known[order]


def resampled(
    measured: Measured, group: np.ndarray, index: np.ndarray, columns: list[np.ndarray]
) -> list[np.ndarray]:
    """Group sums of held-out columns in every bootstrap replicate: (replicates, groups) each.
    Parallel data draws the index for all groups at once, other data each group by itself."""
    width = len(measured.groups)
    units, row = np.unique(index, return_inverse=True)
    tables = [
        np.bincount(row * width + group, column, len(units) * width).reshape(-1, width)
        for column in columns
    ]
    if measured.parallel:
        weights = _weights(np.random.default_rng(measured.seed), measured.draws, len(units))
        return [weights @ table for table in tables]
    sums = [np.zeros((measured.draws, width)) for _ in tables]
    for number in range(width):
        own = np.unique(row[group == number])
        rng = np.random.default_rng([measured.seed, number])
        weights = _weights(rng, measured.draws, len(own))
        for total, table in zip(sums, tables, strict=True):
            total[:, number] = weights @ table[own, number]
    return sums


def _weights(rng: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """How often each unit is drawn."""
    if not units:
        return np.zeros((draws, 0))
    return rng.multinomial(units, np.full(units, 1 / units), draws).astype(np.float64)


class NgramBits(Metric):
    """Bits per byte of source text under an n-gram model of the tokens: one scale for
    tokenizers of any vocabulary. An interpolated Kneser-Ney model of order `order` (one
    discount an order, n1/(n1 + 2·n2); the uniform distribution over |V| and the end below
    order 1) learns the samples of all groups whose index is not 9 modulo 10; −log₂ p of the
    tokens of the others, end of sample included, is divided by their bytes. The model is a
    proper distribution over token sequences; what it gives to other sequences of tokens that
    spell the same text is not counted, so the figure is an upper bound for the text. A lossy
    tokenizer pays nothing for what it loses: read it beside `lossless`. A small corpus says
    more about its size than about tokens: compare at one corpus. Only the first 32,768
    samples of a group enter. Interval: bootstrap over held-out samples, the model fixed."""

    name = "ngram-bits"
    statistics: tuple[str, ...] = ("sequences", "unknown")
    unit, better, aggregation = "bits per byte", "lower", "ratio of sums"
    reference = "Kneser and Ney (1995); Chen and Goodman (1999), interpolated"
    per: ClassVar[int] = 1
    """Sizes as the evidence has them to one unit of the denominator."""

    def __init__(self, *, order: int = 3):
        self.order = _order(order)

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        surprisal = surprisal_of(measured, self.order)
        labels = [f"{self.name}/{label}" for label in measured.groups if measured.grouped]
        if isinstance(surprisal, str):
            for name in (self.name, *labels):
                yield measured.score(name, None, 0, unit=self.unit, note=surprisal)
            return
        held = found.index % HELD == HELD - 1
        line = np.unique(found.line[held])
        first = np.searchsorted(found.line, line)
        group, index, sizes = found.group[first], found.index[first], found.sizes[line] / self.per
        bits = np.bincount(found.line[surprisal.sample], surprisal.bits, len(found.sizes))[line]
        width = len(measured.groups)
        tops, bottoms = (np.bincount(group, column, width) for column in (bits, sizes))
        draws, below = resampled(measured, group, index, [bits, sizes])
        samples = np.bincount(found.group[held], minlength=width)
        lost = np.zeros(width, np.int64)
        if "unknown-tokens" in measured.evidence.columns:
            lost = measured.totals("unknown-tokens")
        yield self._score(
            measured, self.name, tops.sum(), bottoms.sum(), int(samples.sum()),
            draws.sum(1), below.sum(1), len(line), int(lost.sum()),
        )  # fmt: skip
        lines = np.bincount(group, minlength=width)
        for g, label in enumerate(labels):
            yield self._score(
                measured, label, tops[g], bottoms[g], int(samples[g]),
                draws[:, g], below[:, g], int(lines[g]), int(lost[g]),
            )  # fmt: skip

    def _score(
        self,
        measured: Measured,
        name: str,
        top: float,
        bottom: float,
        n: int,
        draws: np.ndarray,
        below: np.ndarray,
        units: int,
        lost: int,
    ) -> Score:
        note = noted(
            measured, f"{lost:,} unknown tokens: what they lose costs no bits" * (lost > 0)
        )
        if not bottom:
            why = "no held-out samples"
            return measured.score(name, None, 0, unit=self.unit, better="lower", note=why)
        if units < 2:
            note = "; ".join(filter(None, ["no interval: one held-out sample", note]))
            return measured.score(name, top / bottom, n, unit=self.unit, better="lower", note=note)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = draws / below
        low, high = measured.interval(ratio)
        return measured.score(
            name, top / bottom, n, ratio, unit=self.unit, better="lower",
            low=low, high=high, interval="bootstrap", note=note,
        )  # fmt: skip


class DifficultyUniformity(Metric):
    """How unevenly the difficulty of the held-out tokens is spread under the model of
    `ngram-bits`: coefficient of variation (standard deviation over mean) of −log₂ p, ends of
    samples left out (`difficulty-uniformity`; 0 is uniform), Gini coefficient of the same
    (`difficulty-uniformity/gini`), and their mean in bits a token (`difficulty-uniformity/mean`).
    SuperBPE's tokens are fewer and more alike in difficulty, by the loss of a neural model;
    this is a proxy that needs none. Pooled over groups. Interval: as for `ngram-bits`."""

    name = "difficulty-uniformity"
    statistics = ("sequences",)
    unit, better, aggregation = "ratio", "lower", "moments of pooled tokens"
    reference = "after Liu et al. (2025), SuperBPE, arXiv 2503.13423, whose model is neural"

    def __init__(self, *, order: int = 3):
        self.order = _order(order)

    def result(self, measured: Measured) -> Iterator[Score]:
        found = sequences_of(measured)
        surprisal = surprisal_of(measured, self.order)
        parts = (("", "ratio"), ("/gini", "ratio"), ("/mean", "bits"))
        real = np.empty(0, np.int64)
        if not isinstance(surprisal, str):
            real = np.flatnonzero(~surprisal.end)
        if isinstance(surprisal, str) or not len(real):
            why = surprisal if isinstance(surprisal, str) else "no held-out tokens"
            for part, unit in parts:
                yield measured.score(f"{self.name}{part}", None, 0, unit=unit, note=why)
            return
        bits, sample = surprisal.bits[real], surprisal.sample[real]
        lines, row = np.unique(found.line[sample], return_inverse=True)
        first = np.searchsorted(found.line, lines)
        columns = [np.bincount(row, bits**power, len(lines)) for power in (0, 1, 2)]
        drawn = resampled(measured, found.group[first], found.index[first], columns)
        count, once, twice = (sums.sum(1) for sums in drawn)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = once / count
            draws = {"": np.sqrt(np.maximum(twice / count - mean**2, 0)) / mean, "/mean": mean}
        n = len(np.unique(sample))
        values = (float(bits.std() / bits.mean()), gini(bits), float(bits.mean()))
        few = "no interval: one held-out sample" if len(lines) < 2 else ""
        for (part, unit), value in zip(parts, values, strict=True):
            name, better = f"{self.name}{part}", "neither" if part == "/mean" else "lower"
            if few or part not in draws:
                note = noted(measured, few or "no interval: not bootstrapped")
                yield measured.score(name, value, n, unit=unit, better=better, note=note)
                continue
            low, high = measured.interval(draws[part])
            yield measured.score(
                name, value, n, draws[part], unit=unit, note=noted(measured),
                better=better, low=low, high=high, interval="bootstrap",
            )  # fmt: skip


def gini(values: np.ndarray) -> float:
    """Gini coefficient of positive values: 0 where all are equal."""
    ordered, n = np.sort(values), len(values)
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * ordered.sum()) - (n + 1) / n)


def _order(order: int) -> int:
    if not 1 <= order <= 6:
        raise ValueError("order is a whole number from 1 to 6")
    return int(order)
