"""Measure and file what this leaderboard holds: `python leaderboards/regenerate.py`.

`BOARDS` is the whole list. What is filed already and still answers its task is left alone, so the
command may be interrupted and given again; `--dry-run` only says what there is to do. Tokenizers
and data that cannot be downloaded are looked for in `TOKBENCH_WEIGHTS` (lyra/, taef2/) and
`TOKBENCH_DATA` (tokenizers/, kodak, flores200); what is not there is said and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tokbench.errors import FAILURES, FINE, UserError
from tokbench.files import slug
from tokbench.leaderboard import records
from tokbench.record import Record, read_record
from tokbench.samples import samples_path
from tokbench.specs import expanded, resolve
from tokbench.submission import check_record, submit

BOARD = Path(__file__).resolve().parent

VOCABULARIES = (
    "bytes", "codepoints", "mistral:v1", "mistral:v3", "mistral:v7", "mistral:tekken-240911",
    *(f"tokenizers:{{data}}/tokenizers/{name}.tokenizer.json" for name in (
        "bert-base-cased", "gpt2", "kl3m-001-32k", "kl3m-004-char-8k-cased",
        "kl3m-005-multi-word-32k", "mistral-v0.3",
    )),
    *(f"tiktoken:{{data}}/tokenizers/{name}.tiktoken" for name in (
        "r50k_base", "cl100k_base", "o200k_base",
    )),
    *(f"sentencepiece:{{data}}/tokenizers/{name}.model" for name in (
        "mistral-v0.3", "xlnet-base-cased",
    )),
)  # fmt: skip

PICTURES = (
    "identity", "resize:128", "resize:256", "jpeg:10..90:20", "webp:10..90:20", "avif:20..80:20",
    "vq:8x1024?on=kodak", "vq:16x1024?on=kodak", "rvq:16x1024x4?on=kodak", "pq:16x1024x4?on=kodak",
    "fsq:8x8x8x5x5x5?on=kodak", "taesd:{weights}/taef2", "fsq(taesd:{weights}/taef2,on=kodak)",
    "kmeans(taesd:{weights}/taef2,K=1024,on=kodak)",
    "rvq(taesd:{weights}/taef2,K=1024,levels=4,on=kodak)",
)  # fmt: skip

CLIPS = (
    "pcm", "flac", "opus:6", "opus:12", "opus:24", "opus:64", "lyra:{weights}/lyra?kbps=3.2",
    "lyra:{weights}/lyra?kbps=6.0", "lyra:{weights}/lyra?kbps=9.2", "mp3:32", "mp3:64",
    "vorbis:0", "vorbis:4", "mulaw:8", "resample:8000", "resample:16000", "noise:0", "noise:20",
    "other-utterance", "rvq:2x1024@50hz?on=speech-train", "rvq:8x1024@50hz?on=speech-train",
)  # fmt: skip

VIDEOS = (
    "h264:18..33:5", "h265:23..33:5", "vp9:22..42:10", "av1:25..45:10", "frames(jpeg:50)",
    "frames(taesd:{weights}/taef2)",
)  # fmt: skip

BOARDS: dict[str, Sequence[str]] = {
    "premium-flores200": VOCABULARIES,
    "cldr-names": VOCABULARIES,
    "parallel-mini": VOCABULARIES,
    "numbers": VOCABULARIES,
    "python-stdlib": VOCABULARIES,
    "photos-mini": PICTURES,
    "text-render-256": PICTURES,
    "faces-mini": PICTURES,
    "tones-mini": CLIPS,
    "speech-mini": CLIPS,
    "video-mini": VIDEOS,
}
"""What is measured, by task."""


PLACES = {"weights": "TOKBENCH_WEIGHTS", "data": "TOKBENCH_DATA"}
"""Environment variables that say where files lie; `{weights}` in a spec is the folder's path."""


class Row(NamedTuple):
    """One tokenizer on one task. missing: the file that its spec names and that is not here."""

    task: str
    spec: str
    missing: str

    @property
    def tokenizer(self) -> str:
        """The name in its record."""
        return resolve(self.spec).name


