"""Token boundaries on samples of every language, every tokenizer on the same text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_languages import by_language
from tokbench.report.text_survey import Shown, Survey
from tokbench.report.text_tokens import GAP, surface_bytes
from tokbench.text.languages import is_code, title_of

KEY = "tokens"
"""Anchor of the section, to which other sections link."""
_TAGS = {"zho": "zh", "yue": "yue", "jpn": "ja", "kor": "ko"}
"""Languages whose characters are drawn by language; browsers want the shortest code for them."""


@dataclass
class Choice:
    """One entry of the list of languages. value: number of the dataset and of the group."""

    value: str
    title: str
    group: str


def sections(
    page: Page, subjects: Sequence[Subject], surveys: Sequence[Survey], absent: Sequence[str]
) -> Iterator[Section]:
    """One section; without any tokenizer at hand it only says what is left out."""
    shown = [one for one in surveys if one.shown]
    names = [s.name for s in subjects if any(s.name in one.found for one in shown)]
    body = page.fill(
        "text_boundaries.html",
        sets=[(one.name, _choices(number, one)) for number, one in enumerate(shown)],
        data=embedded(_data(shown, names)) if shown else None,
        first=_first(subjects, shown),
        absent=absent,
        names=names,
    )
    yield Section(KEY, "Tokens", body)


def embedded(value: Any) -> Markup:
    """JSON that can stand inside a script element, whatever strings it holds."""
    return htmlsafe_json_dumps(value, ensure_ascii=False, separators=(",", ":"))


def _choices(number: int, one: Survey) -> list[Choice]:
    groups = dict.fromkeys(sample.group for sample in one.shown)
    found = [
        Choice(f"{number}:{g}", title_of(g, groups) if g else "all samples", g) for g in groups
    ]
    return sorted(found, key=lambda choice: (choice.title.casefold(), choice.group))


def _first(subjects: Sequence[Subject], shown: Sequence[Survey]) -> str:
    """What is chosen at first: the language that pays most, where that is known."""
    for found in by_language(subjects):
        for label in found.ranked():
            for number, one in enumerate(shown):
                if any(sample.group == label for sample in one.shown):
                    return f"{number}:{label}"
    return f"0:{shown[0].shown[0].group}" if shown else ""


def _data(shown: Sequence[Survey], names: Sequence[str]) -> dict[str, Any]:
    """What the script draws. Of every sample: text, and for each tokenizer ids and sizes of its
    cells. Surfaces of the vocabulary, as Latin-1 of their bytes, where they are not what is
    shown."""
    tokenizers = {n: one.found[n].tokenizer for one in shown for n in names if n in one.found}
    unlike: dict[str, set[int]] = {name: set() for name in names}
    surfaces: dict[str, dict[int, bytes]] = {}
    for name in names:
        ids = {i for one in shown for s in one.shown for i in _ids(s, name)}
        surfaces[name] = surface_bytes(tokenizers[name], sorted(ids))
    for one in shown:
        for sample in one.shown:
            raw = sample.text.encode()
            for name, cells in sample.cells.items():
                at = 0
                for number, size in zip(cells.ids, cells.sizes, strict=True):
                    if number != GAP and surfaces[name].get(number) != raw[at : at + size]:
                        unlike[name].add(number)
                    at += size
    return {
        "tokenizers": [
            {
                "name": name,
                "unknown": tokenizers[name].unknown,
                "surfaces": {
                    i: surfaces[name][i].decode("latin-1")
                    for i in sorted(unlike[name])
                    if i in surfaces[name]
                },
            }
            for name in names
        ],
        "sets": [[_sample(sample, names) for sample in one.shown] for one in shown],
    }


def _ids(sample: Shown, name: str) -> set[int]:
    cells = sample.cells.get(name)
    return set(cells.ids) - {GAP} if cells is not None else set()


def _sample(sample: Shown, names: Sequence[str]) -> dict[str, Any]:
    cells = [sample.cells.get(name) for name in names]
    return {
        "group": sample.group,
        "title": title_of(sample.group),
        "lang": _tag(sample.group),
        "index": sample.index,
        "cut": sample.cut,
        "text": sample.text,
        "cells": [None if one is None else [one.ids, one.sizes, one.placed] for one in cells],
    }


def _tag(label: str) -> str:
    """The label as a language tag of BCP 47, empty where it is not a FLORES code."""
    if not is_code(label):
        return ""
    code, _, script = label.partition("_")
    return f"{_TAGS.get(code, code)}-{script}"
