"""Counts and ratios of counts: compression, fertility, whole words."""

from __future__ import annotations

from collections.abc import Iterator

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.text.uax29 import VERSION as UAX29
from tokbench.types import Score

UNSEGMENTED = 0.1
"""Share of words that UAX-29 cannot delimit above which words are not counted at all."""

_TOKEVAL = "TokEval (cimeister/tokenizer-intrinsic-evals), aggregation ratio_of_sums"


class Counts(Metric):
    """The counts themselves: tokens, UTF-8 bytes, characters (code points), words (UAX-29
    segments with a letter or a number) and samples, in all and for each group."""

    name = "counts"
    statistics = ("size", "words", "tokens")
    unit, better, aggregation = "", "neither", "sum"
    reference = "UAX #29 for words"
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        samples = measured.totals("samples")
        refused = no_words(measured)
        for name in ("tokens", "bytes", "characters", "words", "samples"):
            totals = measured.totals(name)
            kept = [g for g in range(len(totals)) if name != "words" or g not in refused]
            note = next(iter(refused.values())) if len(kept) < len(totals) else ""
            value = int(totals[kept].sum()) if kept else None
            yield measured.score(name, value, samples[kept].sum(), unit=name, note=note)
            if measured.grouped:
                for g, label in enumerate(measured.groups):
                    value = int(totals[g]) if g in kept else None
                    note = "" if g in kept else refused[g]
                    yield measured.score(f"{name}/{label}", value, samples[g], unit=name, note=note)


class BytesPerToken(Metric):
    """Compression: UTF-8 bytes divided by tokens, both summed over samples. For binaries
    the raw bytes count."""

    name = "bytes-per-token"
    statistics = ("size", "tokens")
    unit, better, aggregation = "bytes/token", "higher", "ratio of sums"
    reference = _TOKEVAL

    def result(self, measured: Measured) -> Iterator[Score]:
        return measured.ratio(self.name, "bytes", "tokens", self.unit, self.better)


class CharactersPerToken(Metric):
    """Compression: code points divided by tokens, both summed over samples."""

    name = "characters-per-token"
    statistics = ("size", "tokens")
    unit, better, aggregation = "characters/token", "higher", "ratio of sums"
    reference = _TOKEVAL

    def result(self, measured: Measured) -> Iterator[Score]:
        return measured.ratio(self.name, "characters", "tokens", self.unit, self.better)


class WordsPerToken(Metric):
    """Compression: UAX-29 words divided by tokens, both summed over samples; refused where
    the script is written without spaces."""

    name = "words-per-token"
    statistics = ("words", "tokens")
    unit, better, aggregation = "words/token", "higher", "ratio of sums"
    reference = _TOKEVAL
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = no_words(measured)
        return measured.ratio(self.name, "words", "tokens", self.unit, self.better, refused)


class TokensPerLine(Metric):
    """Tokens divided by samples: lines of parallel text, documents, pieces of a binary."""

    name = "tokens-per-line"
    statistics = ("tokens",)
    unit, better, aggregation = "tokens/sample", "lower", "ratio of sums"
    reference = "CTC of Arnett et al. (2510.21909), divided by the number of lines"

    def result(self, measured: Measured) -> Iterator[Score]:
        return measured.ratio(self.name, "tokens", "samples", self.unit, self.better)


class Fertility(Metric):
    """Tokens divided by words, both summed over samples, texts encoded whole. Words are UAX-29
    segments with a letter or a number. Refused for a group in which over 10 % of the words
    cannot be delimited that way (Thai, Khmer, Japanese, Chinese, Tibetan, …)."""

    name = "fertility"
    statistics = ("words", "tokens")
    unit, better, aggregation = "tokens/word", "lower", "ratio of sums"
    reference = "Rust et al. (2012.15613); words by UAX #29 instead of white space"
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = no_words(measured)
        return measured.ratio(self.name, "tokens", "words", self.unit, self.better, refused)


class SingleTokenRetention(Metric):
    """Single Token Retention Rate: share of words that are exactly one token, white space
    around the word aside. Words are looked at where they stand in the text, by byte
    positions. With task option `unit = "word"` each word is encoded by itself, as published."""

    name = "strr"
    statistics = ("words", "word-cover")
    unit, better, aggregation = "share", "higher", "ratio of sums"
    reference = "STRR (2510.09947), in context"
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = no_words(measured) | _unplaced(measured)
        return measured.ratio(self.name, "single", "placed", self.unit, self.better, refused)


class ContinuedWords(Metric):
    """Share of words with a token boundary strictly inside, by bytes. Not 1 − STRR: a word
    that shares its one token with a neighbour or a comma is neither."""

    name = "continued-words"
    statistics = ("words", "word-cover")
    unit, better, aggregation = "share", "lower", "ratio of sums"
    reference = "Optimal Turkish Subword Strategies (2602.06942), continued rate"
    tags = {"words": f"uax29-{UAX29}"}

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = no_words(measured) | _unplaced(measured)
        return measured.ratio(self.name, "continued", "placed", self.unit, self.better, refused)


def no_words(measured: Measured) -> dict[int, str]:
    """Groups whose words UAX-29 cannot count, with the reason."""
    words, unsegmented = measured.totals("words"), measured.totals("unsegmented")
    refused = {}
    for g in range(len(words)):
        if words[g] == 0:
            refused[g] = "no words"
        elif unsegmented[g] > UNSEGMENTED * words[g]:
            refused[g] = "script without spaces between words"
    return refused


def _unplaced(measured: Measured) -> dict[int, str]:
    """Groups without a word at a known token position."""
    placed = measured.totals("placed")
    return {g: "token positions unknown" for g in range(len(placed)) if placed[g] == 0}
