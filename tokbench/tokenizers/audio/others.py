"""A floor of real sound: every clip replaced by another clip of the same set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokbench.audio.clips import resampled
from tokbench.errors import UserError
from tokbench.files import sha256
from tokbench.media_parts import Item, ItemsPart, MediaPart
from tokbench.tokenizers.adapter import Adapter
from tokbench.types import Codes, Sample, TokenizerSpec

TRIED = 64
"""Clips looked at for one of another speaker with other words."""


class OtherUtterance(Adapter):
    """`other-utterance`: in place of a clip another one of its group, so what no codec may fall
    below: speech as good as the set's, of someone else, who says something else.

    The clips of a group stand in a circle, in the order of a hash of their names and of `seed`;
    each is replaced by the next one that has another speaker and another transcript, as far as
    the notes say, among 64; else by the next. The clip keeps its own length, and is brought to the
    rate and channels of the one it replaces. With `--limit` only the limited clips are in the
    circle. It has no codes: bitrates are refused.
    """

    name = "other-utterance"
    output_rate: int | None = None
    rates: Sequence[int] = ()

    def __init__(self, seed: str = "0"):
        if not str(seed).isdecimal():
            raise UserError(f"other-utterance: seed={seed}: give a whole number")
        self.seed = int(seed)
        self.name = "other-utterance" + (f"?seed={self.seed}" if self.seed else "")
        self.spec = TokenizerSpec(
            modality="audio", algorithm="another clip of the set", source="tokbench"
        )
        self._circles: dict[str, tuple[list[Item], int]] = {}

    def identity(self) -> tuple[bytes | str, ...]:
        return "other-utterance", str(self.seed)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        raise UserError(f"{self.name}: replaces clips, it cannot encode")

    def decode(self, codes: Codes) -> list[np.ndarray]:
        raise UserError(f"{self.name}: replaces clips, it cannot decode")

    def attend(self, parts: Sequence[MediaPart], limit: int | None) -> None:
        """Learn which clips there are: the parts of the dataset, and how many of each are used."""
        self._circles = {}
        for part in parts:
            if not isinstance(part, ItemsPart):
                raise UserError(f"{self.name}: clips of archives cannot be had out of order")
            pairs = [(h.name, i) for i, h in zip(part.items[:limit], part.headers(), strict=False)]
            order = sorted(pairs, key=lambda pair: sha256(str(self.seed), pair[0]))
            items = [item for _, item in order]
            for place, (name, _) in enumerate(order):
                if name in self._circles:
                    raise UserError(f"{self.name}: two clips of the dataset are called '{name}'")
                self._circles[name] = items, place

    def reconstructions(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        """Another clip for each. Raises `ValueError` where the group has no other."""
        return [self._fitted(self._other(sample), sample) for sample in samples]

    def _other(self, sample: Sample) -> Sample:
        items, place = self._circles[sample.name]
        first = None
        for step in range(1, min(len(items), TRIED + 1)):
            other = items[(place + step) % len(items)].load()
            if other.data is None:
                continue
            if _unlike(sample, other):
                return other
            first = first or other
        if first is None:
            raise ValueError("no other clip in its group")
        return first

    @staticmethod
    def _fitted(other: Sample, sample: Sample) -> np.ndarray:
        assert other.data is not None and sample.data is not None
        clip = resampled(other.data, other.rate, sample.rate)
        if len(clip) != len(sample.data):
            clip = np.repeat(clip.mean(0, keepdims=True), len(sample.data), 0)
        return clip


def _unlike(sample: Sample, other: Sample) -> bool:
    """Does nothing that the notes say of both agree?"""
    keys = [k for k in ("speaker", "transcript") if k in sample.notes and k in other.notes]
    return all(sample.notes[key] != other.notes[key] for key in keys)
