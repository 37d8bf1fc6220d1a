"""What a discrete tokenizer learns on the spot: a quantiser of vectors, kept in the cache."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError
from tokbench.files import atomic_write, cache_dir, sha256
from tokbench.media_parts import MediaPart
from tokbench.specs import Options
from tokbench.tokenizers.quantisers import KINDS, Quantiser, TooFew
from tokbench.types import Codes, Sample, TokenizerSpec

VERSION = 1
"""Raise it when a change changes what is learnt: it is part of the cache's key."""
_EACH = 32
"""Vectors for each code to learn from; of more, an even sample is taken."""
_THINGS = {"image": "images", "audio": "clips"}


class Field(NamedTuple):
    """The vectors (n, d) of one sample and the shape in which they lie."""

    vectors: np.ndarray
    shape: tuple[int, ...]


class Source(Protocol):
    """Where vectors come from and go to: whole numbers, in multiples of 1 / `unit`.

    prepared: the samples that could be read, as `fields` takes them; fields: their vectors, and
    what else a decoder needs.
    """

    unit: int
    spec: TokenizerSpec

    def identity(self) -> str: ...
    def prepared(self, samples: Sequence[Sample]) -> list[np.ndarray]: ...
    def fields(self, batch: Sequence[np.ndarray]) -> tuple[list[Field], Codes]: ...


@dataclass(frozen=True)
class Recipe:
    """What is learnt: a kind of quantiser, its numbers, and how many codes they come to."""

    kind: str
    numbers: tuple[int, ...]
    codes: int
    learn: Callable[[np.ndarray], Quantiser]

    def learnt(self, source: Source, options: Options, on: str) -> tuple[Quantiser, str]:
        """From the cache, or from the samples of the option `on` (the default is given), with
        `split` and `limit`; and the name of the data.

        Raises `UserError` for data of another modality, and for too little of it.
        """
        on, split = str(options.take("on", on)), options.take("split")
        limit = options.integer("limit", 0, 0, 1 << 40)
        options.done()  # before the work, not after it
        dataset = open_dataset(on, split)
        wanted = source.spec.modality
        if dataset.modality != wanted:
            raise UserError(
                f"{options.name}: on={on}: {dataset.modality} data; give {_THINGS[wanted]}"
            )
        numbers = map(str, (VERSION, limit, *self.numbers))
        key = sha256(self.kind, *numbers, source.identity(), dataset.fingerprint)
        path = cache_dir() / "trained" / f"{key}.npz"
        if not path.exists():
            try:
                made = self.learn(_sample(dataset, source, limit, _EACH * self.codes))
            except TooFew as error:
                raise UserError(
                    f"{options.name}: {dataset.label} gives {error.found:,} distinct vectors for "
                    f"{self.codes:,} codes; give more {_THINGS[wanted]} with on= or ask for fewer "
                    "codes"
                ) from error
            file = io.BytesIO()
            np.savez(file, allow_pickle=False, **made.arrays())
            atomic_write(path, file.getvalue())
        with np.load(path, allow_pickle=False) as arrays:
            return KINDS[self.kind](**{name: arrays[name] for name in arrays.files}), dataset.label


def _sample(dataset: Dataset, source: Source, limit: int, most: int) -> np.ndarray:
    """The vectors of all samples; of more than `most`, a seeded even choice in their order."""
    rng = np.random.default_rng(0)
    kept, draws = np.empty((0, 0)), np.empty(0)
    for batch in _batches(dataset, source, limit):
        found = np.concatenate([field.vectors for field in source.fields(batch)[0]])
        kept = np.concatenate([kept, found]) if kept.size else found
        draws = np.concatenate([draws, rng.random(len(found))])
        if len(kept) > most:
            chosen = np.sort(np.argpartition(draws, most)[:most])
            kept, draws = kept[chosen], draws[chosen]
    if not kept.size:
        raise UserError(f"{dataset.label}: nothing in it can be read")
    return kept


def _batches(dataset: Dataset, source: Source, limit: int) -> Iterator[list[np.ndarray]]:
    for number, part in enumerate(dataset.parts):
        assert isinstance(part, MediaPart)
        for piece in part.slices(number, 16, 1 << 25, limit or None):
            if batch := source.prepared(part.read_samples(piece)[0]):
                yield batch
