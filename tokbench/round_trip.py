"""Does the decoded text equal the sample? A statistic, see `tokbench.statistics`."""

from __future__ import annotations

import numpy as np

from tokbench.errors import one_line
from tokbench.evidence import EXAMPLES, Example, Failure
from tokbench.statistics import EncodedText, Statistic
from tokbench.types import Codes, Ragged


def round_trip(encoded: EncodedText) -> Statistic:
    """`exact` (decoded text is the sample), `edits`: Levenshtein distance in code points.

    A sample whose tokens' own bytes spell it needs no decoding; all others go through the
    library's decoder. `tokbench check` holds the two against each other. A sample that the
    decoder raises on is lost whole, and counted among the failures.
    """
    from rapidfuzz.distance import Levenshtein

    batch = encoded.batch
    exact = (encoded.spans.tiled & encoded.tokenizer.spells).astype(np.int64)
    edits = np.zeros(len(batch), dtype=np.int64)
    rows = np.flatnonzero(exact == 0)
    examples: list[Example] = []
    failures: dict[str, Failure] = {}
    if len(rows):
        decoded = decoded_rows(encoded, rows, failures)
        for row, text in zip(rows.tolist(), decoded, strict=True):
            source = batch.texts[row]
            if text == source:
                exact[row] = 1
                continue
            edits[row] = Levenshtein.distance(source, text)
            if len(examples) < EXAMPLES:
                examples.append(_difference(encoded, row, source, text))
    return Statistic({"exact": exact, "edits": edits}, examples=examples, failures=failures)


def decoded_rows(encoded: EncodedText, rows: np.ndarray, failures: dict[str, Failure]) -> list[str]:
    """The decoded rows; empty where the decoder raises on the sample by itself."""
    ids, decode = encoded.codes.ids, encoded.tokenizer.decode
    try:
        return decode(Codes((_take(ids, rows),)))
    except Exception:
        texts = []
    for row in rows.tolist():
        try:
            texts += decode(Codes((ids.take([row]),)))
        except Exception as error:
            cause = f"decode: {type(error).__name__}: {one_line(error)}"[:200]
            group = encoded.groups[int(encoded.batch.group[row])]
            example = f"{group or 'sample'} {int(encoded.batch.index[row])}"
            failures.setdefault(cause, Failure(0, example)).count += 1
            texts.append("")
    return texts


def _take(ids: Ragged, rows: np.ndarray) -> Ragged:
    return ids if len(rows) == len(ids) else ids.take(rows)


def _difference(encoded: EncodedText, row: int, source: str, text: str) -> Example:
    a, b = source.encode(), text.encode(errors="surrogatepass")
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    around = [piece[max(0, at - 12) : at + 12].decode(errors="replace") for piece in (a, b)]
    return Example(
        "round-trip",
        encoded.groups[int(encoded.batch.group[row])],
        int(encoded.batch.index[row]),
        f"differs from byte {at}: {around[0]!r} came back as {around[1]!r}",
    )
