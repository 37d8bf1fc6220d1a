"""The vocabularies that come inside the mistral-common package: real ones, no download."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from tokbench.errors import UserError, near
from tokbench.files import read_bytes
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer


def packaged() -> dict[str, Path]:
    """Short name -> file: `v1`, `v2`, `v3`, `v7`, … (SentencePiece), `tekken-240911`, …"""
    spec = find_spec("mistral_common")  # located, not imported: the import takes a second
    if spec is None or spec.origin is None:
        raise UserError("mistral-common is not installed; pip install mistral-common")
    names = {}
    for path in sorted((Path(spec.origin).parent / "data").iterdir()):
        if path.name.startswith("tekken"):
            names[path.stem.replace("_", "-")] = path
        elif ".model" in path.name:
            names[path.name.rpartition(".")[2]] = path
    return names


def _order(name: str) -> tuple[bool, int, str]:
    """v1, v2, …, v11, then the Tekkens."""
    number = re.match(r"v(\d+)", name)
    return number is None, int(number[1]) if number else 0, name


def load(reference: str, options: Options) -> TextTokenizer:
    """A packaged vocabulary by short name; `tekken` is the newest Tekken."""
    names = packaged()
    newest = max((name for name in names if name.startswith("tekken")), default="")
    chosen = newest if reference == "tekken" else reference
    if chosen not in names:
        known = ", ".join(["tekken", *sorted(names, key=_order)])
        hint = f"{near(reference, names)} (there are: {known})"
        raise UserError(f"mistral:{reference}: no such packaged vocabulary{hint}")
    path = names[chosen]
    options.name = f"mistral:{chosen}"
    source = f"mistral-common package, {path.name}"
    if path.suffix == ".json":
        from tokbench.tokenizers.text.tiktokens import load_tekken

        tekken = load_tekken(str(path), options, source)
        return tekken
    from tokbench.tokenizers.text.spm import SentencePiece

    return SentencePiece(read_bytes(path), options.name, source, "Apache-2.0")
