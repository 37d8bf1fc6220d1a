"""No model at all: reconstructions that lie in a folder, and token ids that lie in a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tokbench.annotations import files_of, stem_of
from tokbench.audio.clips import SUFFIXES as CLIPS
from tokbench.errors import UserError, near, one_line
from tokbench.files import sha256_file
from tokbench.image import pictures
from tokbench.media_parts import Header
from tokbench.specs import Options
from tokbench.tokenizers.adapter import Adapter
from tokbench.types import Codes, Modality, Ragged, Sample, TokenizerSpec
from tokbench.video.clips import SUFFIXES as VIDEOS
from tokbench.video.clips import pyav, read_video

_SUFFIXES = {"image": pictures.SUFFIXES, "audio": CLIPS, "video": VIDEOS}
_CODED = tuple(suffix for suffix in VIDEOS if suffix != ".y4m")

LISTED = 50
"""The most mismatches of one kind that a refusal names; beyond it they are counted."""


class Stored(Adapter):
    """What is on disk instead of a tokenizer, by the names of the samples."""

    output_rate: int | None = None

    def names(self) -> list[str]:
        """Of what is there."""
        raise AttributeError(f"{type(self).__name__} has no names()")

    def encode(self, batch: Sequence[Any]) -> Codes:
        """Nothing can be encoded."""
        raise UserError(f"{self.name}: holds results, it cannot encode")

    def decode(self, codes: Codes) -> Sequence[Any]:
        """Nothing can be decoded."""
        raise UserError(f"{self.name}: holds results, it cannot decode")

    def check(self, headers: Sequence[Header], whole: bool) -> None:
        """Refuse what does not match the dataset, all of it at once, before anything is scored.

        whole: are these all samples of the dataset? Then nothing else may be there.
        """
        counts = Counter(header.name for header in headers)
        there, spare = set(self.names()), [name for name in self.names() if name not in counts]
        wrong = [
            _listed("twice in the dataset", [n for n, count in counts.items() if count > 1]),
            _listed("missing", [_missing(n, spare) for n in counts if n not in there]),
        ]
        if whole:
            wrong.append(_listed("not in the dataset", spare))
        wrong.append(_listed("of another size", self.misfits(headers)))
        if any(wrong):
            raise UserError(f"{self.name}: " + "; ".join(filter(None, wrong)))

    def misfits(self, headers: Sequence[Header]) -> list[str]:
        """What is there under the right name and has the wrong size."""
        return []


def _missing(name: str, spare: Sequence[str]) -> str:
    hint = near(name, spare).removeprefix("; did you mean ").removesuffix("?")
    return f"{name} (there is {hint})" if hint and len(spare) <= 1000 else name


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f", … and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return f"{len(names):,} {what}: {', '.join(names[:LISTED])}{more}"


class Reconstructions(Stored):
    """`folder:PATH`: what some tokenizer made of a dataset, one file for each sample under the
    sample's name (subfolders included), in any format: what was lost in saving counts as the
    tokenizer's loss, and the record names the formats. Scored without a view: a reconstruction
    has its original's size, a video its frames (those beyond the original's are left out). Clips
    of another rate are resampled as a decoder's output is."""

    def __init__(self, root: Path, name: str, modality: Modality):
        self.name, self._root = name, root
        self._files: dict[str, Path] = {}
        for path in files_of(root, _SUFFIXES[modality]):
            stem = stem_of(root, path)
            if stem in self._files:
                other = self._files[stem].name
                raise UserError(f"{name}: two files for '{stem}': {other} and {path.name}")
            self._files[stem] = path
        counts = Counter(path.suffix.lower() for path in self._files.values())
        formats = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
        lossy = sorted(counts.keys() & {*pictures.LOSSY, ".mp3", ".ogg", ".opus", *_CODED})
        told = f"; {', '.join(lossy)} may have lost something in saving" if lossy else ""
        self.spec = TokenizerSpec(
            modality=modality, algorithm="reconstructions on disk", source=f"files: {formats}{told}"
        )

    def names(self) -> list[str]:
        return list(self._files)

    def identity(self) -> Iterator[bytes | str]:
        yield "reconstructions"
        for name, path in self._files.items():
            yield from (name, path.suffix.lower(), sha256_file(path))

    def misfits(self, headers: Sequence[Header]) -> list[str]:
        if self.spec.modality != "image":
            return []  # a clip's length is measured, as a decoder's is
        found = []
        for header in headers:
            if header.name not in self._files or header.size is None:
                continue
            size = pictures.picture_size(self._files[header.name])
            if size == (0, 0):
                found.append(f"{header.name} (not a readable picture)")
            elif size != header.size:
                (h, w), (height, width) = size, header.size
                found.append(f"{header.name} ({w} × {h} for {width} × {height})")
        return found

    def reconstructions(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        """In the form of the samples. Raises `ValueError` for what cannot be read or does not
        match."""
        return [self._read(sample) for sample in samples]

    def _read(self, sample: Sample) -> np.ndarray:
        assert sample.data is not None
        path = self._files[sample.name]
        if self.spec.modality == "audio":
            from tokbench.audio.clips import read_clip, resampled

            clip, rate = read_clip(path)
            if len(clip) != len(sample.data):
                raise ValueError(f"{len(clip)} channels where the original has {len(sample.data)}")
            return resampled(clip, rate, sample.rate)
        if self.spec.modality == "video":
            picture = read_video(path, len(sample.data))[0]
        else:
            picture = pictures.read_picture(path)
        if picture.shape != sample.data.shape:
            raise ValueError(f"the reconstruction is {picture.shape}, not {sample.data.shape}")
        return picture


class Dump(Stored):
    """`tokens:FILE?vocabulary=K`: the ids that some tokenizer gave each sample. It encodes and
    does not decode, so codes are scored and nothing else.

    FILE is JSON lines, `{"name": …, "ids": […]}` or, with several codebooks, `{"name": …,
    "levels": [[…], […]]}`; or an npz with an array for each sample name, (tokens) or (levels,
    tokens). vocabulary: the size of the codebook, or of each level's, separated by commas."""

    decodes = False

    def __init__(
        self,
        path: Path,
        name: str,
        modality: Literal["image", "audio"],
        sizes: tuple[int, ...],
        rows: dict[str, list[np.ndarray]],
    ):
        self.name, self._path, self._rows = name, path, rows
        for sample, levels in rows.items():
            if len(levels) != len(sizes):
                raise UserError(
                    f"{name}: '{sample}' has {len(levels)} levels, vocabulary has {len(sizes)}"
                )
            for number, (ids, size) in enumerate(zip(levels, sizes, strict=True)):
                if len(ids) and not 0 <= ids.min() <= ids.max() < size:
                    bad = int(ids.max() if ids.min() >= 0 else ids.min())
                    raise UserError(
                        f"{name}: '{sample}': level {number}: id {bad} is outside the "
                        f"vocabulary of {size:,}"
                    )
        self.spec = TokenizerSpec(
            modality=modality, algorithm="token ids on disk", vocabulary=sizes, source=path.name
        )

    def names(self) -> list[str]:
        return list(self._rows)

    def identity(self) -> Iterator[bytes | str]:
        yield from ("tokens", str(self.spec.vocabulary), sha256_file(self._path))

    def stored_codes(self, samples: Sequence[Sample]) -> Codes:
        """The codes of the samples."""
        rows = [self._rows[sample.name] for sample in samples]
        levels = len(self.spec.vocabulary)
        return Codes(tuple(Ragged.of([row[n] for row in rows], np.int64) for n in range(levels)))


def folder(reference: str, options: Options) -> Reconstructions:
    """`folder:PATH`; images, video or clips by the first file that tells."""
    root = Path(reference).expanduser()
    if not root.is_dir():
        raise UserError(f"{options.name}: {root} is not a folder")
    kinds: tuple[Modality, ...] = ("image", "video", "audio")
    there = [kind for kind in kinds if next(files_of(root, _SUFFIXES[kind]), None)]
    if not there:
        raise UserError(f"{options.name}: neither pictures nor clips nor video in {root}")
    if there[0] == "video":
        pyav()
    return Reconstructions(root, options.name, there[0])


def tokens(reference: str, options: Options) -> Dump:
    """`tokens:FILE?vocabulary=1024` (image), `tokens:FILE?vocabulary=1024,1024&modality=audio`."""
    path = Path(reference).expanduser()
    modality = options.choice("modality", ("image", "audio"))
    wanted = (options.take("vocabulary") or "").split(",")
    if not all(size.isdecimal() and int(size) for size in wanted):
        raise UserError(
            f"{options.name}: say the size of the codebook, or of each level's: "
            f"tokens:{reference}?vocabulary=1024 or ?vocabulary=1024,1024"
        )
    if not path.is_file():
        raise UserError(f"{options.name}: no file {path}")
    rows = _npz(path) if path.suffix == ".npz" else dict(_jsonl(path))
    sizes = tuple(map(int, wanted))
    return Dump(path, options.name, "image" if modality == "image" else "audio", sizes, rows)


def _npz(path: Path) -> dict[str, list[np.ndarray]]:
    rows = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                rows[name] = _levels(arrays[name], f"{path}: '{name}'")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a readable npz: {one_line(error)}") from error
    return rows


def _jsonl(path: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    names = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                where = f"{path}: line {number}"
                try:
                    row = json.loads(line)
                    name, ids = row["name"], row["levels"] if "levels" in row else [row["ids"]]
                except (ValueError, KeyError, TypeError) as error:
                    raise UserError(f"{where}: not an object with 'name' and 'ids'") from error
                if name in names:
                    raise UserError(f"{where}: '{name}' comes twice")
                names.add(name)
                yield name, [level for each in ids for level in _levels(each, where)]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read: {one_line(error)}") from error


def _levels(ids: Any, where: str) -> list[np.ndarray]:
    try:
        array = np.asarray(ids if len(ids) else np.empty(0, np.int64))
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: not a list of ids") from error
    if array.dtype.kind not in "iu" or array.ndim not in (1, 2):
        raise UserError(f"{where}: ids are whole numbers, in one list or one for each level")
    return [row.astype(np.int64) for row in np.atleast_2d(array)]
