"""Token counts as a function of vocabulary size: three forms, fitted to many rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FORMS = {"log": "a + b·ln V", "power": "b·V^-c", "floor": "a + b·V^-c"}
"""Log-linear; a power law; a power law that falls towards a floor. Least squares in tokens."""

PARAMETERS = {"log": 2, "power": 2, "floor": 3}

_EXPONENTS = np.geomspace(1e-3, 8, 160)
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Curve:
    """A fitted form; a row of parameters for each row of counts. Sizes count in units of `unit`."""

    form: str
    unit: float
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def at(self, sizes: np.ndarray | float) -> np.ndarray:
        """Tokens at vocabulary sizes, one for each row (or one size for all)."""
        v = np.asarray(sizes) / self.unit
        term = np.log(v) if self.form == "log" else v**-self.c
        return self.a + self.b * term

    def size(self, tokens: np.ndarray | float) -> np.ndarray:
        """The vocabulary size with that many tokens; infinite where the curve never has them."""
        with np.errstate(all="ignore"):
            rest = (np.asarray(tokens, dtype=np.float64) - self.a) / self.b
            if self.form == "log":
                found, falls = np.exp(rest), self.b < 0
            else:
                found, falls = rest ** (-1 / self.c), (self.b > 0) & (rest > 0)
        return np.where(falls & np.isfinite(found), found * self.unit, np.inf)

    @property
    def parameters(self) -> dict[str, float]:
        """a, b, c of the first row, for V in tokens."""
        a, b, c = (float(each[0]) for each in (self.a, self.b, self.c))
        if self.form == "log":
            return {"a": a - b * float(np.log(self.unit)), "b": b}
        scaled = {"b": b * self.unit**c, "c": c}
        return scaled if self.form == "power" else {"a": a} | scaled


def fit(form: str, sizes: np.ndarray, counts: np.ndarray) -> Curve:
    """Fit a form to each row of `counts` (rows, sizes), by least squares.

    For a given exponent a power law is linear, so its sum of squares is a function of the
    exponent alone: searched on a grid, then by golden section.
    """
    unit = float(np.exp(np.log(sizes).mean()))
    v = sizes / unit
    rows = len(counts)
    if form == "log":
        terms = np.broadcast_to(np.log(v), counts.shape)
        a, b, _ = _linear(terms, counts, True)
        return Curve(form, unit, a, b, np.zeros(rows))
    floor = form == "floor"

    def squares(exponents: np.ndarray) -> np.ndarray:
        """(k, rows) for exponents (k, rows) or (k, 1)."""
        return _linear(v ** -exponents[..., None], counts[None], floor)[2]

    best = squares(_EXPONENTS[:, None]).argmin(0)
    low = np.log(_EXPONENTS[np.maximum(best - 1, 0)])
    high = np.log(_EXPONENTS[np.minimum(best + 1, len(_EXPONENTS) - 1)])
    for _ in range(32):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        errors = squares(np.exp([left, right]))
        lower = errors[0] < errors[1]
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    exponent = np.exp((low + high) / 2)
    a, b, _ = _linear(v[None, :] ** -exponent[:, None], counts, floor)
    return Curve(form, unit, a, b, exponent)


def _linear(
    terms: np.ndarray, counts: np.ndarray, constant: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a, b and the sum of squares of `a + b·terms` along the last axis; a is 0 without
    `constant`."""
    sizes = terms.shape[-1]
    middle = terms.sum(-1, keepdims=True) / sizes if constant else np.zeros(1)
    centred = terms - middle
    b = (centred * counts).sum(-1) / (centred * centred).sum(-1)
    a = counts.sum(-1) / sizes - b * middle[..., 0] if constant else np.zeros(b.shape)
    rest = a[..., None] + b[..., None] * terms - counts
    return a, b, (rest * rest).sum(-1)


def errors(sizes: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Relative root mean square error of each form at the inner sizes, each predicted from the
    others. A form that the sizes left over do not determine is not there."""
    found = {}
    for form, parameters in PARAMETERS.items():
        if len(sizes) - 1 < max(2, parameters):
            continue
        misses = []
        for inner in range(1, len(sizes) - 1):
            rest = np.arange(len(sizes)) != inner
            curve = fit(form, sizes[rest], counts[None, rest])
            misses.append(float(curve.at(sizes[inner])[0] / counts[inner] - 1))
        found[form] = float(np.sqrt(np.mean(np.square(misses))))
    return found


def best(errors: dict[str, float]) -> str:
    """The form of the least error; of forms that agree to a hundredth of a percent, the one
    with fewest parameters."""
    return min(errors, key=lambda form: (round(errors[form], 4), PARAMETERS[form]))


def explained(curve: Curve, sizes: np.ndarray, counts: np.ndarray) -> float:
    """R²: share of the counts' variance over sizes that the curve's first row explains."""
    rest = sum((float(curve.at(v)[0]) - n) ** 2 for v, n in zip(sizes, counts, strict=True))
    spread = float(((counts - counts.mean()) ** 2).sum())
    return 1 - rest / spread if spread else float("nan")
