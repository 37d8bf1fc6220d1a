"""Are two tokenizers one vocabulary in two libraries? Only then is one simply faster."""

from __future__ import annotations

from dataclasses import dataclass

from tokbench.errors import UserError
from tokbench.parity import parity
from tokbench.throughput.inputs import Corpus, as_dataset
from tokbench.throughput.measure import Timing
from tokbench.throughput.spread import Spread, ratio
from tokbench.tokenizers.text.adapter import TextTokenizer


@dataclass(frozen=True, slots=True)
class Verdict:
    """a, b: names. equal: the same ids on every line that was timed. why: in words."""

    a: str
    b: str
    equal: bool
    why: str


def verdict(a: TextTokenizer, b: TextTokenizer, corpora: list[Corpus]) -> Verdict:
    """Encode all that is timed with both and compare the ids."""
    try:
        found = parity(a, b, as_dataset(corpora))
    except UserError as error:
        return Verdict(a.name, b.name, False, str(error))
    if found.way.by != "ids":
        return Verdict(a.name, b.name, False, f"not one id space: {found.way.why}")
    if found.equal < found.lines:
        unlike = f"ids differ in {found.lines - found.equal:,} of {found.lines:,} documents"
        first = f" (first: {found.first.group} {found.first.index})" if found.first else ""
        return Verdict(a.name, b.name, False, unlike + first)
    return Verdict(a.name, b.name, True, f"the same ids in all {found.lines:,} documents")


def ratios(a: str, b: str, found: list[Timing]) -> list[tuple[Timing, Spread]]:
    """How many times the speed of `b` `a` has, wherever both were timed on the same."""
    theirs = {timing.place: timing for timing in found if timing.tokenizer == b and timing.seconds}
    return [
        (timing, ratio(theirs[timing.place].seconds, timing.seconds))
        for timing in found
        if timing.tokenizer == a and timing.place in theirs and timing.seconds
        and timing.measure in ("encode", "decode")
    ]  # fmt: skip
