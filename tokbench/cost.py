"""What a run will take, before it runs: time and memory from a few seconds of trying.

A job is opened as `eval` opens it, a few of its slices are measured as `eval` measures them (two
seconds of them, one sample at least), and the whole is taken to go on like that. Workers share
cores: a backend that keeps several busy by itself gains less from a second process.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tokbench import downloads
from tokbench.bench import Bench, Job, open_bench
from tokbench.dataset import open_dataset
from tokbench.downloads import Download
from tokbench.evidence import BLOCKS, Evidence
from tokbench.files import slug
from tokbench.glance import glanced, is_large
from tokbench.media_parts import ItemsPart
from tokbench.parts import LinesPart, ListedPart, Slice
from tokbench.results import make_record, peak_memory
from tokbench.types import Tokenizer

BUDGET = 2.0
"""Seconds spent on trying, beyond the first sample."""

FEW = {"text": (128, 32 << 10), "image": (1, 1), "audio": (1, 1)}
"""Samples and bytes of the slice tried first."""

NEAR = 32
"""Slices from the start of a stream that may be tried: what is farther has to be read through."""


@dataclass
class Estimate:
    """What a run of one tokenizer on one task will take.

    state: `new`, `finished` (its record is there), or the shards that are. samples, size: of the
    data, size in bytes as planned. seconds: wall seconds on `workers` processes; None where it
    could not be tried, and `note` says why. parts: processor-bound seconds of one process by
    activity. processor: seconds of processor time that reading, encoding, decoding and
    measuring take; what else the machine does is not in it. memory: MiB of all
    processes at their most. tried: what stands behind it.
    """

    tokenizer: str
    task: str
    data: str
    state: str = "new"
    shards: int | None = None
    samples: int | None = None
    size: int | None = None
    workers: int = 1
    seconds: float | None = None
    processor: float | None = None
    memory: float | None = None
    parts: dict[str, float] = field(default_factory=dict)
    tried: str = ""
    downloads: list[Download] = field(default_factory=list)
    note: str = ""


def estimate(job: Job, out: Path, workers: int, tokenizer: Tokenizer | None) -> Estimate:
    """The estimate for one job. Nothing is fetched and nothing written but caches of the data.

    tokenizer: None where it is not on this machine.
    """
    found = Estimate(
        tokenizer.name if tokenizer else job.spec, job.task.name, job.data, workers=workers
    )
    data = downloads.of_the_data(job.data, job.split)
    weights = downloads.of_the_task(job.task)
    found.downloads = data + list(dict.fromkeys(itertools.chain(*weights.values())))
    if data:
        known = downloads.costs()["data"].get(f"{job.data}:{job.split or ''}", {})
        found.samples = known.get("samples")
        found.note = "the data is not here: no time can be told before it is"
        return found
    if tokenizer is None:
        found.note = "the tokenizer is not here: no time can be told before it is"
        return found
    if weights:
        kept = [
            use for use in job.task.metrics
            if (use if isinstance(use, str) else use.name) not in weights
        ]  # fmt: skip
        found.note = f"without {', '.join(weights)}, whose weights are not here"
        if not kept:
            return found
        main = kept[0] if isinstance(kept[0], str) else kept[0].name
        task = msgspec.structs.replace(job.task, metrics=kept, main=main)
        job = Job(job.spec, task, job.data, job.split, job.limit, job.arguments)
    _fill(found, job, out, tokenizer)
    return found


def _fill(found: Estimate, job: Job, out: Path, tokenizer: Tokenizer) -> None:
    started = time.perf_counter()
    dataset = open_dataset(job.data, job.split, glance=True)
    bench = open_bench(job, tokenizer, dataset)
    counts: dict[int, float]
    if is_large(dataset.parts) and job.limit is None:
        slices, counts, size = glanced(bench)
        if not slices:
            raise bench.source.empty()
        found.samples, found.size = round(sum(counts.values())), round(size)
        task = job.task
        found.shards = max(
            -(-found.samples // task.shard_samples), -(-found.size // task.shard_bytes)
        )
        read = sum(piece.size for piece in slices)
        found.note = "; ".join(filter(None, (
            found.note, f"shards, samples and size are estimated from {read / 1e6:,.3g} MB of it",
        )))  # fmt: skip
    else:
        shards = bench.source.plan(job.limit)
        slices = [piece for shard in shards for piece in shard]
        counts = _by_part(slices)
        found.shards, found.samples = len(shards), sum(piece.count for piece in slices)
        found.size = sum(piece.size for piece in slices)
    opening = time.perf_counter() - started
    found.data = f"{dataset.name}@{dataset.version}:{dataset.split}"
    if dataset.fingerprint:
        found.data = dataset.label
        _look_up(found, out / f"{slug(tokenizer.name)}--{slug(job.task.name)}--{bench.key[:12]}")
    tried = _tried(bench, slices)
    costs = downloads.costs()
    scale = found.size / tried.size
    parts = {name: tried.seconds.get(name, 0.0) * scale for name in ("read", "encode", "decode")}
    parts["measure"] = max(0.0, tried.wall * scale - sum(parts.values()))
    work = sum(parts.values())
    rows = round(sum(min(n, BLOCKS) for n in counts.values()))
    parts["start"] = tokenizer.load_seconds + opening + tried.first
    parts["finish"] = tried.finish + costs["finish"] * rows * tried.columns
    found.processor = tried.processor * scale
    workers = min(found.workers, found.shards)
    shared = work * max(-(-found.shards // workers) / found.shards, tried.cores / _cores())
    if workers > 1:
        shared += costs["start"] + parts["start"]
    found.seconds = costs["start"] + parts["start"] + shared + parts["finish"]
    found.parts = {name: round(value, 3) for name, value in parts.items()}
    own = peak_memory()
    table = rows * (tried.columns + 2) * costs["column"] * 3 / 2**20  # joined, scored, written
    found.memory = own + table + (workers * own if workers > 1 else 0.0)
    found.tried = f"{tried.samples:,} samples in {tried.wall:.3g} s, {tried.cores:.1f} cores busy"
    if found.state != "new":
        left = "nothing is left to do" if found.state == "finished" else found.state
        found.note = "; ".join(filter(None, (found.note, f"{left}: the time is that of all of it")))


def _cores() -> int:
    return os.cpu_count() or 1


def _look_up(found: Estimate, folder: Path) -> None:
    """What an earlier run has left."""
    done = len(list((folder / "shards").glob("*.npz"))) if (folder / "shards").is_dir() else 0
    if (folder / "record.json").is_file():
        found.state = "finished"
    elif done:
        found.state = f"{done:,} of {found.shards or 0:,} shards done"


def _by_part(slices: list[Slice]) -> dict[int, float]:
    """Samples of every group."""
    counts: dict[int, float] = {}
    for piece in slices:
        counts[piece.part] = counts.get(piece.part, 0) + piece.count
    return counts


@dataclass
class _Tried:
    """samples, size: of the slices measured, in wall seconds, by activity in `seconds`. first:
    seconds that the very first took longer (imports, tables). finish: to score them. columns: of
    statistics for each sample."""

    samples: int
    size: int
    wall: float
    seconds: dict[str, float]
    cores: float
    first: float
    finish: float
    columns: int
    processor: float


def _tried(bench: Bench, slices: list[Slice]) -> _Tried:
    """Measure slices from all over the data for `BUDGET` seconds. Slices as the plan has them
    where the tokenizer is quick enough; else smaller ones, which cost more for each byte."""
    fine = _fine(bench, slices)
    run = _Run(bench)
    opening = run(fine[0])
    if opening < 2 * BUDGET:  # else the first sample has to do
        run = _Run(bench)
        run(fine[1 % len(fine)])
        speed = run.wall / run.size
        several = _spread(bench, slices)
        if speed * max(piece.size for piece in several) <= BUDGET:
            run = _Run(bench)
        else:
            several = fine[2:]
        for piece in several:
            if run.wall > BUDGET:
                break
            run(piece)
    began = time.perf_counter()
    whole = Evidence.joined(run.found)
    if whole.rows:
        make_record(bench, whole, 0.0)
    return _Tried(
        run.samples, run.size, run.wall, whole.seconds, max(1.0, run.processor / run.wall),
        max(0.0, opening - run.wall / run.size * fine[0].size), time.perf_counter() - began,
        len(whole.columns), run.processor,
    )  # fmt: skip


class _Run:
    """Slices measured one after the other, and what they took."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.found: list[Evidence] = []
        self.samples = self.size = 0
        self.wall = self.processor = 0.0

    def __call__(self, piece: Slice) -> float:
        wall, processor = time.perf_counter(), time.process_time()
        self.found.append(self.bench.evidence((piece,)))
        spent = time.perf_counter() - wall
        self.wall += spent
        self.processor += time.process_time() - processor
        self.samples, self.size = self.samples + piece.count, self.size + max(piece.size, 1)
        return spent


