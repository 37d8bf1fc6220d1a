"""Records: the result of one tokenizer on one task, with its key, signature and provenance."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tokbench import own_version, tables
from tokbench.errors import UserError
from tokbench.evidence import Example, Failure
from tokbench.files import PACKAGE, read_bytes, sha256
from tokbench.strict import load_json
from tokbench.types import Score, TokenizerSpec

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
LARGEST = 64 << 20
"""Bytes of the largest record file that is read."""


class TokenizerAbout(msgspec.Struct, forbid_unknown_fields=True):
    """Which tokenizer it was."""

    fingerprint: str
    spec: TokenizerSpec


class TaskAbout(msgspec.Struct, forbid_unknown_fields=True):
    """Which question was asked. metrics: their signatures, options and version included."""

    fingerprint: str
    main: str
    unit: str
    metrics: list[str]


class DatasetAbout(msgspec.Struct, forbid_unknown_fields=True):
    """On which data. known: its name among the manifest's hashes, empty for other data."""

    name: str
    version: str
    split: str
    fingerprint: str
    known: str
    licence: str
    groups: int
    samples: int


class About(msgspec.Struct, forbid_unknown_fields=True):
    """The three parts of the key, spelled out."""

    tokenizer: TokenizerAbout
    task: TaskAbout
    dataset: DatasetAbout


class Bootstrap(msgspec.Struct, forbid_unknown_fields=True):
    """How the bootstrap intervals were drawn. unit: samples of one resampled block."""

    replicates: int
    level: float
    seed: int
    unit: int


class Provenance(msgspec.Struct, forbid_unknown_fields=True):
    """Where and how the record was made; never part of the key."""

    created: str
    tokbench: str
    git: str
    python: str
    platform: str
    cpu: str
    cores: int
    memory_gib: float
    packages: dict[str, str]
    arguments: list[str]
    seconds: dict[str, float]


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One tokenizer on one task.

    scores are a pure function of `key`; performance (speed, memory) is what this machine
    took and is not. evidence: SHA-256 of the per-sample parquet file beside the record.
    """

    schema: int = SCHEMA
    tokenizer: str
    task: str
    key: str
    signature: str
    status: str
    limit: int | None = None
    about: About
    scores: list[Score]
    performance: list[Score] = []
    failures: dict[str, Failure] = {}
    examples: list[Example] = []
    bootstrap: Bootstrap
    evidence: str = ""
    provenance: Provenance

    def score(self, name: str) -> Score | None:
        """The score of that name, or None."""
        return next((score for score in self.scores if score.name == name), None)

    def score_signature(self, score: Score) -> str:
        """The full signature of one score: metric, options, version, data, tokenizer."""
        return f"{score.metric}|{self.signature}"

    def to_frame(self) -> pd.DataFrame:
        """One row for each score. Columns: task, tokenizer, score, facet, value, low, high, n,
        unit, better, signature, note, key. What was not measured is NaN, and `note` says why."""
        import pandas as pd

        rows = []
        for score in self.scores:
            name, _, facet = score.name.partition("/")
            rows.append((
                self.task, self.tokenizer, name, facet, score.value, score.low, score.high,
                score.n, score.unit, score.better, self.score_signature(score), score.note,
                self.key,
            ))  # fmt: skip
        columns = (
            "task tokenizer score facet value low high n unit better signature note key"
        ).split()
        kinds = dict.fromkeys(("value", "low", "high"), "float64")
        return pd.DataFrame(rows, columns=columns).astype(kinds)

    def _repr_html_(self) -> str:
        """In a notebook: the scores of the whole data, the main one first, escaped."""
        table, main = self.to_frame(), self.about.task.main
        is_main = (table["score"] + "/" + table["facet"]).str.removesuffix("/") == main
        table.loc[is_main, "score"] = main
        whole = table[is_main | (table["facet"] == "")].sort_values(
            "score", key=lambda names: names != main, kind="stable"
        )
        columns = ["score", "value", "low", "high", "n", "unit", "better"]
        shown = whole[columns].to_html(
            index=False, escape=True, na_rep="—", float_format=tables.measured
        )
        about = self.about.dataset
        title = f"{self.tokenizer} on {self.task} ({about.name}:{about.split}, n = {about.samples})"
        head = f"<p><strong>{escape(title)}</strong></p>"
        return f"{head}{shown}<p><code>{escape(self.signature)}</code></p>"

    def to_json(self) -> bytes:
        """One score a line: small, readable, and git can show what changed."""
        fields = msgspec.to_builtins(self)
        lines = []
        for name, value in fields.items():
            if name in ("scores", "performance") and value:
                rows = ",\n".join("    " + msgspec.json.encode(row).decode() for row in value)
                lines.append(f'  "{name}": [\n{rows}\n  ]')
            else:
                lines.append(f'  "{name}": {msgspec.json.encode(value).decode()}')
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def record_key(tokenizer: str, task: str, dataset: str, limit: int | None) -> str:
    """The key: hash of the three fingerprints (and of `--limit`)."""
    return sha256("record", str(SCHEMA), tokenizer, task, dataset, str(limit))


def read_record(path: Path) -> Record:
    """A record file, decoded strictly; records are untrusted input.

    Raises `UserError` for a file that is too large, not JSON, of another schema, or wrong.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror}") from error
    if size > LARGEST:
        raise UserError(f"{path}: {size >> 20} MiB is too large for a record")
    return record_of(read_bytes(path), path)


