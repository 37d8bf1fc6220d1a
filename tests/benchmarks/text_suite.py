"""All text tasks that read prose, against the encoder alone, on FLORES-200 dev.

    python tests/benchmarks/text_suite.py FLORES_DEV_FOLDER TOKENIZER_FILE… [--task NAME…]

`raw` reads the same files, loads the tokenizer and calls its own batch encoding, as in
`text_core.py`. The tasks run in one process, one after the other, as `tokbench eval --task A
--task B … --data flores200` runs them: they share what is encoded. Prints a Markdown table:
processor seconds of all threads, their ratio to raw, and the peak of memory so far. `morphology`
is not among them: it reads gold words of its own and no prose, as do tasks that need an analyser.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from text_core import RAW

TASKS = ["premium-flores200", "numbers", "vocabulary", "ambiguity", "robustness", "information"]


def processor_seconds(command: list[str]) -> tuple[float, float]:
    """Of a process, its threads included; and its peak MiB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(name: str, what: str, seconds: float, raw: float, memory: float) -> None:
    print(f"| {name} | {what} | {seconds:.1f} | {seconds / raw:.2f} | {memory:.0f} |", flush=True)


def measure(tokenizer: str, tasks: list[str], raw: float) -> None:
    """Every task in this process, and their sum."""
    began = time.process_time()
    from tokbench.bench import Job
    from tokbench.runner import evaluate
    from tokbench.specs import load_tokenizer
    from tokbench.task import load_task

    name = Path(tokenizer).name
    loaded = load_tokenizer(tokenizer)
    row(name, "start, load", time.process_time() - began, raw, _peak())
    with tempfile.TemporaryDirectory() as scratch:
        for task in tasks:
            started = time.process_time()
            job = Job(tokenizer, load_task(task), "flores200", codes=f"{scratch}/codes")
            evaluate(job, Path(scratch), tokenizer=loaded)
            row(name, task, time.process_time() - started, raw, _peak())
    row(name, "**all**", time.process_time() - began, raw, _peak())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("flores", type=Path)
    parser.add_argument("tokenizer", nargs="+")
    parser.add_argument("--task", nargs="+", default=TASKS)
    parser.add_argument("--raw", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["TOKBENCH_DATA"] = str(options.flores.resolve().parent.parent)
    if options.raw:
        measure(options.tokenizer[0], options.task, options.raw)
        return
    print("| tokenizer | task | processor s | to raw | peak MiB |\n|---|---|---:|---:|---:|")
    for tokenizer in options.tokenizer:
        raw, memory = processor_seconds([sys.executable, "-c", RAW, tokenizer, str(options.flores)])
        row(Path(tokenizer).name, "raw", raw, raw, memory)
        again = [sys.executable, __file__, str(options.flores), tokenizer, "--raw", str(raw)]
        subprocess.run([*again, "--task", *options.task], check=True)


if __name__ == "__main__":
    main()
