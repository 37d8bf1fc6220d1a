"""`tokbench check`: does an adapter keep its promises?"""

from __future__ import annotations

import argparse
import json

from tokbench.conformance import Check, conformance
from tokbench.errors import FAILURES, FINE
from tokbench.specs import load_tokenizer

_MARK = {"pass": "✓", "fail": "✗", "note": "·", "skip": "–"}


def check(options: argparse.Namespace, given: list[str]) -> int:
    """Run every conformance check on every spec; exit 3 when one fails."""
    found: dict[str, list[Check]] = {}
    for spec in options.spec:
        found[spec] = conformance(spec, load_tokenizer(spec))
    if options.format == "json":
        print(
            json.dumps(
                {s: [c._asdict() for c in checks] for s, checks in found.items()},
                ensure_ascii=False,
            )
        )
    else:
        for spec, checks in found.items():
            print(spec)
            width = max(len(c.name) for c in checks)
            for c in checks:
                print(f"  {_MARK[c.outcome]} {c.name.ljust(width)}  {c.detail}".rstrip())
    failed = any(c.outcome == "fail" for checks in found.values() for c in checks)
    return FAILURES if failed else FINE
