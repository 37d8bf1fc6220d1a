"""Does a score go with something else: correlations over tokenizers, honest for few points."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from tokbench.errors import UserError, near
from tokbench.files import read_bytes
from tokbench.measured import LEVEL

FEW = 8
"""Points below which a correlation is given with a warning: five points reach |rho| = 0.9 by
chance in one case of twelve, and the TR-MMLU claim rests on four."""
FEWEST = 3
"""Points below which there is no correlation to speak of."""
EXACT = 8
"""Most points of which all permutations are tried (8! = 40,320)."""
PERMUTATIONS = 9_999
REPLICATES = 2_000
DEFINED = 0.95
"""Share of the bootstrap resamples in which a coefficient must be defined."""
_CELLS = 1 << 22  # numbers held at a time


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient. low, high: percentile bootstrap over the points, None where too many
    resamples are constant. p: two-sided permutation p-value, by all permutations if `exact`."""

    name: str
    value: float
    low: float | None
    high: float | None
    p: float
    exact: bool


def read_column(path: Path, column: str) -> dict[str, float | None]:
    """Numbers by tokenizer from a CSV file with a header; None for an empty cell.

    Raises `UserError` naming the missing column, or the line that is no number.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        header = rows.fieldnames or []
        for name in ("tokenizer", column):
            if name not in header:
                listed = f"it has {', '.join(header)}" if header else "the file is empty"
                raise UserError(f"{path}: no column '{name}'{near(name, header)} ({listed})")
        found: dict[str, float | None] = {}
        for row in rows:
            name, cell = (row["tokenizer"] or "").strip(), (row[column] or "").strip()
            if not name:
                raise UserError(f"{path}: line {rows.line_num}: no tokenizer named")
            if name in found:
                raise UserError(f"{path}: line {rows.line_num}: '{name}' has a row already")
            found[name] = _number(cell, f"{path}: line {rows.line_num}: {column}")
    except csv.Error as error:
        raise UserError(f"{path}: not CSV: {error}") from error
    if not found:
        raise UserError(f"{path}: a header and no rows")
    return found


def _number(cell: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{where}: '{cell}' is not a finite number")
    return value


@dataclass(frozen=True, slots=True)
class Joined:
    """Tokenizers with both numbers, and those with one of them, with the reason."""

    names: list[str]
    x: np.ndarray
    y: np.ndarray
    unmatched: dict[str, str]


def join(scores: Mapping[str, float | None], results: Mapping[str, float | None]) -> Joined:
    """Leaderboard scores and results by tokenizer name."""
    names = [n for n in results if results[n] is not None and scores.get(n) is not None]
    unmatched = {}
    for name in dict.fromkeys([*results, *scores]):
        if name not in scores:
            unmatched[name] = f"not on the leaderboard{near(name, scores)}"
        elif scores[name] is None:
            unmatched[name] = "the score was not measured"
        elif name not in results:
            unmatched[name] = "not in the table"
        elif results[name] is None:
            unmatched[name] = "empty in the table"
    x, y = (np.array([by[n] for n in names], dtype=float) for by in (scores, results))
    return Joined(names, x, y, unmatched)


def why_not(x: np.ndarray, y: np.ndarray) -> str:
    """Why the points have no correlation, or an empty string."""
    if len(x) < FEWEST:
        points = "1 point" if len(x) == 1 else f"{len(x)} points"
        return f"{points}: a correlation takes {FEWEST} or more"
    for values, what in ((x, "the score"), (y, "the result")):
        if np.ptp(values) == 0:
            return f"{what} is the same for all {len(x)} tokenizers"
    return ""


def coefficients(x: np.ndarray, y: np.ndarray, seed: int = 0) -> list[Coefficient]:
    """Pearson's r, Spearman's rho and Kendall's tau-b with intervals and p-values; the caller
    has asked `why_not`."""
    from scipy import stats

    values = {
        "pearson": stats.pearsonr(x, y).statistic,
        "spearman": stats.spearmanr(x, y).statistic,
        "kendall": stats.kendalltau(x, y).statistic,
    }
    draws, orders = _resamples(len(x), seed), _orders(len(x), seed)
    found = []
    for name, value in values.items():
        of = _MANY[name]
        resampled = _in_pieces(of, x[draws], y[draws])
        permuted = _in_pieces(of, np.broadcast_to(x, orders.shape), y[orders])
        hits = int((np.abs(permuted) >= abs(value) - 1e-12).sum())
        exact = len(x) <= EXACT
        p = hits / len(orders) if exact else (1 + hits) / (1 + len(orders))
        found.append(Coefficient(name, float(value), *_interval(resampled), p, exact))
    return found


def _resamples(points: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, points, (REPLICATES, points))


def _orders(points: int, seed: int) -> np.ndarray:
    """All orders of a few points, some of many."""
    if points <= EXACT:
        return np.array(list(permutations(range(points))))
    rng = np.random.default_rng(seed + 1)
    return rng.permuted(np.tile(np.arange(points), (PERMUTATIONS, 1)), axis=1)


def _interval(draws: np.ndarray) -> tuple[float | None, float | None]:
    defined = draws[np.isfinite(draws)]
    if len(defined) < DEFINED * len(draws):
        return None, None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


Many = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _in_pieces(of: Many, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A coefficient of every row, a bounded number of pairs at a time."""
    step = max(1, _CELLS // x.shape[1] ** 2)
    parts = [of(x[i : i + step], y[i : i + step]) for i in range(0, len(x), step)]
    return np.concatenate(parts)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    varies = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    varies &= spread > 0
    return np.where(varies, (x * y).sum(axis=1) / np.where(varies, spread, 1), np.nan)


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return _pearson(rankdata(x, axis=1), rankdata(y, axis=1))


def _kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = np.triu_indices(x.shape[1], 1)
    dx, dy = np.sign(x[:, a] - x[:, b]), np.sign(y[:, a] - y[:, b])
    pairs = np.sqrt((dx != 0).sum(axis=1) * (dy != 0).sum(axis=1).astype(float))
    return np.where(pairs > 0, (dx * dy).sum(axis=1) / np.where(pairs > 0, pairs, 1), np.nan)


_MANY: dict[str, Many] = {"pearson": _pearson, "spearman": _spearman, "kendall": _kendall}
