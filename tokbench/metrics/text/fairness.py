"""How unequally a tokenizer charges languages for the same content. Parallel data only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tokbench.errors import UserError
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.text.languages import family_of, script_of
from tokbench.types import Score


class _AgainstReference(Metric):
    """A metric that holds every group against one of them."""

    def __init__(self, *, reference: str = "eng_Latn"):
        self.language = reference

    def options(self) -> dict[str, str]:
        return {"reference": self.language}

    def reference_of(self, measured: Measured) -> int:
        if not measured.parallel:
            raise UserError(
                f"metric '{self.name}' needs parallel data: the same content in every language"
            )
        if self.language not in measured.groups:
            raise UserError(
                f"metric '{self.name}': reference language '{self.language}' is not in the data"
            )
        return measured.groups.index(self.language)


class Premium(_AgainstReference):
    """Token premium of a language: its tokens divided by the reference language's tokens for
    the same content, one ratio of totals for each language (over the samples that both
    have). `premium/max`, `premium/mean` over languages other than the reference's own 1,
    `premium/script-…` and `premium/family-…` mean over their languages."""

    name = "premium"
    statistics = ("tokens",)
    unit, better, aggregation = "ratio", "lower", "ratio of sums"
    reference = "Petrov et al. (2305.15425), tokenization-fairness"

    def result(self, measured: Measured) -> Iterator[Score]:
        base = self.reference_of(measured)
        value, draws, n = _premiums(measured, base)
        note = measured.enough()
        yield from _facets(self, measured, value, draws, n, note)
        others = np.array([g != base and np.isfinite(value[g]) for g in range(len(value))])
        if not others.any():
            return
        worst = int(np.argmax(np.where(others, value, -np.inf)))
        yield from _summaries(self, measured, value, draws, others, n, note, worst)


def _bounds(low: Any, high: Any, draws: np.ndarray) -> dict[str, Any]:
    return {"low": low, "high": high, "draws": draws, "interval": "bootstrap"}


def _facets(
    metric: Metric,
    measured: Measured,
    value: np.ndarray,
    draws: np.ndarray,
    n: np.ndarray,
    note: str,
) -> Iterator[Score]:
    low, high = measured.interval(draws)
    for g, label in enumerate(measured.groups):
        bounds = {} if note else _bounds(low[g], high[g], draws[:, g])
        yield measured.score(
            f"{metric.name}/{label}",
            value[g],
            n[g],
            unit=metric.unit,
            better=metric.better,
            note=note,
            **bounds,
        )


def _summaries(
    metric: Metric,
    measured: Measured,
    value: np.ndarray,
    draws: np.ndarray,
    others: np.ndarray,
    n: np.ndarray,
    note: str,
    worst: int,
) -> Iterator[Score]:
    """Maximum, mean, and means over scripts and families of languages."""

    def summary(facet: str, over: Callable[[np.ndarray], np.ndarray], remark: str) -> Score:
        own = over(draws)
        bounds = {} if note else _bounds(*measured.interval(own), own)
        return measured.score(
            f"{metric.name}/{facet}",
            over(value[None])[0],
            int(n[others].max()),
            unit=metric.unit,
            better=metric.better,
            note=remark or note,
            **bounds,
        )

    yield summary("max", lambda t: t[:, others].max(1), f"worst: {measured.groups[worst]}")
    yield summary("mean", lambda t: t[:, others].mean(1), "")
    for kind, of in (("script", script_of), ("family", family_of)):
        members = defaultdict(list)
        for g in np.flatnonzero(others):
            members[of(measured.groups[g])].append(g)
        for label in sorted(members):
            if label:
                rows = members[label]
                count = f"{len(rows)} language{'s' if len(rows) > 1 else ''}"
                yield summary(f"{kind}-{label}", partial(_mean_of, rows=rows), count)


def _mean_of(table: np.ndarray, rows: list[int]) -> np.ndarray:
    return table[:, rows].mean(1)


def _premiums(measured: Measured, base: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Premium of every group, its replicates, and the number of shared samples."""
    tokens, there = measured.matrix("tokens"), measured.matrix("samples")
    shared = np.minimum(there, there[:, [base]])
    with np.errstate(divide="ignore", invalid="ignore"):
        if (there == there[:, [base]]).all():
            own, basis = tokens, np.broadcast_to(tokens[:, [base]], tokens.shape)
            own_r = measured.replicates("tokens")
            basis_r = own_r[:, [base]]
        else:
            block = measured.evidence.block
            if block > 1:  # which of a block's samples are there is unknown: only whole ones match
                shared *= shared == block
            own, basis = tokens * (shared > 0), tokens[:, [base]] * (shared > 0)
            own_r, basis_r = measured.resampled(own), measured.resampled(basis)
        return own.sum(0) / basis.sum(0), own_r / basis_r, shared.sum(0).astype(np.int64)


