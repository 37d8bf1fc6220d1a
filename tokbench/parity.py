"""Two implementations of one vocabulary: do they cut the same text into the same tokens?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from tokbench.dataset import Dataset
from tokbench.errors import UserError, one_line
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import TextTokenizer, token_spans
from tokbench.types import Codes

SLICE = 1000
"""Lines encoded at a time."""


@dataclass(frozen=True, slots=True)
class Way:
    """How lines are compared: by `ids` where the id spaces are one, else by byte
    `boundaries`; `why` says why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """Where the first unequal line differs. index: of the line in its group, from 0. byte: in
    the line's UTF-8, None where token positions are unknown. token: its place, from 0.
    a, b: what each has there."""

    group: str
    index: int
    token: int
    byte: int | None
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Parity:
    """What a comparison found. unplaced: lines left out because a tokenizer that compares by
    boundaries has no token positions for them."""

    way: Way
    lines: int
    equal: int
    unplaced: int
    first: FirstDifference | None


def way_of(a: TextTokenizer, b: TextTokenizer) -> Way:
    """Ids are compared where both have a byte table, every id that text can produce in both
    has the same bytes in both, and those are over half of either's."""
    if a.pieces is None or b.pieces is None:
        without = a.name if a.pieces is None else b.name
        return Way("boundaries", f"{without} has no table of bytes to tell whether ids agree")
    masks = [_producible(tokenizer) for tokenizer in (a, b)]
    room = min(map(len, masks))
    common = np.flatnonzero(masks[0][:room] & masks[1][:room])
    if 2 * len(common) <= max(int(mask.sum()) for mask in masks):
        return Way("boundaries", f"only {len(common):,} ids are used by both")
    ours, theirs = a.pieces.pieces, b.pieces.pieces
    unlike = sum(ours[i] != theirs[i] for i in common.tolist())
    if unlike:
        why = f"{unlike:,} of {len(common):,} common ids stand for other bytes"
        return Way("boundaries", why)
    return Way("ids", f"all {len(common):,} common ids stand for the same bytes")


def _producible(tokenizer: TextTokenizer) -> np.ndarray:
    assert tokenizer.pieces is not None
    if tokenizer.text_ids is not None:
        return np.asarray(tokenizer.text_ids, dtype=bool)
    return tokenizer.pieces.lengths > 0


def parity(
    a: TextTokenizer, b: TextTokenizer, dataset: Dataset, limit: int | None = None
) -> Parity:
    """Compare every line of the data (the first `limit` of each group).

    Raises `UserError` when there is no line to compare, or a tokenizer fails on one.
    """
    way = way_of(a, b)
    lines = equal = unplaced = 0
    first: FirstDifference | None = None
    for group, batch in _batches(dataset, limit):
        codes = [_encoded(tokenizer, batch, group) for tokenizer in (a, b)]
        same, placed = _same(way, (a, b), batch, codes)
        lines += int(placed.sum())
        equal += int((same & placed).sum())
        unplaced += int((~placed).sum())
        unequal = np.flatnonzero(~same & placed)
        if first is None and len(unequal):
            row = int(unequal[0])
            line = batch.select([row])
            first = _first(way, (a, b), line, [_encoded(t, line, group) for t in (a, b)], group)
    if not lines:
        why = "token positions are unknown" if unplaced else "no line has any text"
        raise UserError(f"{a.name} and {b.name}: nothing to compare on {dataset.name}: {why}")
    return Parity(way, lines, equal, unplaced, first)


def _batches(dataset: Dataset, limit: int | None) -> Iterator[tuple[str, TextBatch]]:
    for part in dataset.parts:
        numbered = ((i, text) for i, text in islice(enumerate(part.samples()), limit) if text)
        while rows := list(islice(numbered, SLICE)):
            index = np.array([i for i, _ in rows], dtype=np.int64)
            texts = [text for _, text in rows]
            yield part.group, TextBatch(texts, np.zeros_like(index), index, dataset.raw_bytes, None)


