"""DNSMOS and PLCMOS: networks that guess how people would rate a clip, without its original.

The models are Microsoft's, from the wheel of `speechmos`. They run through onnxruntime here
(one thread, so that a score does not depend on the machine's cores); the package's own module
would need librosa, and draws new raters on every call.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tokbench.audio.spectra import mel_filters, stft
from tokbench.errors import optional
from tokbench.probes.packaged import fingerprint, packaged

RATE = 16_000
WINDOW = 9.01
"""Seconds that DNSMOS hears at once; shorter clips are repeated until they are as long."""
RATERS = 15


def _session(path: Any) -> Any:
    runtime = optional("onnxruntime", "audio")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class DNSMOS:
    """ITU-T P.835 (speech, background, overall) and P.808 opinions of noisy speech, 1 to 5."""

    name = "speechmos-dnsmos"
    facets = ("overall", "speech", "background", "p808")

    def __init__(self) -> None:
        self._paths = packaged(
            "speechmos", "audio", "dnsmos_models/sig_bak_ovr.onnx", "dnsmos_models/model_v8.onnx"
        )
        self._p835, self._p808 = map(_session, self._paths)

    def fingerprint(self) -> str:
        """Of the weights and the runtime."""
        return fingerprint(self._paths, "onnxruntime")

    def rate(self, clip: np.ndarray) -> np.ndarray:
        """The four opinions of a clip (frames,) at 16 kHz, each the mean over windows of 9.01 s,
        one second apart."""
        size = int(WINDOW * RATE)
        while len(clip) < size:
            clip = np.append(clip, clip)
        count = int(np.floor(len(clip) / RATE) - WINDOW) + 1
        found = []
        for first in range(0, max(1, count) * RATE, RATE):
            window = clip[first : first + size].astype(np.float32)
            if len(window) == size:
                found.append(self._window(window))
        return np.mean(found, axis=0)

    def _window(self, window: np.ndarray) -> np.ndarray:
        speech, background, overall = self._p835.run(None, {"input_1": window[None]})[0][0]
        mels = self._mels(window[:-160])
        p808 = self._p808.run(None, {"input_1": mels[None]})[0][0][0]
        return np.array(
            [
                np.polyval([-0.06766283, 1.11546468, 0.04602535], overall),
                np.polyval([-0.08397278, 1.22083953, 0.0052439], speech),
                np.polyval([-0.13166888, 1.60915514, -0.39604546], background),
                p808,
            ]
        )

    def _mels(self, window: np.ndarray) -> np.ndarray:
        """120 mel bands every 10 ms, in dB under the loudest (at most 80), scaled for the model."""
        power = np.abs(stft(window, 321, 160, pad="constant")) ** 2
        mels = power @ mel_filters(RATE, 321, 120).T
        decibel = 10 * np.log10(np.maximum(mels, 1e-10) / max(mels.max(), 1e-10))
        return ((np.maximum(decibel, decibel.max() - 80) + 40) / 40).astype(np.float32)


class PLCMOS:
    """Opinion of speech after packet loss and its concealment, 1 to 5: version 2, the mean of
    fifteen raters drawn once and for all."""

    name = "speechmos-plcmos-2"
    facets = ("",)

    def __init__(self) -> None:
        self._paths = packaged("speechmos", "audio", "plcmos_models/plcmos_v2.onnx")
        self._session = _session(self._paths[0])
        rng = np.random.default_rng(20250101)
        self._raters = rng.normal(size=(RATERS, 1, 64)).astype(np.float32)

    def fingerprint(self) -> str:
        """Of the weights and the runtime."""
        return fingerprint(self._paths, "onnxruntime")

    def rate(self, clip: np.ndarray) -> np.ndarray:
        """The opinion of a clip (frames,) at 16 kHz."""
        spectra = self._spectra(clip)[None, None]
        found = [
            float(np.squeeze(
                self._session.run(None, {"degraded_audio": spectra, "rater_embed": rater})[0]
            ))
            for rater in self._raters
        ]  # fmt: skip
        return np.array([np.mean(found)])

    def _spectra(self, clip: np.ndarray) -> np.ndarray:
        """Log power of 32 ms Hamming windows every 16 ms, scaled for the model; where there is
        none, 120 dB under the least that there is."""
        size, hop = 512, 256
        window = np.hamming(size + 1)[:-1]
        count = int(np.ceil((len(clip) + hop) / hop))
        padded = np.zeros((count - 1) * hop + size)
        padded[hop : hop + len(clip)] = clip
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
        power = np.abs(np.fft.rfft(frames)) ** 2
        least = power[power > 0].min(initial=1.0)
        log = np.log(np.where(power > 0, power, least))
        log[power == 0] = np.log(least) - 12 / np.log10(np.e)
        return (log / 20).astype(np.float32)


@cache
def speech_quality(name: str) -> Any:
    """The probe `dnsmos`, `plcmos` or `utmos`, loaded once in a process."""
    if name == "utmos":
        from tokbench.probes.utmos import UTMOS

        return UTMOS()
    return {"dnsmos": DNSMOS, "plcmos": PLCMOS}[name]()
