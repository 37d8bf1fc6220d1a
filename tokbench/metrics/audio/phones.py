"""Do ids stand for phones? Purity and mutual information with an alignment of the speech."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tokbench.errors import UserError
from tokbench.evidence import Tally
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.codebooks import facets
from tokbench.metrics.metric import Metric
from tokbench.statistics import Statistic
from tokbench.streams import MICRO, bases, token_seconds
from tokbench.types import Sample, Score


def phones(encoded: EncodedMedia) -> Statistic:
    """A tally of pairs of an id (of all levels, one range after the other) and the phone at the
    middle of its time, key id·2³² + CRC-32 of the phone; `aligned` clips."""
    base, keys = bases(encoded.tokenizer.spec), []
    said = np.zeros(len(encoded.batch), np.int64)
    for row, sample in enumerate(encoded.batch.samples):
        if "phones" not in sample.notes:
            continue
        said[row] = 1
        starts, ends, labels = _alignment(sample)
        own = [level[row].astype(np.int64) for level in encoded.codes.levels]
        seconds = float(encoded.extents[row]) / MICRO
        steps = token_seconds([len(ids) for ids in own], encoded.tokenizer.spec, seconds)
        for number, (ids, step) in enumerate(zip(own, steps, strict=True)):
            middle = (np.arange(len(ids)) + 0.5) * step
            place = np.searchsorted(starts, middle, side="right") - 1
            inside = (place >= 0) & (middle < ends[place])
            keys.append(((ids + base[number])[inside] << 32) + labels[place[inside]])
    found = np.concatenate([*keys, np.empty(0, np.int64)]).astype(np.int64)
    tally = Tally(*np.unique(found, return_counts=True))
    return Statistic({"phones:clips": said}, {"phones:pairs": tally})


def _alignment(sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, ends (seconds) and labels (as CRC-32) of a clip's phones, in the order of time."""
    rows: Any = sample.notes["phones"]
    good = isinstance(rows, list) and rows and all(
        isinstance(row, list | tuple)
        and len(row) == 3
        and isinstance(row[2], str)
        and all(isinstance(at, int | float) for at in row[:2])
        and row[0] <= row[1]
        for row in rows
    )  # fmt: skip
    if not good:
        raise UserError(
            f"{sample.name}: its note phones is no list of [start, end, phone], with times in "
            "seconds"
        )
    rows = sorted(rows)
    labels = np.array([zlib.crc32(row[2].encode()) for row in rows], np.int64)
    return np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float), labels


class PhonePurity(Metric):
    """Ids against the phones spoken at their middle, where the data has an alignment (note
    `phones`: a list of [start, end, phone], seconds). `phone-purity`: the probability that a
    token's phone is the likeliest of its id; `/cluster`: that its id is the likeliest of its
    phone; `/pnmi`: mutual information of the two over the phones' entropy, the share of the
    uncertainty about the phone that the id takes away. Each level by itself (`/level-1`, …,
    `/pnmi-level-1`, …); the whole is their mean over tokens. Tokens in no phone stay out. Purity
    grows with the number of ids and with a small sample: compare at one dataset."""

    name = "phone-purity"
    statistics = ("phones",)
    needs = ("ids",)
    unit, better, aggregation = "1", "higher", "pooled counts of each level"
    reference = "Hsu et al. 2021 (2106.07447), section IV-E"

    def result(self, measured: Measured) -> Iterator[Score]:
        clips = int(measured.totals("phones:clips").sum())
        tally = measured.evidence.tallies.get("phones:pairs", Tally())
        tokens = int(tally.counts.sum())
        if not tokens:
            why = "no token lies in a phone" if clips else "no clip has an alignment (note phones)"
            yield measured.score(self.name, None, 0, unit=self.unit, note=why)
            return
        edges = np.searchsorted(tally.keys >> 32, bases(measured.spec))
        table = np.zeros((len(edges) - 1, 4))
        for number, (low, high) in enumerate(pairwise(edges.tolist())):
            table[number] = _agreement(tally.keys[low:high], tally.counts[low:high])
        weight = table[:, 3] / tokens
        note = f"{tokens:,} tokens; no interval: plug-in"
        levels = facets("", len(weight))
        for column, (facet, level) in enumerate((("", "/"), ("/cluster", ""), ("/pnmi", "/pnmi-"))):
            rows = [(self.name + facet, float(weight @ table[:, column]))]
            if level:
                rows += [(self.name + level + f[1:], table[k, column]) for f, k in levels]
            for name, value in rows:
                yield measured.score(
                    name, value, clips, unit=self.unit, better=self.better, note=note
                )


def _agreement(keys: np.ndarray, counts: np.ndarray) -> tuple[float, float, float, int]:
    """Phone purity, cluster purity, PNMI and tokens of one level."""
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0, 0.0, 0
    _, ids = np.unique(keys >> 32, return_inverse=True)
    _, labels = np.unique(keys & 0xFFFFFFFF, return_inverse=True)
    best = [np.zeros(int(side.max()) + 1, np.int64) for side in (ids, labels)]
    for most, side in zip(best, (ids, labels), strict=True):
        np.maximum.at(most, side, counts)
    p = counts / total
    of_id, of_label = (np.bincount(side, p) for side in (ids, labels))
    shared = float(p @ np.log(p / (of_id[ids] * of_label[labels])))
    entropy = -float(of_label @ np.log(of_label))
    pnmi = shared / entropy if entropy > 0 else float("nan")
    return best[0].sum() / total, best[1].sum() / total, pnmi, total
