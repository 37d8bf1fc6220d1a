"""Honest baselines: bytes, code points, words. What any vocabulary has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.text import uax29
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.types import Codes, Ragged, TokenizerSpec


class Bytes(TextTokenizer):
    """One token for each UTF-8 byte, 256 ids (ByT5 without its specials)."""

    name = "bytes"

    def __init__(self) -> None:
        self.pieces = TokenBytes([bytes([value]) for value in range(256)])
        self.text_ids = np.ones(256, dtype=bool)
        self.spec = TokenizerSpec(
            modality="text", algorithm="bytes", vocabulary=(256,), emittable=256, source="tokbench"
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return ("bytes",)

    def encode(self, batch: Sequence[str]) -> Codes:
        rows = [np.frombuffer(text.encode(), dtype=np.uint8) for text in batch]
        return Codes((Ragged.of(rows or [], np.int32),))

    def decode(self, codes: Codes) -> list[str]:
        return [bytes(row.astype(np.uint8)).decode(errors="replace") for row in codes.ids]


class Codepoints(TextTokenizer):
    """One token for each Unicode code point (UTF-32, CANINE)."""

    name = "codepoints"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="code points",
            vocabulary=(0x110000,),
            emittable=0x110000 - 2048,
            source="tokbench",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return ("codepoints",)

    def encode(self, batch: Sequence[str]) -> Codes:
        rows = [np.frombuffer(text.encode("utf-32-le"), dtype="<u4") for text in batch]
        ids = Ragged.of(rows or [], np.int32)
        width = 1 + (ids.values > 0x7F) + (ids.values > 0x7FF) + (ids.values > 0xFFFF)
        return Codes((ids,), spans=_consecutive(width, ids))

    def decode(self, codes: Codes) -> list[str]:
        return [row.astype("<u4").tobytes().decode("utf-32-le") for row in codes.ids]


class Words(TextTokenizer):
    """One token for each UAX-29 segment (spaces and punctuation too).

    The vocabulary is open, so ids are 31-bit hashes of the segment; it does not decode, and
    every round trip is counted as lost.
    """

    name = "words"

    def __init__(self) -> None:
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="UAX-29 segments",
            special_tokens="open vocabulary: ids are hashes and do not decode",
            source="tokbench",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "words", str(uax29.VERSION)

    def encode(self, batch: Sequence[str]) -> Codes:
        import zlib

        rows: list[list[int]] = []
        widths: list[int] = []
        for text in batch:
            starts = uax29.segment(np.frombuffer(text.encode("utf-32-le"), dtype="<u4")).tolist()
            stops = [*starts[1:], len(text)] if starts else []
            segments = [text[a:b].encode() for a, b in zip(starts, stops, strict=True)]
            rows.append([zlib.crc32(segment) & 0x7FFFFFFF for segment in segments])
            widths.extend(map(len, segments))
        ids = Ragged.of(rows, np.int32)
        return Codes((ids,), spans=_consecutive(np.array(widths, dtype=np.int64), ids))

    def decode(self, codes: Codes) -> list[str]:
        return [""] * len(codes.ids)


def _consecutive(widths: np.ndarray, ids: Ragged) -> np.ndarray:
    """Spans of tokens that follow each other without gaps, from their widths in bytes."""
    ends = np.cumsum(widths, dtype=np.int64)
    before = np.repeat(np.concatenate(([0], ends))[ids.offsets[:-1]], ids.lengths)
    return np.stack((ends - widths - before, ends - before), axis=1).astype(np.int32)
