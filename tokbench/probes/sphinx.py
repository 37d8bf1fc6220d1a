"""PocketSphinx: a recogniser of English whose models are in its wheel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import pairwise
from math import log10
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import optional
from tokbench.files import sha256
from tokbench.probes.packaged import fingerprint, packaged

MODELS = (
    "model/en-us/en-us.lm.bin", "model/en-us/cmudict-en-us.dict", "model/en-us/en-us/mdef",
    "model/en-us/en-us/means", "model/en-us/en-us/variances", "model/en-us/en-us/sendump",
    "model/en-us/en-us/transition_matrices", "model/en-us/en-us/feat.params",
)  # fmt: skip

PAIRED = 0.9
"""How likely a word of a vocabulary follows the word before it as it does there."""


class PocketSphinx:
    """Recognises English: any, by the packaged trigram model, or the words of a vocabulary alone
    (see `_model`). Each clip is heard by itself: cepstral means, and the noise that is
    taken away, are of that clip, so that it is heard alike in any order."""

    name = "pocketsphinx"
    rate = 16_000
    english = True

    def __init__(self) -> None:
        self._package = optional("pocketsphinx", "audio")
        self._paths = packaged("pocketsphinx", "audio", *MODELS)
        self._decoder: Any = None
        self._under: tuple[str, ...] | None = ()

    def fingerprint(self, vocabulary: Sequence[str] | None = None) -> str:
        """Of the models, the package, and the words it is held to."""
        mark = sha256(fingerprint(self._paths, "pocketsphinx"), "clip by clip, pairs")[:8]
        return mark if vocabulary is None else sha256(mark, *vocabulary)[:8]

    def hear(self, clip: np.ndarray, vocabulary: Sequence[str] | None = None) -> str:
        """The words of a clip (frames,) at 16 kHz; empty when it hears none."""
        decoder = self._ready(None if vocabulary is None else tuple(vocabulary))
        samples = np.clip(np.rint(clip * 32768), -32768, 32767).astype("<i2")
        decoder.reinit_feat()  # else the noise taken away is estimated from clips before this one
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    def _ready(self, vocabulary: tuple[str, ...] | None) -> Any:
        package = self._package
        if self._decoder is None:
            self._decoder = package.Decoder(
                lm=package.get_model_path("en-us/en-us.lm.bin"), cmn="batch", loglevel="FATAL"
            )
            self._under = None
        decoder = self._decoder
        if vocabulary != self._under:
            if vocabulary is None:
                decoder.activate_search()
            else:
                name = f"under-{sha256(*vocabulary)[:8]}"
                with tempfile.TemporaryDirectory() as folder:  # the decoder reads files only
                    path = Path(folder) / "words.arpa"
                    path.write_text(_model(vocabulary), encoding="utf-8")
                    decoder.add_lm_file(name, str(path))
                decoder.activate_search(name)
            self._under = vocabulary
        return decoder


def _model(lines: Sequence[str]) -> str:
    """An ARPA language model of the words of some lines. Of one line: any row of its words, every
    word and the end alike likely. Of several: with `PAIRED` probability a word is one of those
    that follow the word before it in the lines, else any."""
    rows = [["<s>", *line.split(), "</s>"] for line in lines]
    words = sorted({word for row in rows for word in row[1:]})
    each = 1 / len(words)
    follow: dict[str, set[str]] = {}
    for row in rows if len(lines) > 1 else ():
        for word, after in pairwise(row):
            follow.setdefault(word, set()).add(after)
    # what is left to the other words, as a share of what they have among all words
    back = {word: (1 - PAIRED) / (1 - each * len(there)) for word, there in follow.items()}
    ones = [f"{log10(each):.6f}\t{word}\t{log10(back.get(word, 1)):.6f}" for word in words]
    twos = [
        f"{log10(PAIRED / len(there)):.6f}\t{word} {after}"
        for word, there in sorted(follow.items())
        for after in sorted(there)
    ]
    grams = [[f"-99\t<s>\t{log10(back.get('<s>', 1)):.6f}", *ones], *([twos] if twos else [])]
    counts = "\n".join(f"ngram {n}={len(found)}" for n, found in enumerate(grams, 1))
    bodies = "\n\n".join("\n".join([f"\\{n}-grams:", *found]) for n, found in enumerate(grams, 1))
    return f"\\data\\\n{counts}\n\n{bodies}\n\n\\end\\\n"
