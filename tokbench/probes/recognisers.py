"""Speech recognisers by name, and what they hear in originals, kept by content."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np

from tokbench.probes.kept import content_of, remembered


class Recogniser(Protocol):
    """Hears the words of a clip.

    rate: of the clips it takes. english: does it know English alone?
    """

    name: str
    rate: int
    english: bool

    def fingerprint(self, vocabulary: Sequence[str] | None = None) -> str:
        """Of its weights, its software, and the lines it is held to."""

    def hear(self, clip: np.ndarray, vocabulary: Sequence[str] | None = None) -> str:
        """The words of a clip (frames,), where there is a vocabulary (lines) of that alone."""


@cache
def recogniser(name: str) -> Recogniser:
    """`pocketsphinx`, or a Whisper of the hub or a folder (`openai/whisper-small`)."""
    if name == "pocketsphinx":
        from tokbench.probes.sphinx import PocketSphinx

        return PocketSphinx()
    from tokbench.probes.whisper import Whisper

    return Whisper(name)


def heard_before(probe: Recogniser, clip: np.ndarray, vocabulary: Sequence[str] | None) -> str:
    """What it hears in an original: from the cache where it heard it before."""
    mark, content = probe.fingerprint(vocabulary), content_of(clip)
    return remembered(probe.name, mark, content, lambda: probe.hear(clip, vocabulary), str)
