"""Streaming audit: how far encoder and decoder look ahead, and the codes of pieces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokbench.audio.clips import fit
from tokbench.errors import UserError, one_line
from tokbench.evidence import Failure, Tally
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.audio.clipwise import Found, column, mean
from tokbench.metrics.repeats import Asked
from tokbench.statistics import Statistic
from tokbench.streams import token_seconds
from tokbench.types import Codes, Ragged, Sample, Score, Tokenizer

CUTS = (0.23, 0.51, 0.78)
"""Places of a clip from which on it is replaced."""
AUDIBLE = 1e-4
"""Share of the output's largest sample by which another output has to differ."""
PIECE = 0.08
"""Seconds of a piece of a stream."""


@dataclass
class Audit:
    """What one clip tells, in ms; the tokens before the cuts, and how many of them stayed."""

    encoder: Found
    decoder: Found
    latency: Found
    before: int = 0
    stayed: int = 0


def look_ahead(encoded: EncodedMedia) -> Statistic:
    """`look-ahead:encoder`, `:decoder` and `:latency` of each clip (ms), tokens before the cuts
    and those that stayed, and a tally of the encoder's look-ahead in whole microseconds."""
    whole = Statistic()
    found = [_tried(encoded, sample, whole.failures) for sample in encoded.batch.samples]
    for side in ("encoder", "decoder", "latency"):
        whole.add(column(encoded, f"look-ahead:{side}", [getattr(one, side) for one in found]))
    for side in ("before", "stayed"):
        counts = np.array([getattr(one, side) for one in found], np.int64)
        whole.columns[f"look-ahead:{side}"] = counts
    known = np.array([isinstance(one.encoder, float) for one in found], bool)
    micro = [round(1000 * one.encoder) for one in found if isinstance(one.encoder, float)]
    keys = (encoded.batch.group[known] << 32) | np.array(micro, np.int64)
    whole.tallies["look-ahead:us"] = Tally.of(keys, np.ones(len(keys), np.int64))
    return whole


def _tried(encoded: EncodedMedia, sample: Sample, failures: dict[str, Failure]) -> Audit:
    if sample.data is None or not sample.data.any():
        return Audit("silent", "silent", "silent")
    try:
        return _audit(encoded, sample)
    except UserError:
        raise
    except Exception as error:
        cause = f"look-ahead: {type(error).__name__}: {one_line(error)}"[:200]
        failures.setdefault(cause, Failure(0, sample.name)).count += 1
        return Audit("failed", "failed", "failed")


def _audit(encoded: EncodedMedia, sample: Sample) -> Audit:
    # At the tokenizer's own rate: the harness's resampler would smear the cut.
    clip = fit(sample, encoded.tokenizer.spec)
    native = Sample(sample.name, clip.data, clip.rate, sample.notes)
    begin, frames = _codes(encoded, native), clip.data.shape[1]
    counts = [len(level.values) for level in begin.levels]
    steps = token_seconds(counts, encoded.tokenizer.spec, frames / clip.rate)
    ahead: list[float] = []
    before = stayed = 0
    for number, share in enumerate(CUTS):
        cut = int(share * frames)
        other = _codes(encoded, _replaced(native, cut, number))
        moved = []
        for a, b, step in zip(begin.levels, other.levels, steps, strict=True):
            if len(a.values) != len(b.values):
                return Audit("untimed", "untimed", "untimed")
            changed = np.flatnonzero(a.values != b.values)
            full = min(len(a.values), int(cut / clip.rate / step + 1e-6))
            before += full
            stayed += full - int((changed < full).sum())
            moved += [cut / clip.rate - (int(first) + 1) * step for first in changed[:1]]
        if moved:
            ahead.append(max(0.0, *moved))
    if not ahead:
        return Audit("unmoved", "unmoved", "unmoved")
    encoder = 1000 * max(ahead)
    decoder = _decoder(encoded, begin, steps, clip.rate)
    latency = decoder if isinstance(decoder, str) else 1000 * max(steps) + encoder + decoder
    return Audit(encoder, decoder, latency, before, stayed)


def _codes(encoded: EncodedMedia, sample: Sample) -> Codes:
    assert encoded.encode is not None
    return encoded.encode([sample])


def _replaced(sample: Sample, cut: int, number: int) -> Sample:
    """The clip with white noise of its own level from `cut` on, seeded by its name."""
    assert sample.data is not None
    rng = np.random.default_rng([zlib.crc32(sample.name.encode()), number])
    level = float(np.sqrt(np.mean(sample.data.astype(np.float64) ** 2)))
    data = sample.data.copy()
    data[:, cut:] = level * rng.standard_normal(data[:, cut:].shape)
    return Sample(sample.name, data, sample.rate, sample.notes)


