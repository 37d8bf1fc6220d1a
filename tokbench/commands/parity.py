"""`tokbench parity`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from tokbench.dataset import open_dataset
from tokbench.errors import FAILURES, FINE, UserError
from tokbench.parity import Parity
from tokbench.parity import parity as compared
from tokbench.specs import load_tokenizer, resolve
from tokbench.tokenizers.text.adapter import TextTokenizer


def parity(options: argparse.Namespace, given: list[str]) -> int:
    """Compare two tokenizers line by line; 0 when all lines are equal, 3 when one differs."""
    for spec in (options.a, options.b):
        resolve(spec)  # an unknown second one shows before the first is loaded
    a, b = (_loaded(spec) for spec in (options.a, options.b))
    dataset = open_dataset(options.data, options.split)
    found = compared(a, b, dataset, options.limit)
    if options.format == "json":
        about = {
            "a": a.name,
            "b": b.name,
            "data": dataset.label,
            "share": found.equal / found.lines,
        }
        print(json.dumps(about | asdict(found), ensure_ascii=False))
    else:
        _print(a.name, b.name, dataset.label, found)
    return FINE if found.equal == found.lines else FAILURES


def _loaded(spec: str) -> TextTokenizer:
    tokenizer = load_tokenizer(spec)
    if not isinstance(tokenizer, TextTokenizer):
        raise UserError(f"{tokenizer.name}: a tokenizer of {tokenizer.spec.modality}, not of text")
    return tokenizer


def _print(a: str, b: str, data: str, found: Parity) -> None:
    print(f"{a} and {b} on {data}, by {found.way.by} ({found.way.why})")
    share = found.equal / found.lines
    exact = f"{share:.4%}" if share in (0, 1) or 0.0001 < share < 0.9999 else f"{share:.7%}"
    print(f"{found.equal:,} of {found.lines:,} lines equal ({exact})")
    if found.unplaced:
        print(f"{found.unplaced:,} lines left out: token positions unknown")
    if found.first is not None:
        first = found.first
        place = f"token {first.token}" if first.byte is None else f"byte {first.byte}"
        where = f"{first.group} line {first.index} (from 0)".lstrip()
        print(f"first difference: {where}, {place}: {first.a} in {a}, {first.b} in {b}")
