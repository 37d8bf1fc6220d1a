"""Counting the pretokens of categories of text, in blocks, for data mixture inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError, one_line
from tokbench.executors import spread
from tokbench.parts import Part, Slice
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text.adapter import TextTokenizer

BLOCKS = 32
"""Consecutive blocks of about equal size into which each category is cut, for the bootstrap."""

SAMPLES = 64
"""Most samples read at a time; a block begins and ends with one such slice."""


@dataclass(frozen=True)
class Pretokens:
    """Distinct pretokens and how often each occurs.

    words: in the order first seen. counts: of each word (row) in each block of each category
    (column category · BLOCKS + block). sizes: UTF-8 bytes read, (categories, BLOCKS).
    """

    categories: list[str]
    words: list[Any]
    counts: sparse.csr_array
    sizes: np.ndarray


@dataclass(frozen=True)
class Source:
    """What a worker opens by itself: a tokenizer and data, of which it reads the first
    `most_bytes` bytes of each category (all for None)."""

    spec: str
    data: str
    split: str | None
    most_bytes: int | None


def count(source: Source, tokenizer: TextTokenizer, dataset: Dataset, workers: int) -> Pretokens:
    """Count the pretokens of every group of the data.

    Only counts are kept in memory, never text. In `workers` processes, one category each.
    Raises `UserError` for a group without text and a text that cannot be cut.
    """
    numbers = range(len(dataset.parts))
    if workers <= 1:
        found = [_counted(tokenizer, dataset.parts[n], n, source.most_bytes) for n in numbers]
    else:
        found = spread(_work, [(source, number) for number in numbers], workers)
    for group, (_, sizes) in zip(dataset.groups, found, strict=True):
        if not sizes.any():
            raise UserError(f"{dataset.name}: {group or 'the data'} has no text")
    return _pooled(dataset.groups, found)


Found = tuple[list[Counter[Any]], np.ndarray]
"""Counts of one category by block, and bytes by block."""


@cache
def _opened(source: Source) -> tuple[TextTokenizer, Dataset]:
    tokenizer = load_tokenizer(source.spec)
    assert isinstance(tokenizer, TextTokenizer)
    return tokenizer, open_dataset(source.data, source.split)


def _work(job: tuple[Source, int]) -> Found:
    source, number = job
    tokenizer, dataset = _opened(source)
    return _counted(tokenizer, dataset.parts[number], number, source.most_bytes)


def _counted(tokenizer: TextTokenizer, part: Part, number: int, most_bytes: int | None) -> Found:
    pieces = list(_within(part.slices(number, SAMPLES, 1 << 18, None), most_bytes))
    if len(pieces) < BLOCKS:  # little text: smaller slices
        pieces = list(_within(part.slices(number, 1, 1, None), most_bytes))
    total = sum(piece.size for piece in pieces)
    counts: list[Counter[Any]] = [Counter() for _ in range(BLOCKS)]
    sizes = np.zeros(BLOCKS, dtype=np.int64)
    before = 0
    for piece in pieces:
        block = BLOCKS * before // max(total, 1)
        before += piece.size
        for text in part.read(piece)[0]:
            sizes[block] += len(text.encode(errors="replace"))
            try:
                counts[block].update(tokenizer.pretokens(text))
            except UserError:
                raise
            except Exception as error:  # bare ones of the libraries
                place = f"{part.group or 'samples'} {piece.first} to {piece.first + piece.count}"
                raise UserError(
                    f"{tokenizer.name}: cannot cut {place}: {one_line(error)}"
                ) from error
    return counts, sizes


def _within(pieces: Iterator[Slice], most_bytes: int | None) -> Iterator[Slice]:
    total = 0
    for piece in pieces:
        if most_bytes is not None and total >= most_bytes:
            return
        total += piece.size
        yield piece


def _pooled(categories: list[str], found: list[Found]) -> Pretokens:
    numbered: dict[Any, int] = {}
    rows, columns, values = [], [], []
    for category, (counts, _) in enumerate(found):
        for block, counter in enumerate(counts):
            size = len(counter)
            at = (numbered.setdefault(word, len(numbered)) for word in counter)
            rows.append(np.fromiter(at, dtype=np.int32, count=size))
            columns.append(np.full(size, category * BLOCKS + block, dtype=np.int32))
            values.append(np.fromiter(counter.values(), dtype=np.int64, count=size))
            counter.clear()
    shape = (len(numbered), len(categories) * BLOCKS)
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    sizes = np.stack([sizes for _, sizes in found])
    return Pretokens(categories, list(numbered), sparse.csr_array(entries, shape), sizes)