def record_of(content: bytes, path: Path) -> Record:
    """As `read_record`, of what a file holds."""
    if len(content) > LARGEST:
        raise UserError(f"{path}: {len(content) >> 20} MiB is too large for a record")
    head = load_json(content, _Head, str(path))
    if not head.schema:
        raise UserError(f"{path}: is no record of tokbench (no `schema`)")
    if head.schema != SCHEMA:
        raise UserError(
            f"{path}: schema {head.schema} is not the schema {SCHEMA} of this tokbench; "
            "evaluate again (--again), or use the version that wrote it"
        )
    return load_json(content, Record, str(path))


class _Head(msgspec.Struct):
    schema: int = 0


_PACKAGES = (
    "numpy", "tokenizers", "transformers", "tiktoken", "sentencepiece", "mistral-common",
    "regex", "babel", "datasets", "pyarrow", "scipy", "rapidfuzz",
)  # fmt: skip


def provenance(arguments: list[str], seconds: dict[str, float]) -> Provenance:
    """Versions, machine and arguments of this run. Absolute paths are cut to their last part."""
    import psutil

    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tokbench=own_version(),
        git=_git_state(),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        packages=_packages(),
        arguments=[_shortened(argument) for argument in arguments],
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )


def versions() -> dict[str, str]:
    """Versions of tokbench and of the packages that it computes with."""
    return {"tokbench": own_version()} | _packages()


def _packages() -> dict[str, str]:
    packages = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = _version(name)
    return packages


def _version(package: str) -> str:
    """As `importlib.metadata.version`, which parses the package's whole README for it."""
    header = distribution(package).read_text("METADATA") or ""
    found = re.search(r"^Version: *(\S+)", header, re.MULTILINE)
    return found[1] if found else version(package)


_OUTSIDE = re.compile(r"(^|[:=])((?:~|[A-Za-z]:|\.\.)?[\\/](?!/)[^?&]*)")


def _shortened(argument: str) -> str:
    """An argument with every path outside the working folder cut to its last part."""
    return _OUTSIDE.sub(lambda found: found[1] + Path(found[2]).name, argument)


def _git_state() -> str:
    """Commit of the checkout tokbench runs from, `+dirty` with uncommitted changes, else ''."""
    if not (PACKAGE.parent / ".git").exists():
        return ""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(PACKAGE.parent), *arguments],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        dirty = git("status", "--porcelain", "--untracked-files=no", "--", "tokbench")
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+dirty" if dirty else "")


def _cpu() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def plain(record: Record) -> dict[str, Any]:
    """A record as dictionaries and lists, every field of every score spelled out."""
    scores = [msgspec.structs.asdict(score) for score in record.scores]
    speeds = [msgspec.structs.asdict(score) for score in record.performance]
    return msgspec.to_builtins(record) | {"scores": scores, "performance": speeds}
