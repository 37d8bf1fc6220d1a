"""Texts made from the samples of a batch (perturbed, cut off), encoded together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tokbench.errors import UserError, one_line
from tokbench.evidence import Failure
from tokbench.statistics import EncodedText
from tokbench.text.batch import TextBatch
from tokbench.types import Codes, Ragged


def derived(
    encoded: EncodedText,
    rows: np.ndarray,
    texts: Sequence[str],
    what: str,
    failures: dict[str, Failure],
) -> tuple[EncodedText, np.ndarray]:
    """`texts` made from the samples in `rows`, encoded in one call, and the places (of `rows`)
    that it holds. If the tokenizer raises, they are encoded one by one; those it cannot encode
    are left out and counted in `failures` by `what` was done to them and the cause."""
    batch, encode = encoded.batch, encoded.tokenizer.encode
    good = np.arange(len(rows))
    codes = Codes((Ragged(np.empty(0, np.int32), np.zeros(1, np.int64)),))
    if len(texts):
        try:
            codes = encode(list(texts))
        except BaseException as error:
            if not of_the_tokenizer(error):
                raise
            good, codes = _one_by_one(encoded, rows, texts, what, failures)
    kept = [texts[place] for place in good.tolist()]
    made = TextBatch(kept, batch.group[rows[good]], batch.index[rows[good]], content=None)
    return EncodedText(encoded.tokenizer, made, codes, encoded.groups), good


class Made(NamedTuple):
    """Texts made from the samples in `rows`, and `what` was done to them."""

    rows: list[int]
    texts: list[str]
    what: str


def derived_together(
    encoded: EncodedText, several: Sequence[Made], failures: dict[str, Failure]
) -> list[tuple[EncodedText, np.ndarray]]:
    """What `derived` gives for each of `several`, encoded in one call where the tokenizer takes
    all of it: a call for every few texts costs more than the texts."""
    texts = [text for made in several for text in made.texts]
    try:
        codes = encoded.tokenizer.encode(texts) if texts else None
    except BaseException as error:
        if not of_the_tokenizer(error):
            raise
        codes = None
    if codes is None:
        return [
            derived(encoded, np.array(made.rows, np.int64), made.texts, made.what, failures)
            for made in several
        ]
    found, begin = [], 0
    for made in several:
        end = begin + len(made.texts)
        offsets = codes.ids.offsets[begin : end + 1]
        low, high = offsets[0], offsets[-1]
        ids = Ragged(codes.ids.values[low:high], offsets - low)
        own = Codes((ids,), spans=None if codes.spans is None else codes.spans[low:high])
        rows, begin = np.array(made.rows, np.int64), end
        batch = encoded.batch
        kept = TextBatch(made.texts, batch.group[rows], batch.index[rows], content=None)
        found.append(
            (EncodedText(encoded.tokenizer, kept, own, encoded.groups), np.arange(len(rows)))
        )
    return found


def of_the_tokenizer(error: BaseException) -> bool:
    """Is it the tokenizer that failed on a text? (Rust panics arrive as BaseException.)"""
    if isinstance(error, UserError | MemoryError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _one_by_one(
    encoded: EncodedText,
    rows: np.ndarray,
    texts: Sequence[str],
    what: str,
    failures: dict[str, Failure],
) -> tuple[np.ndarray, Codes]:
    good, found = [], []
    for place, text in enumerate(texts):
        try:
            found.append(encoded.tokenizer.encode([text]))
            good.append(place)
        except BaseException as error:
            if not of_the_tokenizer(error):
                raise
            cause = f"encode ({what}): {type(error).__name__}: {one_line(error)}"[:200]
            row = int(rows[place])
            group = encoded.groups[int(encoded.batch.group[row])]
            example = f"{group or 'sample'} {int(encoded.batch.index[row])}"
            failures.setdefault(cause, Failure(0, example)).count += 1
    if not good:
        empty = Ragged(np.empty(0, np.int32), np.zeros(1, np.int64))
        return np.empty(0, np.int64), Codes((empty,))
    spans = [codes.spans for codes in found if codes.spans is not None]
    ids = Ragged.joined([codes.ids for codes in found])
    return np.array(good), Codes((ids,), spans=np.concatenate(spans) if spans else None)
