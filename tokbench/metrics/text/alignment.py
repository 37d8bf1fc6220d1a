"""Token boundaries against syntax: nodes of the tree, identifiers, operators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.text.constructs import OfLanguage
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.marks import Marks, inside, lost
from tokbench.text.syntax import COMMENT, IDENTIFIER, OPERATOR, STRING, syntax_of
from tokbench.types import Score

_TOKEVAL = "TokEval ({}), by bytes instead of surfaces, over all leaves"


def syntax(encoded: EncodedText, language: str) -> Statistic:
    """Nodes at token boundaries, cuts in leaves, identifiers and operators, in samples that
    parse and whose token positions are known (`<language>-parsed`); leaves under UNK are left
    out. Column names begin with the language."""
    batch, found = encoded.batch, syntax_of(encoded.batch, encoded.groups, language)
    entered = found.parsed & encoded.spans.known
    marks = Marks.of(encoded)

    def rows(starts: np.ndarray) -> np.ndarray:
        return np.searchsorted(batch.starts, starts, side="right") - 1

    def spans(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sample, stops = rows(starts), marks.dark_end(stops)
        kept = entered[sample] & ~lost(encoded, starts, stops)
        return np.stack((starts, stops))[:, kept], sample[kept], kept

    columns = {"parsed": entered.astype(np.int64)}
    (starts, stops), sample, kept = spans(found.starts, found.stops)
    kinds = found.kinds[kept]
    cuts = marks.cuts(starts, stops)
    first, last = marks.start_aligned(starts), marks.stop_aligned(stops)
    columns |= _aligned(encoded, "leaf", sample, first, last)
    columns["leaf-whole"] = encoded.by_sample(sample[first & last & (cuts == 0)])

    text = (kinds == STRING) | (kinds == COMMENT)
    columns["cuts-leaf"] = encoded.by_sample(sample, cuts)
    columns["cuts-code-leaf"] = encoded.by_sample(sample[~text], cuts[~text])
    between = marks.cuts(batch.starts, batch.stops) * entered
    columns["cuts"] = between
    columns["cuts-code"] = between - encoded.by_sample(sample[text], cuts[text])
    columns["dark-tokens"], columns["glued-tokens"] = _glued(encoded, marks, starts, entered)

    (inner_starts, inner_stops), owner, _ = spans(found.inner_starts, found.inner_stops)
    begin, end = marks.start_aligned(inner_starts), marks.stop_aligned(inner_stops)
    columns |= _aligned(encoded, "inner", owner, begin, end)

    named = np.flatnonzero(kinds == IDENTIFIER)
    columns |= _identifiers(encoded, marks, starts[named], stops[named], sample[named])
    signs = np.flatnonzero(kinds == OPERATOR)
    for name, rest in (("multi", signs), ("single", signs)):
        several = stops[rest] - starts[rest] > 1
        rest = rest[several if name == "multi" else ~several]
        alone = first[rest] & last[rest]
        uncut = cuts[rest] == 0
        columns[f"operators-{name}"] = encoded.by_sample(sample[rest])
        columns[f"operators-{name}-isolated"] = encoded.by_sample(sample[rest[alone & uncut]])
        if name == "multi":
            columns["operators-uncut"] = encoded.by_sample(sample[rest[uncut]])
            columns["operators-glued"] = encoded.by_sample(sample[rest[~alone]])
    return Statistic({f"{language}-{name}": values for name, values in columns.items()})


def _aligned(
    encoded: EncodedText, name: str, sample: np.ndarray, first: np.ndarray, last: np.ndarray
) -> dict[str, np.ndarray]:
    counts = {"": np.ones(len(sample), bool), "-start": first, "-end": last, "-both": first & last}
    return {f"{name}{facet}": encoded.by_sample(sample[of]) for facet, of in counts.items()}


def _glued(
    encoded: EncodedText, marks: Marks, leaves: np.ndarray, entered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that hold more than white space, and those of them with bytes of two leaves."""
    begins = np.zeros(len(encoded.batch.data) + 1, dtype=bool)
    begins[leaves] = True
    dark, end = marks.dark_at(marks.starts), marks.dark_end(marks.stops)
    kept = (dark < end) & entered[marks.sample]
    dark, end, sample = dark[kept], end[kept], marks.sample[kept]
    return encoded.by_sample(sample), encoded.by_sample(sample[inside(begins, dark, end) > 0])


def _identifiers(
    encoded: EncodedText, marks: Marks, starts: np.ndarray, stops: np.ndarray, sample: np.ndarray
) -> dict[str, np.ndarray]:
    """Identifiers, their cuts, their camelCase and snake_case borders, and both together."""
    borders = word_borders(encoded.batch.data)
    cuts = marks.cuts(starts, stops)
    return {
        "identifiers": encoded.by_sample(sample),
        "identifiers-uncut": encoded.by_sample(sample[cuts == 0]),
        "identifiers-tokens": encoded.by_sample(sample, cuts + 1),
        "identifiers-cuts": encoded.by_sample(sample, cuts),
        "identifiers-borders": encoded.by_sample(sample, inside(borders, starts, stops)),
        "identifiers-cut-borders": encoded.by_sample(
            sample, inside(borders & marks.begins, starts, stops)
        ),
    }


