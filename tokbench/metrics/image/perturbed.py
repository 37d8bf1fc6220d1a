"""Robustness of a latent space: quality after tokens were replaced by near ones, or noise added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tokbench.evidence import Failure
from tokbench.image.planes import squared_error
from tokbench.measured import Better, Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.image.pixels import decibels
from tokbench.metrics.metric import Metric, lacking
from tokbench.perturbation import Cell, decoded, neighbourhoods, noisy, perturbed, refusal
from tokbench.statistics import Statistic
from tokbench.types import Codes, Score, Tokenizer, TokenizerSpec

ALPHAS, DELTAS, AT = "0.9,0.8,0.7,0.6,0.5", "200,280,360", 4096
"""The paper's grid, and the codebook size (its own model's) for which its deltas are read."""

_SHARED = 8 << 20
"""Bytes of decoded pictures that wait for another metric of the same cell; more are made again."""

_Pictures = tuple[list[np.ndarray | None], dict[str, Failure]]


def _restored(encoded: EncodedMedia, codes: Codes, where: str) -> _Pictures:
    causes: dict[str, int] = {}
    pictures = decoded(encoded, codes, causes)
    names = [sample.name for sample in encoded.batch.samples]
    first = next((name for name, each in zip(names, pictures, strict=True) if each is None), "")
    return pictures, {f"{cause} ({where})": Failure(n, first) for cause, n in causes.items()}


def pictures_of(encoded: EncodedMedia, query: str, cell: Cell, at: int) -> _Pictures:
    """The images decoded from codes perturbed as the cell says, and what failed by cause; kept
    for another metric of the same cell where they are small."""

    def made() -> _Pictures:
        where = f"alpha {cell.alpha:g}, delta {cell.delta}"
        return _restored(encoded, perturbed(encoded, cell, at), where)

    if sum(picture.nbytes for picture in encoded.inputs) > _SHARED:
        return made()
    return encoded.once(f"perturbed?{query}", made)


def _error(encoded: EncodedMedia, found: _Pictures, name: str) -> Statistic:
    """`name`: PSNR of each image, and `name:n`, whether it was decoded."""
    pictures, failures = found
    values = np.zeros(len(pictures))
    for row, (a, b) in enumerate(zip(encoded.inputs, pictures, strict=True)):
        if b is not None:
            values[row] = decibels(squared_error(a, b) / a.size)
    there = np.array([picture is not None for picture in pictures], np.int64)
    return Statistic({name: exact(values), f"{name}:n": there}, failures=failures)


def perturbed_error(
    encoded: EncodedMedia,
    alpha: str,
    delta: str,
    at: str,
    positions: str,
    near: str,
    itself: str,
) -> Statistic:
    """PSNR of the images decoded from perturbed codes."""
    cell = Cell(float(alpha), int(delta), positions, near, itself)
    query = query_of(cell, int(at))
    return _error(encoded, pictures_of(encoded, query, cell, int(at)), f"perturbed-psnr?{query}")


def latent_noise_error(encoded: EncodedMedia, sigma: str) -> Statistic:
    """PSNR of the images decoded from noisy latents."""
    found = _restored(encoded, noisy(encoded, float(sigma)), f"sigma {sigma}")
    return _error(encoded, found, f"latent-noise-psnr?sigma={sigma}")


def query_of(cell: Cell, at: int) -> str:
    """A cell as the options of a statistic."""
    return (
        f"alpha={cell.alpha:g}&delta={cell.delta}&at={at}&positions={cell.positions}"
        f"&near={cell.near}&itself={cell.itself}"
    )


def codebook_sizes(spec: TokenizerSpec) -> str:
    """`4096`, or `1024x8` for eight levels: what perturbed scores are only compared within."""
    sizes = spec.vocabulary
    if len(set(sizes)) == 1 and len(sizes) > 1:
        return f"{sizes[0]}x{len(sizes)}"
    return ",".join(map(str, sizes))


def _numbers(name: str, text: str, kind: type, low: float, high: float) -> list[float]:
    try:
        found = [kind(part) for part in str(text).split(",")]
    except ValueError:
        found = []
    if not found or not all(low < value <= high for value in found) or len(set(found)) < len(found):
        raise ValueError(f"{name}: give different numbers in ({low:g}, {high:g}], as 0.9,0.5")
    return found


class Grid(Metric):
    """What metrics over the grid share: the options, and what a tokenizer must offer."""

    needs = ("reconstruction", "ids", "neighbors")

    def _grid(
        self, alphas: str, deltas: str, at: int, positions: str, near: str, itself: str
    ) -> None:
        for name, value, known in (
            ("positions", positions, ("exact", "bernoulli")),
            ("near", near, ("code", "latent")),
            ("itself", itself, ("in", "out")),
        ):
            if value not in known:
                raise ValueError(f"{name}: choose {' or '.join(known)}, not '{value}'")
        if at < 0:
            raise ValueError("at: give a codebook size, or 0 to take the deltas as they are")
        self.alphas, self.deltas, self.at = str(alphas), str(deltas), at
        self.positions, self.near, self.itself = positions, near, itself
        self._alphas = sorted(_numbers("alphas", self.alphas, float, 0, 1))
        self._deltas = sorted(int(d) for d in _numbers("deltas", self.deltas, int, 0, 2**31))
        # The widest neighbourhoods come first: the narrower ones are read off the same table.
        self.cells = [
            Cell(alpha, delta, positions, near, itself)
            for delta in reversed(self._deltas)
            for alpha in self._alphas
        ]

    def lacks(self, tokenizer: Tokenizer) -> str:
        why = super().lacks(tokenizer)
        if not why and self.near == "latent":
            why = lacking("latents", tokenizer) or lacking("codebook", tokenizer)
            if not why and len(tokenizer.spec.vocabulary) > 1:
                why = "near = latent: only for a tokenizer of one codebook"
        why = why or refusal(tokenizer.spec, self._deltas, self.at)
        if not why and hasattr(tokenizer, "codebook"):
            for level in range(len(tokenizer.spec.vocabulary)):
                neighbourhoods(tokenizer).book(level)  # before anything is measured
        return why

    def of_alpha(self, alpha: float) -> list[Cell]:
        """The cells of one column of the grid."""
        return [cell for cell in self.cells if cell.alpha == alpha]


def facet(cell: Cell) -> str:
    """A cell's name: its alpha, and its delta as the grid has it."""
    return f"alpha-{cell.alpha:g}-delta-{cell.delta}"


