"""The hybrid Turkish tokenizer of "Tokens with Meaning", from the package turkish-tokenizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
import numpy as np

from tokbench.errors import MissingExtra
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec


class Turkish(TextTokenizer):
    """`turkish-tokenizer`: roots and suffixes of Turkish by longest match, BPE for the rest.

    It lower-cases and marks capitals by an id of their own, so ids have no fixed bytes (a suffix
    id stands for all its forms) and positions come from walking the text beside the tokens. It
    loses text, which the round trip shows: İ comes back as I, white space other than spaces
    vanishes between spaces, unknown characters share one id. Its marks written out in a text
    (`<eos>`) become those marks; the package has no way to prevent that.
    """

    name = "turkish-tokenizer"

    def __init__(self) -> None:
        try:
            # Its __init__ imports transformers, which advises about PyTorch; nothing here needs it.
            os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
            os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
            from turkish_tokenizer import TurkishTokenizer

            self._version = version("turkish-tokenizer")
        except (ImportError, PackageNotFoundError) as error:
            raise MissingExtra("turkish-tokenizer", "turkish") from error
        self._inner: Any = TurkishTokenizer()
        self.unknown = int(self._inner.unknown_marker["id"])
        self._markers = {self._inner.uppercase_marker["id"]: 0, self.unknown: 1}
        size = max(self._inner.reverse_dict) + 1
        self.text_ids = np.zeros(size, dtype=bool)
        self.text_ids[list(self._inner.reverse_dict)] = True
        self.text_ids[[self.unknown, self._inner.pad_token_id, self._inner.eos_token_id]] = False
        reserved = [i for word, i in self._inner.roots.items() if word.startswith("special_")]
        self.text_ids[reserved] = False
        self.spec = TokenizerSpec(
            modality="text",
            algorithm="roots and suffixes by longest match, BPE",
            vocabulary=(len(self._inner.reverse_dict),),
            emittable=int(self.text_ids.sum()),
            special_tokens="none added; written out in a text they become special ids",
            licence="MIT",
            source=f"turkish-tokenizer package {self._version}",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "turkish-tokenizer", self._version, msgspec.json.encode(self._inner.vocab)

    def encode(self, batch: Sequence[str]) -> Codes:
        rows, spans = [], []
        for text in batch:
            tokens, _ = self._inner.tokenize_text(text)
            rows.append([token["id"] for token in tokens])
            spans.append(self._placed(text, tokens))
        joined = np.concatenate(spans) if spans else np.empty((0, 2), np.int32)
        return Codes((Ragged.of(rows, np.int32),), spans=joined)

    def _placed(self, text: str, tokens: list[dict[str, Any]]) -> np.ndarray:
        """[start, stop) of each token in UTF-8 bytes. The package cuts at spaces, drops parts
        of white space alone, and covers every other part character by character."""
        edges: list[tuple[int, int]] = []
        waiting = iter(tokens)
        at = 0
        for number, part in enumerate(text.split(" ")):
            if number:
                next(waiting)
                edges.append((at, at + 1))
                at += 1
            end = at + len(part)
            if part.strip():
                while at < end:
                    token = next(waiting)
                    length = self._markers.get(token["id"])
                    length = len(token["token"]) if length is None else length
                    edges.append((at, at + length))
                    at += length
            at = end
        if len(edges) != len(tokens):
            raise ValueError("its tokens do not cover the text")
        places = np.array(edges, dtype=np.int32).reshape(-1, 2)
        if text.isascii():
            return places
        points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype="<u4")
        widths = 1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF)
        before = np.concatenate(([0], np.cumsum(widths))).astype(np.int32)
        return before[places]

    def decode(self, codes: Codes) -> list[str]:
        return [self._inner.decode(row.tolist()) for row in codes.ids]
