"""Codes of several levels as one stream of tokens: what text's sequence statistics work on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.types import Codes, Ragged, TokenizerSpec

SAMPLES = 1 << 10
"""Images or clips of each group (those with the lowest index) whose sequences are kept."""
TOKENS = 1 << 16
"""Tokens of each of them that are kept; its pixels or seconds are cut in proportion."""
MICRO = 1_000_000
"""A clip's extent is counted in whole microseconds: integers add up exactly."""


def bases(spec: TokenizerSpec) -> np.ndarray:
    """Where the ids of each level begin among all ids, and how many there are in all."""
    return np.concatenate(([0], np.cumsum(spec.vocabulary, dtype=np.int64)))


def token_seconds(counts: Sequence[int], spec: TokenizerSpec, seconds: float) -> list[float]:
    """How long a token of each level lasts in a clip of so many seconds and tokens: by the token
    rate that the tokenizer states, else the clip's length over the tokens."""
    whole = sum(counts) / spec.rate if spec.rate else seconds
    return [whole / max(1, count) for count in counts]


def interleaved(codes: Codes, spec: TokenizerSpec) -> Ragged:
    """One sequence for each sample, in the order of time (or of the raster): at each place all
    levels, coarse to fine. Ids of level k come after all ids of the levels before it, so that
    every level keeps its own. Levels of unequal length are put in order of k / length."""
    levels, base = codes.levels, bases(spec)
    if len(levels) == 1:
        return levels[0]
    lengths = np.stack([level.lengths for level in levels])
    offsets = np.concatenate(([0], np.cumsum(lengths.sum(0))))
    values = [level.values.astype(np.int64) + base[k] for k, level in enumerate(levels)]
    if (lengths == lengths[0]).all():
        return Ragged(np.stack(values, axis=1).ravel(), offsets)
    sample, place = [], []
    for level in levels:
        owner = np.repeat(np.arange(len(level)), level.lengths)
        sample.append(owner)
        begun = np.arange(len(owner)) - level.offsets[owner]
        place.append((begun + 0.5) / level.lengths[owner])
    number = np.repeat(np.arange(len(levels)), lengths.sum(1))
    order = np.lexsort((number, np.concatenate(place), np.concatenate(sample)))
    return Ragged(np.concatenate(values)[order], offsets)


def opening(stream: Ragged, sizes: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """The first `TOKENS` tokens of each sample, and its size cut in proportion."""
    lengths = stream.lengths
    if not (lengths > TOKENS).any():
        return stream, sizes
    cut = Ragged.of([row[:TOKENS] for row in stream], stream.values.dtype)
    return cut, np.rint(sizes * (cut.lengths / np.maximum(lengths, 1))).astype(np.int64)


def checked(codes: Codes, spec: TokenizerSpec, count: int) -> Codes:
    """The codes, when they are what the tokenizer says of itself.

    Raises `ValueError` for another number of levels, sequences or latents than there should be,
    and for ids outside a level's codebook.
    """
    if len(codes.levels) != len(spec.vocabulary):
        raise ValueError(f"{len(codes.levels)} levels of ids for {len(spec.vocabulary)} codebooks")
    for number, (level, size) in enumerate(zip(codes.levels, spec.vocabulary, strict=True), 1):
        if len(level) != count:
            raise ValueError(f"encode returned {len(level)} sequences for {count} samples")
        ids = level.values
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < size:
            raise ValueError(f"level {number}: ids outside its codebook of {size:,}")
    if codes.latents and len(codes.latents) != count:
        raise ValueError(f"encode returned {len(codes.latents)} latents for {count} samples")
    return codes
