"""Evidence and scores of a few texts, without a run folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tokbench.evidence import Evidence
from tokbench.measured import REPLICATES, Measured
from tokbench.metrics.metric import Metric
from tokbench.registry import STATISTICS
from tokbench.statistics import EncodedText, measure
from tokbench.task import MetricUse, Task
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Score, TokenizerSpec

Groups = dict[str, Sequence[str]]


def make_task(metrics: Sequence[str | MetricUse], **changes: object) -> Task:
    """A task of these metrics on data that each test names itself."""
    given = {"name": "test", "title": "", "modality": "text", "dataset": "", "main": "counts"}
    return Task(**(given | {"metrics": list(metrics)} | changes))


def batch_of(texts: Sequence[str], group: int = 0, first: int = 0) -> TextBatch:
    """A batch of one group; an empty line is no sample, but it keeps its number."""
    kept = [row for row, text in enumerate(texts) if text]
    return TextBatch(
        [texts[row] for row in kept],
        np.full(len(kept), group, dtype=np.int64),
        first + np.array(kept, dtype=np.int64),
    )


def pieces_of(
    tokenizer: TextTokenizer, groups: Groups, statistics: Sequence[str], size: int
) -> list[Evidence]:
    """Evidence in the order of a run, `size` lines of one group at a time."""
    functions = {name: STATISTICS.get(name) for name in statistics}
    pieces = []
    for number, lines in enumerate(groups.values()):
        for first in range(0, len(lines), size):
            batch = batch_of(lines[first : first + size], number, first)
            if not len(batch):
                continue
            encoded = EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), list(groups))
            part = measure(encoded, functions)
            pieces.append(
                Evidence(
                    batch.group, batch.index, part.columns, part.tallies, examples=part.examples
                )
            )
    return pieces


def evidence_of(tokenizer: TextTokenizer, groups: Groups, statistics: Sequence[str]) -> Evidence:
    """All evidence of the texts."""
    return Evidence.joined(pieces_of(tokenizer, groups, statistics, 1 << 30))


def scores_from(
    metric: Metric,
    evidence: Evidence,
    groups: Collection[str],
    spec: TokenizerSpec,
    parallel: bool = True,
    replicates: int = REPLICATES,
) -> dict[str, Score]:
    """The scores of one metric from evidence, by name."""
    measured = Measured(evidence, list(groups), parallel, spec, replicates=replicates)
    return {score.name: score for score in metric.result(measured)}


def scores_of(
    metric: Metric, tokenizer: TextTokenizer, groups: Groups, parallel: bool = True
) -> dict[str, Score]:
    """The scores of one metric on texts, by name."""
    evidence = evidence_of(tokenizer, groups, metric.statistics)
    return scores_from(metric, evidence, groups, tokenizer.spec, parallel)
