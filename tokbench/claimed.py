"""What a record asks to be opened: specs, tasks and names that a stranger has written.

A spec can name any Python class (`my.pkg:Class`), so loading what a record names would run
whatever it says. Only what cannot do so is let through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tokbench.errors import UserError, one_line
from tokbench.probes.weights import folders
from tokbench.record import Record
from tokbench.registry import TOKENIZERS
from tokbench.specs import load_tokenizer
from tokbench.types import Tokenizer

_ELSEWHERE = ("folder", "tokens")
"""Families whose reference is always a path."""

_PLAIN = re.compile(r"[\w.+-]+(?:\(\))?")
_HUB = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w.-]+)?")
_SPEC = re.compile(r"(?P<family>[\w-]+)(?::(?P<reference>[^?()]*))?(?:\?(?P<query>[^()/\\]*))?")
_AROUND = re.compile(r"(?P<family>[\w-]+)\((?P<inside>.*?)(?:,[\w,=.-]+)?\)(?:\?[\w&=.,-]+)?")
_GIVE = "give --with SPEC, FILE or FOLDER, or --weights DIR"

LONGEST = 300
"""Characters of the longest name."""


def harmless(spec: str) -> bool:
    """Does a spec name a family of our own, and no module, plug-in, file or folder?"""
    if len(spec) > LONGEST or ".." in spec:
        return False
    around = _AROUND.fullmatch(spec)
    if around:
        return f"{around['family']}()" in TOKENIZERS.table and harmless(around["inside"])
    found = _SPEC.fullmatch(spec)
    if not found or found["family"] not in TOKENIZERS.table or found["family"] in _ELSEWHERE:
        return False
    reference = found["reference"] or ""
    if "/" in reference or "\\" in reference:
        return bool(_HUB.fullmatch(reference)) and not Path(reference).exists()
    return not reference or not Path(reference).exists()


def named_specs(record: Record) -> list[str]:
    """What may load the record's tokenizer again: its name, and what its command named."""
    given = [text for text in record.provenance.arguments if not text.startswith("-")]
    return list(dict.fromkeys([record.tokenizer, *given]))


_PLACE = re.compile(r"(?<![\w-])[\w-]+:(?P<place>[\w.-]+)(?=[,?)]|$)")


def placed_specs(record: Record) -> list[str]:
    """What the record's command named, with the weights that lie in the user's own folders of
    them: a record keeps of a path only its last part (`taesd:taef2`)."""
    specs = []
    for spec in filter(harmless, named_specs(record)):
        if part := _PLACE.search(spec):
            places = [folder / part["place"] for folder in folders()]
            specs += [
                f"{spec[: part.start('place')]}{place}{spec[part.end('place') :]}"
                for place in places
                if place.exists()
            ]
    return specs


def imports_nothing(spec: str) -> bool:
    """Is a spec of one of our own families, or a file that is there, and no Python class?"""
    around = _AROUND.fullmatch(spec)
    if around and not Path(spec).exists():
        return f"{around['family']}()" in TOKENIZERS.table and imports_nothing(around["inside"])
    return spec.partition(":")[0].partition("?")[0] in TOKENIZERS.table or (
        len(spec) <= LONGEST and "\0" not in spec and Path(spec.partition("?")[0]).exists()
    )


def same_tokenizer(record: Record, trusted: Sequence[str] = ()) -> tuple[Tokenizer, str]:
    """The tokenizer with the record's fingerprint, and the spec that loads it.

    trusted: specs, files and folders of files, given by the user.
    Raises `LookupError` saying why where it is not at hand, and `UserError` where the name in
    the record loads a tokenizer that is another one.
    """
    wanted, name = record.about.tokenizer.fingerprint, record.tokenizer
    tried, other = [], None
    harmless_ones = filter(harmless, named_specs(record))
    for spec in [*_given(name, trusted), *placed_specs(record), *harmless_ones]:
        try:
            found = load_tokenizer(spec)
        except UserError as error:
            tried.append((spec, one_line(error)))
            continue
        if found.fingerprint() == wanted:
            return found, spec
        if spec == name or spec in trusted:
            other = f"{spec} loads here with fingerprint {found.fingerprint()[:12]}"
    if other:
        raise UserError(f"tokenizer: {other}, the record says {wanted[:12]}")
    if tried:
        fullest = next((why for spec, why in tried if spec.endswith(f":{name}")), tried[0][1])
        raise LookupError(f"{name} cannot be loaded here ({fullest}); {_GIVE}")
    raise LookupError(f"{name} is not at hand ({_GIVE})")


def _given(name: str, trusted: Sequence[str]) -> list[str]:
    """The user's own specs; of a folder the file of the record's name."""
    found = []
    for spec in trusted:
        if Path(spec).is_dir() and _PLAIN.fullmatch(name) and (Path(spec) / name).is_file():
            found.append(str(Path(spec) / name))
        elif not Path(spec).is_dir() or (Path(spec) / "tokenizer.json").is_file():
            found.append(spec)
    return found
