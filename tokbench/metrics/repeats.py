"""The same sample again: encoded from its reconstruction, a second time, in other company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tokbench.image.planes import largest_error, squared_error
from tokbench.measured import Measured
from tokbench.media import EncodedMedia, exact
from tokbench.metrics.metric import Metric
from tokbench.passes import Pass, agreement, first_pass, likeness, passed, same_codes
from tokbench.statistics import Statistic
from tokbench.types import Sample, Score, Tokenizer


class Asked(Metric):
    """A metric that asks the tokenizer again."""

    def lacks(self, tokenizer: Tokenizer) -> str:
        if hasattr(tokenizer, "reconstructions"):
            return "only stored results: nothing can be encoded again"
        if hasattr(tokenizer, "stored_codes"):
            return "only stored ids: nothing can be encoded again"
        return super().lacks(tokenizer)

    def share(self, measured: Measured, name: str, top: str, bottom: str) -> Iterator[Score]:
        """A share of tokens or samples; refused where there are none."""
        if not measured.totals(bottom).sum():
            why = "no discrete codes" if not measured.spec.vocabulary else "nothing to compare"
            yield measured.score(name, None, 0, unit="share", better="higher", note=why)
            return
        yield next(measured.ratio(name, top, bottom, "share", "higher"))

    def mean(
        self, measured: Measured, name: str, column: str, unit: str, better: str = "higher"
    ) -> Iterator[Score]:
        """Mean of a column over the samples that have it (`column:n`)."""
        count = int(measured.totals(f"{column}:n").sum())
        if not count:
            note = "no sample has it"
            yield measured.score(name, None, 0, unit=unit, better=better, note=note)
            return
        score = next(measured.ratio(name, column, f"{column}:n", unit, better))  # type: ignore[arg-type]
        left = int(measured.totals("samples").sum()) - count
        if left and not score.note:
            score = _noted(score, f"{left} samples left out")
        yield score


def _noted(score: Score, note: str) -> Score:
    import msgspec

    return msgspec.structs.replace(score, note=note)


def with_data(samples: list[Sample], arrays: list[np.ndarray | None]) -> list[Sample | None]:
    """The samples with other contents."""
    return [
        None if array is None else replace(sample, data=array)
        for sample, array in zip(samples, arrays, strict=True)
    ]


def means(name: str, values: list[float]) -> dict[str, np.ndarray]:
    """A column of the finite values and one of how many there are."""
    found = np.array(values, dtype=np.float64)
    good = np.isfinite(found)
    return {name: exact(np.where(good, found, 0.0)), f"{name}:n": good.astype(np.int64)}


def agreements(name: str, pairs: list[tuple[Pass | None, Pass | None]]) -> dict[str, np.ndarray]:
    """Columns of equal tokens and of tokens compared."""
    found = np.array(
        [(0, 0) if a is None or b is None else agreement(a, b) for a, b in pairs], np.int64
    ).reshape(-1, 2)
    return {f"{name}:equal": found[:, 0], f"{name}:tokens": found[:, 1]}


def re_encoding(encoded: EncodedMedia, cycles: str = "3") -> Statistic:
    """`re-encoding-N:equal` of `re-encoding-N:tokens` ids left after N further cycles, and
    `re-encoding-N` dB of likeness to the original gained, for N = 1 … cycles."""
    whole = Statistic()
    begin = first_pass(encoded)
    last: list[Pass | None] = list(begin)
    first = [likeness(a, b) for a, b in zip(encoded.inputs, encoded.outputs, strict=True)]
    for number in range(1, int(cycles) + 1):
        arrays = [None if one is None else one.output for one in last]
        again = with_data(encoded.batch.samples, arrays)
        last, failures = passed(encoded, again, f"re-encoding, cycle {number}")
        name = f"re-encoding-{number}"
        drift = [
            likeness(a, one.output) - before if one and one.output is not None else np.nan
            for a, one, before in zip(encoded.inputs, last, first, strict=True)
        ]
        columns = agreements(name, list(zip(begin, last, strict=True))) | means(name, drift)
        whole.add(Statistic(columns, failures=failures))
    return whole


class ReEncoding(Asked):
    """What stays when a reconstruction is encoded again: the share of tokens with the id they had
    at first, after one cycle (`re-encoding`) and after N (`re-encoding/cycle-N`); in
    `re-encoding/drift-N` how many dB nearer to the original (PSNR of pictures, SNR of clips)
    reconstruction N is than the first, below 0 where quality is lost. An id counts at its
    place; where lengths differ, what only one has does not agree. The reconstruction is what a
    user would save: pictures in 8 bits. Idempotent tokenizers keep 1 and 0 dB."""

    name = "re-encoding"
    statistics: tuple[str, ...] = ("re-encoding?cycles=3",)
    needs = ("reconstruction",)
    unit, better, aggregation = "share", "higher", "ratio of sums; drift: mean of samples"
    reference = "idempotence, encode(decode(codes)) = codes"

    def __init__(self, *, cycles: int = 3):
        if not 1 <= cycles <= 10:
            raise ValueError("cycles is a whole number from 1 to 10")
        self.cycles = int(cycles)
        self.statistics = (f"re-encoding?cycles={self.cycles}",)

    def result(self, measured: Measured) -> Iterator[Score]:
        for number in range(1, self.cycles + 1):
            name = self.name if number == 1 else f"{self.name}/cycle-{number}"
            column = f"re-encoding-{number}"
            yield from self.share(measured, name, f"{column}:equal", f"{column}:tokens")
        for number in range(1, self.cycles + 1):
            name = f"{self.name}/drift-{number}"
            yield from self.mean(measured, name, f"re-encoding-{number}", "dB")


def repeats(encoded: EncodedMedia) -> Statistic:
    """A second pass: `same-codes` and `same-output` samples, `repeat-variance` of the outputs."""
    begin = first_pass(encoded)
    second, failures = passed(encoded, list(encoded.batch.samples), "second pass")
    codes = [np.nan if b is None else float(same_codes(a, b)) for a, b in _pairs(begin, second)]
    variance = [
        np.nan
        if b is None or a.output is None or b.output is None
        else _mean_square(a.output, b.output) / 2
        for a, b in _pairs(begin, second)
    ]
    output = [np.nan if np.isnan(found) else float(found == 0) for found in variance]
    columns = means("same-codes", codes) | means("same-output", output)
    return Statistic(columns | means("repeat-variance", variance), failures=failures)


def _pairs(a: list[Pass], b: list[Pass | None]) -> list[tuple[Pass, Pass | None]]:
    return list(zip(a, b, strict=True))


def _mean_square(a: np.ndarray, b: np.ndarray) -> float:
    """Of the difference of two reconstructions, in shares of full scale (255, or an amplitude of
    1), over what both have."""
    if a.dtype == np.uint8:
        return squared_error(a, b) / a.size / 255**2
    return float(np.mean(_difference(a, b) ** 2))


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two clips, over what both have."""
    frames = min(a.shape[1], b.shape[1])
    return a[:, :frames].astype(np.float64) - b[:, :frames]


