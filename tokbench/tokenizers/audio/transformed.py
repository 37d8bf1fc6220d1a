"""Short-time spectra of clips, quantised: a discrete tokenizer with a codebook, learnt on the spot.

`rvq:8x1024@50hz` makes 50 frames a second, each with an id of 1024 at eight levels. It learns from
`on=speech-train` (a dataset's name or a path), with `split` and `limit`; `rate=16000` is the sample
rate of what it takes; `codebooks=2` keeps the first levels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tokbench.audio.clips import fit, soundfile_needed
from tokbench.errors import UserError
from tokbench.specs import Options
from tokbench.tokenizers.audio.adapter import AudioTokenizer, lengths
from tokbench.tokenizers.learnt import Field, Recipe
from tokbench.tokenizers.quantisers import Residual
from tokbench.types import Codes, Ragged, Sample, TokenizerSpec

CLIPS = "speech-train"
"""What is learnt from where nothing else is said."""
POWER = 0.7
"""Exponent of the coefficients' magnitudes: errors in loud bands weigh less, as ears have it."""


class Spectra:
    """The modified discrete cosine transform of a clip: `hop` coefficients for every `hop` samples,
    from windows of twice as many (Princen and Bradley 1986; sine window), their magnitudes raised
    to `POWER`."""

    unit = 4096

    def __init__(self, rate: int, hop: int):
        self._hop, self.frames_per_second = hop, rate / hop
        self.spec = TokenizerSpec(modality="audio", sample_rate=rate, channels=1)
        self._window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))

    def identity(self) -> str:
        return f"mdct {self.spec.sample_rate} {self._hop} {POWER}"

    def prepared(self, samples: Sequence[Sample]) -> list[np.ndarray]:
        return [fit(sample, self.spec).data for sample in samples if sample.data is not None]

    def fields(self, batch: Sequence[np.ndarray]) -> tuple[list[Field], Codes]:
        """Each clip's frames. No codes beside them."""
        found = []
        for clip in batch:
            spectra = self._analysed(clip[0].astype(np.float64))
            vectors = np.sign(spectra) * np.abs(spectra) ** POWER
            found.append(Field(np.rint(vectors * self.unit), (len(vectors),)))
        return found, Codes()

    def clip(self, vectors: np.ndarray) -> np.ndarray:
        """Samples of quantised frames; the last one is padding."""
        scaled = vectors / self.unit
        return self._synthesised(np.sign(scaled) * np.abs(scaled) ** (1 / POWER))

    def _analysed(self, clip: np.ndarray) -> np.ndarray:
        from scipy.fft import dct

        hop, half = self._hop, self._hop // 2
        padded = np.pad(clip, (hop, hop + -len(clip) % hop))
        blocks = padded.reshape(-1, hop)
        first = blocks[:-1] * self._window[:hop]
        second = blocks[1:] * self._window[hop:]
        folded = np.concatenate(
            [
                -second[:, :half][:, ::-1] - second[:, half:],
                first[:, :half] - first[:, half:][:, ::-1],
            ],
            axis=1,
        )
        return dct(folded, type=4, norm="ortho")

    def _synthesised(self, spectra: np.ndarray) -> np.ndarray:
        from scipy.fft import dct

        half = self._hop // 2
        folded = dct(spectra, type=4, norm="ortho")
        head, tail = folded[:, :half], folded[:, half:]
        first = np.concatenate([tail, -tail[:, ::-1]], axis=1) * self._window[: self._hop]
        second = np.concatenate([-head[:, ::-1], -head], axis=1) * self._window[self._hop :]
        return (first[1:] + second[:-1]).ravel()


class SpectralVQ(AudioTokenizer):
    """Spectra, and a residual quantiser for them."""

    def __init__(self, name: str, source: Spectra, quantiser: Residual, on: str):
        self.name, self._source, self._quantiser = name, source, quantiser
        levels, learnt = len(quantiser.sizes), len(quantiser.books)
        kept = f"{levels} of {learnt}" if levels < learnt else f"{levels}"
        self.spec = TokenizerSpec(
            modality="audio",
            algorithm=f"residual quantisation of short-time spectra, {kept} levels",
            vocabulary=quantiser.sizes,
            rate=levels * source.frames_per_second,
            sample_rate=source.spec.sample_rate,
            channels=1,
            parameters=quantiser.books.size,
            source=f"learnt on {on} by tokbench",
        )

    def identity(self) -> tuple[bytes | str, ...]:
        sizes = "x".join(map(str, self._quantiser.sizes))
        return "spectral", self._source.identity(), sizes, self._quantiser.books.tobytes()

    def codebook(self, level: int = 0) -> np.ndarray:
        """The code vectors (K, d) of a level: companded coefficients."""
        return (self._quantiser.codebook(level) / self._source.unit).astype(np.float32)

    def encode(self, batch: Sequence[np.ndarray]) -> Codes:
        fields, _ = self._source.fields(batch)
        found = [self._quantiser.encode(field.vectors) for field in fields]
        levels = tuple(Ragged.of(list(rows)) for rows in zip(*found, strict=True))
        return Codes(levels, extra=lengths(batch))

    def decode(self, codes: Codes) -> list[np.ndarray]:
        clips = []
        for row, frames in enumerate(codes.extra["frames"].tolist()):
            vectors = self._quantiser.decode([level[row] for level in codes.levels])
            clips.append(self._source.clip(vectors)[None, :frames].astype(np.float32))
        return clips


FORM = re.compile(r"(\d+)x(\d+)@(\d+)hz")


def load(reference: str, options: Options) -> SpectralVQ:
    """`rvq:8x1024@50hz`: eight levels of 1024 centroids, 50 frames a second."""
    soundfile_needed()
    found = FORM.fullmatch(reference)
    if found is None:
        raise UserError(f"{options.name}: write rvq:LEVELSxCODES@FRAMEShz, such as rvq:8x1024@50hz")
    levels, size, frames = map(int, found.groups())
    rate = options.integer("rate", 16_000, 4_000, 96_000)
    for number, low, high, what in (
        (levels, 1, 64, "levels"), (size, 2, 1 << 16, "codes"), (frames, 5, 500, "frames a second"),
    ):  # fmt: skip
        if not low <= number <= high:
            raise UserError(f"{options.name}: give {what} from {low} to {high:,}, not {number:,}")
    if rate % (2 * frames):
        raise UserError(
            f"{options.name}: {frames} frames a second do not cut {rate:,} samples evenly; their "
            "hop has to be an even whole number"
        )
    kept = options.integer("codebooks", levels, 1, levels)
    recipe = Recipe("residual", (size, levels), size, lambda v: Residual.learnt(v, size, levels))
    source = Spectra(rate, rate // frames)
    quantiser, on = recipe.learnt(source, options, CLIPS)
    assert isinstance(quantiser, Residual)
    return SpectralVQ(options.name, source, Residual(quantiser.books, kept), on)
