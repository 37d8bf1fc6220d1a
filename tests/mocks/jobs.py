"""Small jobs of every modality, and tokenizers that make a worker's life hard."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mocks.clips import murmur
from mocks.evidence import make_task
from mocks.greedy import Greedy
from mocks.images import Levels, picture
from tokbench.bench import Job
from tokbench.record import Record, plain
from tokbench.task import MetricUse
from tokbench.types import Codes

DISTRIBUTION = {"features": "random-projection", "least": 4}
KERNEL = {"features": "random-projection", "least": 32}
METRICS = {
    "text": ["counts", "fertility", "premium", "utilisation", "lossless", "shannon-efficiency"],
    "image": [
        "psnr", "bits-per-pixel", "codebook-usage",
        MetricUse("frechet-distance", DISTRIBUTION), MetricUse("kernel-distance", KERNEL),
    ],
    "audio": ["si-sdr", "bits-per-second", "log-spectral-distance"],
}  # fmt: skip
SPECS = {"text": "mocks.greedy:Greedy", "image": "mocks.images:Levels", "audio": "pcm"}


def job(folder: Path, modality: str, spec: str = "", **task: object) -> Job:
    """A job of a dozen shards and more on data that it writes to `folder`."""
    data = folder / f"{modality}-data"
    if not data.is_dir():
        data.mkdir()
        _WRITTEN[modality](data)
    shards = {"shard_samples": {"text": 7, "image": 4, "audio": 2}[modality]}
    made = make_task(METRICS[modality], modality=modality, **(shards | task))
    return Job(spec or SPECS[modality], made, str(data))


def _texts(folder: Path) -> None:
    for name, word in (("eng_Latn", "hello"), ("tur_Latn", "wörld ısı"), ("jpn_Jpan", "日本語")):
        lines = [f"{word} {number * number} ab" * (1 + number % 3) for number in range(40)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _pictures(folder: Path) -> None:
    for number in range(34):
        Image.fromarray(picture(number)).save(folder / f"{number:02}.png")


def _clips(folder: Path) -> None:
    import soundfile

    for number in range(12):
        soundfile.write(folder / f"{number:02}.wav", murmur(number, seconds=0.5)[0], 16_000)


_WRITTEN = {"text": _texts, "image": _pictures, "audio": _clips}


def numbers(record: Record) -> dict[str, object]:
    """All of a record that must not depend on who did the work."""
    machine = ("performance", "provenance")
    return {name: value for name, value in plain(record).items() if name not in machine}


class Slow(Greedy):
    """Takes its time for every slice."""

    name = "slow"

    def __init__(self, seconds: str = "0.1"):
        super().__init__()
        self.seconds = float(seconds)

    def encode(self, batch: Sequence[str]) -> Codes:
        time.sleep(self.seconds)
        return super().encode(batch)


class Held(Greedy):
    """Encodes `free` slices and waits with the next until there is a file `go` in `folder`: what
    is to happen in the middle of a run has all the time it needs."""

    name = "held"

    def __init__(self, folder: str, free: str = "3"):
        super().__init__()
        self.folder, self.free = Path(folder), int(free)

    def encode(self, batch: Sequence[str]) -> Codes:
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        while len(list(self.folder.iterdir())) > self.free and not (self.folder / "go").exists():
            time.sleep(0.02)
        return super().encode(batch)


class Mortal(Slow):
    """Kills its own process at a text with `mark` in it, until `lives` times have passed; each
    leaves a file in `folder`."""

    name = "mortal"

    def __init__(self, folder: str, mark: str = "hello 100 ", lives: str = "1"):
        super().__init__("0")
        self.folder, self.mark, self.lives = Path(folder), mark, int(lives)

    def encode(self, batch: Sequence[str]) -> Codes:
        if any(self.mark in text for text in batch):
            left = len(list(self.folder.iterdir()))
            if left < self.lives:
                (self.folder / str(left)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(batch)


class Uneven(Levels):
    """Later pictures are quicker, so that shards are done out of order."""

    name = "uneven"

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        time.sleep(0.05 * (len(batch[0]) % 5))
        return super().encode(batch)
