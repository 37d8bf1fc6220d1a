"""What text adapters share: the byte table of a vocabulary and byte-exact token spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from tokbench import kernel
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.adapter import Adapter
from tokbench.tokenizers.text.merges import Merges
from tokbench.types import Codes

_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], dtype=np.uint64)
"""Masks of the first 0 to 8 bytes of a little-endian integer."""


class TokenBytes:
    """The bytes of every id, in one table.

    A token without bytes of its own (special, control, unknown) has length 0.
    """

    def __init__(self, pieces: Sequence[bytes]):
        self.pieces = pieces
        self.lengths = np.fromiter(map(len, pieces), dtype=np.int32, count=len(pieces))

    @cached_property
    def _heads(self) -> tuple[np.ndarray, np.ndarray]:
        """The first eight bytes of every id as one integer, and a mask of those it has."""
        padded = b"".join(piece[:8].ljust(8, b"\0") for piece in self.pieces)
        return np.frombuffer(padded, dtype="<u8"), _MASKS[np.minimum(self.lengths, 8)]

    def match(self, data: np.ndarray, ids: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """For every token: do `data`'s bytes at its start equal its own? Boolean.

        data: uint8, zero-padded by the caller with 8 bytes; starts: int64 within it.
        """
        # Every unaligned window of eight bytes as one integer, read at the token starts.
        windows = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
        lengths = self.lengths.take(ids)
        # `take`, here and elsewhere: twice as fast as an index in brackets
        heads, masks = self._heads
        equal = (windows.take(starts) & masks.take(ids)) == heads.take(ids)
        long = np.flatnonzero(equal & (lengths > 8))
        if len(long):
            equal[long] = self._match_long(data, ids[long], starts[long], lengths[long])
        return equal

    def _match_long(
        self, data: np.ndarray, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        flat, offsets = self.flat
        equal = np.ones(len(ids), dtype=bool)
        windows = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
        table = np.ndarray((len(flat) - 7,), dtype="<u8", buffer=flat, strides=(1,))
        shift = 8
        rows = np.arange(len(ids))
        while len(rows):
            left = np.minimum(lengths[rows] - shift, 8)
            there = windows[starts[rows] + shift] & _MASKS[left]
            equal[rows] &= there == table[offsets[ids[rows]] + shift] & _MASKS[left]
            shift += 8
            rows = rows[lengths[rows] > shift]
        return equal

    @cached_property
    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """The bytes of all ids on end, with zeros after them, and where each begins (int32)."""
        flat = np.frombuffer(b"".join(self.pieces) + b"\0" * 16, dtype=np.uint8)
        return flat, np.append(0, np.cumsum(self.lengths)).astype(np.int32)


class TextTokenizer(Adapter):
    """What a text adapter provides; subclasses set the attributes and encode/decode.

    name: short name for tables and file names.
    pieces: the bytes of every id, or None when ids have no fixed bytes (WordPiece).
    spells: does the decoder put the bytes of the ids together and nothing between them?
    prefix: bytes that the encoder puts before every text (SentencePiece's dummy space).
    unknown: the id of UNK, or None.
    text_ids: boolean array, the ids that ordinary text can produce.
    """

    pieces: TokenBytes | None = None
    spells: bool = True
    prefix: bytes = b""
    unknown: int | None = None
    text_ids: np.ndarray | None = None
    max_threads: int | None = None

    def encode(self, batch: Sequence[str]) -> Codes:
        """Ids of each text; `spans` too where there is no byte table."""
        raise AttributeError(f"{type(self).__name__} does not encode")

    def decode(self, codes: Codes) -> list[str]:
        """The library's own decoding of the ids."""
        raise AttributeError(f"{type(self).__name__} does not decode")

    def offsets(self, batch: Sequence[str]) -> Codes | None:
        """Codes with `spans` from the library's own offsets, where it has any.

        Called for texts that the byte table does not spell (a normaliser changed them).
        """
        return None

    def merges(self) -> Merges | None:
        """The merges of a BPE in the order learnt, or None."""
        return None

    def pretokens(self, text: str) -> Sequence[str] | Sequence[bytes]:
        """The words of a text inside which merges happen, in `merges().letters`."""
        raise AttributeError(f"{type(self).__name__} does not cut into pretokens")

    def vocabulary(self) -> Iterable[bytes]:
        """Surface bytes of the ids that text can produce, for comparing vocabularies."""
        if self.pieces is None:
            return []
        mask = self.text_ids
        return (
            piece
            for i, piece in enumerate(self.pieces.pieces)
            if piece and (mask is None or mask[i])
        )


class Spans:
    """Byte spans of the tokens of a batch.

    starts, stops: [start, stop) in `batch.data`, one pair for each token, in order.
    tiled: for each sample, True when the tokens' own bytes, one after the other, are
        exactly the sample's bytes (so their concatenation decodes it without loss).
    known: for each sample, False when there are no byte positions at all (starts = stops).
    """

    def __init__(self, starts: np.ndarray, stops: np.ndarray, tiled: np.ndarray, known: np.ndarray):
        self.starts, self.stops, self.tiled, self.known = starts, stops, tiled, known


def token_spans(tokenizer: TextTokenizer, batch: TextBatch, codes: Codes) -> Spans:
    """Byte-exact spans from ids: table look-ups, checked against the text itself.

    Samples that the table does not spell exactly fall back to the library's offsets, so a
    normalising or lossy tokenizer yields positions in the source, never in its own output.
    """
    samples = len(batch)
    if codes.spans is not None:
        base = np.repeat(batch.starts, codes.ids.lengths)
        starts, stops = codes.spans[:, 0] + base, codes.spans[:, 1] + base
        return Spans(starts, stops, np.zeros(samples, bool), np.ones(samples, bool))
    if tokenizer.pieces is None:
        return _rescued(tokenizer, batch, codes, np.arange(samples), None)
    starts, stops, tiled = table_spans(tokenizer, batch, codes)
    if tiled.all():
        return Spans(starts, stops, tiled, np.ones(samples, bool))
    return _rescued(tokenizer, batch, codes, np.flatnonzero(~tiled), (starts, stops, tiled))


def table_spans(
    tokenizer: TextTokenizer, batch: TextBatch, codes: Codes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and stops of the tokens by the lengths in the byte table alone, and for each sample
    whether the tokens spell it exactly; elsewhere the positions mean nothing."""
    ids, pieces, prefix, data = codes.ids, tokenizer.pieces, tokenizer.prefix, batch.data
    assert pieces is not None
    if len(prefix) > 1:
        raise ValueError("an encoder's prefix is one byte or none")
    if kernel.compiled and ids.values.dtype == np.int32 and len(data) <= kernel.LARGEST:
        bounds = batch.starts, batch.stops
        return kernel.compiled.place(data, bounds, ids.values, ids.offsets, pieces.flat, prefix)
    counts = ids.lengths
    lengths = pieces.lengths.take(ids.values)
    ends = np.cumsum(lengths, dtype=np.int64)
    before = np.concatenate(([0], ends))[ids.offsets]  # bytes before each sample's first token
    # A sample's tokens begin `prefix` bytes before the sample: the prefix has no source bytes.
    shift = np.repeat(batch.starts - len(prefix) - before[:-1], counts)
    stops = ends + shift
    starts = stops - lengths
    tiled = np.diff(before) == np.where(counts > 0, batch.sizes + len(prefix), batch.sizes)
    spelled = _spelled(tokenizer, batch, ids.values, starts, counts, tiled)
    if prefix:
        floor = np.repeat(batch.starts, counts)
        np.maximum(starts, floor, out=starts)
        np.maximum(stops, floor, out=stops)
    return starts, stops, tiled & spelled


def _spelled(
    tokenizer: TextTokenizer,
    batch: TextBatch,
    ids: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    candidates: np.ndarray,
) -> np.ndarray:
    """For each candidate sample: does every token's text stand where the table puts it?"""
    assert tokenizer.pieces is not None
    prefix = tokenizer.prefix
    data = np.concatenate((batch.data, np.zeros(8, np.uint8)))
    if prefix:
        data[batch.starts - 1] = prefix[0]  # in place of the line feed before each sample
    if candidates.all():
        wrong = np.flatnonzero(~tokenizer.pieces.match(data, ids, starts))
    else:
        tokens = np.flatnonzero(np.repeat(candidates, counts))
        wrong = tokens[~tokenizer.pieces.match(data, ids[tokens], starts[tokens])]
    spelled = np.ones(len(batch), dtype=bool)
    if len(wrong):
        ends = np.cumsum(counts)
        spelled[np.searchsorted(ends, wrong, side="right")] = False
    return spelled


def _rescued(
    tokenizer: TextTokenizer,
    batch: TextBatch,
    codes: Codes,
    rows: np.ndarray,
    table: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> Spans:
    """Spans of `rows` from the library's offsets, of the others from the table."""
    tokens, samples = len(codes.ids.values), len(batch)
    if table is None:
        starts, stops = np.zeros(tokens, np.int64), np.zeros(tokens, np.int64)
        tiled = np.zeros(samples, bool)
    else:
        starts, stops, tiled = table
    known = np.ones(samples, dtype=bool)
    rescue = tokenizer.offsets([batch.texts[row] for row in rows]) if len(rows) else None
    for place, row in enumerate(rows):
        here = slice(codes.ids.offsets[row], codes.ids.offsets[row + 1])
        base = batch.starts[row]
        there = None
        if rescue is not None and rescue.spans is not None:
            there = rescue.spans[rescue.ids.offsets[place] : rescue.ids.offsets[place + 1]]
        if there is None or len(there) != here.stop - here.start:
            known[row] = False
            starts[here] = stops[here] = base
        else:
            starts[here], stops[here] = there[:, 0] + base, there[:, 1] + base
    return Spans(starts, stops, tiled, known)