def _encoded(tokenizer: TextTokenizer, batch: TextBatch, group: str) -> Codes:
    try:
        return tokenizer.encode(batch.texts)
    except Exception as error:
        lines = f"{group or 'samples'} {batch.index[0]} to {batch.index[-1]}"
        raise UserError(f"{tokenizer.name}: cannot encode {lines}: {one_line(error)}") from error


Pair = tuple[TextTokenizer, TextTokenizer]


def _same(
    way: Way, pair: Pair, batch: TextBatch, codes: list[Codes]
) -> tuple[np.ndarray, np.ndarray]:
    """For each line: are both equal, and could they be compared?"""
    rows = range(len(batch))
    if way.by == "ids":
        a, b = (code.ids for code in codes)
        same = [np.array_equal(a[row], b[row]) for row in rows]
        return np.array(same, dtype=bool), np.ones(len(batch), dtype=bool)
    cuts = [_boundaries(t, batch, c) for t, c in zip(pair, codes, strict=True)]
    placed = cuts[0][1] & cuts[1][1]
    same = [np.array_equal(cuts[0][0][row], cuts[1][0][row]) for row in rows]
    return np.array(same, dtype=bool), placed


def _boundaries(
    tokenizer: TextTokenizer, batch: TextBatch, codes: Codes
) -> tuple[list[np.ndarray], np.ndarray]:
    """Bytes at which the tokens of each line begin (tokens without bytes aside), and for which
    lines they are known."""
    spans = token_spans(tokenizer, batch, codes)
    offsets = codes.ids.offsets
    found = []
    for row, base in enumerate(batch.starts.tolist()):
        here = slice(offsets[row], offsets[row + 1])
        starts, stops = spans.starts[here] - base, spans.stops[here] - base
        found.append(np.unique(starts[stops > starts]))
    return found, spans.known


def _first(
    way: Way, pair: Pair, line: TextBatch, codes: list[Codes], group: str
) -> FirstDifference:
    """Where one unequal line, encoded by itself, first differs."""
    spans = [token_spans(t, line, c) for t, c in zip(pair, codes, strict=True)]
    base = int(line.starts[0])
    if way.by == "ids":
        rows = [code.ids[0].tolist() for code in codes]
        token = _fork(*rows)
        begins = [
            int(s.starts[token]) - base if token < len(row) else int(line.sizes[0])
            for s, row in zip(spans, rows, strict=True)
            if s.known[0]
        ]
        byte = min(begins, default=None)
        shown = [_token(t, row, token) for t, row in zip(pair, rows, strict=True)]
        return FirstDifference(group, int(line.index[0]), token, byte, shown[0], shown[1])
    cuts = [_boundaries(t, line, c)[0][0].tolist() for t, c in zip(pair, codes, strict=True)]
    token = _fork(*cuts)
    byte = min(cut[token] for cut in cuts if token < len(cut))
    data = line.texts[0].encode()
    shown = [_surface(data, cut, max(token - 1, 0)) for cut in cuts]
    return FirstDifference(group, int(line.index[0]), token, byte, shown[0], shown[1])


def _fork(a: list[int], b: list[int]) -> int:
    """First place at which two lists differ."""
    return next(
        (k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def _token(tokenizer: TextTokenizer, ids: list[int], place: int) -> str:
    if place >= len(ids):
        return "the end"
    assert tokenizer.pieces is not None
    return f"{_quoted(tokenizer.pieces.pieces[ids[place]])} ({ids[place]})"


def _surface(data: bytes, cuts: list[int], place: int) -> str:
    if place >= len(cuts):
        return "the end"
    return _quoted(data[cuts[place] : (*cuts, len(data))[place + 1]])


def _quoted(piece: bytes) -> str:
    try:
        return repr(piece.decode())
    except UnicodeDecodeError:
        return repr(piece)
