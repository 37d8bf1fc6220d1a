"""How tokbench scales on this machine: one Markdown table, against what it should reach.

    python tests/benchmarks/scale.py [--only processes,ray,together,memory,resume,moments,ahead]
        [--bytes 2e9 | 1e10] [--samples 1000000] [--images 50000] [--folder DIR] [--quick]

processes: one job on two processes against one, with a tokenizer of a single thread. ray: Ray on
this machine against processes, shards of two seconds and more, without the start. together: several
short jobs in one call against one call each. memory: a text of `--bytes`, lines made on disk (as
much as half of what is free). resume: a run of `--samples` lines, killed with SIGKILL half way;
seconds from the same command to its first new shard. moments: peak memory of `--images` pictures
whose 2,048 features go through shards and merge. ahead: reading the next slice while this one is
measured, against not, from files here and from a slow server. Wall seconds: the machine should do
nothing else. `--quick` shows in some minutes that every part works; its figures say little.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from beside import machine  # noqa: E402

PACKAGES = ("numpy", "pyarrow", "ray", "tokenizers", "mistral_common")
HEADER = "| what | figure | wanted | |\n|---|---:|---:|---|"


class Row(NamedTuple):
    """met: None where it could not be measured, and detail says why."""

    what: str
    figure: str
    wanted: str
    met: bool | None
    detail: str

    def __str__(self) -> str:
        verdict = {None: "–", True: "met", False: "**not met**"}[self.met]
        return f"| {self.what} | {self.figure} | {self.wanted} | {verdict}; {self.detail} |"


def text(path: Path, lines: int, width: int) -> Path:
    """Numbered lines of words, no two alike."""
    words = "the quick brown fox jumps over a lazy dog while seven wizards box quietly "
    with path.open("w") as file:
        for number in range(lines):
            begin = number * 7 % len(words)
            file.write(f"{number} {(words[begin:] + words * (width // 70 + 2))[: width - 9]}\n")
    return path


def repeated(path: Path, size: int) -> Path:
    """A text of so many bytes: a block of lines again and again."""
    block = text(path.with_suffix(".block"), 100_000, 160).read_bytes()
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)
    return path


def task(path: Path, metrics: str, modality: str = "text", **more: int) -> Path:
    """A task file."""
    said = {"name": path.stem, "title": path.stem, "modality": modality, "main": "tokens",
            "dataset": {"text": "numbers", "image": "photos-mini"}[modality]}  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**said, **more}.items()]
    path.write_text("\n".join([*lines, f"metrics = {metrics}"]) + "\n")
    return path


def command(*arguments: object, **variables: str) -> subprocess.Popen[bytes]:
    """A tokbench command, under way."""
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE)])
    return subprocess.Popen(
        [sys.executable, "-m", "tokbench", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | variables,
        stdout=subprocess.DEVNULL,
    )


def seconds(*arguments: object, **variables: str) -> float:
    """Of a whole command."""
    began = time.perf_counter()
    with command(*arguments, **variables) as process:
        code = process.wait()
    if code:
        raise SystemExit(f"tokbench {' '.join(map(str, arguments))}: exit code {code}")
    return time.perf_counter() - began


def resident(number: int, what: str) -> float:
    """`VmRSS` or `VmHWM` of a process, MiB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"{what}:\s*(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def single_threaded(folder: Path) -> str:
    """A tokenizer whose encoder keeps to one thread where `RAYON_NUM_THREADS` says so."""
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    lines = text(folder / "learnt.txt", 5_000, 160)
    made.train(str(lines), vocab_size=4_000, show_progress=False)
    made.save(str(folder / "tokenizer.json"))
    return f"tokenizers:{folder / 'tokenizer.json'}"


