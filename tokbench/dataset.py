"""Datasets: manifests (TOML) that say what a set is and how to get it, and paths of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tokbench.errors import UserError, listed, near
from tokbench.files import builtin, data_roots, sha256
from tokbench.glance import is_large
from tokbench.manifest import Manifest, load_manifest, manifest_names
from tokbench.media_kinds import media_of
from tokbench.parts import Chain, ListedPart, Part
from tokbench.readers import Found
from tokbench.registry import READERS, locate
from tokbench.remote import is_url, located
from tokbench.text.programming import SUFFIXES


@dataclass
class Dataset:
    """Samples in groups, ready to be read.

    fingerprint: hash of the content of every group, in order.
    known: name of the content among the manifest's fingerprints, or empty.
    """

    name: str
    version: str
    split: str
    parts: list[Part]
    parallel: bool = False
    raw_bytes: bool = False
    manifest: Manifest | None = None
    reader: str = "lines"
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        return self.parts[0].modality if self.parts else "text"

    @property
    def groups(self) -> list[str]:
        return [part.group for part in self.parts]

    @cached_property
    def fingerprint(self) -> str:
        with ThreadPoolExecutor() as pool:  # hashing waits for files, and lets other threads work
            prints = pool.map(lambda part: part.fingerprint(), self.parts)
            content = [f"{part.group}={it}" for part, it in zip(self.parts, prints, strict=True)]
        how = [self.reader, *(f"{k}={v}" for k, v in sorted(self.fields.items()))]
        how += [f"parallel={self.parallel}", f"raw_bytes={self.raw_bytes}"]
        return sha256("dataset", *how, *content)

    @property
    def known(self) -> str:
        if self.manifest is None:
            return ""
        split = self.manifest.splits.get(self.split)
        if split is None:
            return ""
        return next((k for k, v in split.fingerprints.items() if v == self.fingerprint), "")

    def only(self, groups: Sequence[str]) -> Dataset:
        """The same data with these groups alone: labels, or languages (`tur` of `tur_Latn`).
        The fingerprint stays that of the whole, whose content a manifest knows."""
        if not groups:
            return self
        kept = [
            part
            for part in self.parts
            if part.group in groups or part.group.partition("_")[0] in groups
        ]
        there = {name for part in kept for name in (part.group, part.group.partition("_")[0])}
        for name in groups:
            if name not in there:
                raise UserError(
                    f"{self.name}: no group '{name}'{near(name, self.groups)}; it has "
                    + listed(self.groups)
                )
        few = replace(self, parts=kept)
        few.__dict__["fingerprint"] = self.fingerprint
        return few

    @property
    def label(self) -> str:
        """`name@version:split#hash`, the dataset's part of a signature."""
        return f"{self.name}@{self.version}:{self.split}#{self.fingerprint[:8]}"


def open_dataset(
    reference: str, split: str | None = None, fetch: bool = True, glance: bool = False
) -> Dataset:
    """A dataset by manifest name, by path (`./numbers` where a manifest has the name) or by URL.

    `split` may join several with `+`: their samples follow each other in every group.
    Missing files are fetched as the manifest says; `UserError` says how when they cannot be.

    glance: for a plan. Of a large set nothing is read whole: its fingerprint is that of its
    manifest (empty without one), and files named by languages are taken to be parallel.
    """
    if is_url(reference):
        return _from_path(located(reference), split, glance)
    shipped = "/" not in reference and reference in manifest_names()
    if not shipped and Path(reference).exists() and not reference.endswith(".toml"):
        return _from_path(Path(reference), split, glance)
    manifest = load_manifest(reference)
    split = split or manifest.default_split
    opened = [_open_split(manifest, one, fetch, glance) for one in split.split("+")]
    first = opened[0]
    if len(opened) == 1:
        return first
    for other in opened[1:]:
        if other.groups != first.groups:
            raise UserError(f"{manifest.name}: splits {split} do not have the same groups")
    for dataset in opened if manifest.parallel else ():
        listed = [part for part in dataset.parts if isinstance(part, ListedPart)]
        if len({part.index.tobytes() for part in listed}) > 1:
            raise UserError(
                f"{manifest.name}: {dataset.split} has gaps, after which joined splits would not "
                "match across groups; evaluate the splits one by one"
            )
    parts = [
        Chain([dataset.parts[number] for dataset in opened]) for number in range(len(first.parts))
    ]
    return Dataset(
        manifest.name,
        manifest.version,
        split,
        list(parts),
        manifest.parallel,
        manifest.raw_bytes,
        manifest,
        manifest.reader,
        manifest.fields,
    )


