"""The kernel distance (KID): an unbiased estimate of the squared maximum mean discrepancy."""

from __future__ import annotations

import numpy as np

from tokbench.measured import JACKKNIFE_BLOCKS

_ROWS = 512


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The kernel (xᵀy / d + 1)³ of every pair, of Bińkowski et al. (2018)."""
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def mmd2(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Unbiased MMD² of features x (m, d) and y (n, d) under the cubic kernel, and the 16 estimates
    that leave out one block each: rows are dealt to blocks by their number.

    Sums of kernel values by pair of blocks give all of them in one pass over the pairs.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    own_x, own_y = _block_sums(x, x, True), _block_sums(y, y, True)
    cross = _block_sums(x, y, False)
    counts = [np.bincount(np.arange(len(each)) % JACKKNIFE_BLOCKS, minlength=JACKKNIFE_BLOCKS)
              for each in (x, y)]  # fmt: skip
    everything = np.ones(JACKKNIFE_BLOCKS, dtype=bool)
    left_out = []
    for block in range(JACKKNIFE_BLOCKS):
        rest = everything.copy()
        rest[block] = False
        left_out.append(_estimate(own_x, own_y, cross, counts, rest))
    return _estimate(own_x, own_y, cross, counts, everything), np.array(left_out)


def _block_sums(x: np.ndarray, y: np.ndarray, same: bool) -> np.ndarray:
    """Kernel values summed by (block of x's row, block of y's row), without a row with itself."""
    blocks = np.arange(len(y)) % JACKKNIFE_BLOCKS
    deal = np.zeros((len(y), JACKKNIFE_BLOCKS))
    deal[np.arange(len(y)), blocks] = 1.0
    total = np.zeros((JACKKNIFE_BLOCKS, JACKKNIFE_BLOCKS))
    for first in range(0, len(x), _ROWS):
        values = cubic(x[first : first + _ROWS], y)
        if same:
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
) -> float:
    both = np.ix_(rest, rest)
    m, n = (int(each[rest].sum()) for each in counts)
    if min(m, n) < 2:
        return float("nan")
    within = own_x[both].sum() / (m * (m - 1)) + own_y[both].sum() / (n * (n - 1))
    return float(within - 2 * cross[both].sum() / (m * n))