def rows(only: Sequence[str] = ()) -> Iterator[Row]:
    """Every row of the table, ranges spelled out."""
    for task, specs in BOARDS.items():
        for spec in specs if not only or task in only else ():
            missing = ""
            for place, rest in re.findall(r"\{(\w+)\}(/[^?,)]*)", spec):
                root = os.environ.get(PLACES[place], "").split(os.pathsep)[0]
                if not root or not Path(root + rest).exists():
                    missing = f"${PLACES[place]}{rest}"
                spec = spec.replace(f"{{{place}}}", root)
            for each in expanded(spec):
                yield Row(task, each, missing)


def filed(task: str, tokenizer: str) -> list[tuple[Record, Path]]:
    """The board's records of a tokenizer on a task."""
    if not (BOARD / slug(task)).is_dir():
        return []
    paths = (BOARD / slug(task)).glob(f"{slug(tokenizer)}--*.json")
    found = [(read_record(path), path) for path in sorted(paths)]
    return [pair for pair in found if pair[0].tokenizer == tokenizer]


def why(row: Row) -> str:
    """Why a row is to be measured, or an empty string."""
    there = filed(row.task, row.tokenizer)
    if not there:
        return "not filed"
    for record, path in there:
        if refused := check_record(record, path, BOARD):
            return refused[0]
    return ""


def measure(row: Row, runs: Path, again: bool) -> Path:
    """The run folder of a row, measured in a process of its own: the memory it is said to take
    is its own. Raises `UserError` where it fails."""
    command = [sys.executable, "-m", "tokbench", "eval", row.spec, "--task", row.task]
    command += ["--out", str(runs), "--format", "csv", *["--again"] * again]
    done = subprocess.run(command, stdout=subprocess.DEVNULL)
    found = [
        (record.provenance.created, path.parent)
        for path in runs.glob(f"{slug(row.tokenizer)}--{slug(row.task)}--*/record.json")
        for record in [read_record(path)]
        if (record.tokenizer, record.task, record.limit) == (row.tokenizer, row.task, None)
    ]
    if done.returncode not in (FINE, FAILURES) or not found:
        raise UserError(f"{row.spec} on {row.task}: tokbench eval failed ({done.returncode})")
    return max(found)[1]


def file(row: Row, run: Path) -> Path:
    """File a run in place of what the board has of this tokenizer on this task."""
    with TemporaryDirectory(dir=BOARD, prefix=".") as folder:
        new = submit(run, Path(folder))  # whole and checked before anything is removed
        for _, path in filed(row.task, row.tokenizer):
            path.unlink()
            samples_path(path).unlink(missing_ok=True)
        target = BOARD / new.parent.name / new.name
        target.parent.mkdir(exist_ok=True)
        samples_path(new).replace(samples_path(target))
        new.replace(target)
    return target


def unlisted() -> list[Path]:
    """Records that are on the board and not in the table: nothing here makes them anew. None
    are told where a row's file is missing, for its name is read off the file."""
    if any(row.missing for row in rows()):
        return []
    known = {(row.task, row.tokenizer) for row in rows()}
    return [path for r, path in records(BOARD) if (r.task, r.tokenizer) not in known]


def main(given: Sequence[str] | None = None) -> int:
    """The command; 3 where a row failed or could not be measured here."""
    parser = argparse.ArgumentParser(description="measure and file what this leaderboard holds")
    parser.add_argument("--only", nargs="+", choices=sorted(BOARDS), metavar="TASK", default=[])
    parser.add_argument("--dry-run", action="store_true", help="only say what there is to do")
    parser.add_argument("--again", action="store_true", help="measure anew what is filed")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="run folders")
    options = parser.parse_args(given)
    count = dict.fromkeys(("filed", "left alone", "failed"), 0)
    for row in rows(options.only):
        label = f"{row.task}: {row.spec}"
        if row.missing:
            print(f"{label}: left out, there is no {row.missing}")
            count["failed"] += 1
            continue
        reason = "asked to" if options.again else why(row)
        if not reason:
            count["left alone"] += 1
            continue
        print(f"{label}: {reason}", flush=True)
        if options.dry_run:
            continue
        try:
            print(f"  filed {file(row, measure(row, options.runs, options.again))}", flush=True)
            count["filed"] += 1
        except UserError as error:
            print(f"  {error}", file=sys.stderr, flush=True)
            count["failed"] += 1
    for path in unlisted():
        print(f"{path}: is not in the table")
    print(", ".join(f"{number} {what}" for what, number in count.items()))
    return FAILURES if count["failed"] else FINE


if __name__ == "__main__":
    sys.exit(main())
