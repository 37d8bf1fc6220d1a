"""The arithmetic of the bootstrap: multinomial draws and percentiles."""

from __future__ import annotations

import numpy as np


def quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """Linear between the two nearest of `ordered` along the last axis; NaN where one is there."""
    place = share * (ordered.shape[-1] - 1)
    part = place - int(place)
    below, above = (
        ordered[..., int(place)],
        ordered[..., min(int(place) + 1, ordered.shape[-1] - 1)],
    )
    step = above - below
    between = below + step * part if part < 0.5 else above - step * (1 - part)
    return np.where(np.isnan(ordered[..., -1]), np.nan, between)  # NaN sorts last


def draw(rng: np.random.Generator, replicates: int, units: int) -> np.ndarray:
    """Multinomial weights of `replicates` bootstrap draws of `units` from `units`."""
    if units == 0:
        return np.zeros((replicates, 0))
    picked = rng.integers(0, units, (replicates, units))
    picked += np.arange(replicates)[:, None] * units
    return (
        np.bincount(picked.ravel(), minlength=replicates * units)
        .reshape(replicates, units)
        .astype(np.float64)
    )