def _fine(bench: Bench, slices: list[Slice]) -> list[Slice]:
    """A few small slices of up to 64 groups, spread over all; of a single group its first ones."""
    most, most_bytes = FEW[bench.job.task.modality]
    numbers = list(dict.fromkeys(piece.part for piece in slices))
    numbers = numbers[:: -(-len(numbers) // 64)]
    each = -(-8 // len(numbers))
    limit = bench.source.first_of_each(bench.job.limit)
    return [
        piece
        for number in numbers
        for piece in itertools.islice(
            bench.source.parts[number].slices(number, most, most_bytes, limit), each
        )
    ]


def _spread(bench: Bench, slices: list[Slice]) -> list[Slice]:
    """The plan's slices in an order that covers the data evenly wherever it is broken off."""
    near: list[Slice] = []
    seen: dict[int, int] = {}
    for piece in slices:
        seen[piece.part] = seen.get(piece.part, 0) + 1
        part: Any = bench.source.parts[piece.part]
        if isinstance(part, LinesPart | ListedPart | ItemsPart) or seen[piece.part] <= NEAR:
            near.append(piece)
    return [near[number] for number in _bits_reversed(len(near))]


def _bits_reversed(count: int) -> Iterator[int]:
    """0 … count - 1 in the order of van der Corput's sequence."""
    width = max(count - 1, 0).bit_length()
    for number in range(1 << width):
        place = int(format(number, f"0{width}b")[::-1], 2) if width else 0
        if place < count:
            yield place
