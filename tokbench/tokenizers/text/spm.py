"""SentencePiece models (*.model)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sentencepiece

from tokbench.errors import UserError, one_line
from tokbench.files import read_bytes
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.types import Codes, Ragged, TokenizerSpec


class SentencePiece(TextTokenizer):
    """A SentencePiece model; no control symbol is added. Normalisation is the model's own,
    and spans then come from the library's offsets into the source."""

    def __init__(self, content: bytes, name: str, source: str = "", licence: str = ""):
        self.name, self._content = name, content
        self._processor = processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(content)
        ids = range(len(processor))
        self.unknown = processor.unk_id()
        self.text_ids = np.array(
            [
                not (processor.is_control(i) or processor.is_unused(i) or i == self.unknown)
                for i in ids
            ]
        )
        self.pieces = TokenBytes([self._bytes(i) for i in ids])
        first = b"".join(self.pieces.pieces[i] for i in processor.encode("a"))
        self.prefix = b" " if first == b" a" else b""
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="SentencePiece",
            vocabulary=(len(processor),),
            emittable=int(self.text_ids.sum()),
            special_tokens="none added",
            licence=licence,
            source=source,
        )

    def _bytes(self, number: int) -> bytes:
        if self.text_ids is not None and not self.text_ids[number]:
            return b""
        piece = self._processor.id_to_piece(number)
        if self._processor.is_byte(number):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").encode()

    def identity(self) -> tuple[bytes | str, ...]:
        return "sentencepiece", self._content

    def encode(self, batch: Sequence[str]) -> Codes:
        rows = self._processor.encode(list(batch), return_type="numpy")
        return Codes((Ragged.of(rows or [np.empty(0, np.int32)][:0]),))

    def offsets(self, batch: Sequence[str]) -> Codes:
        found = self._processor.encode(list(batch), return_type="offset_mapping", return_bytes=True)
        spans = [np.array(row["offsets"], dtype=np.int32).reshape(-1, 2) for row in found]
        ids = Ragged.of([row["ids"] for row in found])
        return Codes((ids,), spans=np.concatenate(spans) if spans else np.empty((0, 2), np.int32))

    def decode(self, codes: Codes) -> list[str]:
        return list(self._processor.decode([row.tolist() for row in codes.ids]))


def load(reference: str, options: Options) -> SentencePiece:
    """A `*.model` file. No options."""
    path = Path(reference)
    content = read_bytes(path)
    try:
        return SentencePiece(content, options.name)
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable SentencePiece model: {one_line(error)}") from error
