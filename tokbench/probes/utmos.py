"""UTMOS: a network that guesses how people would rate the naturalness of speech.

No package carries its weights, and what its authors publish needs fairseq; a TorchScript file of
the whole model needs torch alone.
"""

from __future__ import annotations

import numpy as np

from tokbench.errors import UserError
from tokbench.probes.packaged import fingerprint
from tokbench.probes.weights import VARIABLE, found
from tokbench.tokenizers.exported import script

FILE = "utmos22_strong.pt"


class UTMOS:
    """UTMOS22, the strong learner (Saeki et al. 2022), as TorchScript: (1, samples) at 16 kHz in,
    one opinion from 1 to 5 out."""

    name = "utmos22-strong"
    facets = ("",)

    def __init__(self) -> None:
        path = found(FILE)
        if path is None:
            raise UserError(
                f"utmos: no {FILE} (TorchScript of UTMOS22 strong, 16 kHz samples in, opinion out) "
                f"in the folders of {VARIABLE}; no package has its weights: dnsmos needs none"
            )
        self._path, self._model = path, script(path, "cpu")

    def fingerprint(self) -> str:
        """Of the weights and torch."""
        return fingerprint([self._path], "torch")

    def rate(self, clip: np.ndarray) -> np.ndarray:
        """The opinion of a clip (frames,) at 16 kHz."""
        import torch

        with torch.inference_mode():
            wave = torch.from_numpy(np.ascontiguousarray(clip, np.float32))[None]
            return self._model(wave).reshape(-1)[:1].double().numpy()
