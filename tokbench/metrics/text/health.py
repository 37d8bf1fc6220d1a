"""What a vocabulary cannot use: ids that no text yields, tokens that live only inside others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import Any, NamedTuple

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.text.census import FIXED, Surfaces, VocabularyMetric, decoded
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.merges import Merges
from tokbench.types import Ragged, Score

_EDGES = (" ", "\n", ".", "(", ")", "-", "'", "я", "語", "A", *ascii_lowercase, *digits)
CARRIERS = (
    "{}", " {}", "a{}", "{}a", "1{}", ".{}", "a{}a", "{0}{0}", "1{}1", "Q{}Q", "({})", "a {}",
    "{0}{0}{0}",
    *(f"{edge}{{}}" for edge in _EDGES),
    *(f"{{}}{edge}" for edge in _EDGES),
)  # fmt: skip
"""Contexts in which a token may occur though not alone."""

BUDGET = 800_000
"""The most texts encoded in carriers, so that a mostly dead vocabulary ends too."""

_BATCH = 8192


class Reach(NamedTuple):
    """Emittable ids that are UTF-8 by themselves: all, those that come back alone, and those
    that some text yields; and how many carriers the others were tried in."""

    whole: np.ndarray
    alone: np.ndarray
    reached: np.ndarray
    carriers: int


def reach(tokenizer: Any, surfaces: Surfaces) -> Reach:
    """Encode every surface alone, then those not yet seen in any output in all carriers."""
    whole = np.fromiter(surfaces.texts, dtype=np.int64, count=len(surfaces.texts))
    counting = surfaces.emittable.copy()  # what encoders put around every text counts for nothing
    if tokenizer.unknown is not None and tokenizer.unknown < len(counting):
        counting[tokenizer.unknown] = True
    seen = np.zeros(len(counting), dtype=bool)
    alone = np.zeros(len(counting), dtype=bool)
    for ids in _batches(whole):
        rows = tokenizer.encode(decoded(tokenizer, [[i] for i in ids.tolist()])).ids
        seen[rows.values] = True
        alone[ids] = _single(rows, ids, counting)
    tried = spent = 0
    for carrier in CARRIERS:
        left = whole[~seen[whole]]
        spent += len(left)
        if spent > BUDGET:
            break
        for ids in _batches(left):
            texts = [carrier.format(surfaces.texts[i]) for i in ids.tolist()]
            seen[tokenizer.encode(texts).ids.values] = True
        tried += 1
    return Reach(whole, alone[whole], seen[whole], tried)


def _batches(ids: np.ndarray) -> Iterator[np.ndarray]:
    return (ids[first : first + _BATCH] for first in range(0, len(ids), _BATCH))


def _single(rows: Ragged, ids: np.ndarray, counting: np.ndarray) -> np.ndarray:
    """For each row: is the id the only one in it that counts?"""
    counts = counting[rows.values]
    owner = np.repeat(np.arange(len(rows)), rows.lengths)
    total = np.bincount(owner, counts, minlength=len(rows))
    own = np.bincount(owner, counts & (rows.values == ids[owner]), minlength=len(rows))
    return (total == 1) & (own == 1)


class Reachability(VocabularyMetric):
    """Share of the emittable ids that some text yields (`reachability`). An id is tried alone,
    encode(decode(id)) = id (`reachability/alone`), and, where no output has shown it yet, inside
    carriers: after and before a space, letters, digits, punctuation, a line end, other scripts,
    and repeated; so a token that needs a context is not accused. `unreachable-ids` counts the
    rest, `context-only-ids` those reached but not alone; `reachability/left-out` the ids that
    are not UTF-8 by themselves and cannot be tried, in no denominator. Unreachable is not
    proven: it means no carrier yields the id. The note says when so many ids are left that not
    all carriers were tried."""

    name = "reachability"
    better = "higher"
    reference = "Land & Bartolo (2405.05417), unreachable tokens; magikarp issue #13, contexts"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        found = reach(measured.tokenizer, surfaces)
        n, dead = len(found.whole), found.whole[~found.reached].tolist()
        if not n:
            note = "no id is UTF-8 by itself"
            yield measured.score(self.name, None, 0, unit="share", better="higher", note=note)
            return
        left_out = len(surfaces.ids) - n
        note = f"{left_out} ids left out (not UTF-8 alone); {FIXED}"
        if found.carriers < len(CARRIERS):
            note = f"{found.carriers} of {len(CARRIERS)} carriers tried; {note}"
        example = f"such as {surfaces.shown(dead)}; {note}" if dead else note
        context = int((found.reached & ~found.alone).sum())
        for name, value, unit, better, said in (
            ("reachability", found.reached.mean(), "share", "higher", example),
            ("reachability/alone", found.alone.mean(), "share", "higher", note),
            ("unreachable-ids", len(dead), "ids", "lower", example),
            ("context-only-ids", context, "ids", "neither", note),
            ("reachability/left-out", left_out, "ids", "neither", FIXED),
        ):
            yield measured.score(name, value, n, unit=unit, better=better, note=said)


class UnusedByScript(VocabularyMetric):
    """Share of the emittable ids of each script that never occur on the data
    (`unused-by-script/XXXX`, ISO 15924; `Zyyy`: no letters, `partial`: not UTF-8 alone), and of
    all of them (`unused-by-script`). n is the script's number of ids. Falls as the data grows:
    compare on the same data only."""

    name = "unused-by-script"
    statistics = ("ids",)
    better = "lower"
    reference = "dead vocabulary (QwenLM/Qwen3 #1818), by script"

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        seen = set(measured.tally("ids-by-group").keys.tolist())
        scripts = surfaces.scripts
        sizes = Counter(scripts.values())
        unused = Counter(script for i, script in scripts.items() if i not in seen)
        note = "no interval: ids seen grow with the sample"
        rows = [("", unused.total(), len(scripts))]
        rows += [(f"/{name}", unused[name], count) for name, count in sizes.most_common()]
        for facet, count, n in rows:
            name = self.name + facet
            yield measured.score(name, count / n, n, unit="share", better="lower", note=note)


def inside_shares(merges: Merges, counts: np.ndarray, least: int) -> dict[int, float]:
    """Intermediate tokens and their highest IoS, from the counts of final tokens.

    Merges are undone from the last to the first. When merge k is undone, its parts have the
    counts that they had right before it: IoS(x | pair) = f(pair) / f(x).
    """
    free = counts.tolist()
    made = set(merges.products)
    highest: dict[int, float] = {}
    for place in range(len(merges.products) - 1, -1, -1):
        pair_count = free[merges.products[place]]
        parts = merges.parts(place) if pair_count else None
        if parts is None:
            continue
        for part in parts:
            free[part] += pair_count
        for part in parts:
            if part in made and free[part] >= least:
                highest[part] = max(highest.get(part, 0.0), pair_count / free[part])
    return highest


class JunkMerges(VocabularyMetric):
    """Share of the intermediate tokens (made by one merge, consumed by another) of a BPE that are
    junk on the data: some merge swallows at least `threshold` of their occurrences, IoS(x | pair)
    = f(pair) / f(x) with the frequencies right before the merge. These come from the counts of
    the tokens by undoing the merges from the last to the first. Judged are tokens with at least
    `least` occurrences before a merge that occurs; n is their number, `junk-merges-ids` the
    junk. Depends on the data: compare on the same data only."""

    name = "junk-merges"
    version = 2
    statistics = ("ids",)
    better = "lower"
    reference = "Picky BPE (2409.04599), IoS with threshold 0.9"

    def __init__(self, *, threshold: float = 0.9, least: int = 10):
        if not 0 < threshold <= 1:
            raise ValueError("threshold is above 0 and at most 1")
        if least < 1:
            raise ValueError("least is 1 or more")
        self.threshold, self.least = threshold, least

    def scores(self, measured: Measured, surfaces: Surfaces) -> Iterator[Score]:
        tokenizer = measured.tokenizer
        merges = tokenizer.merges() if isinstance(tokenizer, TextTokenizer) else None
        if merges is None:
            note = "no merges: not a BPE, or its file does not list them"
            yield measured.score(self.name, None, 0, unit="share", better="lower", note=note)
            return
        tally = measured.tally("ids-by-group")
        counts = np.zeros(len(surfaces.pieces), dtype=np.int64)
        counts[tally.keys] = tally.counts
        shares = inside_shares(merges, counts, self.least)
        junk = [i for i, share in sorted(shares.items()) if share >= self.threshold]
        if not shares:
            note = f"too little data: no intermediate token occurs {self.least} times"
            yield measured.score(self.name, None, 0, unit="share", better="lower", note=note)
            return
        note = "no interval: tokens judged grow with the sample"
        note = f"such as {surfaces.shown(junk)}; {note}" if junk else note
        n = len(shares)
        yield measured.score(self.name, len(junk) / n, n, unit="share", better="lower", note=note)
        yield measured.score(
            f"{self.name}-ids", len(junk), n, unit="ids", better="lower", note=note
        )
