"""Monotone piecewise cubics through many sets of points at once.

SciPy's `PchipInterpolator` takes one set of abscissas; a bootstrap has a thousand. Same curve:
Fritsch and Butland's weighted harmonic means inside, their three-point formula at the ends.
"""

from __future__ import annotations

import numpy as np


class Pchips:
    """Curves through the rows of x and y, both (curves, points); x rises along each row."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self.x, self.y = x, y
        self._step = np.diff(x, axis=1)
        self._slope = _slopes(self._step, np.diff(y, axis=1) / self._step)

    def at(self, where: np.ndarray) -> np.ndarray:
        """The value of each curve at its own place, which lies within its points."""
        row = np.arange(len(self.x))
        last = self.x.shape[1] - 2
        k = np.clip((self.x <= where[:, None]).sum(1) - 1, 0, last)
        h, t = self._step[row, k], (where - self.x[row, k]) / self._step[row, k]
        return (
            self.y[row, k] * (1 + 2 * t) * (1 - t) ** 2
            + self._slope[row, k] * h * t * (1 - t) ** 2
            + self.y[row, k + 1] * t**2 * (3 - 2 * t)
            + self._slope[row, k + 1] * h * t**2 * (t - 1)
        )

    def integral(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Of each curve between two places of its own, both within its points."""
        return self._until(high) - self._until(low)

    def _until(self, where: np.ndarray) -> np.ndarray:
        """The integral from the first point: of each piece as far as it is reached."""
        h = self._step
        t = np.clip((where[:, None] - self.x[:, :-1]) / h, 0, 1)
        pieces = (
            self.y[:, :-1] * (t - t**3 + t**4 / 2)
            + self._slope[:, :-1] * h * (t**2 / 2 - 2 * t**3 / 3 + t**4 / 4)
            + self.y[:, 1:] * (t**3 - t**4 / 2)
            + self._slope[:, 1:] * h * (t**4 / 4 - t**3 / 3)
        )
        return (h * pieces).sum(1)


def _slopes(h: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """The derivative at every point, from the widths and slopes of the chords."""
    found = np.empty((len(h), h.shape[1] + 1))
    if h.shape[1] == 1:
        found[:] = rise
        return found
    left, right = 2 * h[:, 1:] + h[:, :-1], h[:, 1:] + 2 * h[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (left + right) / (left / rise[:, :-1] + right / rise[:, 1:])
    found[:, 1:-1] = np.where(rise[:, :-1] * rise[:, 1:] > 0, mean, 0.0)
    found[:, 0] = _end(h[:, 0], h[:, 1], rise[:, 0], rise[:, 1])
    found[:, -1] = _end(h[:, -1], h[:, -2], rise[:, -1], rise[:, -2])
    return found


def _end(h: np.ndarray, h_next: np.ndarray, rise: np.ndarray, rise_next: np.ndarray) -> np.ndarray:
    slope = ((2 * h + h_next) * rise - h * rise_next) / (h + h_next)
    slope = np.where(np.sign(slope) != np.sign(rise), 0.0, slope)
    steep = (np.sign(rise) != np.sign(rise_next)) & (np.abs(slope) > 3 * np.abs(rise))
    return np.where(steep, 3 * rise, slope)
