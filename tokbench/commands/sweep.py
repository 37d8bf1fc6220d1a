"""`tokbench sweep`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tokbench import tables
from tokbench.commands.evaluate import progress_bar
from tokbench.curves import FORMS
from tokbench.equalise import LEVEL, REPLICATES, Fit, Summary, premiums, weights
from tokbench.errors import UserError
from tokbench.executors import Executor
from tokbench.files import atomic_write
from tokbench.matched import Matched, matched
from tokbench.record import provenance
from tokbench.run import locked
from tokbench.series import Comparison, Series, sweep_series
from tokbench.sweep import Cells, grid
from tokbench.sweep_figure import drawn

SCHEMA = 1


def sweep(options: argparse.Namespace, given: list[str]) -> int:
    """Train and evaluate the grid, equalise, print tables, write `sweep.json` and the figure."""
    algorithms, sizes = options.algorithm, options.vocab
    grid(algorithms, [0], ["any"], sizes)  # a wrong name or size shows before any text is read
    if options.at is not None and not min(sizes) <= options.at <= max(sizes):
        raise UserError(f"--at {options.at}: give a size within those of --vocab")
    if options.on_split and not options.on:
        raise UserError("--on-split: give --on as well")
    text = matched(
        (options.data, options.split),
        (options.on, options.on_split) if options.on else None,
        options.train_share, options.languages, options.reference, options.match,
        options.train_bytes,
    )  # fmt: skip
    out = Path(options.out)
    with locked(out):
        tried, equalised, series = sweep_series(
            text, algorithms, sizes, out / "cells",
            Executor.chosen(options.executor, options.workers),
            partial(progress_bar, unit="tokenizers"), options.at,
        )  # fmt: skip
        content = _content(text, tried, equalised, series, given)
        for form in ("png", "svg"):
            picture = drawn(series, tried, equalised, text, form)
            atomic_write(out / f"sweep.{form}", picture)
        atomic_write(out / "sweep.json", _json(content))
    if options.format == "json":
        print(json.dumps(content, ensure_ascii=False))
    elif options.format == "csv":
        tables.emit(*_cell_table(content["cells"]), "csv")
    else:
        _print(text, series, content["cells"], options.format)
        print(f"\nall cells, fits and the figure: {out}/sweep.json, sweep.png, sweep.svg")
    return 0


def _content(
    text: Matched, tried: Cells, equalised: Cells, series: list[Series], given: list[str]
) -> dict[str, Any]:
    """What `sweep.json` holds; all but `provenance` is a function of text and options."""
    design = {
        "training": text.labels[0], "evaluation": text.labels[1], "match": text.match,
        "held_out": text.on == text.data, "reference": text.reference,
        "languages": text.languages, "evaluation_sentences": len(text.evaluation),
        "training_lines": {str(amount): text.lines[amount] for amount in text.amounts},
        "byte_premiums": text.premiums, "repeated_lines": text.repeated,
        "without_training_text": text.left_out, "interval": "bootstrap over sentences",
        "replicates": REPLICATES, "confidence": LEVEL, "forms": FORMS,
    }  # fmt: skip
    return {
        "schema": SCHEMA,
        "design": design,
        "series": [asdict(one) for one in series],
        "cells": _cells(text, tried, False) + _cells(text, equalised, True),
        "provenance": msgspec.to_builtins(provenance(given, {})),
    }


def _cells(text: Matched, cells: Cells, equalised: bool) -> list[dict[str, Any]]:
    """Every cell on all evaluation sentences; premiums only where both have the size asked for."""
    draws = weights(len(text.evaluation))
    own = {(cell.algorithm, cell.amount): cell for cell in cells if cell.language == text.reference}
    bases = {cell: own.get((cell.algorithm, cell.amount), cell) for cell in cells}
    rows = []
    for cell, found in cells.items():
        total = sum(found.tokens)
        row: dict[str, Any] = {
            "algorithm": cell.algorithm, "train_bytes": cell.amount, "language": cell.language,
            "vocabulary": cell.vocabulary, "equalised": equalised, "reached": found.reached,
            "tokens": total or None, "premium": None, "low": None, "high": None,
            "bytes_per_token": found.bytes / total if total else None,
            "characters_per_token": found.characters / total if total else None,
            "unknown_share": found.unknown / total if total else None,
            "training_lines": found.training_lines, "training_bytes": found.training_bytes,
            "note": found.note,
        }  # fmt: skip
        other = cells.get(bases[cell] if equalised else replace(cell, language=text.reference))
        if total and other and other.tokens and not (found.note or other.note):
            pair = np.array([found.tokens, other.tokens], dtype=np.float64)
            tail = (1 - LEVEL) / 2
            bounds = np.quantile(premiums(draws @ pair.T, 1)[:, 0], [tail, 1 - tail])
            row["premium"] = float(premiums(pair.sum(1), 1)[0])
            row["low"], row["high"] = (float(f"{bound:.6g}") for bound in bounds)
        rows.append(row)
    return rows


def _json(content: dict[str, Any]) -> bytes:
    """A cell a line: small, readable, and a difference of two sweeps can be read."""
    cells = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in content["cells"])
    rest = [
        f"{json.dumps(key)}: " + json.dumps(value, ensure_ascii=False)
        for key, value in content.items() if key != "cells"
    ]  # fmt: skip
    return ("{\n" + ",\n".join([*rest, f'"cells": [\n{cells}\n]']) + "\n}\n").encode()


def _cell_table(cells: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    rows = [["" if value is None else value for value in cell.values()] for cell in cells]
    return list(cells[0]), rows


def _print(text: Matched, series: list[Series], cells: list[dict[str, Any]], form: str) -> None:
    print(_design(text))
    for one in series:
        amount = f", {one.amount:,} bytes of {text.reference}" if one.amount else ""
        print(f"\n{one.algorithm}{amount}: premiums over {text.reference}\n")
        header = ["vocabulary", "languages", "max", "mean", "sd", "gini", "tokens/sentence"]
        rows = [
            [f"{row.vocabulary:,}", len(row.premiums), *_values(row.summaries),
             tables.number(row.tokens)]
            for row in one.rows
        ]  # fmt: skip
        for pair, where in ((one.equalised, ""), (one.within_reach, " within reach")):
            if pair is not None:
                rows += _comparison(pair, where)
        tables.emit(header, rows, form, range(1, 7))
        print()
        header = ["language", "size", "95 % interval", "status", "fit", "R²", "error",
                  "premium before", "after"]  # fmt: skip
        tables.emit(header, [_fit_row(one, fit) for fit in one.fits], form, (1, 5, 6, 7, 8))
        for line in _notes(text, one, cells):
            print(line)


def _comparison(pair: Comparison, where: str) -> list[list[Any]]:
    """Equalised premiums, and what they gain."""
    count = len(pair.after.premiums)
    return [
        [
            f"equalised{where} (mean {pair.after.mean_vocabulary:,.0f})", count,
            *_values(pair.after.summaries), tables.number(pair.after.tokens),
        ],
        [
            f"change from {pair.before.vocabulary:,}", count,
            *(f"{s.value:+.3f} ({s.low:+.3f} … {s.high:+.3f})" for s in pair.change),
            f"{pair.after.tokens - pair.before.tokens:+.3g}",
        ],
    ]  # fmt: skip


def _design(text: Matched) -> str:
    reference, how = text.reference, {
        "sentences": "the same sentences in every language",
        "content": "the same content: bytes scaled by each language's byte premium",
        "bytes": "the same bytes in every language",
    }  # fmt: skip
    if text.on == text.data:
        where = f"on {text.labels[0]}, other sentences"
    else:
        where = f"on {text.labels[0]}"
    lines = " / ".join(f"{text.lines[amount][reference]:,}" for amount in text.amounts)
    kept = f"; {text.repeated:,} training lines left out, in the evaluation too"
    return (
        f"{len(text.languages)} languages, evaluated on {len(text.evaluation):,} sentences of "
        f"{text.labels[1]}; trained {where}: {lines} lines of {reference}, {how[text.match]}"
        f"{kept if text.repeated else ''}"
    )


def _values(summaries: list[Summary]) -> list[str]:
    return [tables.number(summary.value) for summary in summaries]


def _fit_row(series: Series, fit: Fit) -> list[str]:
    size = "—" if fit.size is None else f"{fit.size:,}"
    bounds = ""
    if fit.low is not None:
        bounds = f"{fit.low:,.0f} … " + ("" if fit.high is None else f"{fit.high:,.0f}")
    pair = series.equalised
    sides = [
        tables.number(row.premiums.get(fit.language))
        for row in ((pair.before, pair.after) if pair else ())
    ] or ["—", "—"]
    error = "—" if fit.error is None else f"{fit.error:.1%}"
    r2 = "—" if fit.r2 is None else f"{fit.r2:.4f}"
    status = fit.status if fit.size is not None else fit.why
    return [fit.language, size, bounds, status, fit.form, r2, error, *sides]


def _notes(text: Matched, series: Series, cells: list[dict[str, Any]]) -> list[str]:
    """What a reader of the numbers has to know."""
    lines = []
    if series.equalised is None:
        lines.append(f"not equalised: {series.why}")
    ours = [
        cell for cell in cells
        if (cell["algorithm"], cell["train_bytes"]) == (series.algorithm, series.amount)
    ]  # fmt: skip
    tried = [cell for cell in ours if cell["note"] and not cell["equalised"]]
    most = {cell["language"]: cell["reached"] for cell in tried if cell["reached"]}
    if most:
        each = ", ".join(f"{one} {reached:,}" for one, reached in most.items())
        lines.append(f"the text does not yield all sizes; the most it yields: {each}")
    without: dict[str, list[str]] = {}
    for cell in tried:
        if cell["reached"] is None:
            note = f"{cell['language']}: {cell['note']}"
            without.setdefault(note, []).append(f"{cell['vocabulary']:,}")
    lines += [f"not trained: {', '.join(sizes)}: {note}" for note, sizes in without.items()]
    misses = {
        fit.language: fit.miss
        for fit in series.fits
        if fit.miss is not None and fit.status != "out of reach"
    }
    if misses:
        worst = max(misses, key=lambda one: abs(misses[one]))
        lines.append(
            f"trained at these sizes, the sentences that chose them need the level's tokens within "
            f"{abs(misses[worst]):.1%} ({worst} the farthest)"
        )
    out = [fit.language for fit in series.fits if fit.status == "out of reach"]
    if out:
        lines.append(
            f"out of reach, at the nearest size tried: {', '.join(out)}: no vocabulary size near "
            "those tried gives as few tokens"
        )
    unknown = {cell["language"] for cell in ours if (cell["unknown_share"] or 0) > 0.001}
    if unknown:
        lines.append(f"text lost to [UNK] (over 0.1 % of tokens): {', '.join(sorted(unknown))}")
    return lines
