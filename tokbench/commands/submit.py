"""`tokbench submit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tokbench.errors import FINE, USER, UserError
from tokbench.submission import submit as file_record


def submit(options: argparse.Namespace, given: list[str]) -> int:
    """File every record that passes; one that does not stops none of the others."""
    if options.verify:
        return _verified(options)
    if options.trusted:
        raise UserError("--with says how --verify loads a tokenizer; add --verify")
    if options.run:
        from tokbench.pull_request import ready

        ready(Path(options.to))  # before anything is filed
    status, filed = FINE, []
    for name in options.record:
        try:
            filed.append(file_record(Path(name), Path(options.to)))
            print(f"filed {filed[-1]}")
        except UserError as error:
            print(f"tokbench: {error}", file=sys.stderr)
            status = USER
    if filed and (options.pr or options.run):
        from tokbench.pull_request import propose

        propose(filed, options.run)
    return status


def _verified(options: argparse.Namespace) -> int:
    from tokbench.verification import verify

    status = FINE
    for name in options.record:
        try:
            verdict = verify(Path(name), options.trusted)
        except UserError as error:
            print(f"tokbench: {error}", file=sys.stderr)
            status = USER
            continue
        print(f"{verdict.words}: {verdict.path}")
        marks = (("✗", verdict.refused), ("✓", verdict.confirmed), ("–", verdict.skipped))
        for mark, lines in marks:
            for line in lines:
                print(f"  {mark} {_printable(line)}")
        if verdict.refused:
            status = USER
    return status


def _printable(line: str) -> str:
    """A line with what a stranger wrote: nothing in it moves the cursor or hides."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)[:500]
