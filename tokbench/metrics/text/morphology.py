"""Do tokens follow morphemes? Scores on words with a gold segmentation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.types import Score

ALTINOK = "Altinok, Optimal Turkish Subword Strategies at Scale (2602.06942)"
_V1 = "Arnett and Bergen, Why do language models perform worse … (2411.14198), MorphScore v1"
_V2 = "Arnett, Hudspeth and O'Connor, Evaluating Morphological Alignment (2507.06378), v2"
_NO_GOLD = (
    "the data has no gold segmentation (its manifest needs a reader that gives one: morphemes)"
)


def why_not(measured: Measured, column: str, why: str = "") -> dict[int, str]:
    """Groups where `column` is 0 throughout, with the reason; `why` where words were scored."""
    counts = {name: measured.totals(name) for name in ("gold-words", "gold-segmented")}
    scored, wanted = measured.totals("gold-scored"), measured.totals(column)

    def reason(group: int) -> str:
        if not counts["gold-words"][group]:
            return _NO_GOLD
        if not counts["gold-segmented"][group]:
            return "no segmentation in the data spells its word"
        return why if scored[group] and why else "no word at known token positions"

    return {group: reason(group) for group in np.flatnonzero(wanted == 0).tolist()}


class OfGold(Metric):
    """A metric of words whose morphemes the data gives."""

    statistics: tuple[str, ...] = ("morphemes",)
    notes = "words with a gold segmentation (a manifest with a reader that gives one: morphemes)"


class GoldWords(OfGold):
    """Words that the scores of this task rest on: share of the data's words that have a gold
    segmentation spelling them, stand at known token positions and lose nothing to UNK."""

    name = "scored-words"
    unit, better, aggregation = "share", "neither", "ratio of sums"
    reference = "tokbench"

    def result(self, measured: Measured) -> Iterator[Score]:
        missing = np.flatnonzero(measured.totals("gold-words") == 0).tolist()
        refused = dict.fromkeys(missing, _NO_GOLD)
        yield from measured.ratio(
            self.name, "gold-scored", "gold-words", self.unit, self.better, refused
        )


class Boundaries(OfGold):
    """Cuts of the tokenizer against the gold boundaries between morphemes, by bytes:
    `boundary-precision` (share of the cuts made that are gold), `boundary-recall` (share of the
    gold boundaries that are cut), `boundary-f1`.

    average: `micro` pools the boundaries, `macro` is the mean over words (those for which the
    score is defined: precision needs a cut, recall a gold boundary, F1 one of them).
    word_end: count the end of the word as a boundary, as the paper does; it is always hit, so
    every score is higher. Both stand in the name: `boundary-f1-macro`, `boundary-f1-with-end`."""

    name = "boundaries"
    unit, better, aggregation = "share", "higher", "pooled boundaries, or mean over words"
    reference = ALTINOK

    def __init__(self, *, average: str = "micro", word_end: bool = False):
        if average not in ("micro", "macro"):
            raise ValueError(f"average: 'micro' or 'macro', not '{average}'")
        self.average, self.word_end = average, word_end

    def result(self, measured: Measured) -> Iterator[Score]:
        of = "ends" if self.word_end else "cuts"
        after = "-macro" * (self.average == "macro") + "-with-end" * self.word_end
        for score, top, bottom, why in (
            ("precision", "hit", "made", "no word is cut"),
            ("recall", "hit", "gold", "no word has two morphemes"),
            ("f1", "twice-hit", "made-and-gold", "no word is cut or has two morphemes"),
        ):
            if self.average == "macro":
                top, bottom = f"{score}-shares", f"{score}-ones"
            top, bottom = f"{of}-{top}", f"{of}-{bottom}"
            yield from measured.ratio(
                f"boundary-{score}{after}", top, bottom, self.unit, self.better,
                why_not(measured, bottom, why),
            )  # fmt: skip


class MorphScoreV1(OfGold):
    """MorphScore as first published, by bytes: of the words that are cut at all, the share with
    a cut at the first gold boundary. Words that are one piece are left out, other cuts do
    not matter, so cutting everywhere scores 1: read it with `morphscore-v1-pieces`, the mean
    number of pieces of the same words. The published code decodes each token by itself
    and so loses cuts inside characters.

    undivided: count words of one morpheme as misses when they are cut, as the published data do
    (five Turkish rows); by default they are left out."""

    name = "morphscore-v1"
    unit, better, aggregation = "share", "higher", "mean over words"
    reference = _V1

    def __init__(self, *, undivided: bool = False):
        self.undivided = undivided

    def result(self, measured: Measured) -> Iterator[Score]:
        kind = "v1-all" if self.undivided else "v1"
        refused = why_not(measured, f"{kind}-words", "no word of two morphemes is cut")
        for name, top, unit, better in (
            (self.name, "v1-hit", self.unit, self.better),
            (f"{self.name}-pieces", f"{kind}-pieces", "pieces/word", "neither"),
        ):
            yield from measured.ratio(name, top, f"{kind}-words", unit, better, refused)  # type: ignore[arg-type]


class MorphScoreV2(OfGold):
    """MorphScore's second version, by bytes. A word is what precedes its stem, the stem, and what
    follows: one boundary or two. `morphscore-v2-recall`: mean share of them that are cut
    (1, 0.5 or 0). `morphscore-v2-precision`: mean of hits divided by the cuts made, the word's
    end among them, so that a perfect cut in two scores 0.5. Words whose stem is not
    known have their gold boundaries taken, where there are at most two; words of one
    morpheme are left out.

    single: words that are one piece are `excluded` (the published default) or `correct` (1).
    weighted: weigh words by the data's frequencies."""

    name = "morphscore-v2"
    unit, better, aggregation = "share", "higher", "mean over words"
    reference = _V2

    def __init__(self, *, single: str = "excluded", weighted: bool = False):
        if single not in ("excluded", "correct"):
            raise ValueError(f"single: 'excluded' or 'correct', not '{single}'")
        self.single, self.weighted = single, weighted

    def result(self, measured: Measured) -> Iterator[Score]:
        kind = f"v2-{self.single}" + "-weighted" * self.weighted
        why = "no word with two morphemes is cut" + ", or none has a weight" * self.weighted
        refused = why_not(measured, f"{kind}-ones", why)
        for score in ("recall", "precision"):
            yield from measured.ratio(
                f"{self.name}-{score}", f"{kind}-{score}", f"{kind}-ones", self.unit,
                self.better, refused,
            )  # fmt: skip


