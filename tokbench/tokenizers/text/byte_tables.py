"""The bytes of every id of a tokenizer.json, read off the decoder that it declares."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenizers import AddedToken

from tokbench.tokenizers.text.adapter import TokenBytes


def byte_table(
    state: dict, surfaces: Sequence[str | None], added: dict[int, AddedToken]
) -> TokenBytes | None:
    """Bytes of every id, read off the decoder that the file declares; None for WordPiece."""
    decoder = state.get("decoder")
    steps = _steps(decoder)
    kinds = [step.get("type") for step in steps]
    if "WordPiece" in kinds or state["model"].get("continuing_subword_prefix") == "##":
        return None
    if "ByteLevel" in kinds or "ByteLevel" in [
        step.get("type") for step in _steps(state.get("pre_tokenizer"))
    ]:
        spelled = [_from_byte_level(piece) if piece else b"" for piece in surfaces]
    else:
        blank = (
            "▁" if "Metaspace" in kinds or "▁" in json.dumps(decoder, ensure_ascii=False) else None
        )
        fallback = "ByteFallback" in kinds or bool(state["model"].get("byte_fallback"))
        spelled = [_from_metaspace(piece, blank, fallback) if piece else b"" for piece in surfaces]
    for number, token in added.items():
        spelled[number] = b"" if token.special else token.content.encode()
    return TokenBytes(spelled)


def _steps(part: dict | None) -> list[dict]:
    """The steps of a decoder or pre-tokenizer, sequences flattened."""
    if not part:
        return []
    if part.get("type") == "Sequence":
        inner = part.get("decoders") or part.get("pretokenizers") or []
        return [step for item in inner for step in _steps(item)]
    return [part]


def _alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte: itself where printable, else from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    hidden = [byte for byte in range(256) if byte not in set(printable)]
    return table | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}


BYTE_LEVEL = _alphabet()


def _from_byte_level(piece: str) -> bytes:
    try:
        return bytes(BYTE_LEVEL[character] for character in piece)
    except KeyError:
        return piece.encode()


def _from_metaspace(piece: str, blank: str | None, fallback: bool) -> bytes:
    if fallback and len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return (piece.replace(blank, " ") if blank else piece).encode()
