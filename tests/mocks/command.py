"""Commands as a user gives them, in this process or in one of their own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tokbench.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def called(*arguments: object) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def started(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own; `variables` join its environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "tokbench", *map(str, arguments)],
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finished(*arguments: object, **variables: str) -> Done:
    """Run a command in a process of its own, to its end."""
    with started(*arguments, **variables) as process:
        out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def refused(done: Done, *parts: str) -> None:
    """Assert one clear line on stderr that holds `parts`, exit code 2 and no output."""
    assert done.err.startswith("tokbench"), done.err
    assert done.err.count("\n") == 1, done.err
    for part in parts:
        assert part in done.err
    assert (done.code, done.out) == (2, "")


def files_in(folder: Path) -> list[str]:
    """Every file below a folder, by its path in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
