"""Edit distances between gold and predicted segmentations, in characters and in morphemes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tokbench.measured import Measured
from tokbench.metrics.text.morphemes import gold_words
from tokbench.metrics.text.morphology import ALTINOK, OfGold, why_not
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.gold import JOIN
from tokbench.types import Score

_COUNTED = ("edit-characters", "character-edits", "edit-morphemes", "edit-pieces",
            "edit-hits", "morpheme-edits", "edit-aligned")  # fmt: skip


def edits(encoded: EncodedText) -> Statistic:
    """Levenshtein distances between the joined gold (`ev+ler`) and the joined pieces: characters
    and their edits, morphemes, pieces, their hits and edits.

    A character that a cut goes through is none of the word's characters any more.
    """
    from rapidfuzz.distance import Levenshtein

    words, raw = gold_words(encoded), encoded.batch.data.tobytes()
    counted = np.zeros((len(words.row), len(_COUNTED)), dtype=np.int64)
    starts = np.flatnonzero(np.diff(words.before))  # token starts
    low = np.searchsorted(starts, words.start, side="right").tolist()
    high = np.searchsorted(starts, words.stop, side="left").tolist()
    for number, row in enumerate(words.row.tolist()):
        segmentation = (encoded.batch.notes or [])[row]["segmentation"]
        cuts = starts[low[number] : high[number]].tolist()
        ends = [int(words.start[number]), *cuts, int(words.stop[number])]
        pieces = [raw[a:b].decode(errors="surrogateescape") for a, b in pairwise(ends)]
        gold = segmentation.split(JOIN)
        blocks = Levenshtein.opcodes(gold, pieces)
        hits = sum(block.src_end - block.src_start for block in blocks if block.tag == "equal")
        wrong = Levenshtein.distance(gold, pieces)
        counted[number] = (
            len(segmentation), Levenshtein.distance(segmentation, JOIN.join(pieces)),
            len(gold), len(pieces), hits, wrong, hits + wrong,
        )  # fmt: skip
    return Statistic(
        {
            name: encoded.by_sample(words.row, counted[:, column])
            for column, name in enumerate(_COUNTED)
        }
    )


class SegmentationError(OfGold):
    """How far the pieces of a word are from its gold morphemes, as in speech recognition.
    `segmentation-cer`: character edits between `ev+ler` and the pieces joined alike, divided by
    the characters of the gold. `segmentation-wer`: morphemes inserted, deleted and substituted,
    divided by those of the gold; `segmentation-mer` divides by the aligned pairs;
    `segmentation-wil` is 1 - (hits / gold) (hits / pieces). (The paper's own WER takes the joined
    string for one word, which is 1 - `exact-segmentation`.)"""

    name = "segmentation-error"
    statistics = ("morphemes", "edits")
    unit, better, aggregation = "edits for each of the gold", "lower", "ratio of sums"
    reference = ALTINOK

    def result(self, measured: Measured) -> Iterator[Score]:
        refused = why_not(measured, "gold-scored")
        for name, top, bottom, unit in (
            ("segmentation-cer", "character-edits", "edit-characters", "edits/character"),
            ("segmentation-wer", "morpheme-edits", "edit-morphemes", "edits/morpheme"),
            ("segmentation-mer", "morpheme-edits", "edit-aligned", "share"),
        ):
            yield from measured.ratio(name, top, bottom, unit, self.better, refused)
        yield self._lost(measured, refused)

    def _lost(self, measured: Measured, refused: dict[int, str]) -> Score:
        name, kept = "segmentation-wil", [g not in refused for g in range(len(measured.groups))]
        n = int(measured.totals("gold-scored").sum())
        if not any(kept):
            note = next(iter(refused.values()))
            return measured.score(name, None, n, unit="share", better="lower", note=note)

        def lost(hits: np.ndarray, gold: np.ndarray, pieces: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return 1 - (hits / gold) * (hits / pieces)

        columns = ("edit-hits", "edit-morphemes", "edit-pieces")
        value = float(lost(*(measured.totals(column).sum() for column in columns)))
        if few := measured.enough():
            return measured.score(name, value, n, unit="share", better="lower", note=few)
        draws = lost(*(measured.replicates(column).sum(1) for column in columns))
        low, high = measured.interval(draws)
        return measured.score(
            name, value, n, draws, unit="share", better="lower", low=low, high=high,
            interval="bootstrap",
        )  # fmt: skip
