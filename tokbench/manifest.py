"""Manifests: TOML files that say what a dataset is, whose, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tokbench.errors import UserError, near
from tokbench.files import builtin
from tokbench.readers import FIELDS
from tokbench.registry import READERS
from tokbench.strict import load_toml


class Hub(msgspec.Struct, forbid_unknown_fields=True):
    """A dataset on the Hugging Face hub. `folder` inside the repository, where the groups are
    folders and not configurations (`data/{group}`). `text`: the column of texts, or `image`: that
    of pictures, which are stored as WebDataset shards."""

    repo: str
    revision: str | None = None
    groups: list[str] = []
    config: str = "default"
    folder: str | None = None
    text: str = "text"
    image: str = ""
    gated: bool = False


class Get(msgspec.Struct, forbid_unknown_fields=True):
    """A file or archive behind a URL. `strip` leading folders are dropped on unpacking."""

    url: str
    sha256: str | None = None
    unpack: Literal["none", "tar.gz", "zip"] = "none"
    strip: Annotated[int, msgspec.Meta(ge=0)] = 0


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """Where a split's files lie under a data root, and the hashes of its known contents."""

    path: str | None = None
    hub_split: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    fingerprints: dict[str, str] = {}


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """A dataset as a file in `data_manifests/` describes it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: str
    modality: Literal["text", "image", "video", "audio"]
    title: str
    description: str
    licence: str
    reader: str
    default_split: str
    splits: dict[str, Split]
    citation: str = ""
    homepage: str = ""
    note: str = ""
    parallel: bool = False
    raw_bytes: bool = False
    varies: str = ""
    generator: str | None = None
    fields: dict[str, str] = {}
    hub: Hub | None = None
    get: Get | None = None


def manifest_names() -> list[str]:
    """Names of the shipped manifests."""
    return sorted(path.stem for path in builtin("data_manifests").glob("*.toml"))


def load_manifest(name: str) -> Manifest:
    """A shipped manifest by name, or one of your own by path (`my-set.toml`)."""
    path = Path(name) if name.endswith(".toml") else builtin("data_manifests") / f"{name}.toml"
    if not path.is_file():
        names = manifest_names()
        raise UserError(
            f"'{name}': no file, folder or dataset of that name{near(name, names)} "
            "(see: tokbench list datasets)"
        )
    manifest = load_toml(path, Manifest)
    if manifest.default_split not in manifest.splits:
        hint = near(manifest.default_split, manifest.splits)
        raise UserError(f"{path}: default_split: no split '{manifest.default_split}'{hint}")
    if manifest.reader not in READERS and ":" not in manifest.reader:
        hint = near(manifest.reader, READERS)
        raise UserError(
            f"{path}: reader: no reader '{manifest.reader}'{hint} (there are {', '.join(READERS)})"
        )
    known = FIELDS.get(manifest.reader, manifest.fields)
    for key in manifest.fields:
        if key not in known:
            knows = f"{manifest.reader} knows {', '.join(known)}" if known else "it has none"
            raise UserError(f"{path}: fields: no field '{key}'{near(key, known)} ({knows})")
    return manifest
