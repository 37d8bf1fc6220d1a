"""`tokbench submit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tokbench.errors import FINE, USER, UserError
from tokbench.leaderboard import submit as file_record


def submit(options: argparse.Namespace, given: list[str]) -> int:
    """File every record that passes; one that does not stops none of the others."""
    status = FINE
    for name in options.record:
        try:
            print(f"filed {file_record(Path(name), Path(options.to))}")
        except UserError as error:
            print(f"tokbench: {error}", file=sys.stderr)
            status = USER
    return status
