"""Codecs of sound as tokenizers: their tokens are the coded bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.errors import MissingExtra
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.tokenizers.audio.ogg import without_serial
from tokbench.types import Codes, Ragged, TokenizerSpec

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_LAME_DELAY = 1105
"""Samples that an MP3 decoder gives before the first of the clip: LAME's 576, and 529 of the
decoder's filter bank."""
_LAYOUTS = {1: "mono", 2: "stereo"}


class FileCodec(AudioTokenizer):
    """A format written and read by libsndfile. The coded file is the token sequence: every byte
    is a token and costs 8 bits, headers included (Ogg Vorbis begins with about 4 kB of them)."""

    def __init__(self, name: str, container: str, coding: str, level: float, algorithm: str):
        self.name, self._container, self._coding, self._level = name, container, coding, level
        self.spec = TokenizerSpec(
            modality="audio", algorithm=algorithm, vocabulary=(256,), emittable=256,
            source="libsndfile",
        )  # fmt: skip

    def identity(self) -> tuple[bytes | str, ...]:
        import soundfile

        library = soundfile.__libsndfile_version__
        return "file codec", self._container, self._coding, str(self._level), library

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        import soundfile

        rows = []
        for clip, rate in zip(batch, self.rates, strict=True):
            file = io.BytesIO()
            soundfile.write(
                file, np.clip(clip.T, -1, 1), rate, self._coding, format=self._container,
                compression_level=self._level,
            )  # fmt: skip
            content = file.getvalue()
            if self._container == "OGG":
                content = without_serial(content)
            rows.append(np.frombuffer(content, np.uint8))
        return Codes((Ragged.of(rows, np.uint8),))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        import soundfile

        files = (io.BytesIO(row.astype(np.uint8).tobytes()) for row in codes.ids)
        read = (soundfile.read(file, dtype="float32", always_2d=True)[0] for file in files)
        return [np.ascontiguousarray(data.T) for data in read]