def _decoder(encoded: EncodedMedia, codes: Codes, steps: list[float], rate: int) -> Found:
    """By how many ms the output changes before the first token that was replaced."""
    tokenizer: Any = encoded.tokenizer
    if not getattr(tokenizer, "decodes", True) or not tokenizer.spec.deterministic:
        return "undecodable"
    sizes = tokenizer.spec.vocabulary
    seconds = min(len(level.values) * step for level, step in zip(codes.levels, steps, strict=True))
    ahead = []
    for number, share in enumerate(CUTS):
        rng = np.random.default_rng(number)
        levels, starts = [], []
        for level, step, size in zip(codes.levels, steps, sizes, strict=True):
            first = int(np.ceil(share * seconds / step - 1e-6))
            ids = level.values.astype(np.int64)
            ids[first:] = (ids[first:] + rng.integers(1, size, len(ids) - first)) % size
            levels.append(Ragged(ids, level.offsets))
            starts.append(first * step)
        tokenizer.rates = [rate]
        try:
            a, b = (
                tokenizer.decode(Codes(each, codes.latents, codes.side_bits, codes.extra))[0]
                for each in (codes.levels, tuple(levels))
            )
        except UserError:
            raise
        except Exception:  # bytes of a packet that no encoder writes
            return "undecodable"
        length = min(a.shape[1], b.shape[1])
        apart = np.abs(a[:, :length] - b[:, :length]).max(0)
        changed = np.flatnonzero(apart > AUDIBLE * np.abs(a).max(initial=1e-9))
        if len(changed):
            ahead.append(min(starts) - int(changed[0]) / (tokenizer.output_rate or rate))
    return 1000 * max(0.0, *ahead) if ahead else "unmoved"


class LookAhead(Asked):
    """How much of the future a token depends on, measured: from three places of the clip on it is
    replaced by noise; a token that changes although its own frame ended before looked ahead by the
    time between (`look-ahead`: the largest of the three, ms, mean over clips; `/most`: of all
    clips). 0: causal. A change too small to move an id goes unseen, so it is a lower bound.
    `look-ahead/kept`: share of the tokens whose frames ended before that stay. `look-ahead/decoder`
    likewise replaces tokens and looks for the first output sample that differs by over 1e-4 of the
    peak. `look-ahead/latency`: the algorithmic latency, one frame of the slowest level and both
    look-aheads; what the output lags (metric `lag`) comes on top, and so does computing (encode and
    decode speed, in times real time, are in every record). Token k of a level spans its k-th part
    of the clip, by the token rate the tokenizer states; tokens whose number depends on the content
    have no fixed time and are refused. Works at the tokenizer's own sample rate."""

    name = "look-ahead"
    statistics = ("look-ahead",)
    needs = ("ids",)
    unit, better, aggregation = "ms", "lower", "mean of clips; most: maximum"
    reference = "causality by perturbing the future; a convention of this benchmark"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from mean(measured, self.name, "look-ahead:encoder", "ms", "lower", facets=False)
        yield self._most(measured)
        yield from self.share(
            measured, f"{self.name}/kept", "look-ahead:stayed", "look-ahead:before"
        )
        for side in ("decoder", "latency"):
            yield from mean(
                measured, f"{self.name}/{side}", f"look-ahead:{side}", "ms", "lower", facets=False
            )

    def _most(self, measured: Measured) -> Score:
        tally = measured.tally("look-ahead:us")
        value = float(tally.keys.max()) / 1000 if len(tally.keys) else None
        note = "no interval: a maximum" if len(tally.keys) else "no clip has it"
        n = int(tally.counts.sum())
        return measured.score(f"{self.name}/most", value, n, unit="ms", better="lower", note=note)


def streamed(encoded: EncodedMedia) -> Statistic:
    """Tokens that are equal when the clip comes in pieces of 80 ms, of those compared."""
    tokenizer: Any = encoded.tokenizer
    counts = []
    whole = Statistic()
    for sample in encoded.batch.samples:
        clip = fit(sample, tokenizer.spec)
        native = Sample(sample.name, clip.data, clip.rate, sample.notes)
        step = max(1, round(PIECE * clip.rate))
        pieces = [clip.data[:, at : at + step] for at in range(0, clip.data.shape[1], step)]
        equal = total = 0
        try:
            tokenizer.rates = [clip.rate]
            both = (_codes(encoded, native), tokenizer.stream(iter(pieces)))
            for a, b in zip(*(codes.levels for codes in both), strict=True):
                shared = min(len(a.values), len(b.values))
                equal += int((a.values[:shared] == b.values[:shared]).sum())
                total += max(len(a.values), len(b.values))
        except UserError:
            raise
        except Exception as error:
            cause = f"streamed: {type(error).__name__}: {one_line(error)}"[:200]
            whole.failures.setdefault(cause, Failure(0, sample.name)).count += 1
        counts.append((equal, total))
    table = np.array(counts, np.int64).reshape(-1, 2)
    whole.columns |= {"streamed:equal": table[:, 0], "streamed:tokens": table[:, 1]}
    return whole


class Streamed(Asked):
    """Share of tokens with the same id when a clip is handed over in pieces of 80 ms, one after
    the other, as when it is handed over whole. 1: streaming changes nothing. Only for tokenizers
    that take pieces (`stream`)."""

    name = "streamed"
    statistics = ("streamed",)
    needs = ("ids",)
    unit, better, aggregation = "share", "higher", "ratio of sums"
    reference = "offline against streamed codes; a convention of this benchmark"

    def lacks(self, tokenizer: Tokenizer) -> str:
        missing = "" if hasattr(tokenizer, "stream") else "the tokenizer takes no pieces (stream)"
        return super().lacks(tokenizer) or missing

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.share(measured, self.name, "streamed:equal", "streamed:tokens")
