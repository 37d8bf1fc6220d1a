"""What every score of a report means: the docstrings of its metrics, with their sources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup, escape

from tokbench.errors import UserError
from tokbench.files import slug
from tokbench.registry import METRICS
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.types import Score


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric's meaning. text: paragraphs. source: where it comes from, with a link if known."""

    name: str
    text: tuple[Markup, ...]
    unit: str
    better: str
    aggregation: str
    source: Markup

    @property
    def key(self) -> str:
        return f"metric-{slug(self.name)}"


def metric_name(score: Score) -> str:
    """The metric behind a score, by its signature."""
    return score.metric.partition("|")[0]


@cache
def definition(name: str) -> Definition | None:
    """The definition of a metric of this tokbench. Names in records are untrusted: nothing but
    the registry's own table is imported for them."""
    if name not in METRICS:
        return None
    try:
        kind = METRICS.get(name)
    except (UserError, ImportError):
        return None
    paragraphs = re.split(r"\n\s*\n", inspect.getdoc(kind) or "")
    return Definition(
        name,
        tuple(_code(" ".join(part.split())) for part in paragraphs if part.strip()),
        str(getattr(kind, "unit", "")),
        str(getattr(kind, "better", "neither")),
        str(getattr(kind, "aggregation", "")),
        _linked(str(getattr(kind, "reference", ""))),
    )


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """The glossary, to which every score's name leads."""
    records = [record for one in subjects for record, _ in one.records.values()]
    names = {metric_name(score) for record in records for score in record.scores}
    found = [known for name in sorted(names) if (known := definition(name)) is not None]
    if found:
        body = page.fill("definitions.html", definitions=found)
        yield Section("definitions", "Definitions", body)


_MARKS = re.compile(r"``?([^`]+)``?")
_SOURCE = re.compile(r"(?P<url>https?://[^\s),;]+)|(?<![\d.@])(?P<arxiv>\d{4}\.\d{4,5})(?!\d)")


def _code(text: str) -> Markup:
    return _joined(text, _MARKS, lambda found: Markup("<code>{}</code>").format(found[1]))


def _linked(text: str) -> Markup:
    def link(found: re.Match[str]) -> Markup:
        url = found["url"] or f"https://arxiv.org/abs/{found['arxiv']}"
        return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, found[0])

    return _joined(text, _SOURCE, link)


def _joined(text: str, pattern: re.Pattern[str], made: object) -> Markup:
    """The text, escaped, with what matches replaced by markup."""
    assert callable(made)
    pieces, at = [], 0
    for found in pattern.finditer(text):
        pieces += [escape(text[at : found.start()]), made(found)]
        at = found.end()
    return Markup("").join([*pieces, escape(text[at:])])