class Repeatability(Asked):
    """The same sample once more: share of samples with equal codes (`repeatability`) and with
    equal reconstructions (`repeatability/output`), and the standard deviation of a
    reconstruction's values (`repeatability/spread`), √(mean d² / 2) of the difference d of the
    two, in percent of full scale (255, or an amplitude of 1): the seed variance of a stochastic
    decoder where the codes are equal. 1, 1 and 0 for a deterministic tokenizer."""

    name = "repeatability"
    statistics = ("repeats",)
    unit, better, aggregation = "share", "higher", "mean of samples"
    reference = "determinism; variance from two draws, E d² / 2"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.mean(measured, self.name, "same-codes", "share")
        yield from self.mean(measured, f"{self.name}/output", "same-output", "share")
        yield self._spread(measured)

    def _spread(self, measured: Measured) -> Score:
        name, column = f"{self.name}/spread", "repeat-variance"
        count = int(measured.totals(f"{column}:n").sum())
        if not count:
            note = "the tokenizer does not decode"
            return measured.score(name, None, 0, unit="%", better="lower", note=note)
        value = 100 * np.sqrt(measured.totals(column).sum() / count)
        if few := measured.enough():
            return measured.score(name, value, count, unit="%", better="lower", note=few)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = measured.replicates(column).sum(1) / measured.replicates(f"{column}:n").sum(1)
            draws = 100 * np.sqrt(ratio)
        low, high = measured.interval(draws)
        return measured.score(
            name, value, count, draws, unit="%", better="lower", low=low, high=high,
            interval="bootstrap",
        )  # fmt: skip


def company(encoded: EncodedMedia) -> Statistic:
    """Each sample alone and beside another: `alone:equal` of `alone:tokens` ids, `alone-codes`
    and `alone-output` equal samples."""
    samples = encoded.batch.samples
    alone, failures = passed(encoded, list(samples), "alone", most=1)
    mixed: list[Sample | None] = []
    for sample in samples:
        mixed += [sample, _companion(sample)]
    both, more = passed(encoded, mixed, "in company", most=2)
    pairs = list(zip(alone, both[::2], strict=True))
    codes, output = [], []
    for a, b in pairs:
        codes.append(float(same_codes(a, b)) if a is not None and b is not None else np.nan)
        output.append(_alike(a, b) if a is not None and b is not None else np.nan)
    columns = agreements("alone", pairs) | means("alone-codes", codes)
    return Statistic(columns | means("alone-output", output), failures=failures | more)


def _companion(sample: Sample) -> Sample:
    """The mirror image of a picture or a video; a clip of sound forwards and backwards, so that
    the two differ in length and padding shows."""
    assert sample.data is not None
    if sample.data.dtype == np.uint8:
        return replace(sample, data=np.ascontiguousarray(sample.data[..., ::-1, :]))
    return replace(sample, data=np.concatenate([sample.data, sample.data[:, ::-1]], axis=1))


def _alike(a: Pass, b: Pass) -> float:
    """1 for equal reconstructions, to within one 8-bit step, or 1e-4 of full scale; else 0. NaN
    where there are none."""
    if a.output is None or b.output is None:
        return float("nan")
    if a.output.shape != b.output.shape:
        return 0.0
    if a.output.dtype == np.uint8:
        return float(largest_error(a.output, b.output) <= 1)
    return float(np.abs(_difference(a.output, b.output)).max(initial=0) <= 1e-4 + 1e-12)


class BatchInvariance(Asked):
    """Does a sample's company in a batch change it? Share of samples with the same codes alone
    and beside another (`batch-invariance`), of tokens (`batch-invariance/tokens`), and of samples
    with the same reconstruction to within one 8-bit step, or 1e-4 of full scale
    (`batch-invariance/output`). The other is a picture's mirror image, or a clip twice as long,
    so that the score depends on the sample and on no batch of the run."""

    name = "batch-invariance"
    statistics = ("company",)
    unit, better, aggregation = "share", "higher", "mean of samples"
    reference = "padding and normalisation over the batch, found by comparison"

    def result(self, measured: Measured) -> Iterator[Score]:
        yield from self.mean(measured, self.name, "alone-codes", "share")
        yield from self.share(measured, f"{self.name}/tokens", "alone:equal", "alone:tokens")
        yield from self.mean(measured, f"{self.name}/output", "alone-output", "share")