def word_borders(data: np.ndarray) -> np.ndarray:
    """Places between sub-words, one longer than `data`: either side of a run of underscores,
    before a capital after a small letter or a digit, and before the last capital of several
    that a small letter follows (HTTP|Server). ASCII letters only."""
    upper = (data >= 65) & (data <= 90)
    lower = (data >= 97) & (data <= 122)
    digit = (data >= 48) & (data <= 57)
    line = data == 95
    found = np.zeros(len(data) + 1, dtype=bool)
    found[1:-1] = (line[1:] != line[:-1]) | (upper[1:] & (lower | digit)[:-1])
    found[1:-2] |= upper[:-2] & upper[1:-1] & lower[2:]
    return found


class SyntaxAlignment(OfLanguage):
    """Do tokens respect the syntax tree? Shares of nodes whose start (`leaf-start`), end
    (`leaf-end`) or both (`leaf-both`) are token boundaries, white space around the node aside;
    `leaf-whole`: exactly one token. Leaves are lexical: a string literal (between
    interpolations) and a comment are one leaf each. The same of inner nodes (`inner-start`, …):
    distinct spans of nodes with children, without the root and the spans of leaves.
    `cuts-in-leaves` is the share of token boundaries inside a leaf, `cuts-in-code-leaves` that
    without strings and comments, `glued-tokens` the share of tokens (those of white space alone
    aside) with bytes of two or more leaves. `syntax-alignment` itself is `leaf-both`. Bytes as
    tokens score 1 on all but the cuts: read them together."""

    name = "syntax-alignment"
    statistics = ("syntax",)
    reference = _TOKEVAL.format("AST boundary alignment: start, end, full, cross")

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.share(measured, "", "leaf-both", "leaf", "no nodes")
        for node in ("leaf", "inner"):
            for facet in ("start", "end", "both", "whole"):
                if (node, facet) not in (("leaf", "both"), ("inner", "whole")):
                    name = f"{node}-{facet}"
                    yield from self.share(measured, name, name, node, "no nodes")
        lower = {"better": "lower"}
        for facet, top, bottom, why in (
            ("cuts-in-leaves", "cuts-leaf", "cuts", "no token boundaries"),
            ("cuts-in-code-leaves", "cuts-code-leaf", "cuts-code", "no token boundaries"),
            ("glued-tokens", "glued-tokens", "dark-tokens", "no tokens"),
        ):
            yield from self.share(measured, facet, top, bottom, why, **lower)
        yield from self.parsed(measured)


class IdentifierTokens(OfLanguage):
    """Tokens of an identifier: pieces that token boundaries cut it into (what is glued to its
    ends does not count), over all occurrences. `uncut`: share in one piece. `cuts-at-borders`:
    share of the cuts that fall between sub-words (snake_case on either side of the underscores,
    camelCase, HTTP|Server); `borders-cut`: share of such borders that are cut. Bytes as tokens
    cut all borders, and most cuts are elsewhere: read both."""

    name = "identifier-tokens"
    statistics = ("syntax",)
    unit, better = "tokens/identifier", "lower"
    reference = _TOKEVAL.format("identifier fragmentation")

    def result(self, measured: Measured) -> Iterator[Score]:
        why = "no identifiers"
        yield from self.share(measured, "", "identifiers-tokens", "identifiers", why)
        for facet, top, bottom, reason in (
            ("uncut", "identifiers-uncut", "identifiers", why),
            ("cuts-at-borders", "identifiers-cut-borders", "identifiers-cuts", "no cuts"),
            ("borders-cut", "identifiers-cut-borders", "identifiers-borders", "no borders"),
        ):
            better = "neither" if facet == "borders-cut" else "higher"
            yield from self.share(measured, facet, top, bottom, reason, unit="share", better=better)


class OperatorIsolation(OfLanguage):
    """Share of operators of two or more characters (`!=`, `->`, `**=`; not words such as `and`)
    that are one token with nothing else but white space around. `uncut`: no token boundary
    inside; `glued`: a token holds the operator's bytes and a neighbour's too. Operators of one
    character as `operator-isolation/single-character`."""

    name = "operator-isolation"
    statistics = ("syntax",)
    reference = _TOKEVAL.format("operator isolation")

    def result(self, measured: Measured) -> Iterator[Score]:
        why = "no operators of two or more characters"
        multi = "operators-multi"
        yield from self.share(measured, "", f"{multi}-isolated", multi, why)
        yield from self.share(measured, "uncut", "operators-uncut", multi, why)
        yield from self.share(measured, "glued", "operators-glued", multi, why, better="lower")
        single = "operators-single"
        yield from self.share(
            measured, "single-character", f"{single}-isolated", single, "no such operators"
        )
