"""Video clips as the harness sees them, and what it does to them around a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra, one_line
from tokbench.image import fitting
from tokbench.image.pictures import picture_size, read_picture
from tokbench.types import Sample, TokenizerSpec

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".y4m")


def read_video(path: Path, most: int = 0) -> tuple[np.ndarray, float]:
    """The first `most` frames (0: all) of a file's first video stream, uint8 (frames, height,
    width, 3), as FFmpeg decodes and converts them, and its mean frames per second.

    Raises `ValueError` for what is no whole video.
    """
    import av

    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise ValueError("it has no video stream")
            stream = file.streams.video[0]
            decoded = islice(file.decode(stream), most or None)
            frames = [frame.to_ndarray(format="rgb24") for frame in decoded]
            fps = float(stream.average_rate or stream.guessed_rate or 0)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ValueError(f"not a readable video: {one_line(error)}") from error
    if not fps:
        raise ValueError("not a readable video: it does not say how many frames a second has")
    return stacked(frames), fps


def read_frames(paths: Sequence[Path]) -> np.ndarray:
    """A clip of pictures in files, each a frame. Raises `ValueError` as `read_video` does."""
    frames = []
    for path in paths:
        try:
            frames.append(read_picture(path))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return stacked(frames)


def stacked(frames: list[np.ndarray]) -> np.ndarray:
    """Frames as one clip; the list is emptied on the way, so that a clip is held once and not
    twice. `ValueError` for none, and for frames of several sizes."""
    if not frames:
        raise ValueError("the clip is empty")
    shapes = sorted({frame.shape[:2] for frame in frames})
    if len(shapes) > 1:
        told = ", ".join(f"{width} × {height}" for height, width in shapes)
        raise ValueError(f"its frames are of several sizes: {told}")
    clip = np.empty((len(frames), *frames[0].shape), frames[0].dtype)
    for number in reversed(range(len(clip))):
        clip[number] = frames.pop()
    return clip


def video_weight(path: Path, most: int = 0) -> int:
    """Bytes the clip takes when decoded, from the header alone; 0 when it cannot be told."""
    import av

    try:
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            frames = stream.frames
            if not frames and file.duration and stream.average_rate:
                frames = int(file.duration / av.time_base * stream.average_rate)
            frames = min(frames, most) if most else frames
            return 3 * stream.width * stream.height * frames
    except (av.error.FFmpegError, OSError, IndexError, ValueError):
        return 0


def frames_weight(paths: Sequence[Path]) -> int:
    """Bytes of a clip of pictures of the first one's size."""
    height, width = picture_size(paths[0])
    return 3 * height * width * len(paths)


@dataclass(frozen=True, slots=True)
class FittedVideo:
    """A prepared clip and how to get back: `first` is its first frame fitted as a picture.

    count: frames of the original; the rest repeat its last one.
    """

    frames: np.ndarray
    first: fitting.Fitted
    count: int
    fps: float


def fit(sample: Sample, spec: TokenizerSpec, view: int = 0) -> FittedVideo:
    """The clip as the tokenizer takes it: every frame as a picture is (`image.fitting.fit`), and
    its last frame repeated where the tokenizer takes `frames` of certain numbers only."""
    data = sample.data
    assert data is not None
    count = len(data)
    first, step = spec.frames or (1, 1)
    missing = -(count - first) % step if count > first else first - count
    begin = fitting.fit(data[0], spec, view)
    if begin.pixels.shape == data.shape[1:] and begin.pixels.dtype == data.dtype and not missing:
        return FittedVideo(data, begin, count, sample.fps)  # nothing to do, no copy
    frames = np.empty((count + missing, *begin.pixels.shape), begin.pixels.dtype)
    for number, frame in enumerate(data):
        frames[number] = fitting.fit(frame, spec, view).pixels
    frames[count:] = frames[count - 1]
    return FittedVideo(frames, begin, count, sample.fps)


def restored(output: np.ndarray, fitted: FittedVideo, spec: TokenizerSpec) -> np.ndarray:
    """The reconstruction as uint8 of the original's size and length.

    Raises `ValueError` for NaN, infinities or another size than went in.
    """
    output = np.asarray(output)
    if output.shape != fitted.frames.shape:
        raise ValueError(f"decoded {output.shape} where {fitted.frames.shape} went in")
    clip = np.empty((fitted.count, *fitted.first.size, 3), np.uint8)
    for number in range(fitted.count):
        first = replace(fitted.first, pixels=fitted.frames[number])
        clip[number] = fitting.restored(output[number], first, spec)
    return clip


def pyav() -> Any:
    """The library `av`; `MissingExtra` where it is not there."""
    try:
        import av
    except ImportError as error:
        raise MissingExtra("PyAV", "video") from error
    return av
