"""The squared maximum mean discrepancy of two samples of features: KID, CMMD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tokbench.measured import JACKKNIFE_BLOCKS

_ROWS = 512

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values of every pair of a row of one and a row of the other."""


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The kernel (xᵀy / d + 1)³ of every pair, of Bińkowski et al. (2018)."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def gaussian(sigma: float) -> Kernel:
    """The kernel exp(-‖x - y‖² / 2σ²)."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        apart = (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * (x @ y.T)
        return np.exp(np.maximum(apart, 0.0) / (-2 * sigma**2))

    return kernel


def mmd2(
    x: np.ndarray, y: np.ndarray, kernel: Kernel = cubic, biased: bool = False
) -> tuple[float, np.ndarray]:
    """MMD² of features x (m, d) and y (n, d), and the 16 estimates that leave out one block each:
    rows are dealt to blocks by their number. biased: the V-statistic, in which a row is paired
    with itself too.

    Sums of kernel values by pair of blocks give all of them in one pass over the pairs.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    own_x, own_y = (_block_sums(each, each, kernel, not biased) for each in (x, y))
    cross = _block_sums(x, y, kernel, False)
    counts = [np.bincount(np.arange(len(each)) % JACKKNIFE_BLOCKS, minlength=JACKKNIFE_BLOCKS)
              for each in (x, y)]  # fmt: skip
    everything = np.ones(JACKKNIFE_BLOCKS, dtype=bool)
    left_out = []
    for block in range(JACKKNIFE_BLOCKS):
        rest = everything.copy()
        rest[block] = False
        left_out.append(_estimate(own_x, own_y, cross, counts, rest, biased))
    return _estimate(own_x, own_y, cross, counts, everything, biased), np.array(left_out)


def _block_sums(x: np.ndarray, y: np.ndarray, kernel: Kernel, without_itself: bool) -> np.ndarray:
    """Kernel values summed by (block of x's row, block of y's row)."""
    blocks = np.arange(len(y)) % JACKKNIFE_BLOCKS
    deal = np.zeros((len(y), JACKKNIFE_BLOCKS))
    deal[np.arange(len(y)), blocks] = 1.0
    total = np.zeros((JACKKNIFE_BLOCKS, JACKKNIFE_BLOCKS))
    for first in range(0, len(x), _ROWS):
        values = kernel(x[first : first + _ROWS], y)
        if without_itself:
            here = np.arange(len(values))
            values[here, first + here] = 0.0
        np.add.at(total, (first + np.arange(len(values))) % JACKKNIFE_BLOCKS, values @ deal)
    return total


def _estimate(
    own_x: np.ndarray,
    own_y: np.ndarray,
    cross: np.ndarray,
    counts: list[np.ndarray],
    rest: np.ndarray,
    biased: bool,
) -> float:
    both = np.ix_(rest, rest)
    m, n = (int(each[rest].sum()) for each in counts)
    if min(m, n) < 2:
        return float("nan")
    pairs_x, pairs_y = (k * k if biased else k * (k - 1) for k in (m, n))
    within = own_x[both].sum() / pairs_x + own_y[both].sum() / pairs_y
    return float(within - 2 * cross[both].sum() / (m * n))
