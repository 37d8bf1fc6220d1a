"""A leaderboard of as many records as one likes, each with some thirty scores; none is real."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from tokbench.files import sha256
from tokbench.record import (
    About,
    Bootstrap,
    DatasetAbout,
    Provenance,
    Record,
    TaskAbout,
    TokenizerAbout,
    record_key,
)
from tokbench.types import Score, TokenizerSpec

NAMES = (
    "premium/mean", "premium/max", "bytes-per-token", "tokens", "fertility", "gini", "strr",
    "utilisation", "renyi-efficiency", "lossless", "shannon-efficiency", "types",
    *(f"premium/{code}" for code in ("deu_Latn", "tur_Latn", "hin_Deva", "jpn_Jpan", "shn_Mymr")),
    *(f"bytes-per-token/{code}" for code in ("deu_Latn", "tur_Latn", "hin_Deva", "jpn_Jpan")),
)  # fmt: skip


def made_up(
    tokenizer: str,
    task: str = "parallel-mini",
    seed: int = 0,
    created: str = "2026-01-01T00:00:00+00:00",
    data: str = "d" * 64,
    values: dict[str, float | None] | None = None,
    metric: str = "m|v1",
    **about: object,
) -> Record:
    """A record of made-up values, the same for the same arguments."""
    rng = random.Random(f"{tokenizer} {task} {seed}")
    fingerprint = f"{rng.getrandbits(256):064x}"
    scores = []
    given = values if values is not None else {name: rng.uniform(0.1, 0.9) for name in NAMES}
    for name, value in given.items():
        spread = None if value is None else abs(value) * 0.02
        scores.append(Score(
            name=name, value=value, n=1000, unit="ratio", better="lower", metric=metric,
            low=None if value is None or spread is None else value - spread,
            high=None if value is None or spread is None else value + spread,
            interval=None if value is None else "bootstrap",
        ))  # fmt: skip
    asked = sha256("task", task)
    main = str(about.get("main", next(iter(given))))
    spec = msgspec.convert(
        {"modality": about.get("modality", "text"), "vocabulary": [32000]}, TokenizerSpec
    )
    return Record(
        tokenizer=tokenizer,
        task=task,
        key=record_key(fingerprint, asked, data, None),
        signature=f"{task}@1:all#{data[:8]}|unit:line|tok:{fingerprint[:8]}",
        status="complete",
        about=About(
            TokenizerAbout(fingerprint, spec),
            TaskAbout(asked, main, "line", [metric]),
            DatasetAbout(task, "1", "all", data, "made up", "CC0-1.0", 5, 1000),
        ),
        scores=scores,
        bootstrap=Bootstrap(1000, 0.95, 0, 1),
        provenance=Provenance(
            created, "0.1.0", "", "3.11", "made up", "made up", 1, 1.0, {"numpy": "2"},
            ["eval", tokenizer], {},
        ),
    )  # fmt: skip


def written(folder: Path, records: list[Record]) -> Path:
    """The records as a leaderboard on disk, without evidence."""
    for record in records:
        shelf = folder / record.task
        shelf.mkdir(parents=True, exist_ok=True)
        (shelf / f"r--{record.key[:12]}.json").write_bytes(record.to_json())
    return folder


def many(count: int, tasks: tuple[str, ...] = ("parallel-mini",)) -> list[Record]:
    """Records of `count` tokenizers, dealt to the tasks."""
    return [made_up(f"made-up-{n}", tasks[n % len(tasks)], n) for n in range(count)]
