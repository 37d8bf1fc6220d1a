"""Resemblyzer: the GE2E voice encoder whose weights are in the wheel of `resemblyzer`.

Only the weights are taken: the package's module wants librosa and webrtcvad. Silence is not cut
out before, as the package's `preprocess_wav` would.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tokbench.audio.spectra import mel_filters, stft
from tokbench.errors import optional
from tokbench.probes.packaged import fingerprint, packaged

FRAMES, STEP, COVERED = 160, 77, 0.75
"""Windows of 1.6 s, 1.3 a second; the last is filled up when three quarters of it are there."""
LOUDNESS = -30.0
"""dBFS to which quieter clips are raised."""


class Resemblyzer:
    """256 numbers for a voice, all at least 0, of length 1."""

    name = "resemblyzer"
    rate = 16_000
    size = 256

    def __init__(self) -> None:
        self._torch = optional("torch", "speaker")
        self._paths = packaged("resemblyzer", "speaker", "pretrained.pt")
        state = self._torch.load(self._paths[0], map_location="cpu", weights_only=True)
        weights: dict[str, Any] = state["model_state"]
        nn = self._torch.nn
        self._lstm = nn.LSTM(40, 256, 3, batch_first=True).eval()
        self._linear = nn.Linear(256, 256).eval()
        for name, module in (("lstm", self._lstm), ("linear", self._linear)):
            prefix = f"{name}."
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            )

    def fingerprint(self) -> str:
        """Of the weights and torch."""
        return fingerprint(self._paths, "torch")

    def embed(self, clip: np.ndarray) -> np.ndarray:
        """The embedding of a clip (frames,) at 16 kHz: the mean over its windows, normalised."""
        level = 10 * np.log10(max(float(np.mean(clip.astype(np.float64) ** 2)), 1e-12))
        clip = clip * 10 ** (max(LOUDNESS - level, 0.0) / 20)
        firsts = self._windows(len(clip))
        clip = np.pad(clip, (0, max(0, (firsts[-1] + FRAMES) * 160 - len(clip))))
        mels = (np.abs(stft(clip, 400, 160, pad="constant")) ** 2) @ mel_filters(16_000, 400, 40).T
        windows = np.stack([mels[first : first + FRAMES] for first in firsts])
        with self._torch.inference_mode():
            _, (hidden, _) = self._lstm(self._torch.from_numpy(windows.astype(np.float32)))
            raw = self._linear(hidden[-1]).relu().double().numpy()
        parts = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        whole = parts.mean(0)
        return whole / np.linalg.norm(whole)

    def _windows(self, length: int) -> list[int]:
        frames = int(np.ceil((length + 1) / 160))
        firsts = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
        covered = (length - firsts[-1] * 160) / (FRAMES * 160)
        return firsts[:-1] if covered < COVERED and len(firsts) > 1 else firsts


@cache
def resemblyzer() -> Resemblyzer:
    """The encoder, loaded once in a process."""
    return Resemblyzer()
