"""`tokbench mixture`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tokbench import tables
from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError
from tokbench.files import atomic_write, slug
from tokbench.mixture import Mixture, infer
from tokbench.pretokens import BLOCKS, Source, count
from tokbench.programme import GAP
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text.adapter import TextTokenizer

CUT = 0.2
"""Slack, as a share of the merges' counts, above which the text is said to be unlike."""


def mixture(options: argparse.Namespace, given: list[str]) -> int:
    """Infer what shares of the categories a BPE was trained on."""
    tokenizer = load_tokenizer(options.spec)
    if not isinstance(tokenizer, TextTokenizer):
        raise UserError(f"{tokenizer.name}: a tokenizer of {tokenizer.spec.modality}, not of text")
    merges = tokenizer.merges()
    if merges is None:
        raise UserError(
            f"{tokenizer.name}: has no merges: mixture inference needs a BPE that lists them "
            "(tokenizer.json, vocab.bpe), ranks (tiktoken, Tekken) or scores them (SentencePiece)"
        )
    dataset = open_dataset(options.on, options.split)
    if dataset.raw_bytes:
        raise UserError(f"{dataset.name}: bytes that are no text have no pretokens")
    if len(dataset.parts) < 2:
        raise UserError(
            f"{dataset.name}: one category; give data with several groups, or a folder with a "
            "file for each category"
        )
    source = Source(options.spec, options.on, options.split, options.bytes_per_category)
    _say("counting pretokens")
    pretokens = count(source, tokenizer, dataset, options.workers)
    found = infer(
        merges,
        pretokens,
        most=options.merges,
        bootstrap=options.bootstrap,
        seed=options.seed,
        workers=options.workers,
        progress=_say,
    )
    _say("")
    about = {
        "tokenizer": tokenizer.name,
        "fingerprint": tokenizer.fingerprint(),
        "data": dataset.label,
        "bytes_per_category": options.bytes_per_category,
        "bootstrap": options.bootstrap,
        "seed": options.seed,
    }
    content = json.dumps(about | asdict(found), ensure_ascii=False)
    if options.out:
        path = Path(options.out) / f"mixture--{slug(tokenizer.name)}.json"
        atomic_write(path, content.encode() + b"\n")
    if options.format == "json":
        print(content)
    else:
        _print(found, tokenizer.name, dataset, options)
    return 0


def _say(line: str) -> None:
    """Where the work is, on a terminal, in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _print(found: Mixture, name: str, dataset: Dataset, options: argparse.Namespace) -> None:
    if options.format == "table":
        print(f"{name}: its training text as a mixture of {dataset.label}\n")
    order = sorted(range(len(found.shares)), key=lambda i: -found.shares[i])
    intervals = found.intervals
    rows = [
        [
            found.categories[i], f"{found.shares[i]:.4f}",
            "{:.4f} … {:.4f}".format(*intervals[i]) if intervals else "",
            f"{found.sizes[i]:,}",
        ]
        for i in order
    ]  # fmt: skip
    header = ["category", "share of bytes", "95 % interval", "bytes read"]
    tables.emit(header, rows, options.format, (1, 2, 3))
    out = sys.stderr if options.format == "csv" else sys.stdout
    for line in _notes(found, options.bootstrap):
        print(line, file=out)


def _notes(found: Mixture, replicates: int) -> list[str]:
    """What a reader of the numbers has to know."""
    notes = [
        "",
        f"{found.used:,} of the first {found.merges:,} merges used (those that occur 10 times), "
        f"{found.constraints:,} constraints after {found.rounds} rounds, "
        f"slack {found.slack:.1%} of the merges' occurrences",
        "shares sum to 1 over these categories: text of any other kind is counted as one of them",
    ]
    if replicates:
        notes.append(
            f"intervals: 1.96 standard deviations of {replicates} bootstrap replicates over "
            f"{BLOCKS} blocks of each category; they know of this text's chance alone, not of how "
            "little or unlike the tokenizer's own text was"
        )
    if found.slack > CUT:
        notes.append(
            "warning: the text orders its pairs unlike the tokenizer; categories may be missing, "
            "or the text is too little or of another kind"
        )
    if found.gap > GAP:
        notes.append(f"warning: not converged: constraints left out may take {found.gap:.1%} more")
    return notes
