"""What was said in the clips of a folder, in the forms in which speech sets are published."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tokbench.errors import UserError, near, one_line

_SPHINX = re.compile(r"(?:<s>)?\s*(.*?)\s*(?:</s>)?\s*\(([^()\s]+)\)\s*")


def transcripts(root: Path, form: str) -> dict[str, dict[str, str]]:
    """Notes on clips by file name without folder and suffix.

    form: `librispeech` (`*.trans.txt`: an id and its words), `sphinx` (`transcription`: the words
    and the id in brackets), `common-voice` (a table `test.tsv` with path, sentence, client_id), or
    empty: the first two wherever they are found.
    """
    if form and form not in FORMS:
        raise UserError(f"no form of transcripts '{form}'{near(form, FORMS)} ({', '.join(FORMS)})")
    found: dict[str, dict[str, str]] = {}
    for name in [form] if form else ("librispeech", "sphinx"):
        pattern, rows = FORMS[name]
        paths = sorted(root.rglob(pattern)) if root.is_dir() else []
        if form and not paths:
            raise UserError(f"{root}: no {pattern}, which has the transcripts")
        for path in paths:
            try:
                found |= rows(path)
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"{path}: cannot read: {one_line(error)}") from error
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def _librispeech(path: Path) -> dict[str, dict[str, str]]:
    split = (line.partition(" ") for _, line in _lines(path))
    return {name: {"transcript": words.strip()} for name, _, words in split}


def _sphinx(path: Path) -> dict[str, dict[str, str]]:
    found = {}
    for number, line in _lines(path):
        match = _SPHINX.fullmatch(line)
        if match is None:
            raise UserError(f"{path}: line {number}: not words and an id in brackets: {line[:60]}")
        found[match[2]] = {"transcript": match[1]}
    return found


def _common_voice(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = {"path", "sentence", "client_id"} - set(table.fieldnames or ())
        if missing:
            raise UserError(f"{path}: no column {', '.join(sorted(missing))}")
        return {
            Path(row["path"]).stem: {"transcript": row["sentence"], "speaker": row["client_id"]}
            for row in table
        }


FORMS: dict[str, tuple[str, Callable[[Path], dict[str, dict[str, str]]]]] = {
    "librispeech": ("*.trans.txt", _librispeech),
    "sphinx": ("transcription", _sphinx),
    "common-voice": ("test.tsv", _common_voice),
}
"""Each form's file name and what reads it."""
