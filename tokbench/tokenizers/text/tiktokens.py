"""tiktoken encodings: OpenAI's by name, *.tiktoken files, and Mistral's tekken.json."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import regex
import tiktoken
from tiktoken_ext import openai_public

from tokbench.errors import UserError, near, one_line
from tokbench.files import read_bytes, sha256_file
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.tokenizers.text.merges import Merges, ranked
from tokbench.types import Codes, Ragged, TokenizerSpec

SHORT = 64
"""Mean characters of a text below which plain lists beat arrays made in threads."""


class Tiktoken(TextTokenizer):
    """A `tiktoken.Encoding`. Special token strings inside a text are encoded as text.

    first: the id of the first text token, for vocabularies that put specials first.
    """

    def __init__(self, arguments: dict[str, Any], name: str, first: int = 0, source: str = ""):
        self.name, self._arguments, self._first = name, arguments, first
        ranks, specials = arguments["mergeable_ranks"], arguments["special_tokens"]
        self._encoding = tiktoken.Encoding(**arguments)
        size = first + max([*ranks.values(), *(specials.values() if not first else [])]) + 1
        pieces = [b""] * size
        for piece, rank in ranks.items():
            pieces[first + rank] = piece
        self.pieces = TokenBytes(pieces)
        self.text_ids = self.pieces.lengths > 0
        count = len(ranks) + (first or len(specials))
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="BPE",
            vocabulary=(count,),
            emittable=len(ranks),
            special_tokens="none added",
            source=source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        ranks = sorted(self._arguments["mergeable_ranks"].items(), key=lambda item: item[1])
        listed = b"\n".join(base64.b64encode(piece) + b" %d" % rank for piece, rank in ranks)
        specials = json.dumps(self._arguments["special_tokens"], sort_keys=True)
        return "tiktoken", listed, self._arguments["pat_str"], specials, str(self._first)

    def merges(self) -> Merges:
        assert self.pieces is not None
        tokens = {piece: number for number, piece in enumerate(self.pieces.pieces) if piece}
        return ranked(list(tokens), tokens)  # ids stand in the order of ranks

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        return regex.compile(self._arguments["pat_str"])

    def pretokens(self, text: str) -> Sequence[bytes]:
        return [match[0].encode() for match in self._pattern.finditer(text)]

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.max_threads or os.cpu_count() or 1)

    def _encode_some(self, texts: Sequence[str]) -> list[np.ndarray]:
        encode = self._encoding.encode_to_numpy  # four times as fast as lists of Python ints
        return [encode(text, disallowed_special=()) for text in texts]

    def encode(self, batch: Sequence[str]) -> Codes:
        if sum(map(len, batch)) < SHORT * len(batch):  # threads would only fight over the lock
            rows: list[Any] = [self._encoding.encode_ordinary(text) for text in batch]
        else:
            chunks = [batch[i : i + 512] for i in range(0, len(batch), 512)]
            rows = [row for some in self._threads.map(self._encode_some, chunks) for row in some]
        ids = Ragged.of(rows)
        return Codes((Ragged(ids.values + np.int32(self._first), ids.offsets),))

    def decode(self, codes: Codes) -> list[str]:
        return [
            self._encoding.decode((row - self._first).tolist(), errors="replace")
            for row in codes.ids
        ]


@contextmanager
def replaced_loader(replacement: Any) -> Iterator[None]:
    """Run OpenAI's constructors with our reader in place of their download.

    So patterns and special tokens come from the library itself and cannot go stale here.
    """
    original = openai_public.load_tiktoken_bpe
    openai_public.load_tiktoken_bpe = replacement
    try:
        yield
    finally:
        openai_public.load_tiktoken_bpe = original


def _known_hash(name: str) -> str | None:
    """SHA-256 that the library expects of the encoding's file, without reading any file."""
    seen: list[str | None] = []

    def note(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        seen.append(expected_hash)
        return {}

    constructor = openai_public.ENCODING_CONSTRUCTORS[name]
    if constructor.__name__ == "gpt2":
        return None  # reads vocab.bpe and encoder.json, not a .tiktoken file
    with replaced_loader(note):
        constructor()
    return seen[0] if seen else None


def _arguments(name: str, ranks: dict[bytes, int]) -> dict[str, Any]:
    with replaced_loader(lambda url, expected_hash=None: ranks):
        return openai_public.ENCODING_CONSTRUCTORS[name]()


def _read_ranks(path: Path) -> dict[bytes, int]:
    ranks = {}
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        try:
            piece, rank = line.split()
            ranks[base64.b64decode(piece, validate=True)] = int(rank)
        except ValueError as error:
            raise UserError(f"{path}: line {number}: not 'base64 rank'") from error
    if set(ranks.values()) != set(range(len(ranks))) and len(set(ranks.values())) != len(ranks):
        raise UserError(f"{path}: the same rank stands on two lines")
    return ranks


def load(reference: str, options: Options) -> Tiktoken:
    """An encoding by name (`cl100k_base`), or a `*.tiktoken` file.

    A file with the hash of a known encoding gets that encoding's pattern and special
    tokens; another needs `pattern=NAME`, the encoding whose pattern it shares.
    """
    names = list(openai_public.ENCODING_CONSTRUCTORS)
    pattern = options.take("pattern")
    if pattern is not None and pattern not in names:
        hint = f"{near(pattern, names)} (known: {', '.join(names)})"
        raise UserError(f"{options.name}: no pattern '{pattern}'{hint}")
    path = Path(reference)
    if path.is_file():
        return _load_file(path, pattern, options)
    if reference not in names:
        raise UserError(f"tiktoken:{reference}: no such encoding or file{near(reference, names)}")
    try:
        arguments = dict(openai_public.ENCODING_CONSTRUCTORS[reference]())
    except Exception as error:  # requests' errors, or a hash mismatch
        raise UserError(
            f"tiktoken:{reference}: its file cannot be fetched ({type(error).__name__}); "
            "give the path of a .tiktoken file instead, or set TIKTOKEN_CACHE_DIR"
        ) from error
    return _build(arguments, options.name, source=f"OpenAI encoding {reference}")


def _load_file(path: Path, pattern: str | None, options: Options) -> Tiktoken:
    ranks = _read_ranks(path)
    if pattern is None:
        digest = sha256_file(path)
        for name in openai_public.ENCODING_CONSTRUCTORS:
            if _known_hash(name) == digest:
                arguments = dict(_arguments(name, ranks))
                return _build(arguments, options.name, source=f"OpenAI encoding {name}")
        raise UserError(
            f"{path}: not the file of a known encoding, so its pre-tokenisation pattern is "
            "unknown; say which it shares, such as ?pattern=cl100k_base"
        )
    template = _arguments(pattern, ranks)
    arguments = {
        "name": path.name,
        "pat_str": template["pat_str"],
        "mergeable_ranks": ranks,
        "special_tokens": {},
    }
    return _build(arguments, options.name, source=f"file, pattern of {pattern}")


def _build(arguments: dict[str, Any], name: str, first: int = 0, source: str = "") -> Tiktoken:
    try:
        return Tiktoken(arguments, name, first, source)
    except Exception as error:  # tiktoken asserts and raises ValueError on broken ranks
        raise UserError(f"{name}: not a usable vocabulary: {one_line(error)}") from error


def load_tekken(reference: str, options: Options, source: str = "") -> Tiktoken:
    """Mistral's `tekken.json`: a byte-level BPE whose special ids come first."""
    path = Path(reference)
    try:
        content = json.loads(read_bytes(path))
        config, vocabulary = content["config"], content["vocab"]
        first = int(config["default_num_special_tokens"])
        count = int(config["default_vocab_size"]) - first
        ranks = {base64.b64decode(v["token_bytes"]): int(v["rank"]) for v in vocabulary[:count]}
        pattern = str(config["pattern"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a readable tekken.json: {one_line(error)}") from error
    arguments = {
        "name": path.name,
        "pat_str": pattern,
        "mergeable_ranks": ranks,
        "special_tokens": {},
    }
    return _build(arguments, options.name, first, source)