class Parity(_AgainstReference):
    """Mean over samples of the ratio tokens(language)/tokens(reference) of each sample: what a
    single sentence costs, where `premium` is what a corpus costs."""

    name = "parity"
    statistics = ("tokens",)
    unit, better, aggregation = "ratio", "lower", "mean of samples"
    reference = "Petrov et al. (2305.15425), definition of tokenizer parity, sentence by sentence"

    def result(self, measured: Measured) -> Iterator[Score]:
        base = self.reference_of(measured)
        if measured.evidence.block > 1:
            yield measured.score(
                self.name,
                None,
                0,
                unit=self.unit,
                better=self.better,
                note="too many samples to keep each one's ratio",
            )
            return
        tokens = measured.matrix("tokens")
        defined = (tokens > 0) & (tokens[:, [base]] > 0)
        ratio = np.divide(tokens, tokens[:, [base]], out=np.zeros_like(tokens), where=defined)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = ratio.sum(0) / defined.sum(0)
            draws = measured.resampled(ratio) / measured.resampled(defined.astype(float))
        yield from _facets(self, measured, value, draws, defined.sum(0), measured.enough())


class Gini(Metric):
    """Gini coefficient of the languages' token cost: ΣᵢΣⱼ|cᵢ−cⱼ| / (2n²μ), 0 when all pay the
    same. `cost = "lines"`: tokens for the same lines (samples that every language has);
    `cost = "bytes"`: tokens for each UTF-8 byte. `gini/lorenz-50` is the Lorenz curve: the
    share of all cost borne by the cheapest 50 % of the languages (10, 25, 50, 75, 90)."""

    name = "gini"
    statistics = ("tokens", "size")
    unit, better, aggregation = "index", "lower", "ratio of sums"
    reference = "TokEval TFG (fairness Gini); Foroutan et al., parity-aware BPE"

    def __init__(self, *, cost: str = "lines"):
        if cost not in ("lines", "bytes"):
            raise ValueError("cost is 'lines' or 'bytes'")
        self.cost = cost

    def result(self, measured: Measured) -> Iterator[Score]:
        if not measured.parallel and self.cost == "lines":
            raise UserError("metric 'gini': cost='lines' needs parallel data; use cost='bytes'")
        name = self.name if self.cost == "lines" else "gini-bytes"
        if not measured.grouped:
            yield measured.score(name, None, 0, note="one language: nothing to compare")
            return
        value, draws, n = self._costs(measured)
        note = measured.enough()
        for facet, function in (
            ("", gini),
            *((f"/lorenz-{p}", lambda t, p=p: lorenz(t, p / 100)) for p in (10, 25, 50, 75, 90)),
        ):
            own = function(draws)
            bounds = {} if note else _bounds(*measured.interval(own), own)
            yield measured.score(
                name + facet,
                function(value[None])[0],
                n,
                note=note,
                unit="index" if not facet else "share of cost",
                better="lower" if not facet else "higher",
                **bounds,
            )

    def _costs(self, measured: Measured) -> tuple[np.ndarray, np.ndarray, int]:
        if self.cost == "bytes":
            with np.errstate(divide="ignore", invalid="ignore"):
                value = measured.totals("tokens") / measured.totals("bytes")
                draws = measured.replicates("tokens") / measured.replicates("bytes")
            return value, draws, int(measured.totals("samples").sum())
        tokens, there = measured.matrix("tokens"), measured.matrix("samples")
        everywhere = (there == there.max(1, keepdims=True)).all(1)
        if everywhere.all():
            return tokens.sum(0), measured.replicates("tokens"), int(there[:, 0].sum())
        tokens = tokens * everywhere[:, None]
        return tokens.sum(0), measured.resampled(tokens), int(there[everywhere, 0].sum())


def gini(costs: np.ndarray) -> np.ndarray:
    """Gini coefficient along the last axis, by the sorted form of the mean difference."""
    ordered = np.sort(costs, axis=-1)
    count = ordered.shape[-1]
    ranks = 2 * np.arange(1, count + 1) - count - 1
    with np.errstate(invalid="ignore"):  # no cost at all: undefined
        return (ordered * ranks).sum(-1) / (count * ordered.sum(-1))


def lorenz(costs: np.ndarray, share: float) -> np.ndarray:
    """Share of the total borne by the cheapest `share` of the last axis, interpolated."""
    ordered = np.sort(costs, axis=-1)
    count = ordered.shape[-1]
    curve = np.concatenate((np.zeros((*ordered.shape[:-1], 1)), ordered.cumsum(-1)), axis=-1)
    with np.errstate(invalid="ignore"):
        curve /= curve[..., -1:]
    low = int(share * count)
    part = share * count - low
    high = min(low + 1, count)
    return curve[..., low] * (1 - part) + curve[..., high] * part
