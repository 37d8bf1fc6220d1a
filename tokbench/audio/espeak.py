"""Speech by eSpeak NG, through the shared library that `espeakng-loader` carries.

The library draws its noise from a generator that nothing resets, so that a clip depends on what
was spoken before. This file is therefore run as a process of its own for each set of lines: the
same lines in the same order give the same samples. Its top imports the standard library alone, for
the child needs no more.
"""

import ctypes
import json
import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
_RATE_PARAMETER, _VOLUME_PARAMETER, _PITCH_PARAMETER = 1, 2, 3
_VOLUME = 75
"""Of eSpeak's 100, at which some voices clip."""


class Line(NamedTuple):
    """What is said, by which of eSpeak's voices (`en-us+f3`), at how many words a minute and at
    what pitch (0 to 99)."""

    text: str
    voice: str
    words_per_minute: int
    pitch: int


def spoken(lines: list[Line]) -> tuple[list[bytes], int]:
    """16-bit little-endian samples of each line, and the sample rate.

    Raises `UserError` where the package is missing or its library cannot speak.
    """
    import subprocess

    from tokbench.errors import UserError

    _loader()
    asked = json.dumps([list(line) for line in lines]).encode()
    # -P: this file's folder is no place to import from
    command = [sys.executable, "-P", str(Path(__file__).resolve())]
    done = subprocess.run(command, input=asked, capture_output=True)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
        raise UserError(f"eSpeak NG cannot speak: {last[0]}")
    content, clips = done.stdout, []
    (rate,) = struct.unpack_from("<I", content)
    place = 4
    for _ in lines:
        (size,) = struct.unpack_from("<I", content, place)
        clips.append(content[place + 4 : place + 4 + size])
        place += 4 + size
    return clips, rate


def library_digest() -> str:
    """Hash of all that the samples depend on beside the lines: the library and this file."""
    import importlib.metadata

    from tokbench.files import sha256, sha256_file

    version = importlib.metadata.version("espeakng-loader")
    files = (Path(_loader().get_library_path()), Path(__file__))
    return sha256(version, *map(sha256_file, files))


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        from tokbench.errors import MissingExtra

        raise MissingExtra("espeakng-loader", "audio") from error
    return espeakng_loader


def _speak(lines: list[Line]) -> bytes:
    """The child's work: the rate, then each clip's size in bytes and its samples."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
    if rate <= 0:
        raise SystemExit(f"no voice data at {data.decode()}")
    pieces: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def heard(wave: int | None, count: int, events: int | None) -> int:
        if wave and count > 0:
            pieces.append(ctypes.string_at(wave, 2 * count))
        return 0

    library.espeak_SetSynthCallback(heard)
    found = [struct.pack("<I", rate)]
    for line in lines:
        if library.espeak_SetVoiceByName(line.voice.encode()):
            raise SystemExit(f"no voice '{line.voice}'")
        library.espeak_SetParameter(_RATE_PARAMETER, line.words_per_minute, 0)
        library.espeak_SetParameter(_VOLUME_PARAMETER, _VOLUME, 0)
        library.espeak_SetParameter(_PITCH_PARAMETER, line.pitch, 0)
        text = line.text.encode()
        pieces.clear()
        failed = library.espeak_Synth(text, len(text) + 1, 0, 1, 0, _UTF8, None, None)
        if failed or library.espeak_Synchronize() or not pieces:
            raise SystemExit(f"no sound for '{line.text}'")
        clip = b"".join(pieces)
        found += [struct.pack("<I", len(clip)), clip]
    return b"".join(found)


if __name__ == "__main__":
    asked = [Line(*each) for each in json.loads(sys.stdin.buffer.read())]
    sys.stdout.buffer.write(_speak(asked))
