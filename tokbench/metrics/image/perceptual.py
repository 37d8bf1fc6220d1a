"""LPIPS: distance between deep features of original and reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric, mean_of_defined
from tokbench.probes.perceptual import TRUNKS, perceptual
from tokbench.statistics import Statistic
from tokbench.types import Score, Tokenizer


def lpips(encoded: EncodedMedia, net: str = "alex") -> Statistic:
    """LPIPS of each image and whether the network takes it, as columns named after the option."""
    network = perceptual(net)
    large = [row for row, a in enumerate(encoded.inputs) if min(a.shape[:2]) >= network.least]
    values, defined = np.zeros(len(encoded.batch)), np.zeros(len(encoded.batch), np.int64)
    values[large] = network.distances(
        [encoded.inputs[row] for row in large], [encoded.outputs[row] for row in large]
    )
    defined[large] = 1
    name = f"lpips?net={net}"
    return Statistic({name: exact(values), f"{name}:n": defined})


class LPIPS(Metric):
    """Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1 with the
    calibrated linear heads, at the images' own size, mean over images. net: `alex` (the authors'
    default for evaluation), `vgg` or `squeeze`. Pictures are scaled to [-1, 1] here, which is what
    the network wants. Images too small for the network are left out and counted."""

    name = "lpips"
    statistics = ("lpips",)
    needs = ("reconstruction",)
    unit, better, aggregation = "1", "lower", "mean of images"
    reference = "Zhang et al. 2018 (1801.03924); the authors' package lpips"

    def __init__(self, *, net: str = "alex") -> None:
        if net not in TRUNKS:
            raise ValueError(f"net: choose {' or '.join(TRUNKS)}, not '{net}'")
        self.net = net
        self._column = f"lpips?net={net}"
        self.statistics = (self._column,)
        self.label = self.name if net == "alex" else f"{self.name}-{net}"

    @cached_property
    def _missing(self) -> str:
        return perceptual(self.net).missing()

    @property
    def tags(self) -> dict[str, str]:  # type: ignore[override]
        """The weights, which every value depends on."""
        return {"weights": "missing" if self._missing else perceptual(self.net).fingerprint()[:8]}

    def lacks(self, tokenizer: Tokenizer) -> str:
        return super().lacks(tokenizer) or self._missing

    def result(self, measured: Measured) -> Iterator[Score]:
        why = f"a side under {perceptual(self.net).least} pixels"
        yield from mean_of_defined(self, measured, self.label, self._column, why)
