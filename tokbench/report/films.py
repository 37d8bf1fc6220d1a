"""Videos in a page: strips of frames, and the part that differs most as a small loop."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokbench.files import slug
from tokbench.report.media_section import Block, galleries
from tokbench.report.page import Page
from tokbench.report.pictures import amplification, difference, lossless, summed_error, window
from tokbench.report.shown import Place, Shown

FRAMES = 6
"""Of a strip, evenly spaced."""
HEIGHT = 144
"""Pixels of a strip's frames at most; larger ones are scaled down."""
LOOPS = ((192, 32), (160, 24), (128, 24), (96, 16), (64, 12), (48, 8))
"""Side in pixels and frames of a loop: the largest with which all strips and loops of a task
have room."""
ROOM = 24_000_000
"""Characters that they may take in a folder; of a single file, its own share."""
GAP = 4
"""Pixels between frames."""


@dataclass(frozen=True, slots=True)
class Film:
    """A picture of frames side by side, or a loop; what it shows."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class View:
    """What one tokenizer made of a clip. loop: original, reconstruction, difference at once."""

    name: str
    told: str
    output: Film
    difference: Film
    loop: Film


@dataclass(frozen=True, slots=True)
class Card:
    """A clip: how long and large it is, which frames the strips show, which part the loops."""

    name: str
    about: str
    loops: str
    original: Film
    views: list[View]


@dataclass
class _Clip:
    """A clip before it is written: frames × height × width × 3."""

    place: Place
    name: str
    fps: float
    original: np.ndarray
    outputs: dict[str, np.ndarray]


def films(page: Page, shown: Shown, room: int) -> list[Block]:
    """The worst clips and some drawn at random."""
    clips = []
    for place, versions in shown.versions().items():
        sample = next(iter(versions.values())).sample
        assert sample.data is not None
        outputs = {name: pair.output for name, pair in versions.items()}
        clips.append(_Clip(place, sample.name, sample.fps, sample.data, outputs))
    both = [(clip.original, output) for clip in clips for output in clip.outputs.values()]
    factor = amplification(both)
    made = _within(clips, factor, room or ROOM)
    cards = {
        clip.place: _card(page, shown, clip, *each) for clip, each in zip(clips, made, strict=True)
    }
    return galleries(page, shown, "clips", "video_clips.html", cards, factor=factor)


Strips = list[tuple[str, bytes, int, int]]
"""The original's strip, then of each tokenizer reconstruction, difference and loop: suffix,
content, width and height."""


def _within(clips: Sequence[_Clip], factor: int, room: int) -> list[tuple[Strips, str]]:
    """The files of each clip, and what its loops show of it."""
    strips = [_strips(clip, factor) for clip in clips]
    for side, frames in LOOPS:
        loops = [_loops(clip, factor, side, frames) for clip in clips]
        taken = sum(len(f[1]) for own in strips for f in own)
        taken += sum(len(f[1]) for own, _ in loops for f in own)
        if taken * 4 // 3 <= room:
            break
    found = []
    for own, (moving, told) in zip(strips, loops, strict=True):
        files = own[:1]
        for number, loop in enumerate(moving):
            files += [*own[1 + 2 * number : 3 + 2 * number], loop]
        found.append((files, told))
    return found


def _strips(clip: _Clip, factor: int) -> Strips:
    chosen = np.unique(np.linspace(0, len(clip.original) - 1, FRAMES).round().astype(int))
    before = clip.original[chosen]
    found = [_strip(before)]
    for output in clip.outputs.values():
        after = output[chosen]
        found += [_strip(after), _strip(difference(before, after, factor))]
    return found


def _strip(frames: np.ndarray) -> tuple[str, bytes, int, int]:
    from PIL import Image

    if frames.shape[1] > HEIGHT:
        size = (max(1, round(frames.shape[2] * HEIGHT / frames.shape[1])), HEIGHT)
        small = [Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames]
        frames = np.stack([np.asarray(frame) for frame in small])
    picture = _beside(list(frames))
    form, content = lossless(picture)
    return form, content, picture.shape[1], picture.shape[0]


def _beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """In a row, with transparent gaps."""
    height, width = pictures[0].shape[:2]
    row = np.zeros((height, len(pictures) * (width + GAP) - GAP, 4), np.uint8)
    for place, picture in enumerate(pictures):
        at = slice(place * (width + GAP), place * (width + GAP) + width)
        row[:, at, :3], row[:, at, 3] = picture, 255
    return row


def _loops(clip: _Clip, factor: int, side: int, frames: int) -> tuple[Strips, str]:
    """Of each tokenizer the frames and pixels in which all of them differ most."""
    length, height, width = clip.original.shape[:3]
    errors = sum(
        np.square(clip.original.astype(np.int16) - output).sum((1, 2, 3), dtype=np.int64)
        for output in clip.outputs.values()
    )
    frames = min(frames, length)
    sums = np.convolve(np.asarray(errors, np.float64), np.ones(frames), "valid")
    first = int(sums.argmax())
    when = slice(first, first + frames)
    flat = [_flat(output[when]) for output in clip.outputs.values()]
    y, x = window(summed_error(_flat(clip.original[when]), flat), side)
    before = clip.original[when, y, x]
    found = []
    for output in clip.outputs.values():
        after = output[when, y, x]
        apart = difference(before, after, factor)
        found.append(
            _loop([_beside(each) for each in zip(before, after, apart, strict=True)], clip.fps)
        )
    cut = before.shape[1:3]
    told = "" if frames == length else f"frames {first + 1} to {first + frames} of {length}"
    if cut != (height, width):
        told += ", " * bool(told) + f"{cut[1]} × {cut[0]} of {width} × {height} pixels"
    return found, told


def _flat(clip: np.ndarray) -> np.ndarray:
    """Height × width × (frames × channels)."""
    moved = np.moveaxis(clip, 0, 2)
    return moved.reshape(*moved.shape[:2], -1)


def _loop(frames: Sequence[np.ndarray], fps: float) -> tuple[str, bytes, int, int]:
    """An animated WebP with exactly these pixels."""
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(
        file, "WEBP", save_all=True, append_images=rest, loop=0, lossless=True, method=0,
        quality=20, duration=max(20, round(1000 / fps)) if fps else 100,
    )  # fmt: skip
    shown = max(1, 256 // first.height)  # pixels of the page for each of the clip
    return "webp", file.getvalue(), shown * first.width, shown * first.height


def _card(page: Page, shown: Shown, clip: _Clip, files: Strips, loops: str) -> Card:
    key = f"{slug(shown.task)}-{clip.place[0]}-{clip.place[1]}"
    order = {subject.name: number for number, subject in enumerate(shown.subjects, 1)}

    def film(what: str, file: tuple[str, bytes, int, int]) -> Film:
        return Film(page.url(f"films/{key}-{what}.{file[0]}", file[1]), *file[2:])

    views = []
    for number, name in enumerate(clip.outputs):
        output, apart, loop = files[1 + 3 * number : 4 + 3 * number]
        told = shown.measure.told(shown.value(name, clip.place)) if shown.measure else ""
        views.append(
            View(
                name, told, film(f"{order[name]}", output),
                film(f"{order[name]}-difference", apart), film(f"{order[name]}-loop", loop),
            )
        )  # fmt: skip
    length, height, width = clip.original.shape[:3]
    about = f"{length} frames of {width} × {height} pixels"
    if clip.fps:
        about += f", {clip.fps:.4g} per second"
    return Card(clip.name, about, loops, film("original", files[0]), views)
