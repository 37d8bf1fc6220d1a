"""Benches for images, clips and video: read, encode, decode, restore, measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from tokbench.ahead import read_ahead
from tokbench.bench import Bench, Clock, Job, of_the_tokenizer
from tokbench.dataset import Dataset
from tokbench.errors import one_line
from tokbench.evidence import Evidence, Failure
from tokbench.media import EncodedMedia, MediaBatch, together
from tokbench.media_parts import MediaPart
from tokbench.parts import Slice
from tokbench.plan import Shard
from tokbench.statistics import Statistic
from tokbench.streams import checked
from tokbench.types import Codes, Sample, Score, Tokenizer


class MediaBench(Bench):
    """A job on images or clips made ready. Subclasses say how a sample is fitted and restored.

    speed_unit: in which `amount` is given, for each second.
    """

    speed_unit = ""

    def __init__(
        self, job: Job, tokenizer: Tokenizer | None = None, dataset: Dataset | None = None
    ):
        super().__init__(job, tokenizer, dataset)
        check = getattr(self.tokenizer, "check", None)  # results on disk, by the samples' names
        if check is not None:
            parts = [part for part in self.dataset.parts if isinstance(part, MediaPart)]
            headers = [each for part in parts for each in islice(part.headers(), job.limit)]
            check(headers, job.limit is None)
        attend = getattr(self.tokenizer, "attend", None)  # what is made of the other samples
        if attend is not None:
            attend([part for part in self.dataset.parts if isinstance(part, MediaPart)], job.limit)

    def cut(self, sample: Sample) -> Sample:
        """The part of the sample that the task is about."""
        return sample

    def fitted(self, sample: Sample) -> Any:
        """The sample as the tokenizer takes it, with what `restored` needs."""
        raise AttributeError(f"{type(self).__name__} has no fitted()")

    def seen(self, fitted: Any) -> np.ndarray:
        """The array that the tokenizer gets."""
        raise AttributeError(f"{type(self).__name__} has no seen()")

    def prepare(self, fitted: list[Any]) -> None:
        """Tell the tokenizer what the arrays of the next batch do not say."""

    def restored(self, output: np.ndarray, fitted: Any) -> np.ndarray:
        """The reconstruction in the form of the sample; `ValueError` for what is none."""
        raise AttributeError(f"{type(self).__name__} has no restored()")

    def amount(self, fitted: Any) -> float:
        """How much the tokenizer sees, in the unit of the speed scores."""
        raise AttributeError(f"{type(self).__name__} has no amount()")

    def evidence(self, shard: Shard) -> Evidence:
        """What one shard gives: each slice is encoded, decoded and measured in turn while the
        next is read, so that no more than two are held."""
        clock = Clock()
        failures: dict[str, Failure] = {}
        with closing(read_ahead(self._read, shard, self.ahead)) as batches:
            found = (self._evidence(batches, clock, failures) for _ in shard)
            whole = Evidence.joined(evidence for evidence in found if evidence is not None)
        whole.failures |= failures
        whole.seconds = clock.seconds
        return whole

    def _read(self, piece: Slice) -> MediaBatch:
        batch = self.source.read_media(piece)
        batch.samples = [self.cut(sample) for sample in batch.samples]
        return batch

    def _evidence(
        self, batches: Iterator[MediaBatch], clock: Clock, failures: dict[str, Failure]
    ) -> Evidence | None:
        with clock("read"):  # or the rest of it
            batch = next(batches)
            good = [row for row, sample in enumerate(batch.samples) if sample.data is not None]
            for row in sorted(set(range(len(batch))) - set(good)):
                self._failed(failures, f"read: {batch.samples[row].error}", batch, row)
            batch = batch.select(good)
        encoded = self.encoded(batch, clock, failures)
        if encoded is None:
            return None
        with clock("measure"):
            whole = Statistic({"samples": np.ones(len(encoded.batch), dtype=np.int64)})
            for function in self.statistics.values():
                whole.add(function(encoded))
        return Evidence(
            encoded.batch.group,
            encoded.batch.index,
            whole.columns,
            whole.tallies,
            failures=whole.failures,
            examples=whole.examples,
            sums=whole.sums,
            kept=whole.kept,
        )

    def encoded(
        self, batch: MediaBatch, clock: Clock, failures: dict[str, Failure]
    ) -> EncodedMedia | None:
        """The batch through the tokenizer and back. What fails together is tried in halves, so
        that a lack of memory means smaller batches, and one bad sample fails alone."""
        if not len(batch):
            return None
        try:
            return self._through(batch, clock)
        except BaseException as error:
            if not (isinstance(error, MemoryError) or of_the_tokenizer(error)):
                raise
            if len(batch) == 1:
                self._failed(failures, f"{type(error).__name__}: {one_line(error)}", batch, 0)
                return None
        middle = len(batch) // 2
        halves = [batch.select(range(middle)), batch.select(range(middle, len(batch)))]
        parts = [e for half in halves if (e := self.encoded(half, clock, failures)) is not None]
        return together(parts)

    def _through(self, batch: MediaBatch, clock: Clock) -> EncodedMedia:
        fitted = [self.fitted(sample) for sample in batch.samples]
        codes, outputs = self._run(batch.samples, fitted, clock)
        clock.add("amount", float(sum(map(self.amount, fitted))))
        on_disk = hasattr(self.tokenizer, "reconstructions")
        decodes = not on_disk and getattr(self.tokenizer, "decodes", True)
        return EncodedMedia(
            self.tokenizer, batch, codes, outputs, self.dataset.groups,
            restore=partial(self._restored, fitted) if decodes else None, again=self._again,
            encode=self._codes,
            view=self.job.task.view,
        )  # fmt: skip

    def _again(self, samples: list[Sample]) -> tuple[Codes, list[np.ndarray]]:
        """Samples that a statistic made, through the tokenizer and back; no part of its speed."""
        return self._run(samples, [self.fitted(sample) for sample in samples], Clock())

    def _codes(self, samples: list[Sample]) -> Codes:
        """The codes alone of samples that a statistic made."""
        if hasattr(self.tokenizer, "stored_codes"):
            return self.tokenizer.stored_codes(samples)
        return self._coded([self.fitted(sample) for sample in samples], Clock())

    def _restored(self, fitted: list[Any], codes: Codes, rows: Sequence[int]) -> list[np.ndarray]:
        """Other codes of samples that were encoded before; no part of the decoding speed."""
        some = [fitted[row] for row in rows]
        self.prepare(some)
        return self._decoded(codes, some, Clock())

    def _run(
        self, samples: list[Sample], fitted: list[Any], clock: Clock
    ) -> tuple[Codes, list[np.ndarray]]:
        stored = getattr(self.tokenizer, "reconstructions", None)  # on disk, by name
        if stored is not None:
            return Codes(), stored(samples)
        if hasattr(self.tokenizer, "stored_codes"):
            return self.tokenizer.stored_codes(samples), []
        codes = self._coded(fitted, clock)
        return codes, self._decoded(codes, fitted, clock)

    def _coded(self, fitted: list[Any], clock: Clock) -> Codes:
        seen: Any = [self.seen(each) for each in fitted]
        self.prepare(fitted)
        with clock("encode"):
            codes = self.tokenizer.encode(seen)
        # A decoder may use what can be written down and nothing else.
        codes = Codes.from_bytes(codes.to_bytes())
        return checked(codes, self.tokenizer.spec, len(fitted))

    def _decoded(self, codes: Codes, fitted: list[Any], clock: Clock) -> list[np.ndarray]:
        if not getattr(self.tokenizer, "decodes", True):  # it only encodes
            return []
        if hasattr(self.tokenizer, "notes"):
            self.tokenizer.notes = ()  # the encoder's alone
        with clock("decode"):
            decoded: Any = self.tokenizer.decode(codes)
        if len(decoded) != len(fitted):
            raise ValueError(f"decode returned {len(decoded)} samples for {len(fitted)}")
        return [self.restored(a, b) for a, b in zip(decoded, fitted, strict=True)]

    def _failed(
        self, failures: dict[str, Failure], cause: str, batch: MediaBatch, row: int
    ) -> None:
        failure = failures.setdefault(cause[:200], Failure())
        failure.count += 1
        failure.example = failure.example or batch.samples[row].name

    def performance(self, evidence: Evidence) -> list[Score]:
        """Speed of encoding and decoding on this machine, seconds to load, peak memory."""
        from tokbench.results import cost, speed

        seconds = evidence.seconds
        amount = seconds.get("amount", 0.0)
        rows = [
            speed(f"{activity}-speed", amount, seconds.get(activity, 0.0), self.speed_unit)
            for activity in ("encode", "decode")
        ]
        return [*rows, *cost(self.tokenizer)]


class ImageBench(MediaBench):
    """A job on images."""

    speed_unit = "Mpixel/s"

    def cut(self, sample: Sample) -> Sample:
        from tokbench.image.fitting import central

        if not self.job.task.crop or sample.data is None:
            return sample
        # Boxes and keypoints would have to move along: metrics of them take whole pictures.
        return replace(sample, data=central(sample.data, self.job.task.crop), notes={})

    def fitted(self, sample: Sample) -> Any:
        from tokbench.image.fitting import fit

        assert sample.data is not None
        return fit(sample.data, self.tokenizer.spec, self.job.task.view)

    def seen(self, fitted: Any) -> np.ndarray:
        return fitted.pixels

    def restored(self, output: np.ndarray, fitted: Any) -> np.ndarray:
        from tokbench.image.fitting import restored

        return restored(output, fitted, self.tokenizer.spec)

    def amount(self, fitted: Any) -> float:
        height, width = fitted.pixels.shape[:2]
        return height * width / 1e6


class AudioBench(MediaBench):
    """A job on clips. Speed is seconds of sound for each second of work."""

    speed_unit = "× real time"

    def fitted(self, sample: Sample) -> Any:
        from tokbench.audio.clips import fit

        return fit(sample, self.tokenizer.spec)

    def seen(self, fitted: Any) -> np.ndarray:
        return fitted.data

    def prepare(self, fitted: list[Any]) -> None:
        tokenizer: Any = self.tokenizer
        tokenizer.rates = [each.rate for each in fitted]
        tokenizer.notes = [each.original.notes for each in fitted]

    def restored(self, output: np.ndarray, fitted: Any) -> np.ndarray:
        from tokbench.audio.clips import restored

        tokenizer: Any = self.tokenizer
        return restored(output, fitted, tokenizer.output_rate)

    def amount(self, fitted: Any) -> float:
        return fitted.data.shape[1] / fitted.rate


class VideoBench(MediaBench):
    """A job on video, one clip at a time."""

    speed_unit = "frames/s"

    def cut(self, sample: Sample) -> Sample:
        from tokbench.image.fitting import central

        if not self.job.task.crop or sample.data is None:
            return sample
        frames = [central(frame, self.job.task.crop) for frame in sample.data]
        return replace(sample, data=np.stack(frames), notes={})

    def fitted(self, sample: Sample) -> Any:
        from tokbench.video.clips import fit

        return fit(sample, self.tokenizer.spec, self.job.task.view)

    def seen(self, fitted: Any) -> np.ndarray:
        return fitted.frames

    def prepare(self, fitted: list[Any]) -> None:
        tokenizer: Any = self.tokenizer
        tokenizer.rates = [each.fps for each in fitted]

    def restored(self, output: np.ndarray, fitted: Any) -> np.ndarray:
        from tokbench.video.clips import restored

        return restored(output, fitted, self.tokenizer.spec)

    def amount(self, fitted: Any) -> float:
        return fitted.count


BENCHES: dict[str, type[MediaBench]] = {
    "image": ImageBench, "video": VideoBench, "audio": AudioBench,
}  # fmt: skip
"""The bench of each modality but text."""
