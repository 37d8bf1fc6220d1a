"""Metrics of clips against torchmetrics and the packages themselves, on the same pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from beside import Row, absent, compared, installed

from tokbench.audio.clips import resampled
from tokbench.dataset import open_dataset
from tokbench.media import EncodedMedia, MediaBatch
from tokbench.metrics.audio import perceptual, waveform
from tokbench.specs import load_tokenizer
from tokbench.types import Codes, Sample

RATE = 16_000
Pairs = list[tuple[np.ndarray, np.ndarray]]


def pairs(data: str, spec: str, most: int) -> Pairs:
    """Clips at 16 kHz, and what a codec makes of them, cut to one length."""
    codec = load_tokenizer(spec)
    found: Pairs = []
    for part in open_dataset(data).parts:
        for piece in part.slices(0, 1, 1 << 62, most - len(found)):
            (sample,), _ = part.read_samples(piece)
            clip = resampled(sample.data, sample.rate, RATE)
            wanted = codec.spec.sample_rate or RATE
            codec.rates = [wanted]
            back = codec.decode(codec.encode([resampled(clip, RATE, wanted)]))[0]
            back = resampled(np.asarray(back, np.float32), codec.output_rate or wanted, RATE)
            length = min(clip.shape[1], back.shape[1])
            found.append((clip[:, :length], back[:, :length]))
            if len(found) == most:
                return found
    return found


def ours(statistic: Callable[..., object], column: str, found: Pairs) -> Callable[[], np.ndarray]:
    """A column of a statistic over all pairs, on a fresh batch."""

    def values() -> np.ndarray:
        samples = [
            Sample(str(n), a, RATE, {"domain": "speech", "transcript": "a"})
            for n, (a, _) in enumerate(found)
        ]
        batch = MediaBatch(samples, np.zeros(len(found), np.int64), np.arange(len(found)))
        outputs = [b for _, b in found]
        encoded = EncodedMedia(load_tokenizer("pcm"), batch, Codes(), outputs, [""])
        made = statistic(encoded)
        missing = f"no column {column}: {sorted(made.columns)}"  # type: ignore[attr-defined]
        assert column in made.columns, missing  # type: ignore[attr-defined]
        return made.columns[column]  # type: ignore[attr-defined]

    return values


def rows(data: str, runs: int, most: int = 8) -> Iterator[Row]:
    """SI-SDR, PESQ, STOI and ESTOI, raw (no lag taken out)."""
    found = pairs(data, "opus:12", most)
    flat = [(a[0], b[0]) for a, b in found]

    def theirs(function: Callable[[np.ndarray, np.ndarray], object]) -> Callable[[], list[float]]:
        return lambda: [float(function(a, b)) for a, b in flat]  # type: ignore[arg-type]

    def on_torch(function: Callable[..., object]) -> Callable[[], list[float]]:
        import torch

        return theirs(lambda a, b: function(torch.from_numpy(b), torch.from_numpy(a)))

    si_sdr = ours(waveform.si_sdr, "si-sdr:no:raw", found)
    wide = ours(perceptual.pesq, "pesq:wb", found)
    plain = ours(perceptual.stoi, "stoi:no:raw", found)
    extended = ours(lambda e: perceptual.stoi(e, "yes"), "stoi:yes:raw", found)
    if installed("torchmetrics"):
        from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

        yield compared(
            "si-sdr (ours: raw and aligned)", "torchmetrics", si_sdr,
            on_torch(scale_invariant_signal_distortion_ratio), runs,
        )  # fmt: skip
    else:
        yield absent("si-sdr", "torchmetrics")
    if installed("pesq"):
        from pesq import pesq

        yield compared("pesq", "pesq", wide, theirs(lambda a, b: pesq(RATE, a, b, "wb")), runs)
        if installed("torchmetrics"):
            from torchmetrics.functional.audio.pesq import perceptual_evaluation_speech_quality

            yield compared(
                "pesq", "torchmetrics", wide,
                on_torch(lambda b, a: perceptual_evaluation_speech_quality(b, a, RATE, "wb")), runs,
            )  # fmt: skip
    if installed("pystoi"):
        from pystoi import stoi

        yield compared(
            "stoi (ours: raw and aligned)", "pystoi", plain,
            theirs(lambda a, b: stoi(a, b, RATE)), runs,
        )  # fmt: skip
        yield compared(
            "estoi (ours: raw and aligned)", "pystoi", extended,
            theirs(lambda a, b: stoi(a, b, RATE, extended=True)), runs,
        )  # fmt: skip
        if installed("torchmetrics"):
            from torchmetrics.functional.audio.stoi import short_time_objective_intelligibility

            yield compared(
                "stoi (ours: raw and aligned)", "torchmetrics", plain,
                on_torch(lambda b, a: short_time_objective_intelligibility(b, a, RATE)), runs,
            )  # fmt: skip