class PacketCodec(AudioTokenizer):
    """A codec of FFmpeg, without container: the tokens are the bytes of its packets. A clip's
    length is known to both ends, and the coder's delay is cut off."""

    coder = decoder = form = ""
    delay = 0

    def __init__(self, name: str, kbps: int, algorithm: str, rate: int | None, source: str):
        self.name, self._kbps = name, kbps
        self.spec = TokenizerSpec(
            modality="audio", algorithm=algorithm, vocabulary=(256,), emittable=256,
            sample_rate=rate, source=source,
        )  # fmt: skip

    def settings(self) -> dict[str, str]:
        """Options for the encoder, by FFmpeg's names."""
        return {}

    def side_bits(self, sizes: np.ndarray) -> int:
        """Bits that tell the decoder where packets of these sizes end."""
        return 0

    def identity(self) -> tuple[bytes | str, ...]:
        from av import library_versions

        settings = [f"{key}={value}" for key, value in self.settings().items()]
        versions = sorted(f"{name} {number}" for name, number in library_versions.items())
        rate = str(self.spec.sample_rate)
        return "packet codec", self.coder, str(self._kbps), rate, *settings, *versions

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        rows, sizes, rates = [], [], list(self.rates)
        for clip, rate in zip(batch, rates, strict=True):
            packets = self._packets(clip, rate)
            rows.append(np.frombuffer(b"".join(packets), np.uint8))
            sizes.append(np.array([len(packet) for packet in packets], np.int64))
        extra = lengths(batch) | {
            "channels": np.array([len(clip) for clip in batch], np.int64),
            "rate": np.array(rates, np.int64),
            "packets": np.array([len(each) for each in sizes], np.int64),
            "packet-sizes": np.concatenate(sizes),
        }
        side = np.array([self.side_bits(each) for each in sizes], np.int64)
        return Codes((Ragged.of(rows, np.uint8),), side_bits=side, extra=extra)

    def _packets(self, clip: np.ndarray, rate: int) -> list[bytes]:
        import av

        coder = self._opened(len(clip), rate)
        step = coder.frame_size
        planar = self.form.endswith("p")
        clip = np.clip(clip, -1, 1).astype(np.float32)
        found: list[Any] = []
        for start in range(0, clip.shape[1], step):
            piece = clip[:, start : start + step]
            piece = np.ascontiguousarray(piece if planar else piece.T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(piece, self.form, _LAYOUTS[len(clip)])
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            found += coder.encode(frame)
        found += coder.encode(None)
        return [bytes(packet) for packet in found]

    def _opened(self, channels: int, rate: int) -> Any:
        import av

        if channels not in _LAYOUTS:
            raise ValueError(f"{self.name.partition(':')[0]} takes mono or stereo, not {channels}")
        coder: Any = av.CodecContext.create(self.coder, "w")
        coder.sample_rate, coder.layout, coder.format = rate, _LAYOUTS[channels], self.form
        coder.bit_rate, coder.time_base = self._kbps * 1000, Fraction(1, rate)
        coder.options = self.settings()
        coder.open()
        return coder

    def decode(self, codes: Codes) -> list[np.ndarray]:
        columns = (codes.extra[name].tolist() for name in ("channels", "rate", "packets", "frames"))
        sizes, clips = codes.extra["packet-sizes"].tolist(), []
        for row, channels, rate, count, frames in zip(codes.ids, *columns, strict=True):
            own, sizes = sizes[:count], sizes[count:]
            ends = np.cumsum(own)
            packets = [row[end - size : end].tobytes() for end, size in zip(ends, own, strict=True)]
            decoded = self._decoded(packets, channels, rate)
            clips.append(decoded[:, self.delay : self.delay + frames])
        return clips

    def _decoded(self, packets: list[bytes], channels: int, rate: int) -> np.ndarray:
        import av

        decoder: Any = av.CodecContext.create(self.decoder, "r")
        decoder.extradata = self._opened(channels, rate).extradata
        decoder.sample_rate, decoder.layout = rate, _LAYOUTS[channels]
        frames: list[Any] = []
        for packet in packets:
            frames += decoder.decode(av.Packet(packet))
        frames += decoder.decode(None)
        pieces = []
        for frame in frames:
            piece = frame.to_ndarray()
            planar = frame.format.is_planar
            piece = piece if planar else piece.reshape(-1, channels).T
            pieces.append(piece if piece.dtype.kind == "f" else piece / np.float32(32768))
        return np.concatenate(pieces, axis=1).astype(np.float32)


class Opus(PacketCodec):
    """Opus (RFC 6716) by libopus at 48 kHz, 20 ms frames. With a variable rate, each packet's
    length costs one or two bytes more, as in the RFC's self-delimiting form."""

    coder, decoder, form = "libopus", "libopus", "flt"

    def __init__(self, name: str, kbps: int, vbr: str):
        self._vbr = vbr
        super().__init__(name, kbps, f"Opus at {kbps} kbit/s, vbr {vbr}", 48_000, "libopus")

    def settings(self) -> dict[str, str]:
        return {"vbr": self._vbr, "application": "audio", "frame_duration": "20"}

    def side_bits(self, sizes: np.ndarray) -> int:
        return 0 if self._vbr == "off" else int(np.where(sizes < 252, 8, 16).sum())


class MP3(PacketCodec):
    """MPEG layer III by LAME at a constant rate, at the clip's own sample rate or `rate`."""

    coder, decoder, form, delay = "libmp3lame", "mp3float", "fltp", _LAME_DELAY

    def _opened(self, channels: int, rate: int) -> Any:
        if rate not in MP3_RATES:
            near = min((r for r in MP3_RATES if r >= rate), default=MP3_RATES[-1])
            raise ValueError(f"MP3 knows no {rate} Hz; add ?rate={near} to the tokenizer")
        return super()._opened(channels, rate)


def _pyav_needed() -> None:
    soundfile_needed()
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise MissingExtra("PyAV", "audio") from error


def opus(reference: str, options: Options) -> Opus:
    """`opus:12`, in kbit/s; `?vbr=off` for a constant rate."""
    _pyav_needed()
    kbps = options.whole(reference, 6, 512)
    return Opus(options.name, kbps, options.choice("vbr", ("on", "off", "constrained")))


def mp3(reference: str, options: Options) -> MP3:
    """`mp3:64`, in kbit/s; `?rate=44100` where clips have a rate that MP3 does not know."""
    _pyav_needed()
    kbps = options.whole(reference, 8, 320)
    rate = options.take("rate")
    if rate is not None:
        rate = options.choice("rate", [str(each) for each in MP3_RATES])
    algorithm = f"MP3 at {kbps} kbit/s"
    return MP3(options.name, kbps, algorithm, int(rate) if rate else None, "LAME")


def vorbis(reference: str, options: Options) -> FileCodec:
    """`vorbis:Q`, of libvorbis's qualities 0 to 10."""
    soundfile_needed()
    quality = options.whole(reference, 0, 10)
    algorithm = f"Ogg Vorbis at quality {quality}"
    return FileCodec(options.name, "OGG", "VORBIS", 1 - quality / 10, algorithm)


class FLAC(FileCodec):
    """Free Lossless Audio Codec, 16 bits, at its highest compression."""

    def __init__(self) -> None:
        soundfile_needed()
        super().__init__("flac", "FLAC", "PCM_16", 1.0, "FLAC, 16 bits")
