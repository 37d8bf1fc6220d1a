"""What a recogniser heard in a clip before and after a tokenizer."""

from __future__ import annotations

from typing import NamedTuple

from tokbench.audio.pairs import Pair
from tokbench.errors import UserError
from tokbench.metrics.audio.clipwise import REASONS
from tokbench.metrics.audio.words import WER, texts
from tokbench.report.marked import Piece, words
from tokbench.report.shown import Shown


class Heard(NamedTuple):
    """Words with their differences from `against` marked, or in `why` the reason for none."""

    pieces: list[Piece]
    against: str = ""
    why: str = ""


class Hearing(NamedTuple):
    """A clip's transcript, and what was heard in the original and in the output."""

    transcript: str
    original: Heard
    output: Heard


def recogniser_of(shown: Shown) -> tuple[WER | None, str]:
    """The task's word error rate, and why its recogniser cannot be asked (or nothing)."""
    uses = [m for m in shown.subjects[0].tasks[shown.task].made if isinstance(m, WER)]
    if not uses:
        return None, ""
    from tokbench.probes.recognisers import recogniser

    try:
        recogniser(uses[0].recogniser).fingerprint()
    except UserError as error:
        return None, f"No words: {error}."
    return uses[0], ""


def hear(pair: Pair, use: WER) -> Hearing:
    """One clip through the recogniser, with its original; both normalised as the score has it."""
    from tokbench.probes.recognisers import recogniser

    found = texts(pair, recogniser(use.recogniser), use.vocabulary)
    output, original, apart = found["output"], found["original"], found["change"]
    if isinstance(output, tuple) and isinstance(original, tuple):
        return Hearing(
            output[0],
            Heard(words(*original), "the transcript"),
            Heard(words(*output), "the transcript"),
        )
    if isinstance(apart, tuple):
        return Hearing(
            "", Heard([Piece(apart[0])]), Heard(words(*apart), "what was heard in the original")
        )
    nothing = Heard([], why=REASONS[apart])
    return Hearing("", nothing, nothing)
