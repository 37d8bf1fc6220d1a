"""A greedy tokenizer whose ids can be worked out by hand, loadable as `mocks.greedy:Greedy`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.types import Codes, Ragged, TokenizerSpec

PIECES = ("hello", " hello", " world", "wor", "ld", " ", ",", "!", "a", "b", "ab", "\n", "é")


class Greedy(TextTokenizer):
    """The longest piece that fits, from left to right; a character that none begins is UNK.

    pieces: surfaces; bytes where a piece is not whole characters. Id 0 is UNK, the first piece 1.
    """

    name = "greedy"
    unknown = 0

    def __init__(self, pieces: Sequence[str | bytes] = PIECES):
        surfaces = [p if isinstance(p, bytes) else p.encode() for p in pieces]
        self._ids = {surface: number for number, surface in enumerate(surfaces, start=1)}
        self.pieces = TokenBytes([b"", *surfaces])
        self.text_ids = np.arange(len(surfaces) + 1) > 0
        self.spec = TokenizerSpec(
            modality="text", vocabulary=(len(surfaces) + 1,), emittable=len(surfaces)
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return ("greedy", *self._ids)

    def _tokens(self, text: str) -> list[tuple[int, int, int]]:
        """(id, start, stop) of every token, in bytes."""
        data, place, found = text.encode(), 0, []
        while place < len(data):
            fitting = [p for p in self._ids if data.startswith(p, place)]
            if fitting:
                piece = max(fitting, key=len)
                number, stop = self._ids[piece], place + len(piece)
            else:  # to the end of the character
                number, stop = self.unknown, place + 1
                while stop < len(data) and data[stop] & 0xC0 == 0x80:
                    stop += 1
            found.append((number, place, stop))
            place = stop
        return found

    def encode(self, batch: Sequence[str]) -> Codes:
        return Codes((Ragged.of([[t[0] for t in self._tokens(text)] for text in batch]),))

    def offsets(self, batch: Sequence[str]) -> Codes:
        rows = [self._tokens(text) for text in batch]
        spans = [token[1:] for row in rows for token in row]
        ids = Ragged.of([[token[0] for token in row] for row in rows])
        return Codes((ids,), spans=np.array(spans, dtype=np.int32).reshape(-1, 2))

    def decode(self, codes: Codes) -> list[str]:
        rows = [b"".join(self.pieces.pieces[i] or b"?" for i in row) for row in codes.ids]
        return [row.decode(errors="replace") for row in rows]
