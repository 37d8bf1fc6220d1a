"""Words: what a recogniser hears in the output, against transcripts and against the original."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tokbench.audio.clips import RESAMPLER
from tokbench.audio.pairs import Pair, pairs
from tokbench.audio.wording import (
    NAMES,
    NORMALISER,
    Edits,
    character_edits,
    normalised,
    word_edits,
)
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, column, pooled, share
from tokbench.metrics.audio.probed import Probed, package
from tokbench.statistics import Statistic
from tokbench.types import Score

COMPARED = ("output", "original", "change")
"""Transcript against output, transcript against original, original against output."""


def heard(
    encoded: EncodedMedia, recogniser: str = "pocketsphinx", vocabulary: str = "open"
) -> Statistic:
    """Hits, substitutions, deletions and insertions of words and characters in each clip."""
    from tokbench.probes.recognisers import recogniser as load

    probe = load(recogniser)
    name = column_name(recogniser, vocabulary)
    found: dict[str, list[Found]] = {which: [] for which in COMPARED}
    words: dict[str, list[Edits]] = {which: [] for which in COMPARED}
    letters: dict[str, list[Edits]] = {which: [] for which in COMPARED}
    for pair in pairs(encoded):
        for which, compared in texts(pair, probe, vocabulary).items():
            told = isinstance(compared, str)
            found[which].append(compared if isinstance(compared, str) else 1.0)
            words[which].append(Edits() if told else word_edits(*compared))
            letters[which].append(Edits() if told else character_edits(*compared))
    whole = Statistic()
    for which in COMPARED:
        whole.add(column(encoded, f"{name}:{which}", found[which]))
        for unit, edits in (("words", words[which]), ("letters", letters[which])):
            whole.columns |= _columns(f"{name}:{which}:{unit}", edits)
    return whole


def _columns(name: str, edits: list[Edits]) -> dict[str, np.ndarray]:
    table = np.array([edit.counts() for edit in edits], np.int64).reshape(-1, len(NAMES))
    columns = {f"{name}:{field}": table[:, n] for n, field in enumerate(NAMES)}
    hits, substitutions, deletions, insertions = table.T
    errors = substitutions + deletions + insertions
    return columns | {
        f"{name}:errors": errors,
        f"{name}:reference": hits + substitutions + deletions,
        f"{name}:heard": hits + substitutions + insertions,
        f"{name}:either": hits + errors,
    }


def texts(pair: Pair, probe: Any, vocabulary: str) -> dict[str, str | tuple[str, str]]:
    """What is compared with what (normalised), by the names of `COMPARED`, or why nothing is (a
    key of `clipwise.REASONS`)."""
    from tokbench.probes.recognisers import heard_before

    notes = pair.sample.notes
    under = None
    if vocabulary == "note" and notes.get("vocabulary"):
        said = notes["vocabulary"]
        lines = said.splitlines() if isinstance(said, str) else said
        under = sorted({normalised(str(line)) for line in lines} - {""})
    if reason := _unfit(pair, probe, vocabulary, under):
        return dict.fromkeys(COMPARED, reason)
    before, after = pair.mono("raw", probe.rate)
    original = normalised(heard_before(probe, before, under))
    output = normalised(probe.hear(after, under))
    transcript = normalised(str(notes.get("transcript") or ""))
    return {
        "output": (transcript, output) if transcript else "no-transcript",
        "original": (transcript, original) if transcript else "no-transcript",
        "change": (original, output) if original else "unheard",
    }


def _unfit(pair: Pair, probe: Any, vocabulary: str, under: list[str] | None) -> str:
    # A silent output is no excuse: the recogniser hears nothing, and every word is deleted.
    reason = pair.unfit(speech=True)
    if reason and reason != "silent-output":
        return reason
    said = str(pair.sample.notes.get("language") or "en").lower()
    if probe.english and said.replace("_", "-").split("-")[0] not in ("en", "eng"):
        return "language"
    if pair.rate < probe.rate:
        return "narrowband"
    return "no-vocabulary" if vocabulary == "note" and not under else ""


def column_name(recogniser: str, vocabulary: str) -> str:
    """Of the statistic under these options."""
    return f"heard:{recogniser}:{vocabulary}"


class WER(Probed):
    """Word error rate of a recogniser on the output against the transcript: substitutions,
    deletions and insertions over the words of the transcripts, counts pooled over clips. Facets:
    the three kinds, and `original`, the recogniser's rate on the originals, below which no codec
    is expected. Texts are brought to NFKC, small letters, without punctuation; numbers are not
    spelt out. recogniser: `pocketsphinx` (English, models in the wheel) or a Whisper of the hub
    (`openai/whisper-small`). vocabulary: `open`, or `note`: the recogniser may hear no words but
    those in the clip's note `vocabulary`: of one line any row of its words, all alike likely; of
    several lines (the sentences that may be said) a word mostly follows another as there. Clips
    without transcript are left out and counted; a silent output has every word deleted."""

    name = "wer"
    statistics = ("heard",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "lower", "ratio of sums"
    reference = "Levenshtein alignment by jiwer; counts pooled as in VERSA"
    tags = {"normaliser": NORMALISER, "resampler": RESAMPLER}
    _which, _unit = "output", "words"

    def __init__(self, *, recogniser: str = "pocketsphinx", vocabulary: str = "open") -> None:
        if vocabulary not in ("open", "note"):
            raise ValueError(f"vocabulary: choose open or note, not '{vocabulary}'")
        if recogniser != "pocketsphinx" and "/" not in recogniser:
            raise ValueError(
                "recogniser: choose pocketsphinx or a Whisper (openai/whisper-small, or a "
                f"folder), not '{recogniser}'"
            )
        if vocabulary == "note" and recogniser != "pocketsphinx":
            raise ValueError(f"vocabulary: {recogniser} cannot be held to one; take pocketsphinx")
        self.recogniser, self.vocabulary = recogniser, vocabulary
        self.statistics = (f"heard?recogniser={recogniser}&vocabulary={vocabulary}",)
        self._column = column_name(recogniser, vocabulary)

    def judge(self) -> str:
        from tokbench.probes.recognisers import recogniser

        package("jiwer", "audio")
        return recogniser(self.recogniser).fingerprint()

    def _ratio(
        self, measured: Measured, label: str, top: str, which: str, bottom: str = "reference"
    ) -> Iterator[Score]:
        name = f"{self._column}:{which}"
        over = (f"{name}:{self._unit}:{top}", f"{name}:{self._unit}:{bottom}")
        better = "neither" if label.endswith("/original") else self.better
        yield from pooled(measured, label, over, name, self.unit, better, "/" not in label)

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self._ratio(measured, self.name, "errors", self._which)
        for kind in NAMES[1:]:
            yield from self._ratio(measured, f"{self.name}/{kind}", kind, self._which)
        if self._which == "output":
            yield from self._ratio(measured, f"{self.name}/original", "errors", "original")


class CER(WER):
    """Character error rate: as `wer`, of characters with spaces."""

    name = "cer"
    _unit = "letters"


class DWER(WER):
    """Differential word error rate: what the recogniser hears in the output against what it hears
    in the original, pooled as `wer`. It needs no transcript, and a bad recogniser costs nothing
    but power. Clips in whose original nothing is heard are left out and counted."""

    name = "dwer"
    reference = "DASB (2406.14294): WER(ASR(output), ASR(original))"
    _which = "change"


class MER(WER):
    """Match error rate: substitutions, deletions and insertions over those and the hits, pooled;
    as `wer`, but never above 1."""

    name = "mer"
    reference = "Morris et al. 2004, by jiwer's counts"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self._ratio(measured, self.name, "errors", "output", "either")


class WIL(WER):
    """Word information lost: 1 − hits² / (words of the transcript × words heard), pooled."""

    name = "wil"
    reference = "Morris et al. 2004, by jiwer's counts"

    def result(self, measured: Measured) -> Iterator[Score]:
        name = f"{self._column}:output"
        n = int(measured.totals(f"{name}:n").sum())
        note = share(measured, name)
        if not n:
            yield measured.score(self.name, None, 0, unit="1", better="lower", note=note)
            return
        columns = [f"{name}:words:{part}" for part in ("hits", "reference", "heard")]
        hits, reference, words = (float(measured.totals(c).sum()) for c in columns)
        drawn = [measured.replicates(c).sum(1) for c in columns]
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = 1 - np.where(drawn[2] > 0, drawn[0] ** 2 / (drawn[1] * drawn[2]), 0.0)
        value = 1 - (hits**2 / (reference * words) if words else 0.0)  # nothing heard: all lost
        if few := measured.enough():
            note = "; ".join(filter(None, [few, note]))
            yield measured.score(self.name, value, n, unit="1", better="lower", note=note)
            return
        low, high = measured.interval(draws)
        yield measured.score(
            self.name, value, n, draws, unit="1", better="lower", low=low, high=high,
            interval="bootstrap", note=note,
        )  # fmt: skip
