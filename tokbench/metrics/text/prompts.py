"""Prompts that end in the middle of a text: what the cut does to the tokens before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tokbench.derived import derived
from tokbench.evidence import Failure, Tally
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.pooled import pooled, total
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.cuts import PLACES, VERSION, cut
from tokbench.types import Ragged, Score

_COUNTED = ("prompts", "off", "back", "placed", "earlier")


def common_prefix(a: Ragged, b: Ragged) -> np.ndarray:
    """For each pair of rows, how many leading ids are equal."""
    lengths = np.minimum(a.lengths, b.lengths)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    differs = a.values[a.offsets[row] + place] != b.values[b.offsets[row] + place]
    first = lengths.copy()
    np.minimum.at(first, row[differs], place[differs])
    return first


def prompt_ends(encoded: EncodedText) -> Statistic:
    """Every sample cut off at one place of each kind, as columns `KIND-…`: `prompts` (it has
    such a place), `off` (the prompt's tokens are not the first tokens of the whole sample),
    `back` (tokens of the prompt from the first other one on), `placed` (token positions known)
    and `earlier` (it is off, and a token of the sample that ends before the cut is gone).
    Tally `prompt-back`: (kind, tokens back) of the prompts that are off."""
    samples = len(encoded.batch)
    columns = {
        f"{kind}-{what}": np.zeros(samples, dtype=np.int64) for kind in PLACES for what in _COUNTED
    }
    failures: dict[str, Failure] = {}
    tallies = []
    for number, kind in enumerate(PLACES):
        if not encoded.batch.raw_bytes and samples:
            back = _cut_off(encoded, kind, columns, failures)
            keys, counts = np.unique(back[back > 0], return_counts=True)
            tallies.append(Tally((number << 24) + keys, counts))
    return Statistic(columns, {"prompt-back": Tally.joined(tallies)}, failures=failures)


def _cut_off(
    encoded: EncodedText, kind: str, columns: dict[str, np.ndarray], failures: dict[str, Failure]
) -> np.ndarray:
    texts, none = encoded.batch.texts, np.zeros(0, dtype=np.int64)
    places = [(row, cut(kind, text)) for row, text in enumerate(texts)]
    ends = [(row, end) for row, end in places if end is not None]
    prompts = [texts[row][:end] for row, end in ends]
    rows = np.array([row for row, _ in ends], dtype=np.int64)
    prompt, good = derived(encoded, rows, prompts, f"prompt, {kind}", failures)
    if not len(good):
        return none
    row = rows[good]
    whole = encoded.codes.ids.take(row)
    same = common_prefix(prompt.codes.ids, whole)
    back = prompt.counts - same
    spans, batch = encoded.spans, encoded.batch
    ends_at = batch.starts + 0
    ends_at[row] += prompt.batch.sizes
    before = spans.stops <= np.repeat(ends_at, encoded.counts)
    complete = encoded.by_sample(encoded.token_sample[before])[row]
    placed = spans.known[row]
    columns[f"{kind}-prompts"][row] = 1
    columns[f"{kind}-off"][row] = back > 0
    columns[f"{kind}-back"][row] = back
    columns[f"{kind}-placed"][row] = placed
    columns[f"{kind}-earlier"][row] = (back > 0) & (same < complete) & placed
    return back


class PromptEnds(Metric):
    """What happens where a prompt is cut off: each sample is cut at one place between two
    letters (`inside-word`), one before and one behind white space (`before-blank`,
    `after-blank`), drawn from its text alone, and the prompt is encoded by itself.
    `prompt-ends/KIND`: share of the prompts whose tokens are not the first tokens of the whole
    sample, so a model that goes on from them is off the tokens it was trained on; of all three
    kinds together as `prompt-ends` and `prompt-ends/LANGUAGE`. `prompt-ends/KIND-back`: how
    many tokens such a prompt has from the first other one on, the mean over them: what token
    healing rolls back (the note has the most). `prompt-ends/KIND-earlier`: share of the prompts
    in which even a token of the sample that ends at the cut or before it is gone."""

    name = "prompt-ends"
    statistics = ("prompt-ends",)
    unit, better, aggregation = "share", "lower", "ratio of sums"
    reference = "token healing; prompt boundary problem, ids compared"
    tags = {"cuts": str(VERSION)}

    def result(self, measured: Measured) -> Iterator[Score]:
        every = tuple(PLACES)
        yield self._share(measured, self.name, every, "off", "prompts")
        if measured.grouped:
            for g, label in enumerate(measured.groups):
                yield self._share(measured, f"{self.name}/{label}", every, "off", "prompts", g)
        for number, kind in enumerate(PLACES):
            name = f"{self.name}/{kind}"
            yield self._share(measured, name, (kind,), "off", "prompts")
            yield self._back(measured, kind, number)
            yield self._share(measured, f"{name}-earlier", (kind,), "earlier", "placed")

    def _share(
        self,
        measured: Measured,
        name: str,
        kinds: Sequence[str],
        top: str,
        bottom: str,
        group: int | None = None,
    ) -> Score:
        def columns(what: str) -> list[str]:
            return [f"{kind}-{what}" for kind in kinds]

        samples = len(kinds) * total(measured, ["samples"], group)
        prompts = total(measured, columns("prompts"), group)
        n = total(measured, columns(bottom), group)
        notes = []
        if prompts < samples:
            notes.append(f"{samples - prompts:,} of {samples:,} left out: no such place")
        if n < prompts:
            notes.append(f"{prompts - n:,} of {samples:,} left out: token positions unknown")
        note = "; ".join(notes)
        return pooled(
            measured, name, columns(top), columns(bottom), n, self.unit, self.better,
            note, note, group,
        )  # fmt: skip

    def _back(self, measured: Measured, kind: str, number: int) -> Score:
        keys = measured.evidence.tallies.get("prompt-back", Tally()).keys
        most = keys[keys >> 24 == number] & ((1 << 24) - 1)
        note = f"at most {int(most.max())}" if len(most) else ""
        refused = "no prompt is off" if total(measured, [f"{kind}-prompts"]) else "no such place"
        return pooled(
            measured, f"{self.name}/{kind}-back", [f"{kind}-back"], [f"{kind}-off"],
            total(measured, [f"{kind}-off"]), "tokens", "lower", refused, note,
        )  # fmt: skip
