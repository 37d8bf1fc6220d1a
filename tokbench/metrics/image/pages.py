"""OCR-CER and OCR-WER: does a probe find and read the same text in whole pictures? (VTBench)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from tokbench.image.words import in_reading_order, words_of
from tokbench.measured import Measured
from tokbench.media import EncodedMedia
from tokbench.metrics.metric import Metric
from tokbench.probes.ocr import kept_page, known_probe, text_probe
from tokbench.statistics import Statistic
from tokbench.types import Score

AGAINST = {
    "": ("read", "original"),
    "/truth": ("read", "truth"),
    "/original": ("original", "truth"),
}
"""What is compared with what: the reconstruction's text with the original's, with the ground
truth, and (the ceiling) the original's with the ground truth."""


def pages_read(encoded: EncodedMedia, probe: str = "rapidocr") -> Statistic:
    """For each picture, of `AGAINST`: edits in characters and in words, and the length of what
    is compared with. Pictures without annotation have no ground truth: 0 edits of 0."""
    from rapidfuzz.distance import Levenshtein

    reader, name = text_probe(probe), prefix(probe)
    names = [f"{name}:{kind}:{what}" for kind in AGAINST for what in ("c", "cn", "w", "wn")]
    columns = {column: np.zeros(len(encoded.batch), np.int64) for column in names}
    for row, (sample, output) in enumerate(
        zip(encoded.batch.samples, encoded.outputs, strict=True)
    ):
        assert sample.data is not None
        found = {
            "read": reader.read(output),
            "original": kept_page(reader, sample.data),
            "truth": words_of(sample),
        }
        texts = {key: " ".join(w.text for w in in_reading_order(v)) for key, v in found.items()}
        for kind, (one, other) in AGAINST.items():
            if other == "truth" and not found["truth"]:
                continue
            a, b = texts[one], texts[other]
            characters = Levenshtein.distance(a, b), len(b)
            words = Levenshtein.distance(a.split(), b.split()), len(b.split())
            for what, value in zip(("c", "cn", "w", "wn"), characters + words, strict=True):
                columns[f"{name}:{kind}:{what}"][row] = value
    return Statistic(columns)


def prefix(probe: str) -> str:
    """With which the columns of this probe begin."""
    return f"pages-{probe}"


class PageReading(Metric):
    """What OCR-CER and OCR-WER share."""

    statistics = ("pages-read",)
    needs = ("reconstruction",)
    better, aggregation = "lower", "ratio of sums"
    reference = "VTBench (2505.13439), corrected: at full size, and with word edits for WER"
    letter: ClassVar[str]

    def __init__(self, *, probe: str = "rapidocr") -> None:
        known_probe(probe)
        self.probe = probe
        self.statistics = (f"pages-read?probe={probe}",)
        self.label = self.name if probe == "rapidocr" else f"{self.name}-{probe}"

    def check(self, groups: Sequence[str]) -> None:
        text_probe(self.probe)

    def signature(self) -> str:
        """With the fingerprint of the probe."""
        told = f"probe:{self.probe}"
        short = text_probe(self.probe).fingerprint()[:8]
        return super().signature().replace(told, f"{told}#{short}", 1)

    def result(self, measured: Measured) -> Iterator[Score]:
        for kind, (_, other) in AGAINST.items():
            top = f"{prefix(self.probe)}:{kind}:{self.letter}"
            why = (
                "no picture's words are annotated"
                if other == "truth"
                else f"{self.probe} reads nothing in the originals"
            )
            empty = np.flatnonzero(measured.totals(f"{top}n") == 0).tolist()
            yield from measured.ratio(
                f"{self.label}{kind}", top, f"{top}n", self.unit, self.better,
                dict.fromkeys(empty, why),
            )  # fmt: skip


class PageCharacterError(PageReading):
    """OCR-CER: characters to change, insert or delete (Levenshtein) to get from the text that a
    probe finds in the reconstruction to the text that it finds in the original, summed over
    pictures, over the characters of the latter. Text is found anywhere (detection and
    recognition) and put line by line from above, pieces joined by a space. `/truth`: against the
    annotated words in the same order. `/original`: the original's text against them, the probe's
    own error. VTBench asks a language model and scales every picture to 256 × 256 first; here the
    probe sees the picture at its own size. It can exceed 1."""

    name = "ocr-cer"
    unit = "edits/character"
    letter = "c"


class PageWordError(PageReading):
    """OCR-WER: as `ocr-cer` with words (between white space) in place of characters. (VTBench's
    code counts edits of characters and divides by words.)"""

    name = "ocr-wer"
    unit = "edits/word"
    letter = "w"