def _open_split(manifest: Manifest, split: str, fetch: bool, glance: bool) -> Dataset:
    if split not in manifest.splits:
        raise UserError(
            f"{manifest.name}: no split '{split}'{near(split, manifest.splits)} "
            f"(splits: {', '.join(manifest.splits)})"
        )
    if manifest.generator is not None:
        parts = locate(manifest.generator)()
    else:
        found = find_files(manifest, split)
        if not found and fetch and (manifest.get or manifest.hub):
            from tokbench.fetch import fetch_dataset

            fetch_dataset(manifest, split)
            found = find_files(manifest, split)
        if not found:
            raise UserError(_how_to_get(manifest, split))
        parts = READERS.get(manifest.reader)(found, manifest.fields)
    dataset = Dataset(
        manifest.name,
        manifest.version,
        split,
        parts,
        manifest.parallel,
        manifest.raw_bytes,
        manifest,
        manifest.reader,
        manifest.fields,
    )
    known = manifest.splits[split].fingerprints
    if glance and is_large(parts):
        dataset.__dict__["fingerprint"] = next(iter(known.values()), "")
    elif known and not manifest.varies and dataset.fingerprint not in known.values():
        raise UserError(
            f"{manifest.name}:{split}: the content differs from the manifest's hash (found "
            f"{dataset.fingerprint[:12]}…, expected {next(iter(known.values()))[:12]}…); "
            f"see `tokbench data verify {manifest.name}`, or give the folder with --data PATH"
        )
    return dataset


def _how_to_get(manifest: Manifest, split: str) -> str:
    path = manifest.splits[split].path or f"{manifest.name}/{split}"
    way = (
        f"run `tokbench data fetch {manifest.name}`"
        if manifest.get or manifest.hub
        else "see its homepage"
    )
    return f"{manifest.name}:{split}: no files at {path} under TOKBENCH_DATA or the cache; {way}"


def find_files(manifest: Manifest, split: str) -> Found:
    """The split's files under the first data root that has any, by group."""
    pattern = manifest.splits[split].path
    if pattern is None:
        suffix = "tar" if manifest.hub and manifest.hub.image else "jsonl"
        pattern = f"{manifest.name}/{split}/{{group}}.{suffix}"
    roots = [*data_roots(), builtin("data_manifests")]
    before, marker, after = pattern.partition("{group}")
    for root in roots:
        if not marker:
            whole_folder = manifest.modality != "text" and (root / pattern).is_dir()
            if whole_folder or (root / pattern).is_file():
                return [("", root / pattern)]
            continue
        folder = (root / before).parent if not before.endswith("/") else root / before
        if not folder.is_dir():
            continue
        start = before.rpartition("/")[2]
        found = [
            (path.name[len(start) : len(path.name) - len(after)], path)
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name.startswith(start) and path.name.endswith(after)
        ]
        if found:
            return found
    return []


_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "tsv",
    ".po": "po",
    ".bin": "binary",
}


def _from_path(path: Path, split: str | None, glance: bool = False) -> Dataset:
    dataset = _of_path(path, split, glance)
    if glance and is_large(dataset.parts):
        dataset.__dict__["fingerprint"] = ""
    return dataset


def _of_path(path: Path, split: str | None, glance: bool) -> Dataset:
    """A file or folder of one's own: groups are files, named by their stem; source code by
    language, in folders below too."""
    from tokbench.text.languages import is_code

    if split not in (None, "all"):
        raise UserError(f"--split {split}: {path} is a path and has no splits")
    media, how = media_of(path)
    if media:
        parts = READERS.get(media)([("", path)], how)
        return Dataset(path.resolve().name, "local", "all", parts, reader=media, fields=how)
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
    files = [file for file in files if not file.name.startswith(".")]
    if path.is_dir() and all(file.suffix in SUFFIXES for file in files):
        below = (p for p in path.rglob("*") if p.is_file() and p.suffix in SUFFIXES)
        files = sorted(p for p in below if not _hidden(p.relative_to(path)))
    if not files:
        raise UserError(f"{path}: no files in this folder")
    readers = {_reader_of(file) for file in files}
    if len(readers) > 1:
        raise UserError(
            f"{path}: files of several kinds ({', '.join(sorted(readers))}); one kind a folder"
        )
    reader = readers.pop()
    alone = len(files) == 1 and reader != "po"  # a catalogue brings the msgids as a second group
    found = [("" if alone else _stem(file), file) for file in files]
    if reader == "source":
        found = sorted((SUFFIXES[file.suffix], file) for file in files)
    labels = [group for group, _ in found] if reader != "source" else []
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise UserError(f"{path}: two files are named '{twice}'; each group needs its own name")
    if reader == "tsv" and len(files) > 1:
        raise UserError(f"{path}: give one .tsv table, not a folder of them")
    parts = READERS.get(reader)(found, {})
    codes = len(parts) > 1 and all(is_code(part.group) for part in parts)
    unread = glance and is_large(parts)
    parallel = reader == "po" or (codes and (reader == "tsv" or unread or _same_length(parts)))
    return Dataset(
        path.resolve().name, "local", "all", parts, parallel, reader == "binary", None, reader
    )


def _same_length(parts: Sequence[Part]) -> bool:
    """Do all groups have the same number of samples? (Named by language codes, they are then
    taken to be translations of each other.)"""
    lengths = {
        sum(piece.count for piece in part.slices(0, 1 << 30, 1 << 24, None)) for part in parts
    }
    return len(lengths) == 1


def _reader_of(file: Path) -> str:
    name = file.name.removesuffix(".gz").removesuffix(".zst").removesuffix(".zstd")
    return "source" if file.suffix in SUFFIXES else _BY_SUFFIX.get(Path(name).suffix, "lines")


def _hidden(path: Path) -> bool:
    return any(piece.startswith(".") for piece in path.parts)


def _stem(file: Path) -> str:
    return file.name.split(".")[0]
