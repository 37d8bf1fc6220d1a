"""Languages by their FLORES code: script, name, family."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import NamedTuple

from tokbench.files import builtin


class Language(NamedTuple):
    """A language: English name, top-level family, branch."""

    name: str
    family: str
    genus: str


@cache
def languages() -> dict[str, Language]:
    """ISO 639-3 code (FLORES convention) -> `Language`, from `languages.tsv`."""
    path = builtin("data_manifests") / "embedded" / "languages.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return {code: Language(name, family, genus) for code, name, family, genus in rows}


def is_code(label: str) -> bool:
    """Is it a FLORES code such as `tur_Latn`?"""
    code, _, script = label.partition("_")
    return len(code) == 3 and code.isalpha() and len(script) == 4 and script.istitle()


def script_of(label: str) -> str:
    """`Latn` of `tur_Latn`; empty for a label that is not a FLORES code."""
    return label.partition("_")[2] if is_code(label) else ""


def family_of(label: str) -> str:
    """`Turkic` of `tur_Latn`; empty when unknown. Spaces become hyphens."""
    known = languages().get(label.partition("_")[0]) if is_code(label) else None
    return known.family.replace(" ", "-") if known else ""


def title_of(label: str, among: Collection[str] = ()) -> str:
    """`Turkish` of `tur_Latn`; with its script where the language is there in several; the label
    itself where the language is not known."""
    code, _, script = label.partition("_")
    known = languages().get(code) if is_code(label) else None
    if known is None:
        return label
    several = sum(other.partition("_")[0] == code for other in among) > 1
    return f"{known.name} ({script})" if several else known.name
