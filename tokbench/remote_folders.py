"""Folders of images or clips behind a URL: listed folder by folder, each file read when needed.

What stands for their content in a fingerprint: of each file its path, size and the tag that the
listing gives (ETag, MD5, CRC32C), and its line of `annotations.jsonl`, so that nothing is read
before it is measured. Where a listing gives no tag (plain web servers), a hash of every content,
as of folders here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from tokbench.annotations import NAME, noted
from tokbench.archives import Coded
from tokbench.errors import UserError, near
from tokbench.files import sha256
from tokbench.listing import Files, Listed, Made
from tokbench.media_parts import FileItem, Item, ItemsPart
from tokbench.remote import RemotePath, content, size_of, tag_of

DECODED = 16
"""Decoded bytes for each coded one, about: slices are cut by it, as no header is read for that."""


UNTAGGED = 50
"""Files here that are looked at in the time that one takes of which the listing gives no tag: it
is asked for, and read for its fingerprint."""


class Entry(NamedTuple):
    """A file below a folder: its path within it, its bytes (0 where the store does not say) and
    its tag (likewise empty)."""

    path: str
    size: int
    tag: str


def below(root: RemotePath, again: bool = False) -> Iterator[Entry]:
    """The files below a folder, in the order of `listing.walk`; the file itself where `root` is
    one. The entries of one folder are held at a time; with `again`, of all that are gone through,
    until that is done again: a store takes a request for every thousand files."""
    if root.is_file():
        yield Entry(root.name, size_of(root), tag_of(root.info))
    else:
        yield from _below(root, root.path, "", again)


def _below(root: RemotePath, folder: str, before: str, again: bool) -> Iterator[Entry]:
    found = _entries(root, folder, again)
    for name in sorted(found):
        is_folder, size, tag = found[name]
        if is_folder:
            yield from _below(root, f"{folder}/{name}", f"{before}{name}/", again)
        else:
            yield Entry(before + name, size, tag)


def _entries(root: RemotePath, folder: str, again: bool) -> dict[str, tuple[bool, int, str]]:
    """Of each name in a folder: is it a folder, its bytes and its tag."""
    found = root.listings.pop(folder, None)
    if found is None:
        found = {}
        for entry in root.entries(folder):
            name = str(entry["name"]).rstrip("/").removeprefix(f"{folder}/")
            if name and "/" not in name and "?" not in name:  # else its mark; an index's sorting
                size = int(entry.get("size") or 0)
                found[name] = entry["type"] == "directory", size, tag_of(entry)
    if again:
        root.listings[folder] = found
    return found


class FolderPart(ItemsPart):
    """The images or clips of a folder behind a URL (or one such file), subfolders included.

    said: what is noted of all. `annotations.jsonl` is read as in folders here.
    """

    def __init__(self, group: str, root: RemotePath, coded: Coded, said: Mapping[str, Any]) -> None:
        self._root, self._coded = root, coded
        self._tags = hashlib.sha256()
        self._tagged, self._size = True, 0
        base = root.parent if root.is_file() else root
        files = Files(cast(Path, base), self._listed(root, said))
        super().__init__(group, coded.modality, Made(files, self._item))
        self.dear = 1 if self._tagged else UNTAGGED

    def fingerprint(self) -> str:
        return self._tags.hexdigest() if self._tagged else super().fingerprint()

    def size(self) -> int:
        return self._size

    def _listed(self, root: RemotePath, said: Mapping[str, Any]) -> Iterator[Listed]:
        what = f"{self._coded.noun}s"
        notes = self._notes(root)
        without_file = set(notes)
        none = True
        for entry in below(root):
            name, dot, suffix = entry.path.rpartition(".")
            hidden = not name.rpartition("/")[2] or entry.path.rpartition("/")[2][0] == "."
            if hidden or (dot + suffix).lower() not in self._coded.suffixes:
                continue
            none, known = False, unquote(name) if root.plain_web else name
            without_file -= {f"{known}{dot}{suffix}", known}
            own = notes.get(f"{known}{dot}{suffix}") or notes.get(known) or {}
            told = self._coded.noted(own, {**said, **own})
            self._size += entry.size
            self._tagged = self._tagged and bool(entry.tag)
            self._tags.update(sha256(known, str(entry.size), entry.tag, repr(told)).encode())
            yield Listed(known, entry.path, told, entry.size)
        if none:
            raise UserError(f"{root}: no {what} ({', '.join(self._coded.suffixes)})")
        if without_file and root.is_dir():
            name = min(without_file)
            hint = near(name, (entry.path.rpartition(".")[0] for entry in below(root)))
            raise UserError(f"{root / NAME}: no file '{name}'{hint}")

    def _notes(self, root: RemotePath) -> dict[str, dict[str, Any]]:
        if root.is_file() or NAME not in _entries(root, root.path, again=True):
            return {}
        path = root / NAME
        try:
            return noted(path, content(path).decode("utf-8").splitlines())
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not text: {error}") from error

    def _item(self, file: FileItem) -> Item:
        path: Any = file.path

        def coded() -> Item:
            return self._coded.item(file.name, content(path), file.notes)

        return Item(
            lambda: coded().load(),
            lambda: DECODED * (file.size or size_of(path)),
            lambda: file.digest_of(hashlib.sha256(content(path)).hexdigest()),
        )