class PerturbedPSNR(Grid):
    """PSNR of images decoded after a share alpha of the tokens of each was replaced, each by a
    uniform draw from the delta codes nearest to it; the mean over the cells of the grid. Facets:
    each cell, and the curve over alpha (`/alpha-0.5`, mean over the deltas; `/alpha-0` is the
    plain PSNR). Deltas are for a codebook of `at` codes and scaled linearly with its size; at = 0
    takes them as they are. positions: `exact` (a share of alpha, rounded) or `bernoulli`. near:
    neighbours of the `code`, or of the `latent` before it was quantised. itself: whether the
    token's own code is `in` the delta or `out`. Every level of a multi-level tokenizer is
    perturbed. Scores are comparable only at equal codebook size, K in the signature."""

    name = "perturbed-psnr"
    statistics: tuple[str, ...] = ("squared-error", "perturbed-error")
    unit, better, aggregation = "dB", "higher", "mean of images and cells"
    reference = "the grid of Robust Latent Matters (2503.08354), PSNR in place of FID"

    def __init__(
        self,
        *,
        alphas: str = ALPHAS,
        deltas: str = DELTAS,
        at: int = AT,
        positions: str = "exact",
        near: str = "code",
        itself: str = "in",
    ) -> None:
        self._grid(alphas, deltas, at, positions, near, itself)
        self._columns = {cell: f"perturbed-psnr?{query_of(cell, self.at)}" for cell in self.cells}
        self.statistics = (
            "squared-error",
            *(f"perturbed-error?{query_of(cell, self.at)}" for cell in self.cells),
        )

    def result(self, measured: Measured) -> Iterator[Score]:
        if not all(column in measured.evidence.columns for column in self._columns.values()):
            return
        measured.metric += f"|K:{codebook_sizes(measured.spec)}"
        yield _mean(measured, self.name, list(self._columns.values()), self.better)
        yield next(measured.ratio(f"{self.name}/alpha-0", "psnr", "samples", "dB", self.better))
        for alpha in self._alphas:
            columns = [self._columns[cell] for cell in self.of_alpha(alpha)]
            yield _mean(measured, f"{self.name}/alpha-{alpha:g}", columns, self.better)
        for cell, column in self._columns.items():
            yield _mean(measured, f"{self.name}/{facet(cell)}", [column], self.better)


def _mean(measured: Measured, name: str, columns: Sequence[str], better: Better) -> Score:
    """Mean over the images and the columns, each with its count in `column:n`."""
    tops = sum(measured.totals(column).sum() for column in columns)
    counts = [measured.totals(f"{column}:n").sum() for column in columns]
    drawn = sum(measured.replicates(column).sum(1) for column in columns)
    bottoms = sum(measured.replicates(f"{column}:n").sum(1) for column in columns)
    value = float(tops / sum(counts)) if sum(counts) else None
    if few := measured.enough():
        return measured.score(name, value, min(counts), unit="dB", better=better, note=few)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.asarray(drawn / bottoms)
    low, high = measured.interval(draws)
    return measured.score(
        name, value, min(counts), draws, unit="dB", better=better, low=low, high=high,
        interval="bootstrap",
    )  # fmt: skip


class LatentNoisePSNR(Metric):
    """PSNR of images decoded from continuous latents with Gaussian noise of sigma times the
    standard deviation of each image's own latents; the mean over the sigmas. Facets: each sigma;
    `/sigma-0` is the plain PSNR. The counterpart of perturbed-psnr for tokenizers without
    codes, and not comparable with it."""

    name = "latent-noise-psnr"
    statistics: tuple[str, ...] = ("squared-error", "latent-noise-error")
    needs = ("reconstruction", "latents")
    unit, better, aggregation = "dB", "higher", "mean of images and sigmas"
    reference = "tokbench"

    def __init__(self, *, sigmas: str = "0.05,0.1,0.2,0.4") -> None:
        self.sigmas = str(sigmas)
        self._sigmas = sorted(_numbers("sigmas", self.sigmas, float, 0, 100))
        names = [f"latent-noise-error?sigma={sigma:g}" for sigma in self._sigmas]
        self.statistics = ("squared-error", *names)

    def result(self, measured: Measured) -> Iterator[Score]:
        columns = [f"latent-noise-psnr?sigma={sigma:g}" for sigma in self._sigmas]
        if not all(column in measured.evidence.columns for column in columns):
            return
        yield _mean(measured, self.name, columns, self.better)
        yield next(measured.ratio(f"{self.name}/sigma-0", "psnr", "samples", "dB", self.better))
        for sigma, column in zip(self._sigmas, columns, strict=True):
            yield _mean(measured, f"{self.name}/sigma-{sigma:g}", [column], self.better)
