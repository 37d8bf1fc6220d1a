"""Codecs of video as tokenizers: their tokens are the coded bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from tokbench.errors import UserError
from tokbench.specs import Options
from tokbench.tokenizers.video.adapter import VideoTokenizer, shapes, table
from tokbench.types import Codes, Ragged, TokenizerSpec
from tokbench.video.clips import pyav

_PRESETS = (
    "medium", "ultrafast", "superfast", "veryfast", "faster", "fast", "slow", "slower",
    "veryslow",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """A codec of FFmpeg.

    most: largest CRF. packet_bits: what tells where a packet ends, for each, where the stream
    itself does not. settings: options of the encoder, by FFmpeg's names; one thread, so that the
    same clip gives the same bytes.
    """

    title: str
    coder: str
    decoder: str
    most: int
    packet_bits: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    presets: tuple[str, ...] = _PRESETS


FORMATS = {
    "h264": Format("H.264", "libx264", "h264", 51),
    "h265": Format(
        "H.265", "libx265", "hevc", 51,
        settings={"x265-params": "log-level=none:pools=none:frame-threads=1"},
    ),
    # A packet of VP9 does not say how long it is: IVF takes four bytes for it.
    "vp9": Format(
        "VP9", "libvpx-vp9", "vp9", 63, packet_bits=32,
        settings={"b": "0", "deadline": "good", "row-mt": "0"}, presets=("2", "0", "1", "3", "4"),
    ),
    # A temporal delimiter before each packet takes two bytes; FFmpeg leaves it out.
    "av1": Format(
        "AV1", "libsvtav1", "libdav1d", 63, packet_bits=16,
        settings={"svtav1-params": "lp=1"}, presets=("8", "4", "5", "6", "7", "9", "10", "11"),
    ),
}  # fmt: skip


class PacketVideo(VideoTokenizer):
    """A codec of FFmpeg at a constant rate factor, without container: the tokens are the bytes of
    its packets, in the order in which they are coded. 4:2:0, 8 bits; frames go to YUV and back
    through swscale (BT.601)."""

    def __init__(self, name: str, form: Format, crf: int, preset: str):
        self.name, self._form, self._crf, self._preset = name, form, crf, preset
        self.spec = TokenizerSpec(
            modality="video", algorithm=f"{form.title} at CRF {crf}, preset {preset}, 4:2:0",
            vocabulary=(256,), emittable=256, size_multiple=2, source=form.coder,
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        versions = sorted(f"{name} {number}" for name, number in pyav().library_versions.items())
        settings = [f"{key}={value}" for key, value in self._settings().items()]
        return "packet video", self._form.coder, *settings, *versions

    def _settings(self) -> dict[str, str]:
        preset = {"cpu-used" if self._form.title == "VP9" else "preset": self._preset}
        return {"crf": str(self._crf), **preset, **self._form.settings}

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        rows, sizes = [], []
        for clip, rate in zip(batch, self.rates, strict=True):
            packets = self._packets(clip, rate)
            rows.append(np.frombuffer(b"".join(packets), np.uint8))
            sizes.append([len(packet) for packet in packets])
        side = np.array([self._form.packet_bits * len(each) for each in sizes], np.int64)
        extra = shapes(batch) | {"packets": table(sizes)}
        return Codes((Ragged.of(rows, np.uint8),), side_bits=side, extra=extra)

    def _packets(self, clip: np.ndarray, rate: float) -> list[bytes]:
        av = pyav()
        os.environ.setdefault("SVT_LOG", "1")  # it would tell of itself on stderr
        height, width = clip.shape[1:3]
        coder = av.CodecContext.create(self._form.coder, "w")
        coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
        coder.framerate = Fraction(rate).limit_denominator(1001)
        coder.time_base = 1 / coder.framerate
        coder.thread_count, coder.bit_rate = 1, 0
        coder.options = self._settings()
        coder.open()
        found: list[Any] = []
        for number, pixels in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, coder.time_base
            found += coder.encode(frame)
        found += coder.encode(None)
        return [bytes(packet) for packet in found]

    def decode(self, codes: Codes) -> list[np.ndarray]:
        clips = []
        for row, sizes in zip(codes.ids, codes.extra["packets"], strict=True):
            own = sizes[sizes >= 0]
            ends = np.cumsum(own)
            content = row.astype(np.uint8)
            packets = [content[e - n : e].tobytes() for e, n in zip(ends, own, strict=True)]
            clips.append(self._decoded(packets))
        return clips

    def _decoded(self, packets: Sequence[bytes]) -> np.ndarray:
        av = pyav()
        decoder = av.CodecContext.create(self._form.decoder, "r")
        decoder.thread_count = 1
        frames: list[Any] = []
        for packet in packets:
            frames += decoder.decode(av.Packet(packet))
        frames += decoder.decode(None)
        clip = np.empty((len(frames), frames[0].height, frames[0].width, 3), np.uint8)
        for number in reversed(range(len(clip))):
            clip[number] = frames.pop().to_ndarray(format="rgb24")
        return clip


def _loader(family: str) -> Callable[[str, Options], PacketVideo]:
    form = FORMATS[family]

    def load(reference: str, options: Options) -> PacketVideo:
        av = pyav()
        for name, mode in ((form.coder, "w"), (form.decoder, "r")):
            try:
                av.CodecContext.create(name, mode)
            except ValueError as error:
                raise UserError(f"{options.name}: this PyAV was built without {name}") from error
        crf = options.whole(reference, 0, form.most)
        return PacketVideo(options.name, form, crf, options.choice("preset", form.presets))

    return load


h264, h265, vp9, av1 = map(_loader, FORMATS)
