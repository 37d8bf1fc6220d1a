"""Texts as messages of a chat: what a model is really sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokbench.errors import UserError
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged, TokenizerSpec


class Chat(TextTokenizer):
    """Every text as one user message in the tokenizer's chat template (`chat=user`).

    Counts what a model is really sent: template and special tokens included. Token
    positions in the source are unknown, so metrics that need them refuse.
    """

    def __init__(self, backend: Any, inner: TextTokenizer):
        if not getattr(backend, "chat_template", None):
            raise UserError(f"{inner.name}: has no chat template; drop chat=user")
        self._backend, self._inner = backend, inner
        self.name, self.unknown, self.text_ids = inner.name, inner.unknown, None
        self.spec = TokenizerSpec(
            modality="text",
            algorithm=inner.spec.algorithm,
            vocabulary=inner.spec.vocabulary,
            special_tokens="each text is one user message of the chat template, "
            "followed by the generation prompt",
            source=inner.spec.source,
        )

    def identity(self) -> tuple[bytes | str, ...]:
        return "chat=user", *self._inner.identity(), str(self._backend.chat_template)

    def encode(self, batch: Sequence[str]) -> Codes:
        rows = [
            self._backend.apply_chat_template(
                [{"role": "user", "content": text}],
                tokenize=True,
                add_generation_prompt=True,
                return_dict=False,
            )
            for text in batch
        ]
        return Codes((Ragged.of(rows),))

    def decode(self, codes: Codes) -> list[str]:
        return [self._backend.decode(row.tolist(), skip_special_tokens=True) for row in codes.ids]
