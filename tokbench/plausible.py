"""What every honest record satisfies, whatever was measured: one table of bounds, and relations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tokbench.record import Record
from tokbench.types import Score

INFINITE = math.inf
SLACK = 1e-9
"""Relative error that sums of floats may have."""


class Bound(NamedTuple):
    """Where values of a unit, or of a score (which goes before its unit), must lie."""

    low: float
    high: float
    why: str


BY_UNIT: dict[str, Bound] = {
    **dict.fromkeys(
        ("share", "share of tokens", "share of types", "share of cost", "index"),
        Bound(0, 1, "a share"),
    ),
    "cosine": Bound(-1, 1, "a cosine"),
    "Spearman's rho": Bound(-1, 1, "a correlation"),
    "MOS": Bound(-0.5, 5, "an opinion score"),
    **dict.fromkeys(
        (
            "ratio", "tokens", "bytes", "characters", "words", "samples", "ids", "bytes/token",
            "characters/token", "words/token", "tokens/word", "tokens/sample", "tokens/digit",
            "tokens/term", "tokens/identifier", "pieces/word", "pieces/morpheme",
            "morphemes/piece", "edits/character", "edits/word", "edits/morpheme", "bit/pixel",
            "bit/s", "tokens/pixel", "tokens/s", "bits/byte", "bits per byte", "bytes per byte",
            "bits", "kHz", "cent", "MB/s", "s", "MiB",
        ),
        Bound(0, INFINITE, "never negative"),
    ),
}  # fmt: skip

BY_SCORE: dict[str, Bound] = {
    "psnr": Bound(-INFINITE, 100, "capped at 100 dB, which identical pictures have"),
    **dict.fromkeys(("ssim", "ssim-uniform-7", "ms-ssim", "stoi", "estoi"),
                    Bound(-1, 1, "a correlation")),
    **dict.fromkeys(("rfid", "frechet-distance", "lpips", "wer", "cer", "mer", "dwer",
                     "mel-distance", "stft-distance"), Bound(0, INFINITE, "never negative")),
    "wil": Bound(0, 1, "a share"),
    "utilisation": Bound(0, 1, "used ids over all ids"),
}  # fmt: skip

COUNTS = ("tokens", "bytes", "characters", "words", "samples", "ids")
"""Units of whole numbers, for the scores that count."""

COUNTED = ("tokens", "bytes", "characters", "words", "samples", "types")

OF_SAMPLES = (
    *COUNTED, "bytes-per-token", "characters-per-token", "words-per-token", "tokens-per-line",
    "fertility", "strr", "continued-words", "premium", "gini", "gini-bytes", "lossless",
    "character-error-rate", "unknown", "psnr", "ssim", "ms-ssim", "lpips", "bits-per-pixel",
    "bits-per-second", "si-sdr", "pesq", "stoi",
)  # fmt: skip
"""Scores whose n counts samples: never more than the data has."""

PER_BYTE, PER_SAMPLE = 4, 8
"""Tokens that text can make: for each byte (escapes, case marks), and around each sample."""


def implausible(record: Record) -> Iterator[str]:
    """One line for each value that no measurement gives."""
    for score in (*record.scores, *record.performance):
        yield from _outside(score)
    for score in record.scores:
        base = score.name.partition("/")[0]
        if base in OF_SAMPLES and score.n > record.about.dataset.samples:
            yield (
                f"{score.name}: n is {score.n:,}, of {record.about.dataset.samples:,} samples "
                "in the data"
            )
    seen = Counter(score.name for score in record.scores)
    yield from (f"{name}: there {times} times" for name, times in seen.items() if times > 1)
    yield from _relations(record)


def _outside(score: Score) -> Iterator[str]:
    numbers = [("value", score.value), ("low end", score.low), ("high end", score.high)]
    for what, number in numbers:
        if number is not None and not math.isfinite(number):
            yield f"{score.name}: its {what} is not a finite number"
            return
    if score.low is not None and score.high is not None and score.low > score.high:
        yield f"{score.name}: its interval is upside down ({score.low:g} … {score.high:g})"
    if score.value is None and (score.low is not None or score.high is not None):
        yield f"{score.name}: an interval without a value"
    bound = BY_SCORE.get(score.name.partition("/")[0]) or BY_UNIT.get(score.unit)
    if bound and score.value is not None:
        slack = SLACK * max(1.0, abs(score.value))
        if not bound.low - slack <= score.value <= bound.high + slack:
            yield f"{score.name} = {score.value:g} {score.unit}: {bound.why}"
    counts = score.name.partition("/")[0] in COUNTED and score.unit in COUNTS
    if counts and score.value is not None and score.value % 1:
        yield f"{score.name} = {score.value:g}: a count is a whole number"


def _relations(record: Record) -> Iterator[str]:
    """What follows from one score for another, over all data and in each group."""
    found = {s.name: s.value for s in record.scores if s.value is not None}
    for facet in dict.fromkeys(name.partition("/")[2] for name in found):
        end = f"/{facet}" if facet else ""

        def of(name: str, end: str = end) -> float | None:
            return found.get(name + end)

        tokens, size, characters = of("tokens"), of("bytes"), of("characters")
        samples, words = of("samples"), of("words")
        if tokens is not None and size is not None:
            most = PER_BYTE * size + PER_SAMPLE * (samples or record.about.dataset.samples)
            if tokens > most:
                yield f"tokens{end} = {tokens:,.0f}: {size:,.0f} bytes cannot give as many"
        if size is not None and characters is not None and characters > size:
            yield f"characters{end} = {characters:,.0f}: more than bytes ({size:,.0f})"
        if words is not None and characters is not None and words > characters:
            yield f"words{end} = {words:,.0f}: more than characters ({characters:,.0f})"
        for name, top, bottom in (
            ("bytes-per-token", size, tokens),
            ("characters-per-token", characters, tokens),
        ):  # words per token leaves groups out in which words are undefined
            value = of(name)
            if value is None or top is None or not bottom:
                continue
            if not math.isclose(value, top / bottom, rel_tol=1e-6):
                yield f"{name}{end} = {value:g}, but the counts give {top / bottom:g}"
        types, vocabulary = of("types"), sum(record.about.tokenizer.spec.vocabulary)
        if types is not None and tokens is not None and types > tokens:
            yield f"types{end} = {types:,.0f}: more than tokens ({tokens:,.0f})"
        if types is not None and vocabulary and types > vocabulary:
            yield f"types{end} = {types:,.0f}: more than the vocabulary ({vocabulary:,})"
        lossless, errors = of("lossless"), of("character-error-rate")
        if lossless is not None and errors is not None and (lossless == 1) != (errors == 0):
            yield f"lossless{end} = {lossless:g}, yet character-error-rate{end} = {errors:g}"
