"""Clips to listen to and to look at: players, spectrograms, what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokbench.audio.pairs import Pair, pairs
from tokbench.files import slug
from tokbench.report.hearing import Hearing, hear, recogniser_of
from tokbench.report.media_section import Block, galleries
from tokbench.report.page import Page
from tokbench.report.pictures import lossless
from tokbench.report.shown import Place, Shown
from tokbench.report.sounds import (
    APART,
    FLOOR,
    Tick,
    change,
    decibels,
    flac,
    frequencies,
    heat,
    times,
)

SECONDS = (60, 30, 20, 15, 10, 8, 5, 3)
"""Of a clip that is shown, its beginning; the longest for which a single file has room."""


@dataclass(frozen=True, slots=True)
class Track:
    """One tokenizer's version of a clip."""

    name: str
    told: str
    url: str
    spectrogram: str
    difference: str
    hearing: Hearing | None


@dataclass(frozen=True, slots=True)
class Card:
    """A clip: its original and what became of it. size: width and height of spectrograms."""

    name: str
    cut: str
    url: str
    spectrogram: str
    size: tuple[int, int]
    hertz: list[Tick]
    seconds: list[Tick]
    transcript: str
    tracks: list[Track]


def players(page: Page, shown: Shown, room: int) -> list[Block]:
    """The worst clips and some drawn at random."""
    mono = {
        subject.name: pairs(shown.media[subject.name])
        for subject in shown.shown
        if shown.media[subject.name].outputs
    }
    found = {
        place: {name: mono[name][pair.row] for name, pair in versions.items()}
        for place, versions in shown.versions().items()
    }
    longest = _longest(list(found.values()), room, sum(1 + len(own) for own in found.values()))
    use, why = recogniser_of(shown)
    cards = {}
    for place, own in found.items():
        heard = {name: hear(pair, use) for name, pair in own.items()} if use else {}
        cards[place] = _card(page, shown, place, own, longest, heard)
    notes = [why] if why and cards else []
    if any(card.cut for card in cards.values()):
        notes.append(
            f"Of longer clips the first {longest} seconds are kept, to keep the page small."
        )
    return galleries(
        page, shown, "clips", "audio_clips.html", cards, notes, apart=int(APART), floor=int(FLOOR),
        recogniser=use.recogniser if use else "",
    )  # fmt: skip


def _longest(found: Sequence[dict[str, Pair]], room: int, files: int) -> int:
    """Seconds of each clip; lossless speech takes about half of its 16 bits."""
    if not room:
        return SECONDS[0]
    room -= files * 60_000  # of the spectrograms
    for seconds in SECONDS:
        frames = sum(
            min(pair.original.shape[1], seconds * pair.rate) * len(pair.original) * 2
            for own in found
            for pair in own.values()
        )
        if 2 * frames * 0.6 * 4 / 3 <= room:
            return seconds
    return SECONDS[-1]


def _card(
    page: Page,
    shown: Shown,
    place: Place,
    own: dict[str, Pair],
    longest: int,
    heard: dict[str, Hearing],
) -> Card:
    order = {subject.name: number for number, subject in enumerate(shown.subjects, 1)}
    key = f"{slug(shown.task)}-{place[0]}-{place[1]}"
    first = next(iter(own.values()))
    rate, frames = first.rate, longest * first.rate
    whole = first.original.shape[1]

    def picture(what: str, pixels: np.ndarray) -> str:
        form, content = lossless(pixels)
        return page.url(f"spectrograms/{key}-{what}.{form}", content)

    tracks, spectrogram, size = [], "", (0, 0)
    for name, pair in own.items():
        a, b = (clip[:frames] for clip in pair.mono("raw"))
        before, after = decibels(a, b, rate)
        if not spectrogram:
            spectrogram, size = picture("original", heat(before)), before.shape[::-1]
        told = shown.measure.told(shown.value(name, place)) if shown.measure else ""
        number = f"{order[name]}"
        url = page.url(f"clips/{key}-{number}.flac", flac(pair.output[:, :frames], rate))
        tracks.append(
            Track(
                name, told, url, picture(number, heat(after)),
                picture(f"{number}-difference", change(before, after)), heard.get(name),
            )
        )  # fmt: skip
    hearing = next(iter(heard.values()), None)
    return Card(
        first.sample.name,
        f"first {longest} s of {whole / rate:.1f} s" if whole > frames else "",
        page.url(f"clips/{key}-original.flac", flac(first.original[:, :frames], rate)),
        spectrogram, size, frequencies(rate), times(min(whole, frames) / rate),
        hearing.transcript if hearing else "", tracks,
    )  # fmt: skip
