"""`tokbench data`."""

from __future__ import annotations

import argparse
import sys

from tokbench import tables
from tokbench.dataset import find_files, open_dataset
from tokbench.errors import FINE, USER, UserError
from tokbench.manifest import load_manifest, manifest_names


def data(options: argparse.Namespace, given: list[str]) -> int:
    """Fetch, verify or list."""
    if options.action == "list":
        names = [options.name] if options.name else manifest_names()
        rows = [_row(name) for name in names]
        tables.emit(["dataset", "licence", "splits", "here"], rows, "table")
        return FINE
    if not options.name:
        raise UserError(f"data {options.action}: which dataset? (see: tokbench list datasets)")
    return _fetch(options) if options.action == "fetch" else _verify(options)


def _row(name: str) -> list[str]:
    manifest = load_manifest(name)
    here = [s for s in manifest.splits if manifest.generator or find_files(manifest, s)]
    return [name, manifest.licence, ", ".join(manifest.splits), ", ".join(here) or "no"]


def _fetch(options: argparse.Namespace) -> int:
    from tokbench.fetch import fetch_dataset

    manifest = load_manifest(options.name)
    for split in (options.split or manifest.default_split).split("+"):
        if split not in manifest.splits:
            open_dataset(options.name, split, fetch=False)  # says which splits there are
        if manifest.generator or find_files(manifest, split):
            print(f"{manifest.name}:{split} is here already")
            continue
        if sys.stderr.isatty():
            print(f"fetching {manifest.name}:{split} …", file=sys.stderr)
        folder = fetch_dataset(manifest, split)
        print(f"{manifest.name}:{split}: in {folder} (licence {manifest.licence})")
    return FINE


def _verify(options: argparse.Namespace) -> int:
    """Compare the content at hand with the manifest's hashes; exit 2 when it differs, or when
    nothing is here to verify."""
    manifest = load_manifest(options.name)
    splits = [options.split] if options.split else list(manifest.splits)
    differ, here = False, 0
    for split in splits:
        try:
            dataset = open_dataset(options.name, split, fetch=False)
        except UserError as error:
            print(f"tokbench: {error}", file=sys.stderr)
            differ |= "differs" in str(error)
            continue
        here += 1
        known = dataset.known
        word = f"is the known content '{known}'" if known else "is here; no such hash is pinned"
        print(
            f"{manifest.name}:{split}: {len(dataset.parts)} groups, {word} ({dataset.fingerprint})"
        )
    return USER if differ or not here else FINE
