"""SentencePiece models (*.model)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from tokbench.errors import UserError, one_line
from tokbench.files import read_bytes
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.tokenizers.text.merges import Merges, Words, ranked
from tokbench.types import Codes, Ragged, TokenizerSpec


class SentencePiece(TextTokenizer):
    """A SentencePiece model; no control symbol is added. Normalisation is the model's own,
    and spans then come from the library's offsets into the source."""

    def __init__(self, content: bytes, name: str, source: str = "", licence: str = ""):
        self.name, self._content = name, content
        self._processor = processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(content)
        self._native: Any = getattr(processor, "_processor", None)
        ids = list(range(len(processor)))
        self.unknown = processor.unk_id()
        apart = np.array(processor.is_control(ids)) | np.array(processor.is_unused(ids))
        text_ids = np.asarray(~apart & (np.array(ids) != self.unknown))
        self.text_ids = text_ids
        known = zip(text_ids, processor.id_to_piece(ids), processor.is_byte(ids), strict=True)
        self.pieces = TokenBytes([_bytes(*one) for one in known])
        first = b"".join(self.pieces.pieces[i] for i in processor.encode("a"))
        self.prefix = b" " if first == b" a" else b""
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="SentencePiece",
            vocabulary=(len(processor),),
            emittable=int(text_ids.sum()),
            special_tokens="none added",
            licence=licence,
            source=source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "sentencepiece", self._content

    def encode(self, batch: Sequence[str]) -> Codes:
        threads = self.max_threads or -1  # -1: every core
        texts = list(batch)
        try:  # what `encode` makes an array of its own of for every text
            plain = threads, None, False, -1, 0.1, False, False, False  # no sampling, nothing added
            buffers = self._native._EncodeAsBufferBatch(texts, *plain)
        except (AttributeError, TypeError):  # another release of the library
            rows = self._processor.encode(texts, return_type="numpy", num_threads=threads)
            return Codes((Ragged.of(rows),))
        coded = list(map(bytes, buffers))
        sizes = np.fromiter(map(len, coded), np.int64, len(coded))
        offsets = np.concatenate(([0], np.cumsum(sizes // 4)))
        return Codes((Ragged(np.frombuffer(b"".join(coded), np.int32), offsets),))

    def offsets(self, batch: Sequence[str]) -> Codes:
        found = self._processor.encode(list(batch), return_type="offset_mapping", return_bytes=True)
        spans = [np.array(row["offsets"], dtype=np.int32).reshape(-1, 2) for row in found]
        ids = Ragged.of([row["ids"] for row in found])
        return Codes((ids,), spans=np.concatenate(spans) if spans else np.empty((0, 2), np.int32))

    def _kept(self) -> list[int]:
        assert self.text_ids is not None
        return np.flatnonzero(self.text_ids).tolist()

    @cached_property
    def _learnt(self) -> list[tuple[str, int]]:
        """The learnt pieces and their ids in the order of their scores: a BPE's are -1, -2, -3, …
        as learnt. Pieces that share a score were added by hand. Empty for a unigram model, whose
        scores are logarithms of probabilities."""
        processor = self._processor
        kept = (i for i in self._kept() if not processor.is_byte(i))
        scores = {i: processor.get_score(i) for i in kept}
        times = Counter(scores.values())
        whole = sum(score == int(score) for score in scores.values())
        if whole < len(scores) or len(times) < 0.9 * len(scores):
            return []
        ordered = sorted((-score, i) for i, score in scores.items() if times[score] == 1)
        return [(processor.id_to_piece(i), i) for _, i in ordered]

    def merges(self) -> Merges | None:
        learnt = self._learnt
        letters = {p: i for i in self._kept() if len(p := self._processor.id_to_piece(i)) == 1}
        return ranked([piece for piece, _ in learnt], letters | dict(learnt)) if learnt else None

    @cached_property
    def _words(self) -> Words:
        return Words(piece for piece, _ in self._learnt)

    def pretokens(self, text: str) -> Sequence[str]:
        return self._words.split(self._processor.normalize(text))

    def decode(self, codes: Codes) -> list[str]:
        return list(self._processor.decode([row.tolist() for row in codes.ids]))


def _bytes(text: bool, piece: str, byte: bool) -> bytes:
    if not text:
        return b""
    return bytes([int(piece[3:5], 16)]) if byte else piece.replace("▁", " ").encode()


def load(reference: str, options: Options) -> SentencePiece:
    """A `*.model` file. No options."""
    path = Path(reference)
    content = read_bytes(path)
    try:
        return SentencePiece(content, options.name)
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable SentencePiece model: {one_line(error)}") from error
