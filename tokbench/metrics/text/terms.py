"""Terms of a domain: how many tokens each takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.evidence import EXAMPLES, Example
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.statistics import EncodedText, Statistic
from tokbench.types import Score

SHOWN = 40
"""Characters of a term that an example shows."""


def terms(encoded: EncodedText) -> Statistic:
    """`one-token`: samples that are one token. Examples: the samples of most tokens, each with
    its cuts where the positions are known."""
    counts, batch, spans = encoded.counts, encoded.batch, encoded.spans
    examples = []
    for group in np.unique(batch.group).tolist():
        rows = np.flatnonzero(batch.group == group)
        most = np.argsort(-counts[rows], kind="stable")[:EXAMPLES]
        for row in sorted(rows[most].tolist()):
            here = slice(encoded.codes.ids.offsets[row], encoded.codes.ids.offsets[row + 1])
            shown = repr(batch.texts[row][:SHOWN])
            if spans.known[row]:
                pieces = zip(spans.starts[here].tolist(), spans.stops[here].tolist(), strict=True)
                raw = batch.data.tobytes()
                shown = "|".join(raw[a:b].decode(errors="replace") for a, b in pieces if b > a)
            label = encoded.groups[group]
            note = f"{int(counts[row])} tokens: {shown}"
            examples.append(
                Example(f"terms {label}", label, int(batch.index[row]), note, int(counts[row]))
            )
    return Statistic({"one-token": (counts == 1).astype(np.int64)}, examples=examples)


class TermTokens(Metric):
    """Mean tokens of a term, each encoded by itself without a blank before it, in all and for
    each domain; `whole`: share of the terms that are one token. The record's examples show the
    most fragmented terms of each domain."""

    name = "term-tokens"
    statistics = ("tokens", "terms")
    unit, better, aggregation = "tokens/term", "lower", "ratio of sums"
    reference = "KL3M tokenizers (2503.17247), tokens of domain terms"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from measured.ratio(self.name, "tokens", "samples", self.unit, self.better)
        yield from measured.ratio(f"{self.name}/whole", "one-token", "samples", "share", "higher")
