"""One number a clip, or the reason why there is none; and their mean with `scored / all` beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np

from tokbench.audio.pairs import Pair, pairs
from tokbench.evidence import Tally
from tokbench.measured import Better, Measured
from tokbench.media import EncodedMedia, exact
from tokbench.statistics import Statistic
from tokbench.types import Score

REASONS = {
    "domain": "not said to be speech (a note domain, transcript or speaker says so)",
    "silent": "the original is silent",
    "silent-output": "the output is silent",
    "unlike": "the output does not correlate with the original, so no lag can be told",
    "short": "shorter than the metric's least length",
    "long": "longer than the metric can take",
    "narrowband": "sampled below the metric's rate",
    "no-voice": "no voiced frames in both",
    "no-utterance": "the metric found no utterance in it",
    "no-transcript": "no transcript",
    "unheard": "the recogniser heard nothing in the original",
    "language": "not in the recogniser's language",
    "no-vocabulary": "no note vocabulary to recognise under",
    "no-band": "nothing in this band",
    "unplaced": "shorter than a second, or its ends have nothing to hold on to",
    "untimed": "the number of its tokens depends on what comes later, so they have no fixed time",
    "unmoved": "nothing changed when the rest of it was another",
    "undecodable": "the tokenizer does not decode, not the same twice, or not any ids",
    "failed": "the metric's own code failed on it",
}
_NUMBERS = {reason: number for number, reason in enumerate(REASONS)}

Found = float | str
"""A number, or a key of `REASONS`."""


def column(encoded: EncodedMedia, name: str, found: Sequence[Found]) -> Statistic:
    """`name`: the numbers, 0 where there is none; `name:n`: 1 where there is one; and a tally
    `name:refused` of the reasons. NaN and infinities count as failed."""
    values = np.array([value if isinstance(value, float) else np.nan for value in found], float)
    scored = np.isfinite(values)
    reasons = np.array(
        [_NUMBERS[v if isinstance(v, str) else "failed"] for v in found], np.int64
    )[~scored]  # fmt: skip
    keys = (encoded.batch.group[~scored] << 32) | reasons
    return Statistic(
        {name: exact(np.where(scored, values, 0.0)), f"{name}:n": scored.astype(np.int64)},
        {f"{name}:refused": Tally.of(keys, np.ones(len(keys), np.int64))},
    )


def each(encoded: EncodedMedia, name: str, measure: Callable[[Pair], Found]) -> Statistic:
    """The column of what `measure` says of each clip."""
    return column(encoded, name, [measure(pair) for pair in pairs(encoded)])


def why(measured: Measured, name: str, group: int | None = None) -> str:
    """The reasons in the tally of a column: `3: the original is silent; 1: …`."""
    tally = measured.tally(f"{name}:refused", group)
    texts = list(REASONS.values())
    counts = zip(tally.counts.tolist(), tally.keys.tolist(), strict=True)
    return "; ".join(f"{n}: {texts[key]}" for n, key in counts)


def share(measured: Measured, name: str, group: int | None = None) -> str:
    """`12 of 14 clips; 2: the original is silent` when some could not be scored."""
    pick: slice | int = slice(None) if group is None else group
    scored = int(measured.totals(f"{name}:n")[pick].sum())
    clips = int(measured.totals("samples")[pick].sum())
    if scored == clips:
        return ""
    return f"{scored} of {clips} clips; {why(measured, name, group)}"


def mean(
    measured: Measured, label: str, name: str, unit: str, better: Better, facets: bool = True
) -> Iterator[Score]:
    """Mean over the clips that have a number; see `pooled`."""
    return pooled(measured, label, (name, f"{name}:n"), name, unit, better, facets)


def pooled(
    measured: Measured,
    label: str,
    over: tuple[str, str],
    name: str,
    unit: str,
    better: Better,
    facets: bool = True,
) -> Iterator[Score]:
    """Ratio of the sums of two columns, over all clips and (with `facets`) by group. `n` counts
    the clips that `name` could be scored for; the note tells how many could not, and why."""
    scored = measured.totals(f"{name}:n")
    empty = {g: share(measured, name, g) for g in np.flatnonzero(scored == 0).tolist()}
    for place, score in enumerate(measured.ratio(label, *over, unit, better, empty)):
        if place and not facets:
            return
        group = None if place == 0 else place - 1
        n = int(scored.sum() if group is None else scored[group])
        few = score.note if score.note.startswith("no interval") else ""
        note = "; ".join(filter(None, [few, share(measured, name, group)])) or score.note
        yield msgspec.structs.replace(score, n=n, note=note)
