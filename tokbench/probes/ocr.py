"""Probes that read text in pictures, and what they read in originals, kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np

from tokbench.files import sha256
from tokbench.image.words import Box, Word, crop
from tokbench.probes.kept import content_of, keep, recalled, remembered
from tokbench.registry import PROBES


class TextProbe(Protocol):
    """Reads text in pictures, uint8 (height, width, 3) RGB."""

    name: str

    def fingerprint(self) -> str:
        """Hex digest of weights and version: of everything that its readings depend on."""

    def recognise(self, crops: Sequence[np.ndarray]) -> list[str]:
        """The text of each crop, which depends on that crop alone."""

    def read(self, picture: np.ndarray) -> list[Word]:
        """Text found anywhere in a picture, with boxes."""


@cache
def text_probe(name: str) -> TextProbe:
    """A probe by registered name or `my.pkg:Class`, one for each process."""
    return PROBES.get(name)()


def known_probe(name: str) -> None:
    """Refuse a name that nothing answers to, without loading what does."""
    if name not in PROBES:
        PROBES.get(name)


def kept_readings(probe: TextProbe, picture: np.ndarray, boxes: Sequence[Box]) -> list[str]:
    """What the probe reads in each box of a picture that will come again (an original). A picture's
    readings are kept box by box: another task looks at other words of it."""
    fingerprint, content = probe.fingerprint(), sha256("words", content_of(picture))
    known: dict[str, str] = recalled(probe.name, fingerprint, content, dict[str, str]) or {}
    names = [",".join(map(str, box)) for box in boxes]
    new = [row for row, name in enumerate(names) if name not in known]
    if new:
        read = probe.recognise([crop(picture, boxes[row]) for row in new])
        known |= {names[row]: text for row, text in zip(new, read, strict=True)}
        keep(probe.name, fingerprint, content, known)
    return [known[name] for name in names]


def kept_page(probe: TextProbe, picture: np.ndarray) -> list[Word]:
    """What the probe finds and reads in a picture that will come again."""

    def read() -> list[tuple[str, Box]]:
        return [(word.text, word.box) for word in probe.read(picture)]

    found = remembered(
        probe.name, probe.fingerprint(), content_of(picture), read, list[tuple[str, Box]]
    )
    return [Word(text, box) for text, box in found]
