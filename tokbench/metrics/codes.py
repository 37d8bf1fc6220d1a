"""How much a tokenizer of images or clips emits: bits for each pixel or second, four ways."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import zstandard

from tokbench.measured import JACKKNIFE_BLOCKS, Measured, jackknife
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.codebooks import DURATION, EXTENT, SIDE, by_level, stream_bits
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.sequences import FEW
from tokbench.statistics import Statistic
from tokbench.streams import MICRO
from tokbench.types import Score

ZSTD_LEVEL = 9
"""Of `coded-bits`, part of the signature."""


def extent(encoded: EncodedMedia) -> Statistic:
    """`pixels` of an image, `seconds` of a clip of sound, both of a video."""
    modality = encoded.tokenizer.spec.modality
    columns = {} if modality == "audio" else {"pixels": encoded.extents}
    if modality != "image":
        columns["seconds"] = exact(encoded.durations / MICRO)
    return Statistic(columns)


def code_size(encoded: EncodedMedia) -> Statistic:
    """`tokens` over all levels and their bits with the side information: `nominal-bits` (log2 of
    each level's size) and `packed-bits` (whole bits for each token)."""
    codes, sizes = encoded.codes, encoded.tokenizer.spec.vocabulary
    tokens = np.zeros(len(encoded.batch), np.int64)
    nominal, packed = np.zeros(len(tokens)), np.zeros(len(tokens), np.int64)
    for level, size in zip(codes.levels, sizes, strict=True):
        tokens += level.lengths
        nominal += level.lengths * np.log2(size)
        packed += level.lengths * max(1, int(np.ceil(np.log2(size))))
    if codes.side_bits is not None:
        nominal, packed = nominal + codes.side_bits, packed + codes.side_bits
    return Statistic(
        {"tokens": tokens, "nominal-bits": exact(nominal), "packed-bits": exact(packed)}
    )


def coded_size(encoded: EncodedMedia) -> Statistic:
    """`coded-bits`: what the adapter says it emits (`bits(codes)`), side information included;
    else each sample's ids compressed, or packed where that is less, and its side information."""
    said = getattr(encoded.tokenizer, "bits", None)
    if said is not None:
        return Statistic({"coded-bits": exact(said(encoded.codes))})
    codes, sizes = encoded.codes, encoded.tokenizer.spec.vocabulary
    side = np.zeros(len(encoded.batch)) if codes.side_bits is None else codes.side_bits
    packed = code_size(encoded).columns["packed-bits"] - side
    compressor = zstandard.ZstdCompressor(compression_params=_parameters())
    bits = np.zeros(len(packed))
    for row in range(len(packed)):
        pieces = [planes(level[row], size) for level, size in zip(codes.levels, sizes, strict=True)]
        bits[row] = 8 * len(compressor.compress(b"".join(pieces)))
    return Statistic({"coded-bits": exact(np.minimum(bits, packed) + side)})


def _parameters() -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False,
        write_checksum=False, write_dict_id=False,
    )  # fmt: skip


def planes(row: np.ndarray, size: int) -> bytes:
    """Ids below `size` as bytes: all lowest bytes, then all next ones. Apart, the bits that
    hardly vary cost a compressor hardly anything."""
    width = max(1, -(-(size - 1).bit_length() // 8))
    wide = np.ascontiguousarray(row, "<i8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(wide[:, :width].T).tobytes()


class _Bits(Metric):
    """Bits for each pixel or second. Subclasses say which."""

    needs = ("ids",)
    version = 2
    statistics = ("extent", "code-size", "coded-size", "codes")
    aggregation = "ratio of sums"
    tags = {"zstd": f"{ZSTD_LEVEL}@" + ".".join(map(str, zstandard.ZSTD_VERSION))}
    per: str
    column: str
    scale: int

    def result(self, measured: Measured) -> Iterator[Score]:
        unit, column = f"bit/{self.per}", self.column
        yield from measured.ratio(self.name, "nominal-bits", column, unit, "lower")
        for facet, top, what in (
            ("packed", "packed-bits", "bit"),
            ("coded", "coded-bits", "bit"),
            ("tokens", "tokens", "tokens"),
        ):
            name = f"{self.name}/{facet}"
            yield next(measured.ratio(name, top, column, f"{what}/{self.per}", "lower"))
        yield self._entropy(measured, f"{self.name}/entropy", unit)

    def _entropy(self, measured: Measured, name: str, unit: str) -> Score:
        """(Σ tokens of a level × its entropy + side information) / extent."""
        n = int(measured.totals("samples").sum())
        levels, without = by_level(measured)
        amounts, amounts_without = measured.jackknifed("amounts-by-block")
        if not len(amounts):  # comparing records: there are no tallies
            return measured.score(name, None, n, unit=unit, better="lower", note="no counts")
        keys = measured.tally("amounts-by-block").keys

        of_video = self.per == "s" and measured.spec.modality == "video"
        per = DURATION if of_video else EXTENT

        def rate(counts: list[np.ndarray], amount: np.ndarray) -> float:
            extent, side = (int(amount[keys == key].sum()) for key in (per, SIDE))
            return (stream_bits(counts) + side) * self.scale / extent if extent else float("nan")

        value = rate(levels, amounts)
        if not len(without) == len(amounts_without) == JACKKNIFE_BLOCKS:
            return measured.score(name, value, n, unit=unit, better="lower", note=FEW)
        pairs = zip(without, amounts_without, strict=True)
        low, high = jackknife(np.array([rate(*pair) for pair in pairs]), value)
        return measured.score(
            name, value, n, unit=unit, better="lower", low=low, high=high, interval="jackknife"
        )


class BitsPerPixel(_Bits):
    """Bits emitted for each pixel of the original: every token costs log2 of its level's size,
    and what a decoder needs besides (scales, offsets) is added. As facets: `packed`, with whole
    bits for each token; `entropy`, every token at the entropy of its level on this data (an ideal
    coder that knows the frequencies and nothing else); `coded`, bits emitted: what the adapter
    says, else the ids of each sample through zstd, or packed where that is less; `tokens`, tokens
    for each pixel."""

    name = "bits-per-pixel"
    unit, better = "bit/pixel", "lower"
    reference = "One-D-Piece's rate rule, bytes = n log2(K) / 8 (2501.10064)"
    per, column, scale = "pixel", "pixels", 1


class BitsPerSecond(_Bits):
    """Bits emitted for each second of the original: every token costs log2 of its level's size,
    and what a decoder needs besides (scales, text, prompts) is added. As facets: `packed`, with
    whole bits for each token; `entropy`, every token at the entropy of its level on this data (an
    ideal coder that knows the frequencies and nothing else); `coded`, bits emitted: what the
    adapter says, else the ids of each clip through zstd, or packed where that is less; `tokens`,
    tokens of all levels for each second."""

    name = "bits-per-second"
    unit, better = "bit/s", "lower"
    reference = "nominal rate, sum over levels of frame rate times log2 K, from the tokens produced"
    per, column, scale = "s", "seconds", MICRO
