"""The Fréchet distance of two sets of features, from moments that add up exactly.

**Exact moments.** Features are rounded to multiples of 2⁻¹⁶ and kept as integers m = 2¹⁶ x. With
|x| < 64 a product of two is below 2⁴⁴, so the sum of 512 of them fits in the 53 bits of a float64:
one matrix product over a chunk of at most 512 rows is exact, whatever order the processor adds in.
Chunks are added as int64, which holds 2¹⁹ = 524,288 such products. So one shard gives the same
bits as any other cut of the same features. Rounding moves a squared feature norm of d = 2048 by
about 2048 · (2⁻¹⁶)² / 12 = 4·10⁻⁸.

**Symmetric forms.** With Σ₁ = A Aᵀ, Tr (Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of the
symmetric Aᵀ Σ₂ A: real and never negative but for rounding, which is cut off at 0. No matrix square
root is taken, and nothing imaginary can arise. A comes from Cholesky's decomposition, where Σ₁ has
not full rank from that with pivots, which ends at the rank: for n below d the second step is n × n.
It is kept with the reference: many distances to one reference factor it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEP = 2.0**-16
"""Features are rounded to multiples of it."""

LARGEST = 64.0
"""Features must lie below it in size, so that sums of products stay exact."""

MOST = 2**19
"""Samples whose products surely fit in int64."""

_CHUNK = 512


def moments(features: np.ndarray) -> np.ndarray:
    """Σ m mᵀ of the rounded features with a 1 put at the end of each, int64 (d + 1, d + 1): the
    last column holds Σ m, the last element n.

    Raises `ValueError` for features that are not finite or reach 64 in size.
    """
    values = np.asarray(features, dtype=np.float64)
    size, width = values.shape
    if not (np.abs(values) < LARGEST).all():  # also for NaN
        raise ValueError(f"features must be finite and below {LARGEST:.0f} in size")
    total = np.zeros((width + 1, width + 1), dtype=np.int64)
    for first in range(0, size, _CHUNK):
        rows = values[first : first + _CHUNK]
        whole = np.ones((len(rows), width + 1))
        np.round(rows / STEP, out=whole[:, :width])
        total += (whole.T @ whole).astype(np.int64)
    return total


@dataclass(frozen=True)
class Gaussian:
    """Mean (d) and sample covariance (d, d; divided by n - 1) of n features."""

    n: int
    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, sums: np.ndarray) -> Gaussian:
        """From the sum of `moments`. Needs two samples at least."""
        n = int(sums[-1, -1])
        if not 2 <= n <= MOST:
            raise ValueError(f"moments of {n:,} samples: from 2 to {MOST:,} give a covariance")
        total = sums[-1, :-1].astype(np.float64)
        mean = total * (STEP / n)
        products = sums[:-1, :-1].astype(np.float64)
        total /= np.sqrt(n)
        products -= np.outer(total, total)  # symmetric to the bit, as the sums are
        products *= STEP * STEP / (n - 1)
        return cls(n, mean, products)

    @cached_property
    def factor(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Lower triangular L (d, rank) and the order of the rows and columns in which L Lᵀ is the
        covariance; None: as they are."""
        from scipy.linalg import lapack

        # Transposed, a symmetric matrix is itself, in LAPACK's own order of memory.
        if self.n > len(self.mean):
            lower, failed = lapack.dpotrf(self.covariance.T, lower=1, clean=1)
            if not failed:
                return lower, None
        lower, order, rank, _ = lapack.dpstrf(self.covariance.T, lower=1)
        return np.asfortranarray(np.tril(lower)[:, :rank]), order - 1


def distance(reference: Gaussian, other: Gaussian) -> float:
    """‖μ₁ - μ₂‖² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½) (Dowson and Landau 1982), at least 0."""
    from scipy import linalg
    from scipy.linalg import lapack

    lower, order = reference.factor
    root = 0.0
    if lower.shape[1]:
        inner = other.covariance
        if order is not None:
            inner = inner[np.ix_(order, order)]
        if lower.shape[0] == lower.shape[1]:  # Lᵀ Σ₂ L, the lower half of it alone
            inner, _ = lapack.dsygst(inner.T, lower, itype=2, lower=1)
        else:
            inner = lower.T @ inner @ lower
        values = linalg.eigvalsh(inner, lower=True, driver="evd", check_finite=False)
        root = float(np.sqrt(np.maximum(values, 0)).sum())
    apart = reference.mean - other.mean
    traces = float(np.trace(reference.covariance) + np.trace(other.covariance))
    return max(0.0, float(apart @ apart) + traces - 2 * root)


def of_features(reference: np.ndarray, other: np.ndarray) -> float:
    """The same from the features themselves (n, d) and (m, d). For few samples it needs no
    covariance: the trace is the nuclear norm of the product of the two centred tables, which is
    n × m."""
    x, y = (np.asarray(each, dtype=np.float64) for each in (reference, other))
    apart = x.mean(0) - y.mean(0)
    x = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    y = (y - y.mean(0)) / np.sqrt(len(y) - 1)
    if max(len(x), len(y)) > x.shape[1]:
        return distance(Gaussian.of(moments(reference)), Gaussian.of(moments(other)))
    root = float(np.linalg.svd(x @ y.T, compute_uv=False).sum())
    return max(0.0, float(apart @ apart) + float((x * x).sum() + (y * y).sum()) - 2 * root)
