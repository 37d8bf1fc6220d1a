"""Adapters over the `tokenizers` library: tokenizer.json, vocab.txt, GPT-2 files, the hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tokbench.errors import UserError, one_line
from tokbench.files import read_bytes
from tokbench.hub import require_hub
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.byte_tables import byte_table
from tokbench.tokenizers.text.chat import Chat
from tokbench.tokenizers.text.merges import Merges, Words, listed
from tokbench.types import Codes, Ragged, TokenizerSpec

SPECIALS = ("none", "add")


class HuggingFace(TextTokenizer):
    """A `tokenizers.Tokenizer`.

    Padding and truncation stored in the file are switched off: they would be counted.
    `specials=none` (default) adds no special token; `specials=add` runs the tokenizer's own
    post-processor. Special token strings inside a text are encoded as text, never as
    control ids.
    """

    def __init__(self, backend: Tokenizer, name: str, specials: str = "none", source: str = ""):
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True
        self.name = name
        self._backend = backend
        self._add = specials == "add"
        self._content = backend.to_str()
        state = json.loads(self._content)
        added = backend.get_added_tokens_decoder()
        size = max(
            backend.get_vocab_size(with_added_tokens=True),
            1 + max(backend.get_vocab(with_added_tokens=True).values(), default=-1),
        )
        surfaces: list[str | None] = [None] * size
        for piece, number in backend.get_vocab(with_added_tokens=True).items():
            surfaces[number] = piece
        self.pieces = byte_table(state, surfaces, added)
        self.spells = bool(state.get("decoder"))  # without one the library puts blanks between
        self.text_ids = np.array([piece is not None for piece in surfaces])
        self.text_ids[[number for number, token in added.items() if token.special]] = False
        model = state["model"]
        unknown = model.get("unk_token", model.get("unk_id"))
        if isinstance(unknown, str):
            unknown = backend.token_to_id(unknown)
        self.unknown = unknown
        if unknown is not None:
            self.text_ids[unknown] = False
        if self.pieces is not None:
            first = backend.encode("a", add_special_tokens=False).ids
            text = b"".join(self.pieces.pieces[i] for i in first)
            self.prefix = b" " if text == b" a" else b""
        self.spec = TokenizerSpec(
            modality="text",
            algorithm=model.get("type") or ("BPE" if "merges" in model else "WordPiece"),
            vocabulary=(sum(piece is not None for piece in surfaces),),
            emittable=int(self.text_ids.sum()),
            special_tokens="the tokenizer's post-processor adds its own"
            if self._add
            else "none added",
            source=source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "tokenizers", self._content, "add" if self._add else "none"

    def encode(self, batch: Sequence[str]) -> Codes:
        if self.pieces is None:
            return self.offsets(batch)
        found = self._backend.encode_batch_fast(batch, add_special_tokens=self._add)
        return Codes((Ragged.of([encoding.ids for encoding in found]),))

    def offsets(self, batch: Sequence[str]) -> Codes:
        found = self._backend.encode_batch(batch, add_special_tokens=self._add)
        ids = Ragged.of([encoding.ids for encoding in found])
        return Codes((ids,), spans=byte_spans(batch, [encoding.offsets for encoding in found]))

    def decode(self, codes: Codes) -> list[str]:
        rows = [row.tolist() for row in codes.ids]
        return list(self._backend.decode_batch(rows, skip_special_tokens=self._add))

    @cached_property
    def _merges(self) -> Merges | None:
        model = json.loads(self._content)["model"]
        if not model.get("merges"):
            return None
        pairs = (m.split(" ") if isinstance(m, str) else m for m in model["merges"])
        return listed(model["vocab"], pairs)

    def merges(self) -> Merges | None:
        return self._merges

    @cached_property
    def _words(self) -> Words | None:
        """How to cut further where the words stand in characters, not in signs for bytes."""
        state = json.loads(self._content)
        for key in ("continuing_subword_prefix", "end_of_word_suffix"):
            if state["model"].get(key):
                raise UserError(f"{self.name}: its merges depend on the place in the word ({key})")
        if "ByteLevel" in json.dumps([state["normalizer"], state["pre_tokenizer"]]):
            return None
        names = {number: token for token, number in state["model"]["vocab"].items()}
        learnt = self._merges.products if self._merges else ()
        return Words(names[number] for number in learnt)

    def pretokens(self, text: str) -> Sequence[str]:
        normalizer, cutter = self._backend.normalizer, self._backend.pre_tokenizer
        if normalizer is not None:
            text = normalizer.normalize_str(text)
        found = [text] if cutter is None else [word for word, _ in cutter.pre_tokenize_str(text)]
        if self._words is None:
            return found
        return [word for piece in found for word in self._words.split(piece)]


class SlowTransformers(TextTokenizer):
    """A transformers tokenizer that has no fast backend (Python code of its own)."""

    def __init__(self, backend: Any, name: str, revision: str, specials: str, source: str):
        self.name = name
        self._backend, self._revision, self._add = backend, revision, specials == "add"
        self.unknown = backend.unk_token_id
        size = max(len(backend), 1 + max(backend.get_vocab().values(), default=-1))
        self.text_ids = np.ones(size, dtype=bool)
        self.text_ids[[i for i in backend.all_special_ids if i < size]] = False
        self.spec = TokenizerSpec(
            modality="text",
            algorithm=type(backend).__name__,
            vocabulary=(size,),
            emittable=int(self.text_ids.sum()),
            special_tokens="the tokenizer adds its own" if self._add else "none added",
            source=source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        vocabulary = json.dumps(self._backend.get_vocab(), sort_keys=True)
        return (
            "transformers",
            type(self._backend).__name__,
            vocabulary,
            str(self._add),
            self._revision,
        )

    def encode(self, batch: Sequence[str]) -> Codes:
        found = self._backend(list(batch), add_special_tokens=self._add)["input_ids"]
        return Codes((Ragged.of(found),))

    def decode(self, codes: Codes) -> list[str]:
        return [
            self._backend.decode(row.tolist(), skip_special_tokens=self._add) for row in codes.ids
        ]


def byte_spans(batch: Sequence[str], rows: list[list[tuple[int, int]]]) -> np.ndarray:
    """Character spans of every token as byte spans in the same text, int32 (tokens, 2)."""
    spans = []
    for text, row in zip(batch, rows, strict=True):
        span = np.array(row, dtype=np.int32).reshape(-1, 2)
        if not text.isascii():
            widths = [
                1 if c < "\x80" else 2 if c < "\u0800" else 3 if c < "\U00010000" else 4
                for c in text
            ]
            span = np.concatenate(([0], np.cumsum(widths))).astype(np.int32)[span]
        spans.append(span)
    return np.concatenate(spans) if spans else np.empty((0, 2), np.int32)


def from_file(reference: str, options: Options) -> TextTokenizer:
    """`tokenizer.json`. Options: specials=none|add."""
    specials = options.choice("specials", SPECIALS)
    path = Path(reference)
    content = read_bytes(path)
    try:
        backend = Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # the library raises bare Exception on a malformed file
        raise UserError(f"{path}: not a readable tokenizer.json: {one_line(error)}") from error
    return HuggingFace(backend, options.name, specials)


def from_gpt2(reference: str, options: Options) -> TextTokenizer:
    """A folder with `encoder.json` and `vocab.bpe`, or `vocab.json` and `merges.txt`."""
    from tokenizers import decoders, models, pre_tokenizers

    specials = options.choice("specials", SPECIALS)
    folder = Path(reference)
    for vocabulary, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        if (folder / vocabulary).is_file() and (folder / merges).is_file():
            break
    else:
        raise UserError(
            f"{folder}: holds neither encoder.json + vocab.bpe nor vocab.json + merges.txt"
        )
    try:
        model = models.BPE.from_file(str(folder / vocabulary), str(folder / merges))
    except Exception as error:
        raise UserError(f"{folder}: cannot be read: {one_line(error)}") from error
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    if backend.token_to_id(end) is not None:
        backend.add_special_tokens([end])
    return HuggingFace(backend, options.name, specials)


def from_wordpiece(reference: str, options: Options) -> TextTokenizer:
    """`vocab.txt` of a BERT. Options: lowercase=true|false (default: true when the vocabulary
    has no capital ASCII letter), specials=none|add."""
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

    path = Path(reference)
    try:
        lines = read_bytes(path).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start}: not UTF-8") from error
    vocabulary = {line: number for number, line in enumerate(lines)}
    if "[UNK]" not in vocabulary:
        raise UserError(f"{path}: not a WordPiece vocabulary: it has no [UNK] line")
    specials = options.choice("specials", SPECIALS)
    capitals = any("A" <= c <= "Z" for line in lines if not line.startswith("[") for c in line)
    lowercase = options.choice("lowercase", ("false", "true") if capitals else ("true", "false"))
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase == "true")
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    present = [t for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if t in vocabulary]
    backend.add_special_tokens(present)
    if {"[CLS]", "[SEP]"} <= set(present):
        ids = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
        backend.post_processor = processors.BertProcessing(ids[1], ids[0])
    return HuggingFace(backend, options.name, specials)


def from_hub(reference: str, options: Options) -> TextTokenizer:
    """`org/name` on the hub, or a folder saved by transformers; `@revision` pins a commit.

    Options: specials=none|add, chat=none|user (each text as a user message of the
    tokenizer's chat template).
    """
    specials = options.choice("specials", SPECIALS)
    chat = options.choice("chat", ("none", "user"))
    backend = _auto_tokenizer(reference, options.revision)
    if not Path(reference).exists():
        revision = (getattr(backend, "init_kwargs", None) or {}).get("_commit_hash") or ""
        source = f"hub:{reference}" + (f"@{revision}" if revision else "")
    else:
        revision, source = "", f"folder {Path(reference).name}"
    fast = getattr(backend, "backend_tokenizer", None)
    inner: TextTokenizer
    if fast is not None:
        inner = HuggingFace(Tokenizer.from_str(fast.to_str()), options.name, specials, source)
    else:
        inner = SlowTransformers(backend, options.name, revision, specials, source)
    return inner if chat == "none" else Chat(backend, inner)


def _auto_tokenizer(reference: str, revision: str | None) -> Any:
    import os

    # transformers advises about PyTorch on import; a tokenizer needs none.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from transformers import AutoTokenizer

    where = f"hf:{reference}" + (f"@{revision}" if revision else "")
    pinned = revision or "main"
    try:
        return AutoTokenizer.from_pretrained(reference, revision=pinned, local_files_only=True)
    except Exception as error:  # OSError, ValueError, KeyError, … as the files have it
        if Path(reference).exists():
            raise UserError(f"{where}: cannot be loaded: {one_line(error)}") from error
    require_hub(where, "give a local folder or tokenizer.json instead")
    try:
        return AutoTokenizer.from_pretrained(reference, revision=pinned)
    except Exception as error:
        raise UserError(f"{where}: cannot be loaded from the hub: {one_line(error)}") from error
