"""Which scores say the same: groups by rank correlation over tokenizers, and known identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SAME = 0.95
"""|Spearman| from which two scores rank tokenizers alike."""
FEWEST = 4
"""Tokenizers below which ranks agree too often by chance to be grouped at all."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Two scores of one data set of which one gives the other: their `product` or `ratio` is
    the same for all tokenizers, for the reason `why`."""

    a: str
    b: str
    what: Literal["product", "ratio"]
    why: str


IDENTITIES = (
    Identity("fertility", "words-per-token", "product", "1 by definition"),
    Identity("tokens", "tokens-per-line", "ratio", "the number of samples"),
    Identity("bytes-per-token", "tokens", "product", "the bytes of the data"),
    Identity("bytes-per-token", "tokens-per-line", "product", "bytes of a sample"),
    Identity("characters-per-token", "tokens", "product", "the characters of the data"),
    Identity("words-per-token", "tokens", "product", "the words of the data"),
    Identity("fertility", "tokens", "ratio", "the words of the data"),
    Identity("bytes-per-token", "characters-per-token", "ratio", "bytes of a character"),
    Identity("bytes-per-token", "token-length/mean", "ratio", "1 where tokens cover all bytes"),
    Identity("utilisation", "types", "ratio", "1/|V|, where the vocabularies are equally large"),
    Identity(
        "shannon-efficiency", "shannon-entropy", "ratio",
        "1/log2 |V|, where the vocabularies are equally large",
    ),
)  # fmt: skip
"""TokEval's audit found six of its metrics to be restatements of others; these are ours."""


@dataclass(frozen=True, slots=True)
class Held:
    """An identity on a leaderboard: the mean of the product or ratio, and how far the
    tokenizer that is farthest from it departs, as a share of it."""

    identity: Identity
    constant: float
    spread: float


@dataclass(frozen=True, slots=True)
class Redundancy:
    """groups: scores that rank alike in every pair (complete linkage), largest group first,
    with the smallest |Spearman| within. apart: scores like no other. constant: equal for all
    tokenizers. missing: not measured for all of them, so left out."""

    groups: list[tuple[list[str], float]]
    apart: list[str]
    constant: list[str]
    missing: list[str]
    identities: list[Held]


def redundancy(wide: pd.DataFrame) -> Redundancy:
    """Group the columns of a table of tokenizers by scores."""
    measured = [name for name in wide.columns if wide[name].notna().all()]
    missing = [name for name in wide.columns if name not in measured]
    values = wide[measured].to_numpy(dtype=float)
    varies = np.ptp(values, axis=0) > 0
    constant = [name for name, v in zip(measured, varies, strict=True) if not v]
    names = [name for name, v in zip(measured, varies, strict=True) if v]
    groups, apart = _grouped(names, values[:, varies])
    held = [h for i in IDENTITIES if (h := _held(i, wide, names)) is not None]
    return Redundancy(groups, apart, constant, missing, held)


def _grouped(
    names: Sequence[str], values: np.ndarray
) -> tuple[list[tuple[list[str], float]], list[str]]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    if len(names) < 2:
        return [], list(names)
    alike = np.abs(np.corrcoef(rankdata(values, axis=0), rowvar=False))
    distance = np.clip(1 - alike, 0, None)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "complete")
    labels = fcluster(tree, 1 - SAME + 1e-9, "distance")
    groups, apart = [], []
    for label in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 1:
            apart.append(names[rows[0]])
        else:
            least = float(alike[np.ix_(rows, rows)].min())
            groups.append(([names[row] for row in rows], min(least, 1.0)))
    return sorted(groups, key=lambda group: -len(group[0])), apart


def _held(identity: Identity, wide: pd.DataFrame, names: Sequence[str]) -> Held | None:
    if identity.a not in names or identity.b not in names:
        return None
    a, b = wide[identity.a].to_numpy(dtype=float), wide[identity.b].to_numpy(dtype=float)
    if identity.what == "ratio" and (b == 0).any():
        return None
    made = a * b if identity.what == "product" else a / b
    mean = float(made.mean())
    return Held(identity, mean, float(np.abs(made - mean).max() / abs(mean))) if mean else None
