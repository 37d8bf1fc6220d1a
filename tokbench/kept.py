"""A bounded sample of rows that merges: for what no sum can hold, such as kernels of pairs.

Every sample has a key that looks random and depends on its group and index alone. The rows with
the smallest keys are kept. The smallest of a union are the smallest of the smallest, so any cut of
the data into shards keeps the same rows, a uniform sample without replacement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


def keys_of(group: np.ndarray, index: np.ndarray) -> np.ndarray:
    """A uint64 for each sample by splitmix64, whose mixing is one to one: no two samples of up to
    2⁴⁸ in a group share a key."""
    with np.errstate(over="ignore"):
        mixed = (group.astype(np.uint64) << np.uint64(48)) + index.astype(np.uint64)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Kept:
    """Up to `most` rows (n, width) with their keys, ascending."""

    keys: np.ndarray
    rows: np.ndarray
    most: int

    @classmethod
    def of(cls, keys: np.ndarray, rows: np.ndarray, most: int) -> Kept:
        """The rows of the smallest keys."""
        order = np.argsort(keys, kind="stable")[:most]
        return cls(keys[order], rows[order], most)

    @classmethod
    def joined(cls, several: Iterable[Kept]) -> Kept:
        """The smallest of all of them."""
        found = list(several)
        if len(found) == 1:
            return found[0]
        keys = np.concatenate([kept.keys for kept in found])
        rows = np.concatenate([kept.rows for kept in found])
        return cls.of(keys, rows, found[0].most)
