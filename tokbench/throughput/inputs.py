"""What is timed: ordinary text by script and domain, and text that makes tokenizers slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError
from tokbench.media_parts import MediaPart
from tokbench.parts import ListedPart
from tokbench.text.languages import script_of
from tokbench.types import Sample

DOMAINS = ("parallel-mini", "python-stdlib", "numbers")
"""Sets that are there at once: sentences in 24 languages, source code, numbers and dates."""

MOST_BYTES = 512 << 10
"""UTF-8 bytes of one corpus: enough to time, little enough for a slow tokenizer."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Samples of one kind. name: a script (`Latn`) or group; domain: the set they are of.

    amounts: of each sample, in the units of the speeds. rates: of clips, samples (of video
    frames) per second.
    """

    name: str
    domain: str
    samples: list[Any]
    amounts: dict[str, list[float]]
    rates: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, domain: str, texts: list[str]) -> Corpus:
        """Texts, their amounts in UTF-8 megabytes."""
        sizes = [len(text.encode(errors="replace")) / 1e6 for text in texts]
        return cls(name, domain, texts, {"MB/s": sizes})

    def amount(self, count: int, unit: str) -> float:
        """Of the first `count` samples."""
        return sum(self.amounts[unit][:count])


def corpora(data: str | None, split: str | None, limit: int | None) -> list[Corpus]:
    """The corpora of a dataset (or of those that are there at once): languages by script, other
    groups by name. `limit`: documents of each group.

    Raises `UserError` for data that is no text or has none.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name in (data,) if data else DOMAINS:
        dataset = open_dataset(name, split if data else None)
        if dataset.modality != "text":
            raise UserError(f"{dataset.name} is {dataset.modality}, not text")
        labels = [
            script_of(part.group) or (part.group if data else "") or dataset.name
            for part in dataset.parts
        ]
        for part, label in zip(dataset.parts, labels, strict=True):
            texts = found.setdefault((label, dataset.name), [])
            room, taken = MOST_BYTES / labels.count(label), 0
            for number, text in enumerate(part.samples()):
                if taken >= room or (limit is not None and number >= limit):
                    break
                if text:
                    texts.append(text)
                    taken += len(text)
    made = [Corpus.of(*names, texts) for names, texts in found.items() if texts]
    if not made:
        raise UserError(f"{data}: no text to time")
    return made


def as_dataset(several: list[Corpus]) -> Dataset:
    """The same documents as a dataset, to prove on them that two tokenizers agree."""
    parts = [ListedPart(corpus.name, corpus.samples) for corpus in several]
    return Dataset("bench", "0", "all", list(parts))


MEDIA = {"image": "photos-mini", "video": "motion-mini", "audio": "speech-mini"}
MOST_SAMPLES = 16
"""Images, clips or videos that are timed, where `--limit` does not say."""


def media(data: str | None, split: str | None, limit: int | None, tokenizer: Any) -> list[Corpus]:
    """Images, clips or videos as the tokenizer takes them, all groups as one corpus.

    Raises `UserError` for data of another modality, and for what cannot be read.
    """
    from tokbench.audio import clips
    from tokbench.image import fitting
    from tokbench.video.clips import fit as fit_video

    spec = tokenizer.spec
    dataset = open_dataset(data or MEDIA[spec.modality], split if data else None)
    if dataset.modality != spec.modality:
        raise UserError(f"{dataset.name} is {dataset.modality}, {tokenizer.name} {spec.modality}")
    seen: list[Any] = []
    rates: list[Any] = []
    for sample in _read(dataset, limit or MOST_SAMPLES):
        if sample.data is None:
            raise UserError(f"{dataset.name}: {sample.name}: {sample.error}")
        if spec.modality == "image":
            seen.append(fitting.fit(sample.data, spec).pixels)
        elif spec.modality == "video":
            seen.append(fit_video(sample, spec).frames)
            rates.append(sample.fps)
        else:
            fitted = clips.fit(sample, spec)
            seen.append(fitted.data)
            rates.append(fitted.rate)
    if not seen:
        raise UserError(f"{dataset.name}: the dataset is empty")
    if spec.modality == "video":
        frames = [float(len(each)) for each in seen]
        return [Corpus(dataset.name, dataset.name, seen, {"frames/s": frames}, rates)]
    if rates:
        seconds = [each.shape[1] / rate for each, rate in zip(seen, rates, strict=True)]
        return [Corpus(dataset.name, dataset.name, seen, {"× real time": seconds}, rates)]
    amounts = {
        "Mpixel/s": [each.shape[0] * each.shape[1] / 1e6 for each in seen],
        "images/s": [1.0] * len(seen),
    }
    return [Corpus(dataset.name, dataset.name, seen, amounts)]


def _read(dataset: Dataset, most: int) -> Iterator[Sample]:
    """The first samples, of every group in turn."""
    room = most
    for number, part in enumerate(dataset.parts):
        assert isinstance(part, MediaPart)
        share = -(-room // (len(dataset.parts) - number))
        for piece in part.slices(number, 1, 1 << 62, share):
            yield from part.read_samples(piece)[0]
            room -= 1


def _drawn(low: int, high: int) -> Callable[[int, int], str]:
    """Characters of a range of code points, none of them a surrogate, in random order."""

    def made(size: int, turn: int) -> str:
        draws = np.random.default_rng([size, turn])
        codes = draws.integers(low, high, size, dtype=np.uint32)
        # A third from the first plane of many scripts, or nearly all would be rare.
        if high > 0xFFFF:
            codes[::3] %= 0x3000
        codes[(codes >= 0xD800) & (codes < 0xE000)] = 0x4E00
        text = codes.astype("<u4").tobytes().decode("utf-32-le")
        return text.encode()[:size].decode(errors="ignore")

    return made


ADVERSARIAL: dict[str, Callable[[int, int], str]] = {
    "one letter repeated": lambda size, turn: chr(97 + turn % 26) * size,
    "blanks": lambda size, turn: " " * (size - 1) + chr(97 + turn % 26),
    "line feeds": lambda size, turn: "\n" * (size - 1) + chr(97 + turn % 26),
    "unbroken letters": _drawn(97, 123),
    "unbroken digits": _drawn(48, 58),
    "random bytes": _drawn(0, 256),
    "random characters": _drawn(0x20, 0x110000),
}
"""Texts of about `size` UTF-8 bytes. Each `turn` makes another one: a tokenizer that remembers
words must not be asked for the same word twice. Random bytes stand as Latin-1."""
