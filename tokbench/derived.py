"""Texts made from the samples of a batch (perturbed, cut off), encoded together."""

from __future__ import annotations

from collections.abc import Sequence

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
    what: str | Sequence[str],
    failures: dict[str, Failure],
) -> tuple[EncodedText, np.ndarray]:
    """`texts` made from the samples in `rows`, encoded in one call, and the places (of `rows`)
    that it holds. If the tokenizer raises, they are encoded one by one; those it cannot encode
    are left out and counted in `failures` by `what` was done to them (to all, or to each) and the
    cause."""
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


def of_the_tokenizer(error: BaseException) -> bool:
    """Is it the tokenizer that failed on a text? (Rust panics arrive as BaseException.)"""
    if isinstance(error, UserError | MemoryError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _one_by_one(
    encoded: EncodedText,
    rows: np.ndarray,
    texts: Sequence[str],
    what: str | Sequence[str],
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
            done = what if isinstance(what, str) else what[place]
            cause = f"encode ({done}): {type(error).__name__}: {one_line(error)}"[:200]
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
