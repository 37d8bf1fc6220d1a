"""tokbench beside the alternatives: one Markdown table, same machine, same run, one thread.

    pip install 'tokbench[benchmarks]'
    python tests/benchmarks/run.py [--only images,audio,frechet,text] [--runs 3]

Pictures and clips are those that come with tokbench, or `--pictures` and `--clips` (a dataset or
folder). Text needs FLORES-200 dev and tokenizer files: `--flores FOLDER --tokenizer FILE…`. A ratio
is tokbench's median processor seconds over theirs (text: wall seconds of whole processes): under 1
is faster. `--quick` takes fewer and smaller samples.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before any library is imported: one core for everyone

from beside import HEADER, Row, machine  # noqa: E402

PARTS = ("images", "audio", "frechet", "text")
PACKAGES = (
    "numpy", "scipy", "torch", "scikit-image", "torchmetrics", "piq", "torch-fidelity",
    "pytorch-fid", "clean-fid", "pesq", "pystoi", "tokenizers", "tiktoken", "sentencepiece",
)  # fmt: skip


def chosen(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of the parts asked for."""
    if "images" in options.only:
        from image_core import rows as images

        yield from images(options.pictures, options.runs, 2 if options.quick else 8)
    if "audio" in options.only:
        from audio_core import rows as audio

        yield from audio(options.clips, options.runs, 3 if options.quick else 8)
    if "frechet" in options.only:
        from frechet import rows as frechet

        yield from frechet(1, *((2000, 1024) if options.quick else (5000, 2048)))
    if "text" in options.only and options.flores:
        from text_core import rows as text

        yield from text(options.flores, options.tokenizer, options.runs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(PARTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pictures", default="photos-mini")
    parser.add_argument("--clips", default="speech-mini")
    parser.add_argument("--flores", type=Path)
    parser.add_argument("--tokenizer", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    unknown = sorted(set(options.only) - set(PARTS))
    if unknown:
        parser.error(f"--only {unknown[0]}: choose of {', '.join(PARTS)}")
    print(f"{machine(PACKAGES)}\n\n{HEADER}", flush=True)
    for row in chosen(options):
        print(row, flush=True)


if __name__ == "__main__":
    main()
