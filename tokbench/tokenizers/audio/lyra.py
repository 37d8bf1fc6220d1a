"""Lyra V2: Google's SoundStream codec of speech, from its three `.tflite` files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokbench.audio.clips import soundfile_needed
from tokbench.errors import MissingExtra, UserError
from tokbench.files import read_bytes, sha256
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.types import Codes, Ragged, TokenizerSpec

FILES = ("soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite")
HOP, RATE, MOST, CODES = 320, 16_000, 46, 16
LEVELS = {"3.2": 16, "6.0": 30, "9.2": 46}
"""Residual levels at each of the bitrates (kbit/s) that Lyra is shipped with: 4 bits a level, 50
frames a second."""


class Lyra(AudioTokenizer):
    """Residual vector quantisation of 46 levels of 16 codes, 50 frames a second, 16 kHz mono; any
    number of levels can be used. The last frame is padded with zeros.

    The models carry their past with them, and resetting their variables does not bring the first
    state back: each clip gets interpreters of its own.
    """

    def __init__(self, name: str, models: Sequence[bytes], levels: int):
        self.name, self._models, self._levels = name, models, levels
        self.spec = TokenizerSpec(
            modality="audio",
            algorithm=f"SoundStream, {levels} residual levels",
            vocabulary=(CODES,) * levels,
            rate=RATE / HOP * levels,
            sample_rate=RATE,
            channels=1,
            source="Lyra V2, through LiteRT",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        import importlib.metadata

        version = importlib.metadata.version("ai-edge-litert")
        return "lyra", str(self._levels), version, *(sha256(model) for model in self._models)

    def _interpreter(self, number: int) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=self._models[number], num_threads=1)
        interpreter.allocate_tensors()
        return interpreter

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        return Codes(self._ids(_frames([clip[0]]) for clip in batch), extra=lengths(batch))

    def stream(self, pieces: Iterable[np.ndarray]) -> Codes:
        """The codes of one clip that comes in pieces, each coded as soon as it is there."""
        total = 0

        def waves() -> Iterator[np.ndarray]:
            nonlocal total
            for piece in pieces:
                total += piece.shape[1]
                yield piece[0]

        levels = self._ids([_frames(waves())])
        return Codes(levels, extra={"frames": np.array([total], np.int64)})

    def _ids(self, clips: Iterable[Iterable[np.ndarray]]) -> tuple[Ragged, ...]:
        """The levels of clips that are given as frames."""
        grids = []
        for frames in clips:
            features = _run(self._interpreter(0), frames)
            quantise = self._interpreter(1).get_signature_runner("encode")
            levels = np.int32(self._levels)
            found = [
                quantise(input_frames=each, num_quantizers=levels)["output_0"].ravel()
                for each in features
            ]
            grids.append(np.array(found)[:, : self._levels])
        return tuple(Ragged.of([g[:, n] for g in grids], np.uint8) for n in range(self._levels))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        clips = []
        for row, frames in enumerate(codes.extra["frames"].tolist()):
            grid = np.stack([level[row] for level in codes.levels], axis=1)
            clips.append(self._decoded(grid)[None, :frames])
        return clips

    def _decoded(self, grid: np.ndarray) -> np.ndarray:
        indices = np.full((len(grid), MOST, 1, 1), -1, np.int32)  # -1: the level is not used
        indices[:, : grid.shape[1], 0, 0] = grid
        lookup = self._interpreter(1).get_signature_runner("decode")
        vectors = np.stack([lookup(encoding_indices=each)["output_0"] for each in indices])
        return np.stack(list(_run(self._interpreter(2), vectors))).reshape(-1)


def _run(interpreter: Any, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The outputs of a streaming model, frame by frame."""
    into = interpreter.get_input_details()[0]["index"]
    out = interpreter.get_output_details()[0]["index"]
    for frame in frames:
        interpreter.set_tensor(into, frame)
        interpreter.invoke()
        yield interpreter.get_tensor(out)


def _frames(waves: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames (1, 320) of a wave that comes in pieces; the last is filled up with zeros."""
    rest = np.empty(0, np.float32)
    for wave in waves:
        rest = np.concatenate([rest, wave.astype(np.float32, copy=False)])
        whole = len(rest) // HOP * HOP
        yield from rest[:whole].reshape(-1, 1, HOP)
        rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, HOP - len(rest)))[None]


def load(reference: str, options: Options) -> Lyra:
    """`lyra:FOLDER?kbps=3.2`, 6.0 or 9.2, or `codebooks=N` of the 46 levels."""
    soundfile_needed()
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError as error:
        raise MissingExtra("ai-edge-litert", "litert") from error
    folder = Path(reference).expanduser()
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(
                f"{folder}: no {name}; Lyra V2 is three files, {', '.join(FILES)}, "
                "in lyra/model_coeffs of github.com/google/lyra"
            )
    kbps = options.choice("kbps", tuple(LEVELS))
    levels = options.integer("codebooks", LEVELS[kbps], 1, MOST)
    if {"kbps", "codebooks"} <= options.given.keys():
        raise UserError(f"{options.name}: give kbps= or codebooks=, not both")
    lyra = Lyra(options.name, [read_bytes(folder / name) for name in FILES], levels)
    try:
        for number in range(len(FILES)):
            lyra._interpreter(number)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder}: not Lyra's models: LiteRT cannot read {FILES[number]}"
        ) from error
    return lyra
