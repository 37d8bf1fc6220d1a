"""`speech-mini` and `speech-train`: sentences of our own, and their words in other orders, spoken
by eSpeak NG. Synthetic speech, and labelled so."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.audio.espeak import Line, library_digest, spoken
from tokbench.files import cache_dir, cache_write, sha256
from tokbench.media_parts import Header, Item, ItemsPart
from tokbench.parts import Part
from tokbench.types import Sample

SPEAKERS = {
    "ada": ("en-us+f1", 160, 55),
    "ben": ("en-us+benjamin", 150, 45),
    "cora": ("en-us+anika", 165, 50),
    "dan": ("en-us+edward", 145, 40),
    "eli": ("en-us+adam", 155, 45),
    "finn": ("en-us+m6", 130, 45),
}
"""Each speaker's voice, words a minute and pitch: of eSpeak's voices those that PocketSphinx hears
best. None of those with breath is among them: theirs is not the same twice."""

SENTENCES = (
    "The harbour was quiet before the morning ferry came.",
    "She put three green apples on the kitchen table.",
    "Nobody heard the rain until the window broke.",
    "My brother keeps his old letters in a wooden box.",
    "A small dog slept under the bench all afternoon.",
    "They walked across the bridge and waited for the train.",
    "Please bring me a cup of tea and the yellow blanket.",
    "The teacher wrote two long words on the board.",
    "We could see the lights of the village from the hill.",
    "He opened the letter slowly and began to smile.",
    "Cold water ran over the stones and into the garden.",
    "The last bus leaves at seven and it is never late.",
    "Her voice was soft, but every child could hear it.",
    "Fresh bread is best when the butter melts at once.",
    "The farmer sold his horse and bought a boat.",
    "I found a silver key beneath the carpet.",
    "Thick fog covered the road for most of the night.",
    "The children built a tower out of empty boxes.",
    "You should ask the doctor before you travel.",
    "An orange kite hung in the branches of the tree.",
    "The judge listened to both sides and said nothing.",
    "Birds were singing while the town was still asleep.",
    "The museum shows a map of the river and its islands.",
    "Good friends forget the quarrel and share the cake.",
)
"""Written for this set, in common words."""
COMMON = sorted({word.strip(".,").lower() for line in SENTENCES for word in line.split()})
"""Every word of the sentences."""

TRAINING, WORDS = 240, 9
"""Lines of `speech-train`, and words of each."""


def speech_mini() -> list[Part]:
    """24 sentences, four by each of six voices, 22.05 kHz mono, with their transcripts."""
    return _said([*SENTENCES], "\n".join(SENTENCES))


def speech_train() -> list[Part]:
    """240 lines of the same words, drawn anew, by the same six voices: what a tokenizer may learn
    from that is measured on `speech-mini`."""
    rng = random.Random(0)
    lines = [" ".join(rng.choices(COMMON, k=WORDS)) for _ in range(TRAINING)]
    return _said(lines, " ".join(COMMON))


def _said(texts: list[str], vocabulary: str) -> list[Part]:
    """The texts, by one voice after the other. vocabulary: the note that a recogniser which hears
    eSpeak badly may be held to."""
    soundfile_needed()
    lines, notes = [], []
    for number, text in enumerate(texts):
        speaker = list(SPEAKERS)[number % len(SPEAKERS)]
        lines.append(Line(text, *SPEAKERS[speaker]))
        notes.append((f"{speaker}-{number // len(SPEAKERS) + 1}", speaker, text))
    clips, rate = _clips(lines)
    return [
        ItemsPart(
            "",
            "audio",
            [_item(*n, clip, rate, vocabulary) for n, clip in zip(notes, clips, strict=True)],
        )
    ]


def _item(name: str, speaker: str, text: str, clip: np.ndarray, rate: int, vocabulary: str) -> Item:
    def load() -> Sample:
        notes = {
            "transcript": text, "speaker": speaker, "language": "eng_Latn", "domain": "speech",
            "synthetic": "eSpeak NG", "vocabulary": vocabulary,
        }  # fmt: skip
        return Sample(name, (clip / np.float32(32768)).astype(np.float32)[None], rate, notes)

    def digest() -> str:
        return sha256(name, speaker, text, str(rate), clip.astype("<i2").tobytes())

    return Item(load, partial(int, clip.nbytes * 2), digest, partial(Header, name))


def _clips(lines: list[Line]) -> tuple[list[np.ndarray], int]:
    """The spoken lines, from the cache where they were spoken before."""
    key = sha256(library_digest(), *(repr(tuple(line)) for line in lines))
    path = cache_dir() / "speech-mini" / f"{key}.bin"
    known = _stored(path, len(lines))
    if known is not None:
        return known
    waves, rate = spoken(lines)
    header = np.array([rate, *(len(wave) // 2 for wave in waves)], "<i8")
    content = header.tobytes() + b"".join(waves)
    cache_write(path, sha256(content).encode() + content)
    return [np.frombuffer(wave, "<i2") for wave in waves], rate


def _stored(path: Path, count: int) -> tuple[list[np.ndarray], int] | None:
    """What `_clips` wrote, or None where it did not or the file is no longer whole."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, content = content[:64], content[64:]
    if digest != sha256(content).encode():
        return None
    header = np.frombuffer(content[: 8 * (count + 1)], "<i8")
    waves = np.frombuffer(content[8 * (count + 1) :], "<i2")
    return np.split(waves, np.cumsum(header[1:-1])), int(header[0])
