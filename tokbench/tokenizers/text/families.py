"""Which family of text tokenizers a file or folder belongs to."""

from __future__ import annotations

import json
from pathlib import Path

from tokbench.errors import UserError


def family_of(path: Path) -> str:
    """The family of a file or folder, by its content."""
    if path.is_dir():
        for name, family in (
            ("tokenizer.json", "hf"),
            ("tokenizer_config.json", "hf"),
            ("encoder.json", "gpt2-bpe"),
            ("merges.txt", "gpt2-bpe"),
        ):
            if (path / name).is_file():
                return family
        raise UserError(
            f"{path}: no tokenizer in this folder (looked for tokenizer.json, "
            "tokenizer_config.json, encoder.json + vocab.bpe, vocab.json + merges.txt)"
        )
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from error
    if not head:
        raise UserError(f"{path}: the file is empty")
    if head.lstrip()[:1] == b"{":
        return _of_json(path)
    first = head.split(b"\n", 1)[0].split()
    if (len(first) == 2 and first[1].isdigit()) or path.suffix == ".tiktoken":
        return "tiktoken"
    if head[:1] == b"\x0a" or path.suffix == ".model":
        return "sentencepiece"  # it begins with field 1 of ModelProto: the first piece
    if b"[UNK]" in head or path.name == "vocab.txt":
        return "wordpiece"
    raise UserError(
        f"{path}: not a tokenizer file that tokbench knows "
        "(tokenizer.json, tekken.json, *.model, *.tiktoken, vocab.txt)"
    )


def _of_json(path: Path) -> str:
    try:
        keys = json.loads(path.read_bytes()).keys()
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error
    if "model" in keys:
        return "tokenizers"
    if {"config", "vocab"} <= keys:
        return "tekken"
    raise UserError(f"{path}: JSON, but neither a tokenizer.json (no 'model') nor a tekken.json")
