"""Further passes of samples through a tokenizer, and how two passes compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.evidence import Failure
from tokbench.image.planes import squared_error
from tokbench.media import EncodedMedia
from tokbench.metrics.image.pixels import CAP, decibels
from tokbench.types import Codes, Sample


@dataclass(frozen=True, slots=True)
class Pass:
    """What one sample became: its ids at each level, its latent, its reconstruction (None where
    the tokenizer only encodes)."""

    ids: list[np.ndarray]
    latent: np.ndarray | None
    output: np.ndarray | None


def first_pass(encoded: EncodedMedia) -> list[Pass]:
    """The pass that the harness made."""
    return _split(encoded.codes, encoded.outputs, len(encoded.batch))


def passed(
    encoded: EncodedMedia, samples: Sequence[Sample | None], what: str, most: int | None = None
) -> tuple[list[Pass | None], dict[str, Failure]]:
    """One more pass of each sample, None for None and for what fails; failures by cause.

    what: begins the cause. most: samples that go through together; None: all.
    """
    rows = [row for row, sample in enumerate(samples) if sample is not None]
    found: list[Pass | None] = [None] * len(samples)
    failures: dict[str, Failure] = {}
    step = most or len(rows) or 1
    for first in range(0, len(rows), step):
        _try(encoded, samples, rows[first : first + step], what, found, failures)
    return found, failures


def _try(
    encoded: EncodedMedia,
    samples: Sequence[Sample | None],
    rows: list[int],
    what: str,
    found: list[Pass | None],
    failures: dict[str, Failure],
) -> None:
    """Pass the rows together; when that fails, each by itself."""
    assert encoded.again is not None
    several = [sample for row in rows if (sample := samples[row]) is not None]
    try:
        passes = _split(*encoded.again(several), len(several))
    except UserError:
        raise
    except Exception as error:
        if len(rows) > 1:
            for row in rows:
                _try(encoded, samples, [row], what, found, failures)
            return
        cause = f"{what}: {type(error).__name__}: {one_line(error)}"[:200]
        failures.setdefault(cause, Failure(0, several[0].name)).count += 1
        return
    for row, one in zip(rows, passes, strict=True):
        found[row] = one


def _split(codes: Codes, outputs: Sequence[np.ndarray], count: int) -> list[Pass]:
    nothing: list[np.ndarray | None] = [None] * count
    latents, results = codes.latents or nothing, outputs or nothing
    return [
        Pass([level[row] for level in codes.levels], latents[row], results[row])
        for row in range(count)
    ]


def agreement(a: Pass, b: Pass) -> tuple[int, int]:
    """Tokens of equal id at the same place, and tokens of the longer: what one has and the
    other lacks does not agree."""
    equal = total = 0
    for one, other in zip(a.ids, b.ids, strict=True):
        shared = min(len(one), len(other))
        equal += int((one[:shared] == other[:shared]).sum())
        total += max(len(one), len(other))
    return equal, total


def same_codes(a: Pass, b: Pass) -> bool:
    """Are the codes equal? Latents: to within 1e-4 of their largest value."""
    equal, total = agreement(a, b)
    if equal < total:
        return False
    if a.latent is None or b.latent is None:
        return True
    if a.latent.shape != b.latent.shape:
        return False
    top = float(np.abs(a.latent).max(initial=0))
    return bool(np.abs(a.latent - b.latent).max(initial=0) <= 1e-4 * top)


def likeness(original: np.ndarray, other: np.ndarray) -> float:
    """PSNR of 8-bit pictures, signal-to-noise ratio of clips over what both have, dB; at most
    100. NaN for a silent original."""
    if original.dtype == np.uint8:
        return decibels(squared_error(original, other) / original.size)
    frames = min(original.shape[1], other.shape[1])
    a, b = original[:, :frames].astype(np.float64), other[:, :frames].astype(np.float64)
    power, noise = float((a * a).sum()), float(((a - b) ** 2).sum())
    if power == 0:
        return float("nan")
    return CAP if noise == 0 else min(CAP, 10 * np.log10(power / noise))
