"""How much a tokenizer of images or clips emits: tokens, and bits for each pixel or second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.types import Score


def extent(encoded: EncodedMedia) -> Statistic:
    """`pixels` of an image, `seconds` of a clip."""
    if encoded.tokenizer.spec.modality == "audio":
        seconds = [s.data.shape[1] / s.rate for s in encoded.batch.samples if s.data is not None]
        return Statistic({"seconds": exact(seconds)})
    pixels = [picture.shape[0] * picture.shape[1] for picture in encoded.inputs]
    return Statistic({"pixels": np.array(pixels, np.int64)})


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


class BitsPerPixel(Metric):
    """Bits emitted for each pixel of the original: every token costs log2 of its level's size,
    and what a decoder needs besides (scales, offsets) is added. As facets: `packed`, with whole
    bits for each token; `tokens`, tokens for each pixel."""

    name = "bits-per-pixel"
    statistics = ("extent", "code-size")
    needs = ("ids",)
    unit, better, aggregation = "bit/pixel", "lower", "ratio of sums"
    reference = "One-D-Piece's rate rule, bytes = n log2(K) / 8 (2501.10064)"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from _rates(self.name, measured, "pixels", "pixel")


class BitsPerSecond(Metric):
    """Bits emitted for each second of the original: every token costs log2 of its level's size,
    and what a decoder needs besides (scales, text, prompts) is added. As facets: `packed`, with
    whole bits for each token; `tokens`, tokens of all levels for each second."""

    name = "bits-per-second"
    statistics = ("extent", "code-size")
    needs = ("ids",)
    unit, better, aggregation = "bit/s", "lower", "ratio of sums"
    reference = "nominal rate, sum over levels of frame rate times log2 K, from the tokens produced"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from _rates(self.name, measured, "seconds", "s")


def _rates(name: str, measured: Measured, extent: str, per: str) -> Iterator[Score]:
    yield from measured.ratio(name, "nominal-bits", extent, f"bit/{per}", "lower")
    yield next(measured.ratio(f"{name}/packed", "packed-bits", extent, f"bit/{per}", "lower"))
    yield next(measured.ratio(f"{name}/tokens", "tokens", extent, f"tokens/{per}", "lower"))
