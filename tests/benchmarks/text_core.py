"""All core text metrics against the encoder alone: whole processes, in turn, same machine.

    python tests/benchmarks/text_core.py FLORES_DEV_FOLDER TOKENIZER_FILE… [--runs 3]

`raw` reads the same files, loads the tokenizer and calls its own batch encoding; `warm` and
`cold` are `tokbench eval --task premium-flores200` with and without its cache of word counts.
Prints a Markdown table of median wall seconds, the ratios to raw, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from beside import Row

RAW = """
import sys
from pathlib import Path
path, folder = sys.argv[1:]
lines = [line for file in sorted(Path(folder).iterdir())
         for line in file.read_text(encoding="utf-8").split("\\n")[:-1]]
if path.endswith(".json"):
    import tokenizers
    tokenizers.Tokenizer.from_file(path).encode_batch_fast(lines, add_special_tokens=False)
elif path.endswith(".model"):
    import sentencepiece
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    processor.encode(lines)
else:
    from tokbench.specs import load_tokenizer
    load_tokenizer(path)._encoding.encode_ordinary_batch(lines)
"""


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds and peak MiB of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def rows(flores: Path, tokenizers: list[Path], runs: int) -> Iterator[Row]:
    """Whole processes, warm and cold, beside the encoder alone."""
    for tokenizer in tokenizers:
        raw, warm, cold, _ = measured(flores, str(tokenizer), runs)
        for kind, ours in (("warm", warm), ("cold", cold)):
            what = f"core text metrics, {tokenizer.name}, {kind}"
            yield Row(what, "encoder alone", ours, raw, "–")


def measured(flores: Path, tokenizer: str, runs: int) -> tuple[float, float, float, float]:
    """Median seconds raw, warm and cold; peak MiB."""
    times: dict[str, list[float]] = {"raw": [], "warm": [], "cold": []}
    peak = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        environment = {
            **os.environ,
            "TOKBENCH_DATA": str(flores.resolve().parent.parent),
            "TOKBENCH_CACHE": str(cache),
            "PYTHONDONTWRITEBYTECODE": "",  # a package that pip installed is compiled
        }
        measure = [sys.executable, "-m", "tokbench", "eval", tokenizer, "--task",
                   "premium-flores200", "--out", f"{scratch}/runs", "--again"]  # fmt: skip
        for _ in range(runs):
            raw = [sys.executable, "-c", RAW, tokenizer, str(flores)]
            times["raw"].append(timed(raw, environment)[0])
            shutil.rmtree(cache, ignore_errors=True)
            times["cold"].append(timed(measure, environment)[0])
            seconds, memory = timed(measure, environment)
            times["warm"].append(seconds)
            peak = max(peak, memory)
    raw_s, warm, cold = (statistics.median(times[name]) for name in ("raw", "warm", "cold"))
    return raw_s, warm, cold, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("flores", type=Path)
    parser.add_argument("tokenizer", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| tokenizer | raw s | warm s | cold s | warm/raw | cold/raw | peak MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for tokenizer in options.tokenizer:
        raw_s, warm, cold, peak = measured(options.flores, tokenizer, options.runs)
        print(f"| {Path(tokenizer).name} | {raw_s:.2f} | {warm:.2f} | {cold:.2f} | "
              f"{warm / raw_s:.2f} | {cold / raw_s:.2f} | {peak:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