class Segmentation(OfGold):
    """How finely words are cut, beside how well. `over-segmentation`: mean over words of pieces
    for each morpheme; `under-segmentation`: mean of morphemes for each piece;
    `exact-segmentation`: share of words cut at just the gold boundaries; `cut-words`: share of
    words cut at all. Pieces are counted by their distinct starts in the word's bytes."""

    name = "segmentation"
    unit, better, aggregation = "pieces/morpheme", "neither", "mean over words"
    reference = ALTINOK

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = why_not(measured, "gold-scored")
        ratio = measured.ratio
        of = ("over-segmentation", "over-shares", "over-ones")
        yield from ratio(*of, self.unit, "neither", refused)
        of = ("under-segmentation", "under-shares", "under-ones")
        yield from ratio(*of, "morphemes/piece", "neither", refused)
        of = ("exact-segmentation", "gold-exact", "gold-scored")
        yield from ratio(*of, "share", "higher", refused)
        yield from ratio("cut-words", "gold-cut", "gold-scored", "share", "neither", refused)


class Affixes(OfGold):
    """Morphemes other than the stem, where the gold marks the stem. `affix-atomicity`: share of
    their occurrences that are exactly one piece of their word. `affix-coverage`: share of the
    `top` most frequent affixes of each language that are so at least once (affixes as
    frequent as the last of them included)."""

    name = "affixes"
    unit, better, aggregation = "share", "higher", "pooled occurrences, or types"
    reference = ALTINOK

    def __init__(self, *, top: int = 200):
        if top < 1:
            raise ValueError(f"top: at least 1, not {top}")
        self.top = top

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = why_not(measured, "affixes", "the gold marks no stem, so no affixes")
        yield from measured.ratio(
            "affix-atomicity", "affixes-alone", "affixes", self.unit, self.better, refused
        )
        found = [self._covered(measured, group) for group in range(len(measured.groups))]
        words = measured.totals("gold-scored")
        pooled = (sum(covered for covered, _ in found), sum(top for _, top in found))
        labels = measured.groups if measured.grouped else []
        names = ["affix-coverage", *(f"affix-coverage/{label}" for label in labels)]
        values = [pooled, *(found if measured.grouped else [])]
        counts = [words.sum(), *(words if measured.grouped else [])]
        reasons = [
            next(iter(refused.values()), ""),
            *(refused.get(g, "") for g in range(len(labels))),
        ]
        for name, (covered, top), n, why in zip(names, values, counts, reasons, strict=True):
            note = f"no interval: a share of {top} affixes" if top else why
            value = covered / top if top else None
            yield measured.score(name, value, n, unit=self.unit, better=self.better, note=note)

    def _covered(self, measured: Measured, group: int) -> tuple[int, int]:
        """The group's most frequent affixes: how many are one piece somewhere, and of how many."""
        seen = measured.tally("affix-seen", group)
        least = np.sort(seen.counts)[-self.top :][:1]
        frequent = seen.keys[seen.counts >= least] if len(least) else seen.keys
        return int(np.isin(frequent, measured.tally("affix-alone", group).keys).sum()), len(
            frequent
        )