def processes(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    data = text(folder / "lines.txt", 20_000 if options.quick else 400_000, 160)
    one = ("eval", single_threaded(folder), "--task", "text", "--data", data)
    taken: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(1 if options.quick else 3):
        for workers, times in taken.items():
            out = folder / f"on-{workers}-{turn}"
            times.append(seconds(*one, "--out", out, "--workers", workers, RAYON_NUM_THREADS="1"))
    alone, pair = (sorted(times)[len(times) // 2] for times in taken.values())
    yield Row(
        f"byte-level BPE in one thread, {data.stat().st_size / 1e6:.0f} MB of text, "
        "2 processes against 1",
        f"{alone / pair:.2f} ×", "≥ 1.7", alone / pair >= 1.7,
        f"{alone:.1f} s and {pair:.1f} s, start included, medians of {len(taken[1])}",
    )  # fmt: skip


def ray(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    try:
        import ray as _  # noqa: F401
    except ImportError:
        yield Row("Ray against processes", "–", "≤ 1.10", None, "ray is not installed")
        return
    import msgspec

    from tokbench.bench import Job
    from tokbench.executors import Executor
    from tokbench.runner import evaluate
    from tokbench.task import load_task

    os.environ["RAYON_NUM_THREADS"] = "1"
    data = text(folder / "long.txt", 20_000 if options.quick else 600_000, 160)
    large = msgspec.structs.replace(
        load_task("text"), shard_samples=1_000 if options.quick else 30_000
    )
    job = Job(single_threaded(folder), large, str(data))
    found: dict[str, tuple[float, float]] = {}
    for kind in ("processes", "ray"):
        times: list[float] = []
        began = time.perf_counter()
        evaluate(
            job, folder / f"by-{kind}", executor=Executor(kind, 2),
            progress=lambda done, total, times=times: times.append(time.perf_counter()),
        )  # fmt: skip
        found[kind] = times[-1] - times[2], times[-1] - began  # both workers are at work by then
    (steady, whole), (other, with_start) = found["processes"], found["ray"]
    ratio = other / steady
    each = 2 * steady / (len(times) - 3)
    yield Row(
        f"Ray against processes, shards of {each:.1f} s, 2 workers", f"{ratio:.2f} ×", "≤ 1.10",
        ratio <= 1.1, f"{steady:.1f} s and {other:.1f} s; with the start {whole:.1f} s and "
        f"{with_start:.1f} s",
    )  # fmt: skip


def together(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    from tokbench.bench import Job
    from tokbench.executors import Executor
    from tokbench.runner import evaluate, evaluate_all
    from tokbench.task import load_task

    data = text(folder / "short.txt", 500 if options.quick else 15_000, 160)
    names = (options.spec, "bytes", "codepoints", "words") * (1 if options.quick else 2)
    task_ = load_task("text")
    jobs = [
        Job(spec, task_, str(data), limit=None if place < 4 else 10_000)
        for place, spec in enumerate(names)
    ]
    pair = Executor("processes", 2)
    began = time.perf_counter()
    for job in jobs:
        evaluate(job, folder / "apart", executor=pair)
    apart = time.perf_counter() - began
    began = time.perf_counter()
    evaluate_all([(job, None) for job in jobs], folder / "together", pair)
    whole = time.perf_counter() - began
    yield Row(
        f"{len(jobs)} jobs of one shard in one call on 2 processes, against one after the other",
        f"{whole / apart:.2f} ×", "< 1", whole < apart, f"{whole:.1f} s and {apart:.1f} s",
    )  # fmt: skip


def memory(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    size = int(min(options.bytes, 20e6 if options.quick else 1e18))
    free = shutil.disk_usage(folder).free
    what = f"{size / 1e9:g} GB of text, resident memory from a tenth of its shards to the last"
    if size > free / 2:
        yield Row(what, "–", "± 5 %", None, f"only {free / 1e9:.1f} GB are free in {folder}")
        return
    data = repeated(folder / "large.txt", size)
    own = task(folder / "flat.toml", '["counts", "bytes-per-token"]')
    seen: list[tuple[int, float]] = []
    peak, began, out = 0.0, time.perf_counter(), folder / "flat"
    with command("eval", "bytes", "--task", own, "--data", data, "--out", out) as process:
        while process.poll() is None:
            shards = len(list(out.glob("*/shards/*.npz")))
            seen.append((shards, resident(process.pid, "VmRSS")))
            peak = max(peak, resident(process.pid, "VmHWM"))
            time.sleep(0.02 if options.quick else 0.5)
    data.unlink()
    if process.returncode:
        raise SystemExit(f"the run of {size} bytes: exit code {process.returncode}")
    last = max(shards for shards, _ in seen)  # then the record is made, once
    under_way = seen[: [shards for shards, _ in seen].index(last)]
    held = [rss for shards, rss in under_way if shards >= last / 10]
    first = sorted(held[: max(1, len(held) // 10)])
    begin = first[len(first) // 2]
    least, most = min(held) / begin - 1, max(held) / begin - 1
    yield Row(
        what, f"{least:+.1%} … {most:+.1%}", "± 5 %", max(-least, most) <= 0.05,
        f"{begin:.0f} MiB at a tenth, peak with the record {peak:.0f} MiB, {last} shards, "
        f"{time.perf_counter() - began:.0f} s",
    )  # fmt: skip


def resume(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    count = 20_000 if options.quick else int(options.samples)
    data = text(folder / "many.txt", count, 60)
    own = task(
        folder / "many.toml", '["counts", "fertility", "lossless"]', shard_samples=count // 200
    )
    one = ("eval", "bytes", "--task", own, "--data", data, "--out", folder / "killed")

    def shards() -> int:
        return len(list((folder / "killed").glob("*/shards/*.npz")))

    with command(*one) as process:
        while shards() < 100 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    there = shards()
    began = time.perf_counter()
    with command(*one) as process:
        while shards() <= there and process.poll() is None:
            time.sleep(0.01)
        taken = time.perf_counter() - began
        process.wait()
    yield Row(
        f"{count:,} samples, killed at {there} of 200 shards: until the first new shard",
        f"{taken:.1f} s", "≤ 5 s", taken <= 5 and process.returncode == 0, "start included",
    )  # fmt: skip


def moments(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    count = 3000 if options.quick else int(options.images)
    path = folder / "tiny.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            content = b"P6 8 8 255\n" + number.to_bytes(4, "little") * 48
            member = tarfile.TarInfo(f"{number:06}.ppm")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    metrics = '[{ name = "frechet-distance", options = { features = "made_features:features" } }]'
    own = task(
        folder / "moments.toml", metrics, "image",
        shard_samples=max(500, count // 10), shard_bytes=1 << 34,
    )  # fmt: skip
    began = time.perf_counter()
    peak = 0.0
    with command(
        "eval", "identity", "--task", own, "--data", path, "--out", folder / "moments",
        TOKBENCH_CACHE=str(folder / "cache"),
    ) as process:  # fmt: skip
        while process.poll() is None:
            peak = max(peak, resident(process.pid, "VmHWM"))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"the run of {count} pictures: exit code {process.returncode}")
    yield Row(
        f"{count:,} pictures, moments of 2,048 features: peak memory", f"{peak:,.0f} MiB",
        "< 1,500 MiB", 0 < peak < 1500, f"{time.perf_counter() - began:.0f} s",
    )  # fmt: skip


class Slow(SimpleHTTPRequestHandler):
    """Files after 20 ms, at 2 MB/s."""

    protocol_version = "HTTP/1.1"

    def copyfile(self, source: Any, outputfile: Any) -> None:
        time.sleep(0.02)
        while piece := source.read(1 << 16):
            outputfile.write(piece)
            time.sleep(len(piece) / 2e6)

    def log_message(self, *given: object) -> None:
        pass


def ahead(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    import numpy as np
    from PIL import Image

    from tokbench.bench import Job, open_bench
    from tokbench.remote import kept_open
    from tokbench.task import Task

    rng = np.random.default_rng(0)
    (folder / "set").mkdir()
    with tarfile.open(folder / "set.tar", "w") as tar:
        for number in range(16 if options.quick else 48):
            path = folder / "set" / f"{number:03}.jpg"
            noise = rng.normal(128, 40, (48, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).resize((512, 512), 3).save(path, quality=92)
            tar.add(path, path.name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"

    def taken(place: str, reading_ahead: bool) -> float:
        kept_open.cache_clear()
        bench = open_bench(Job("jpeg:50", Task("t", "", "image", "", ["psnr"], "psnr"), place))
        bench.ahead = reading_ahead
        pieces = tuple(bench.dataset.parts[0].slices(0, 8, 16 << 20, None))
        began = time.perf_counter()
        bench.evidence(pieces)
        return time.perf_counter() - began

    places = {
        "files here": str(folder / "set"),
        "a tar here": str(folder / "set.tar"),
        "files behind a slow URL": f"{url}/set/",
        "a tar behind a slow URL": f"{url}/set.tar",
    }
    for name, place in places.items():
        taken(place, False)  # imports
        times: dict[bool, list[float]] = {True: [], False: []}
        for number in range(2 if options.quick else 6):
            times[number % 2 == 0].append(taken(place, number % 2 == 0))
        one, other = (min(times[reading_ahead]) for reading_ahead in (True, False))
        yield Row(
            f"reading ahead, pictures from {name}, against not", f"{one / other:.2f} ×", "≤ 1.05",
            one / other <= 1.05, f"{one:.2f} s and {other:.2f} s",
        )  # fmt: skip
    server.shutdown()


PARTS: dict[str, Callable[[Path, argparse.Namespace], Iterator[Row]]] = {
    "processes": processes, "ray": ray, "together": together, "memory": memory, "resume": resume,
    "moments": moments, "ahead": ahead,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(PARTS))
    parser.add_argument("--bytes", type=float, default=2e9)
    parser.add_argument("--samples", type=float, default=1e6)
    parser.add_argument("--images", type=float, default=5e4)
    parser.add_argument("--spec", default="mistral:v3", help="a tokenizer of a single thread")
    parser.add_argument("--folder", type=Path, help="for what is made; removed at the end")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    unknown = sorted(set(options.only) - set(PARTS))
    if unknown:
        parser.error(f"--only {unknown[0]}: choose of {', '.join(PARTS)}")
    print(f"{machine(PACKAGES)}\n\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="tokbench-scale-") as made:
        for name in options.only:
            folder = Path(made, name)
            folder.mkdir()
            for row in PARTS[name](folder, options):
                print(row, flush=True)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
