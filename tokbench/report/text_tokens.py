"""Tokens of a sample as cells: what every byte of the text belongs to, for showing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tokbench.metrics.text.census import decoded
from tokbench.statistics import EncodedText
from tokbench.tokenizers.text.adapter import TextTokenizer

GAP = -1
"""In place of an id: bytes of the text that no token stands for."""


@dataclass
class Cells:
    """A sample cut into cells that lie end to end and hold every byte of it once.

    ids: of the tokens in their order, `GAP` between them. sizes: bytes of the sample that the
        cell shows; 0 for a token whose bytes an earlier one shows, or which has none (special
        tokens, a prefix that the encoder adds).
    placed: False where the tokenizer says nothing of positions: all tokens, then one gap.
    """

    ids: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    placed: bool = True

    @property
    def tokens(self) -> int:
        return len(self.ids) - self.ids.count(GAP)


def cells_of(encoded: EncodedText, row: int) -> Cells:
    """The cells of one sample of a batch."""
    spans, batch, offsets = encoded.spans, encoded.batch, encoded.codes.ids.offsets
    here = slice(int(offsets[row]), int(offsets[row + 1]))
    base, size = int(batch.starts[row]), int(batch.sizes[row])
    starts = np.clip(spans.starts[here] - base, 0, size).tolist()
    stops = np.clip(spans.stops[here] - base, 0, size).tolist()
    cells, at = Cells(placed=bool(spans.known[row])), 0
    for number, start, stop in zip(encoded.codes.ids[row].tolist(), starts, stops, strict=True):
        if stop == start:  # no bytes at all, wherever the library puts it
            start = stop = at
        if start > at:
            cells.ids.append(GAP)
            cells.sizes.append(start - at)
            at = start
        cells.ids.append(number)
        cells.sizes.append(max(0, stop - at))
        at = max(at, stop)
    if at < size:
        cells.ids.append(GAP)
        cells.sizes.append(size - at)
    return cells


def surface_bytes(tokenizer: TextTokenizer, ids: Sequence[int]) -> dict[int, bytes]:
    """What the vocabulary writes for some ids: their bytes, or where it has none (WordPiece,
    special tokens) what the decoder says. Ids of which nothing can be said are left out."""
    table = tokenizer.pieces.pieces if tokenizer.pieces is not None else ()
    found = {i: bytes(table[i]) for i in ids if i < len(table) and table[i]}
    rest = [i for i in ids if i not in found]
    try:
        texts = decoded(tokenizer, [[number] for number in rest]) if rest else []
    except Exception:  # a decoder that refuses an id: there is nothing to show
        return found
    return found | {
        i: text.encode(errors="replace") for i, text in zip(rest, texts, strict=True) if text
    }


def readable(surface: bytes) -> str:
    """A surface as text, or in hexadecimal where it is not UTF-8 by itself."""
    try:
        return surface.decode()
    except UnicodeDecodeError:
        return surface.hex(" ").upper()
