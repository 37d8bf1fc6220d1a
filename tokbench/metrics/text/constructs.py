"""What each construct costs: bytes per token of identifiers, strings, JSON keys, time stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import msgspec
import numpy as np

from tokbench.measured import Better, Measured
from tokbench.metrics.metric import Metric
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.marks import WHITE, counted
from tokbench.text.programming import BY_GROUP, LEXED, checked_language, language_of, versions
from tokbench.text.syntax import CODE, COMMENT, STRING, names_of, require, syntax_of
from tokbench.types import Score

INDENTATION = CODE.index("indentation")


def constructs(encoded: EncodedText, language: str) -> Statistic:
    """Of every construct its bytes and the tokens spent on it, in samples that parse and whose
    token positions are known (`<language>-parsed`)."""
    batch, spans = encoded.batch, encoded.spans
    names = names_of(language)
    width, blank = len(names), len(names) - 1
    kinds = construct_of_bytes(encoded, language)
    entered = syntax_of(batch, encoded.groups, language).parsed & spans.known
    rows = np.repeat(np.arange(len(batch)), batch.sizes + 1)  # with the line feed before each
    dark = np.ones(len(kinds), dtype=bool)
    dark[batch.starts - 1] = False
    dark &= entered[rows]
    cells = np.bincount(rows[dark] * width + kinds[dark], minlength=len(batch) * width)
    sizes = cells.reshape(-1, width).astype(np.int64)

    sample = encoded.token_sample
    real = (spans.stops > spans.starts) & entered[sample]
    owner = _owner(kinds, spans.starts[real], spans.stops[real], width, language)
    cells = np.bincount(sample[real] * width + owner, minlength=len(batch) * width)
    tokens = cells.reshape(-1, width).astype(np.int64)

    columns = {f"{language}-parsed": entered.astype(np.int64)}
    columns[f"{language}-construct-tokens"] = tokens.sum(1)
    for number, name in enumerate(names):
        columns[f"{language}-{name}-bytes"] = sizes[:, number]
        columns[f"{language}-{name}-tokens"] = tokens[:, number]
    assert names[blank] == "whitespace"
    return Statistic(columns)


def construct_of_bytes(encoded: EncodedText, language: str) -> np.ndarray:
    """The construct of every byte of the batch, uint8; worked out once for all statistics."""
    batch, kept = encoded.batch, f"constructs {language}"
    if kept in batch.analyses:
        return batch.analyses[kept]
    names = names_of(language)
    syntax = syntax_of(batch, encoded.groups, language)
    fill = names.index("other" if "other" in names else "punctuation")
    kinds = np.where(WHITE[batch.data], len(names) - 1, fill).astype(np.uint8)
    lengths = syntax.stops - syntax.starts
    kinds[flat(syntax.starts, lengths)] = np.repeat(syntax.kinds, lengths)
    if names is CODE:
        starts, widths = indented(batch.data, kinds)
        kinds[flat(starts, widths)] = INDENTATION
    batch.analyses[kept] = kinds
    return kinds


def flat(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """All places of these spans, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def indented(data: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and widths in bytes (blanks and tabs) of the indentation of every indented line
    that is not empty and does not begin inside a string or a comment."""
    blank = (data == 32) | (data == 9)
    size = len(data)
    dark = np.append(np.flatnonzero(~blank), size)
    starts = np.flatnonzero(data[:-1] == 10) + 1
    starts = starts[blank[starts]]
    ends = dark[np.searchsorted(dark, starts)]
    kept = ends < size
    kept[kept] = ~np.isin(data[ends[kept]], (10, 13))
    starts, ends = starts[kept], ends[kept]
    text = (kinds == STRING) | (kinds == COMMENT)
    outside = ~(text[starts] & text[starts - 1])
    return starts[outside], (ends - starts)[outside]


def _owner(
    kinds: np.ndarray, starts: np.ndarray, stops: np.ndarray, width: int, language: str
) -> np.ndarray:
    """The construct of each token: that of most of its bytes, the first of them in a tie;
    white space counts only where there is nothing else."""
    spaces = [width - 1, INDENTATION] if width == len(CODE) else [width - 1]
    lengths = stops - starts
    first = kinds[starts]
    differs = counted(kinds[1:] != kinds[:-1])
    mixed = np.flatnonzero(differs[stops - 1] > differs[starts])
    owner = first.astype(np.int64)
    if not len(mixed):
        return owner
    lengths = lengths[mixed]
    places = flat(starts[mixed], lengths)
    token = np.repeat(np.arange(len(mixed)), lengths)
    kind = kinds[places]
    dark = ~np.isin(kind, spaces)
    votes = np.bincount(token[dark] * width + kind[dark], minlength=len(mixed) * width) * 2
    at = np.flatnonzero(dark)
    heads = at[np.flatnonzero(np.diff(token[at], prepend=-1))]
    votes[token[heads] * width + kind[heads]] += 1
    votes = votes.reshape(-1, width)
    some = votes.any(1)
    owner[mixed[some]] = votes[some].argmax(1)
    return owner


class OfLanguage(Metric):
    """A metric of source code, with the language as option: `python`, …, or `group` where the
    labels of the groups name it."""

    lexed = False
    unit, aggregation = "share", "ratio of sums"
    better: ClassVar[Better] = "higher"

    def __init__(self, *, language: str = BY_GROUP):
        self.language = checked_language(language, self.lexed)
        self.statistics = tuple(
            f"{name}?language={self.language}" for name in type(self).statistics
        )
        self.tags = {"grammar": versions(self.language)}

    def check(self, groups: Sequence[str]) -> None:
        require(self.language)

    def refused(self, measured: Measured, column: str, why: str) -> dict[int, str]:
        """Groups in which a column counts nothing, with the reason."""
        counts = measured.totals(f"{self.language}-{column}")
        parsed = measured.totals(f"{self.language}-parsed")
        reasons = {}
        for g in np.flatnonzero(counts == 0).tolist():
            label = measured.groups[g]
            if self.language == BY_GROUP and language_of(label) is None:
                reasons[g] = f"'{label}' names no language that is known; see option language"
            else:
                reasons[g] = why if parsed[g] else "no sample parses at known token positions"
        return reasons

    def share(
        self, measured: Measured, facet: str, top: str, bottom: str, why: str, **rest: str
    ) -> Iterator[Score]:
        """Ratio of two columns of the language as `name/facet`; refused, and out of the pool,
        where `judged` (else the lower one) counts nothing."""
        name = f"{self.name}/{facet}" if facet else self.name
        refused = self.refused(measured, rest.get("judged", bottom), why)
        return measured.ratio(
            name, f"{self.language}-{top}", f"{self.language}-{bottom}",
            rest.get("unit", self.unit), rest.get("better", self.better),  # type: ignore[arg-type]
            refused, f"{self.language}-parsed",
        )  # fmt: skip

    def parsed(self, measured: Measured) -> Iterator[Score]:
        """The share of samples that entered; its note counts those left out."""
        parsed, samples = measured.totals(f"{self.language}-parsed"), measured.totals("samples")
        known = [
            self.language != BY_GROUP or language_of(label) is not None for label in measured.groups
        ]
        out = int((samples - parsed)[known].sum())
        refused = {
            g: why
            for g, why in self.refused(measured, "parsed", "").items()
            if not known[g] or not samples[g]
        }
        for score in measured.ratio(
            f"{self.name}/parsed", f"{self.language}-parsed", "samples", "share", "neither", refused
        ):
            if out and score.name == f"{self.name}/parsed" and not score.note:
                total = int(samples[known].sum())
                note = f"{out:,} of {total:,} samples left out: they do not parse without error"
                score = msgspec.structs.replace(score, note=note)
            yield score


class ConstructBytes(OfLanguage):
    """Bytes of a construct divided by the tokens spent on it, both summed over samples. A token
    is spent on the construct that most of its bytes belong to (the first of them in a tie);
    white space counts only in tokens that hold nothing else, so its own figure is high where
    words bring their blanks along. Constructs of code (by tree-sitter): identifier, keyword,
    string, comment, number, operator, punctuation, other, indentation, whitespace; of `json`:
    key, string, number, literal, punctuation, whitespace; of `log`: timestamp, hex-id, number,
    word, punctuation, whitespace. Samples with syntax errors, or of unknown token positions, are
    left out and counted (`construct-bytes/parsed`)."""

    name = "construct-bytes"
    statistics, lexed = ("constructs",), True
    unit = "bytes/token"
    reference = "tokbench; tree-sitter for code"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.parsed(measured)
        for name in names_of(self.language):
            if self.language in LEXED or measured.totals(f"{self.language}-{name}-bytes").any():
                top, bottom = f"{name}-bytes", f"{name}-tokens"
                yield from self.share(measured, name, top, bottom, f"no {name}", judged=top)


class ConstructTokens(OfLanguage):
    """Share of the tokens spent on each construct; see `construct-bytes` for which token is
    spent on what."""

    name = "construct-tokens"
    statistics, lexed = ("constructs",), True
    better = "neither"
    reference = "tokbench; tree-sitter for code"

    def result(self, measured: Measured) -> Iterator[Score]:
        for name in names_of(self.language):
            yield from self.share(measured, name, f"{name}-tokens", "construct-tokens", "no tokens")
