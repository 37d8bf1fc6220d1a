"""`tokbench bench`."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from itertools import groupby
from typing import Any

import msgspec

from tokbench import tables
from tokbench.commands.evaluate import progress_bar
from tokbench.errors import FAILURES, FINE, UserError
from tokbench.record import Provenance, provenance
from tokbench.specs import expanded, load_tokenizer, resolve
from tokbench.throughput import inputs
from tokbench.throughput.equal import Verdict, ratios, verdict
from tokbench.throughput.measure import Settings, Timing, timings
from tokbench.throughput.spread import Spread
from tokbench.tokenizers.text.adapter import TextTokenizer

SCHEMA = 1
BATCHES = {"text": (1, 8, 64, 512), "image": (1, 4), "video": (1,), "audio": (1, 4)}
_COLUMNS = (
    "tokenizer", "measure", "domain", "on", "threads", "batch", "value", "low", "high", "unit",
    "n", "cores", "note",
)  # fmt: skip


def bench(options: argparse.Namespace, given: list[str]) -> int:
    """Time every tokenizer; print tables or JSON. 3 where a tokenizer failed on something."""
    specs = list(dict.fromkeys(each for spec in options.spec for each in expanded(spec)))
    names = [resolve(spec).name for spec in specs]  # an unknown last one shows at once
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two tokenizers are named '{twice}': rename a file, or give its folder")
    loaded = [load_tokenizer(spec) for spec in specs]
    modalities = sorted({tokenizer.spec.modality for tokenizer in loaded})
    if len(modalities) > 1:
        raise UserError(f"tokenizers of {' and '.join(modalities)}: one kind at a time")
    for tokenizer in loaded:
        if hasattr(tokenizer, "reconstructions") or hasattr(tokenizer, "stored_codes"):
            raise UserError(f"{tokenizer.name}: results on disk: there is nothing to time")
    modality = modalities[0]
    verdicts: list[Verdict] = []
    if modality == "text":
        corpora = inputs.corpora(options.data, options.split, options.limit)
        work = {tokenizer.name: corpora for tokenizer in loaded}
        first, *others = (t for t in loaded if isinstance(t, TextTokenizer))
        verdicts = [verdict(first, other, corpora) for other in others]
    else:
        work = {
            tokenizer.name: inputs.media(options.data, options.split, options.limit, tokenizer)
            for tokenizer in loaded
        }
    cores = options.threads or os.cpu_count() or 1
    batches = tuple(options.batch or BATCHES[modality])
    settings = Settings(options.repeats, options.cap, tuple(sorted({1, cores})), batches)
    by_name = {tokenizer.name: spec for tokenizer, spec in zip(loaded, specs, strict=True)}
    with progress_bar("bench", "parts") as progress:
        found = timings(by_name, work, settings, progress)
    machine = provenance(given, {})
    if options.format == "json":
        print(json.dumps(_content(found, verdicts, settings, machine), ensure_ascii=False))
    elif options.format in ("csv", "md"):
        rows = [["" if cell is None else cell for cell in row] for row in _rows(found)]
        tables.emit(_COLUMNS, rows, options.format, range(4, 9))
    else:
        _print(found, verdicts, settings, machine)
    return FAILURES if any(_failed(timing) for timing in found) else FINE


def _failed(timing: Timing) -> bool:
    return timing.measure in ("encode", "decode") and not timing.seconds


def _rows(found: list[Timing]) -> list[list[Any]]:
    """One row for each figure."""
    rows = []
    for timing in found:
        for unit, spread in timing.figures():
            value, low, high, n = (
                (spread.value, spread.low, spread.high, spread.n) if spread else (None,) * 3 + (0,)
            )
            rows.append([
                timing.tokenizer, timing.measure, timing.domain, timing.on, timing.threads,
                timing.batch, value, low, high, unit, n, timing.cores, timing.note,
            ])  # fmt: skip
    return rows


def _content(
    found: list[Timing], verdicts: list[Verdict], settings: Settings, machine: Provenance
) -> dict[str, Any]:
    compared = [
        asdict(each) | {"ratios": [
            {"measure": t.measure, "domain": t.domain, "on": t.on, "threads": t.threads,
             "batch": t.batch, **asdict(spread)}
            for t, spread in (ratios(each.a, each.b, found) if each.equal else [])
        ]}
        for each in verdicts
    ]  # fmt: skip
    return {
        "schema": SCHEMA,
        "about": "performance on this machine: no scores, never submitted",
        "settings": asdict(settings) | {"interval": "95 %, order statistics of the timings"},
        "machine": msgspec.to_builtins(machine),
        "figures": [dict(zip(_COLUMNS, row, strict=True)) for row in _rows(found)],
        "compared": compared,
    }


def _print(
    found: list[Timing], verdicts: list[Verdict], settings: Settings, machine: Provenance
) -> None:
    text = any("MB/s" in timing.amounts for timing in found)
    print(
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, "
        f"Python {machine.python}, "
        + ", ".join(f"{name} {version}" for name, version in machine.packages.items()
                    if name in ("numpy", "tokenizers", "tiktoken", "sentencepiece"))
    )  # fmt: skip
    print(
        f"medians of {settings.repeats} timings after a warm-up, with 95 % intervals; performance "
        "on this machine, not scores"
    )
    _speeds(found)
    _batch_table(found)
    _latencies(found)
    _processes(found)
    if text:
        _growth(found, settings)
    _notes(found)
    for each in verdicts:
        _compared(each, found)


def _cell(spread: Spread | None) -> str:
    if spread is None:
        return "—"
    within = tables.interval(spread.low, spread.high)
    return tables.number(spread.value) + (f" ({within})" if within else "")


def _place(timing: Timing) -> str:
    """`parallel-mini/Latn`, or one name where the two are the same."""
    both = (timing.domain, timing.on)
    return "/".join(dict.fromkeys(name for name in both if name))


def _grid(title: str, cells: dict[tuple[Any, ...], dict[str, str]], by: tuple[str, ...]) -> None:
    """A table with a row for each key and tokenizer, and a column for each figure there is."""
    if not cells:
        return
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    body = [[*key, *(row.get(column, "—") for column in columns)] for key, row in cells.items()]
    header = [*by, "tokenizer", *columns]
    print(f"\n{title}\n")
    tables.emit(header, body, "table", range(len(by) + 1, len(header)))


_WAYS = ("encode", "decode", "first-encode")


def _speeds(found: list[Timing]) -> None:
    """Encoding and decoding of every corpus, by threads; the first pass on one."""
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    chosen = [t for t in found if t.on != "all" and t.measure in _WAYS]
    for timing in sorted(chosen, key=lambda t: (t.threads, _WAYS.index(t.measure))):
        if timing.measure == "first-encode" and (
            timing.threads > 1 or "MB/s" not in timing.amounts
        ):
            continue
        key = (_place(timing), timing.threads, timing.tokenizer)
        for unit, spread in timing.figures():
            cells.setdefault(key, {})[f"{timing.measure} {unit}"] = _cell(spread)
    _grid("speed", cells, ("on", "threads"))


def _batch_table(found: list[Timing]) -> None:
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    for timing in found:
        key = (timing.domain, timing.batch, timing.threads, timing.tokenizer)
        for unit, spread in timing.figures() if timing.on == "all" else ():
            cells.setdefault(key, {})[unit] = _cell(spread)
    _grid("encoding, by samples in one call", cells, ("on", "batch", "threads"))


def _latencies(found: list[Timing]) -> None:
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    for timing in found:
        for unit, spread in timing.figures() if timing.measure.startswith("latency") else ():
            key = (timing.domain, timing.tokenizer)
            cells.setdefault(key, {})[f"{timing.measure[8:]} {unit}"] = _cell(spread)
    _grid("latency: one sample encoded alone, one thread", cells, ("on",))


def _processes(found: list[Timing]) -> None:
    names = {"load": "load", "memory": "memory when loaded", "peak-memory": "at most"}
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    for timing in sorted(found, key=lambda t: t.measure == "peak-memory"):
        for unit, spread in timing.figures() if timing.measure in names else ():
            threads = f", {timing.threads} threads" if timing.threads > 1 else ""
            column = f"{names[timing.measure]} {unit}{threads}"
            cells.setdefault((timing.tokenizer,), {})[column] = _cell(spread)
    _grid("a process of its own", cells, ())


def _growth(found: list[Timing], settings: Settings) -> None:
    print(
        "\nhow time grows with length: seconds ∝ bytes^exponent (1 linear, 2 quadratic), one "
        f"thread, at most {settings.cap:g} s a text\n"
    )
    rows = []
    for timing in found:
        if timing.measure == "growth":
            size, rate = "—", "—"
            if timing.amounts:
                size = f"{timing.amounts['MB/s'] * 1e6 / 1024:,.0f} KiB"
                rate = tables.number(timing.amounts["MB/s"] / timing.seconds[0])
            rows.append(
                [timing.on, timing.tokenizer, _cell(timing.spread), size, rate, timing.note]
            )
    rows.sort(key=lambda row: list(inputs.ADVERSARIAL).index(row[0]))
    tables.emit(["text", "tokenizer", "exponent", "longest", "MB/s there", "note"], rows, "table",
                (2, 3, 4))  # fmt: skip


def _notes(found: list[Timing]) -> None:
    said: dict[str, list[str]] = {}
    for timing in found:
        if timing.note and timing.measure != "growth":
            said.setdefault(f"{timing.tokenizer}: {timing.note}", []).append(
                f"{timing.measure} {timing.on}".rstrip()
            )
    for note, where in said.items():
        print(f"{note} ({', '.join(dict.fromkeys(where))})")
    several = [t for t in found if t.threads > 1 and t.measure == "encode" and t.cores is not None]
    for name, own in groupby(sorted(several, key=lambda t: t.tokenizer), lambda t: t.tokenizer):
        busiest = max(timing.cores or 0.0 for timing in own)
        print(f"{name}: kept at most {busiest:.1f} cores busy while encoding with all threads")


def _compared(each: Verdict, found: list[Timing]) -> None:
    if not each.equal:
        print(
            f"\n{each.a} and {each.b} are not equal: {each.why}. Their speeds stand side by side; "
            "no ratio is given"
        )
        return
    print(f"\n{each.a} against {each.b} ({each.why}): times as fast\n")
    cells: dict[str, dict[str, str]] = {}
    for timing, spread in ratios(each.a, each.b, found):
        if timing.on != "all":
            threads = f"{timing.threads} thread{'s' if timing.threads > 1 else ''}"
            cells.setdefault(_place(timing), {})[f"{timing.measure}, {threads}"] = _cell(spread)
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    body = [[place, *(row.get(c, "—") for c in columns)] for place, row in cells.items()]
    tables.emit(["on", *columns], body, "table", range(1, len(columns) + 1))
