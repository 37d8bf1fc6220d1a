"""`tokbench submit --pr`: the git commands that propose filed records, printed or run."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tokbench.errors import UserError, one_line
from tokbench.files import sha256
from tokbench.samples import samples_path

REMOTE = "origin"


def ready(folder: Path) -> None:
    """Raise `UserError` where git cannot take the records: outside a checkout, or with other
    changes in the index, which the commit would carry along."""
    _root(folder)
    if _git(folder, "diff", "--cached", "--name-only"):
        raise UserError(
            f"{folder}: the index has changes of yours; commit or unstage them (git restore "
            "--staged .) first"
        )
    if not _git(folder, "config", "--get", f"remote.{REMOTE}.url", fails=True):
        raise UserError(f"{folder}: git has no remote '{REMOTE}' to push to (git remote add)")


def commands(filed: Sequence[Path]) -> list[list[str]]:
    """What proposes the records: a branch of their own, one commit, a push."""
    files = [str(path) for record in filed for path in (record, samples_path(record))]
    branch = f"submit-{filed[0].stem[:60]}" if len(filed) == 1 else (
        f"submit-{len(filed)}-records-{sha256(*map(str, filed))[:8]}"
    )  # fmt: skip
    names = sorted({record.stem.partition("--")[0] for record in filed})
    tasks = sorted({record.parent.name for record in filed})
    title = f"Submit {', '.join(names[:3])}{' …' if len(names) > 3 else ''} on " + (
        ", ".join(tasks[:3]) + (" …" if len(tasks) > 3 else "")
    )
    return [
        ["git", "switch", "-c", branch],
        ["git", "add", "--", *files],
        ["git", "commit", "-m", title],
        ["git", "push", "-u", REMOTE, branch],
    ]


def propose(filed: Sequence[Path], run: bool) -> None:
    """Print the commands, or run them, then say where the pull request is opened."""
    steps = commands(filed)
    for step in steps:
        print(shlex.join(step), flush=True)
        if run:
            _run(step)
    address = _web(_git(filed[0].parent, "config", "--get", f"remote.{REMOTE}.url", fails=True))
    branch = steps[0][-1]
    where = f"{address}/compare/{branch}?expand=1" if address else "your repository's site"
    print(f"open the pull request at {where}")


def _web(remote: str) -> str:
    """The page of a repository on GitHub, GitLab and their like; without user or password."""
    found = re.fullmatch(
        r"(?:https?://|ssh://|git://)?(?:[^@/]*@)?([\w.-]+)(?::\d+)?[:/]([\w./-]+?)(?:\.git)?/?",
        remote,
    )
    return f"https://{found[1]}/{found[2].strip('/')}" if found and "." in found[1] else ""


def _root(folder: Path) -> None:
    where = folder
    while not where.is_dir():
        where = where.parent
    try:
        _git(where, "rev-parse", "--show-toplevel")
    except UserError as error:
        raise UserError(
            f"{folder}: not in a git checkout; clone the leaderboard's repository, and submit "
            "--to its leaderboards"
        ) from error


def _git(folder: Path, *arguments: str, fails: bool = False) -> str:
    """What git says. fails: an error is an empty answer."""
    while not folder.is_dir():
        folder = folder.parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, check=not fails, timeout=60,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UserError("git is not installed") from error
    except subprocess.SubprocessError as error:
        raise UserError(f"git {arguments[0]}: {one_line(error)}") from error
    return done.stdout.strip()


def _run(step: Sequence[str]) -> None:
    try:
        done = subprocess.run(step, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{step[0]} {step[1]}: {one_line(error)}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(f"git {step[1]} failed: {said}; the records are filed, the rest is yours")
