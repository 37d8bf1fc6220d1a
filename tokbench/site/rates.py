"""Codecs at equal rate: Bjøntegaard's averages and each point against the baseline's curve."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tokbench.commands.rate import RATES, Filed, Panel, panel_of, panel_rows
from tokbench.errors import UserError
from tokbench.rates import LEAST, curve_name
from tokbench.report.page import Page
from tokbench.site.board import Question
from tokbench.site.figures import curves
from tokbench.site.tables import Column, live_table

BASELINES = ("jpeg", "webp", "opus", "mp3")
"""Codecs that everyone knows, preferred as what the others are held against."""

MOST = 400
"""Records of the largest question for which curves are drawn."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The view of one question: what is held against what, its table and its plot."""

    lead: str
    table: Markup
    figure: Markup
    left_out: list[tuple[str, str]]


def has_rates(question: Question) -> bool:
    """Are its records of codecs, with bits counted?"""
    return any(rate in question.names() for rate in RATES)


def rates(page: Page, question: Question, name: str) -> Rates:
    """Raises `UserError` saying why there is no such view."""
    if len(question.rows) > MOST:
        raise UserError(f"{len(question.rows):,} records are too many for one plot")
    by_curve: dict[str, list[Filed]] = {}
    for row in question.rows:
        by_curve.setdefault(curve_name(row.record.tokenizer), []).append((row.record, row.source))
    if len(by_curve) < 2:
        raise UserError("one codec alone; it takes two to compare")
    anchor = max(by_curve, key=lambda key: (len(by_curve[key]) >= LEAST, _known(key),
                                            len(by_curve[key]), key))  # fmt: skip
    rest = [pair for key, several in by_curve.items() if key != anchor for pair in several]
    options = argparse.Namespace(
        rate=None, metric=_quality(question), task=None, data=None, split=None, fit="pchip", at=[]
    )
    panel = panel_of(by_curve[anchor], rest, options)
    found = panel_rows(panel, options)
    return Rates(
        f"{panel.metric.name} at equal {panel.rate.name}, against {panel.anchor.name}. Averages "
        "(BD) are Bjøntegaard's, over what both curves reach; nothing is extrapolated.",
        _table(page, panel, found, name),
        _figure(page, panel, name, {row.record.tokenizer for row in question.rows if row.ceiling}),
        list(panel.left_out.items()),
    )


def _known(key: str) -> int:
    """How well a curve serves as what the others are held against."""
    family = key.partition(":")[0]
    return len(BASELINES) - BASELINES.index(family) if family in BASELINES else 0


def _quality(question: Question) -> str | None:
    """The main score where it is one of quality, else the first that is."""
    scores = question.rows[0].scores
    names = [question.main, *question.names()]
    rate = next((scores[n].metric for n in RATES if n in scores), "")
    good = (
        n for n in names
        if n in scores and scores[n].better == "higher" and scores[n].metric != rate
    )  # fmt: skip
    return next(good, None)


def _table(page: Page, panel: Panel, found: list[dict[str, Any]], name: str) -> Markup:
    columns = [
        Column("codec", about="names that differ in numbers alone make one curve"),
        Column("measure"), Column("rate", "number", panel.rate.unit),
        Column(panel.metric.name, "number", panel.metric.unit),
        Column(panel.anchor.name, "number", "the baseline's quality at that rate"),
        Column("difference", "number"), Column("unit"), Column("95 % interval", "interval"),
        Column("note", "note"),
    ]  # fmt: skip
    from tokbench import tables

    found = sorted(found, key=lambda row: bool(row["tokenizer"]))  # averages first
    rows = [
        [
            row["tokenizer"] or row["curve"],
            "at equal rate" if row["tokenizer"] else row["measure"], row["rate"], row["quality"],
            row["baseline"], row["value"], row["unit"], tables.interval(row["low"], row["high"]),
            row["note"],
        ]
        for row in found
    ]  # fmt: skip
    return live_table(page, f"{name}-rates", columns, rows, f"Against {panel.anchor.name}")


def _figure(page: Page, panel: Panel, name: str, ceilings: set[str]) -> Markup:
    names = ", ".join(c.name for c in [panel.anchor, *panel.others] if c.name not in ceilings)
    return page.figure(
        f"{name}-rates", curves(panel, ceilings), f"{panel.metric.name} over {panel.rate.name}; "
        "the baseline is dashed.", f"Rate–distortion curves of {names[:300]}",
    )  # fmt: skip
