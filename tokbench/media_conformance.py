"""Conformance of an image, audio or video adapter: what every score silently relies on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokbench.conformance import Check, fingerprint
from tokbench.errors import one_line
from tokbench.specs import load_tokenizer
from tokbench.types import Codes, Sample, Tokenizer

NEAR = 1e-3
"""Latents and outputs that differ by no more, relative to their largest, differ by rounding."""


@dataclass(frozen=True)
class Probe:
    """A sample as the tokenizer sees it: `fitted` knows the way back."""

    name: str
    seen: np.ndarray
    fitted: Any


def checks(spec: str, tokenizer: Tokenizer) -> list[Check]:
    """All checks of one adapter of images, clips or video."""
    if hasattr(tokenizer, "reconstructions"):
        return [Check("codes", "skip", "only results are at hand"), fingerprint(spec, tokenizer)]
    probes = _probes(tokenizer)
    taken = _each_alone(tokenizer, probes)
    if isinstance(taken, Check):
        return [taken]
    try:
        whole = _encode(tokenizer, probes)
        again, back = _encode(tokenizer, probes), _encode(tokenizer, probes[::-1])
    except Exception as error:
        why = f"the batch fails: {type(error).__name__}: {one_line(error)}"
        return [Check("batch invariance", "fail", why)]
    rows = [_row(whole, n) for n in range(len(probes))]
    total = range(len(probes))
    found = [
        Check("every size and content", "pass", f"{len(probes)} samples"),
        _same("batch invariance", probes, rows, taken, "alone and together"),
        _same("determinism", probes, rows, [_row(again, n) for n in total], "the same, twice"),
        _same("order", probes, rows, [_row(back, n) for n in total][::-1], "the batch reversed"),
        _ids(tokenizer, whole),
        *_codebooks(tokenizer),
    ]
    return [*found, *_decoding(spec, tokenizer, probes, whole), fingerprint(spec, tokenizer)]


def _probes(tokenizer: Tokenizer) -> list[Probe]:
    """Samples of the kinds that adapters stumble over, each fitted as a run would."""
    if tokenizer.spec.modality == "audio":
        from tokbench.audio.clips import fit as fit_clip

        clips = [(name, fit_clip(sample, tokenizer.spec)) for name, sample in _clips()]
        return [Probe(name, clip.data, clip) for name, clip in clips]
    if tokenizer.spec.modality == "video":
        from tokbench.video.clips import fit as fit_video

        moving = [(sample.name, fit_video(sample, tokenizer.spec)) for sample in _videos()]
        return [Probe(name, video.frames, video) for name, video in moving]
    from tokbench.image.fitting import fit

    pictures = [(name, fit(picture, tokenizer.spec)) for name, picture in _pictures()]
    return [Probe(name, picture.pixels, picture) for name, picture in pictures]


def _pictures() -> list[tuple[str, np.ndarray]]:
    y, x = np.mgrid[:48, :80]
    waves = [np.sin(y / 9 + x / 31), np.cos(x / 11), np.sin((x + y) / 23)]
    smooth = (128 + 100 * np.stack(waves, axis=2)).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (33, 17, 3), dtype=np.uint8)
    squares = np.repeat(((x // 4 + y // 4) % 2 * 255).astype(np.uint8)[:, :, None], 3, axis=2)
    return [
        ("a smooth picture", smooth),
        ("noise of odd size", noise),
        ("a chequerboard", squares),
        ("black", np.zeros((32, 32, 3), np.uint8)),
        ("white", np.full((32, 32, 3), 255, np.uint8)),
        ("one pixel", smooth[:1, :1]),
        ("one row", smooth[:1]),
    ]


def _videos() -> list[Sample]:
    """A picture that moves, one that stands still, noise of odd size, a single frame, and a cut
    from black to white."""
    pictures = dict(_pictures())
    smooth, noise = pictures["a smooth picture"], pictures["noise of odd size"]
    clips = {
        "a moving picture": [np.roll(smooth, 3 * t, axis=1) for t in range(9)],
        "a still": [smooth] * 5,
        "noise of odd size": [np.roll(noise, 5 * t, axis=0) for t in range(4)],
        "one frame": [smooth],
        "a cut from black to white": [pictures["black"]] * 2 + [pictures["white"]] * 2,
    }
    return [Sample(name, np.stack(frames), fps=24.0) for name, frames in clips.items()]


def _clips() -> list[tuple[str, Sample]]:
    rng = np.random.default_rng(0)
    made = []
    for name, channels, frames, rate, kind in (
        ("a tone", 1, 16000, 16000, "tone"),
        ("noise in stereo", 2, 11025, 44100, "noise"),
        ("silence", 1, 8000, 24000, "silence"),
        ("full scale", 1, 4801, 48000, "square"),
        ("a tenth of a second", 1, 1600, 16000, "tone"),
    ):
        time = np.arange(frames) / rate
        wave = {
            "tone": 0.5 * np.sin(2 * np.pi * 440 * time),
            "square": np.sign(np.sin(2 * np.pi * 100 * time)),
            "noise": rng.uniform(-0.5, 0.5, frames),
            "silence": np.zeros(frames),
        }[kind]
        made.append((name, Sample(name, np.repeat(wave[None], channels, 0).astype("f4"), rate)))
    return made


def _encode(tokenizer: Any, probes: Sequence[Probe]) -> Codes:
    if tokenizer.spec.modality == "audio":
        tokenizer.rates = [probe.fitted.rate for probe in probes]
    elif tokenizer.spec.modality == "video":
        tokenizer.rates = [probe.fitted.fps for probe in probes]
    return tokenizer.encode([probe.seen for probe in probes])


def _each_alone(tokenizer: Tokenizer, probes: list[Probe]) -> list[list[np.ndarray]] | Check:
    """The codes of each probe in a batch of one, or which one fails."""
    found = []
    for probe in probes:
        try:
            codes = _encode(tokenizer, [probe])
            if _count(codes) != 1:
                raise ValueError(f"codes of {_count(codes)} samples for one")
            found.append(_row(codes, 0))
        except Exception as error:
            why = f"{probe.name}: {type(error).__name__}: {one_line(error)}"
            return Check("every size and content", "fail", why)
    return found


def _count(codes: Codes) -> int:
    return len(codes.levels[0]) if codes.levels else len(codes.latents)


def _row(codes: Codes, row: int) -> list[np.ndarray]:
    """The ids of one sample level by level, then its latents."""
    rows = [np.asarray(level[row]) for level in codes.levels]
    return rows + ([codes.latents[row]] if codes.latents else [])


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """0 for equal arrays; the largest difference against the largest value for floats of the same
    shape; else infinite."""
    if one.shape == other.shape and np.array_equal(one, other):
        return 0.0
    if one.shape != other.shape or not np.issubdtype(one.dtype, np.floating):
        return float("inf")
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-9))


def _same(
    name: str,
    probes: list[Probe],
    rows: list[list[np.ndarray]],
    others: list[list[np.ndarray]],
    detail: str,
) -> Check:
    worst, where = 0.0, ""
    for probe, row, other in zip(probes, rows, others, strict=True):
        apart = [_distance(a, b) for a, b in zip(row, other, strict=True)]
        if max(apart, default=0.0) > worst:
            worst, where = max(apart), probe.name
    if not worst:
        return Check(name, "pass", detail)
    if worst <= NEAR:
        return Check(name, "note", f"{detail}: latents differ by rounding ({worst:.1e}, {where})")
    return Check(name, "fail", f"{detail}: codes differ for {where}")


def _ids(tokenizer: Tokenizer, codes: Codes) -> Check:
    name, sizes = "ids within the codebook", tokenizer.spec.vocabulary
    if tokenizer.spec.kind == "continuous":
        if codes.levels or not codes.latents:
            return Check(name, "fail", "said to be continuous, but its codes are ids")
        finite = all(np.isfinite(latent).all() for latent in codes.latents)
        return Check("finite latents", "pass" if finite else "fail")
    if len(codes.levels) != len(sizes):
        return Check(name, "fail", f"{len(codes.levels)} levels; its spec says {len(sizes)}")
    for number, (level, size) in enumerate(zip(codes.levels, sizes, strict=True)):
        if not np.issubdtype(level.values.dtype, np.integer):
            return Check(name, "fail", f"level {number}: ids are {level.values.dtype}")
        if len(level.values) and not 0 <= level.values.min() <= level.values.max() < size:
            out = level.values[(level.values < 0) | (level.values >= size)][0]
            return Check(name, "fail", f"level {number}: id {out} of {size:,}")
    return Check(name, "pass", " × ".join(f"{size:,}" for size in sizes))


def _codebooks(tokenizer: Any) -> list[Check]:
    """Code vectors, and near codes, where the adapter has them."""
    found = []
    sizes = tokenizer.spec.vocabulary
    if hasattr(tokenizer, "codebook") and sizes:
        found.append(_codebook(tokenizer, sizes))
    if hasattr(tokenizer, "neighbors") and sizes:
        count = min(4, sizes[0] - 1)
        codes = np.array([0, sizes[0] // 2, sizes[0] - 1])
        near = np.asarray(tokenizer.neighbors(codes, count))
        good = near.shape == (3, count) and ((near >= 0) & (near < sizes[0])).all()
        good = good and not (near == codes[:, None]).any()
        why = "each other codes" if good else "not (n, k) ids other than the codes themselves"
        found.append(Check("neighbours", "pass" if good else "fail", why))
    return found


def _codebook(tokenizer: Any, sizes: Sequence[int]) -> Check:
    name = "codebook of the stated size"
    for level, size in enumerate(sizes):
        book = np.asarray(tokenizer.codebook(level))
        if book.ndim != 2 or len(book) != size:
            return Check(name, "fail", f"level {level}: {book.shape} for {size:,} ids")
        if not np.isfinite(book).all():
            return Check(name, "fail", f"level {level}: not finite")
    return Check(name, "pass", f"{len(sizes)} of {book.shape[1]} dimensions")


def _decoding(spec: str, tokenizer: Any, probes: list[Probe], codes: Codes) -> list[Check]:
    if not getattr(tokenizer, "decodes", True):
        return [Check("decodes", "skip", "it only encodes")]
    try:
        first = list(tokenizer.decode(codes))
        # A second load has seen nothing but the bytes.
        second = list(load_tokenizer(spec).decode(Codes.from_bytes(codes.to_bytes())))
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(error)}"
        return [Check("decodes from serialised codes", "fail", why)]
    if len(first) != len(probes):
        return [Check("decodes", "fail", f"{len(first)} outputs for {len(probes)} samples")]
    same = Check("decodes from serialised codes", "skip", "its decoder is stochastic")
    if tokenizer.spec.deterministic:
        rows = [[[np.asarray(output)] for output in each] for each in (first, second)]
        same = _same("decodes from serialised codes", probes, rows[0], rows[1], "in a second load")
    return [same, _restored(tokenizer, probes, first)]


def _restored(tokenizer: Any, probes: list[Probe], outputs: list[np.ndarray]) -> Check:
    """Shapes and value range of what comes back."""
    name = "shape and value range"
    for probe, output in zip(probes, outputs, strict=True):
        try:
            if tokenizer.spec.modality == "audio":
                from tokbench.audio.clips import restored as restored_clip

                restored_clip(output, probe.fitted, tokenizer.output_rate)
            elif tokenizer.spec.modality == "video":
                from tokbench.video.clips import restored as restored_video

                restored_video(output, probe.fitted, tokenizer.spec)
            else:
                from tokbench.image.fitting import restored

                restored(output, probe.fitted, tokenizer.spec)
        except ValueError as error:
            return Check(name, "fail", f"{probe.name}: {one_line(error)}")
    usual = (-1, 1) if tokenizer.spec.modality == "audio" else (0, 255)
    low, high = tokenizer.spec.value_range or usual
    given = min(float(o.min()) for o in outputs), max(float(o.max()) for o in outputs)
    extent = f"from {given[0]:.3g} to {given[1]:.3g}, of {low:g} to {high:g}"
    beyond = max(low - given[0], given[1] - high) > (high - low) / 2
    # Black and white are among the probes: half the range is too little to be right.
    little = given[1] - given[0] < (high - low) / 2
    return Check(name, "note" if beyond or little else "pass", extent)
