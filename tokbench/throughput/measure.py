"""Timing several tokenizers in turn: the same samples, the same machine, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tokbench.throughput.inputs import ADVERSARIAL, Corpus
from tokbench.throughput.isolated import PATIENCE, Lane, Raised, TooLong
from tokbench.throughput.spread import Spread, exponent, median, quantile

TOGETHER = 1024
"""Texts encoded in one call, as `eval` does."""

SMALLEST, LARGEST = 1 << 10, 1 << 19
"""Bytes of the shortest and the longest adversarial text."""

FITTED = 5
"""Largest sizes that enter the exponent: what a tokenizer costs before it has read is left out."""

TURNS = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """repeats: timings of each figure. cap: seconds that the latencies of a corpus or one
    adversarial text may take; a pass over a corpus a quarter of it. threads: how many in
    turn. batches: samples in one call."""

    repeats: int
    cap: float
    threads: tuple[int, ...]
    batches: tuple[int, ...]

    @property
    def once(self) -> float:
        """Seconds of one pass over a corpus; what is beyond is left out, and that said."""
        return self.cap / 4


@dataclass
class Timing:
    """One figure of one tokenizer and the timings behind it.

    measure: encode, decode, first-encode, latency-p50, latency-p99, load, memory, peak-memory,
        growth. on: the corpus or the adversarial text. amount: work done in `seconds`, by unit.
    cores: processor seconds for each second. spread: the value itself where it is no speed.
    """

    tokenizer: str
    measure: str
    on: str = ""
    domain: str = ""
    threads: int = 1
    batch: int | None = None
    amounts: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    cores: float | None = None
    spread: Spread | None = None
    unit: str = ""
    note: str = ""

    @property
    def place(self) -> tuple[object, ...]:
        """What the timing of another tokenizer must share to be held against this one."""
        return self.measure, self.on, self.domain, self.threads, self.batch, tuple(self.amounts)

    def figures(self) -> Iterator[tuple[str, Spread | None]]:
        """Every unit and the figure in it; None where nothing was measured."""
        if self.spread is not None or not self.seconds:
            yield self.unit or next(iter(self.amounts), ""), self.spread
            return
        spent = median(self.seconds)
        for unit, amount in self.amounts.items():
            low = None if spent.high is None else amount / spent.high
            high = None if spent.low is None else amount / spent.low
            yield unit, Spread(amount / spent.value, low, high, spent.n)


Progress = Callable[[int, int], None]


def timings(
    specs: dict[str, str],
    work: dict[str, list[Corpus]],
    settings: Settings,
    progress: Progress | None = None,
) -> list[Timing]:
    """Time all tokenizers (`specs`: name to spec) on their corpora (`work`: of each name, in the
    same order), with each number of threads; then, for text, on adversarial texts."""
    first = next(iter(work.values()))
    text = "MB/s" in first[0].amounts
    total = len(settings.threads) * (len(first) + 1) + (len(specs) if text else 0)
    done = 0

    def another() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    found: list[Timing] = []
    alone: Alone = defaultdict(list)
    loads: dict[str, list[tuple[float, float]]] = {name: [] for name in specs}
    for threads in settings.threads:
        with ExitStack() as stack:
            lanes = [Lane(spec, name, threads) for name, spec in specs.items()]
            for lane in lanes:
                stack.callback(lane.close)
                lane.ask("load")
            for number in range(len(first)):
                own = [work[lane.name][number] for lane in lanes]
                found += _corpus(lanes, own, settings, alone)
                another()
            found += _batches(lanes, work, settings)
            for lane in lanes:
                found.append(_peak(lane))
                loads[lane.name] += lane.loads
            another()
    if text:
        for name, spec in specs.items():
            lane = Lane(spec, name, 1)
            try:
                found += _growth(lane, settings.cap)
            finally:
                lane.close()
            loads[name] += lane.loads
            another()
    for (name, domain), seconds in alone.items():
        milliseconds = [1e3 * each for each in seconds]
        for share, measure in ((0.5, "latency-p50"), (0.99, "latency-p99")):
            spread = quantile(milliseconds, share)
            found.append(Timing(name, measure, "", domain, batch=1, spread=spread, unit="ms"))
    for name, each in loads.items():
        for measure, unit, column in (("load", "s", 0), ("memory", "MiB", 1)):
            spread = median([load[column] for load in each])
            found.append(Timing(name, measure, spread=spread, unit=unit))
    return found


def _peak(lane: Lane) -> Timing:
    timing = Timing(lane.name, "peak-memory", threads=lane.threads, unit="MiB")
    try:
        timing.spread = median([lane.ask("peak")])
    except Raised as error:
        timing.note = str(error)
    return timing


Alone = dict[tuple[str, str], list[float]]
"""Seconds of every sample by itself, by tokenizer and domain."""


def _corpus(
    lanes: list[Lane], own: list[Corpus], settings: Settings, alone: Alone
) -> Iterator[Timing]:
    """First pass, encoding, decoding and (into `alone`) latencies on one corpus."""
    together = min(TOGETHER, len(own[0].samples)) if "MB/s" in own[0].amounts else 1
    taken: dict[Lane, Corpus] = {}
    counts: list[int] = []
    for lane, corpus in zip(lanes, own, strict=True):
        about = _about(lane, corpus, together)
        try:
            count, seconds = lane.ask("take", corpus.samples, corpus.rates, settings.once)
        except (Raised, TooLong) as error:
            unit = next(iter(corpus.amounts))
            yield Timing(**about, measure="encode", note=str(error), unit=unit)
            continue
        taken[lane] = corpus
        counts.append(count)
        amounts = {unit: corpus.amount(count, unit) for unit in corpus.amounts}
        yield Timing(**about, measure="first-encode", amounts=amounts, seconds=[seconds])
    if not taken:
        return
    count, all_of_them = min(counts), len(own[0].samples)
    note = ""
    if count < all_of_them:
        note = f"first {count:,} of {all_of_them:,} samples: more than {settings.once:g} s"
        for lane, corpus in taken.items():
            lane.ask("take", corpus.samples[:count], corpus.rates[:count], PATIENCE)
    yield from _both_ways(taken, count, together, settings, note)
    if lanes[0].threads == 1:
        for lane, corpus in taken.items():
            try:
                seconds = lane.ask("latencies", TURNS, settings.cap)
            except (Raised, TooLong):
                continue  # said of the corpus itself where it fails at all
            alone[lane.name, corpus.domain] += seconds


def _about(lane: Lane, corpus: Corpus, batch: int) -> dict[str, Any]:
    return {
        "tokenizer": lane.name, "on": corpus.name, "domain": corpus.domain,
        "threads": lane.threads, "batch": batch,
    }  # fmt: skip


def _both_ways(
    taken: dict[Lane, Corpus],
    count: int,
    batch: int,
    settings: Settings,
    note: str = "",
    ways: Sequence[str] = ("encode", "decode"),
) -> Iterator[Timing]:
    """Encoding and decoding of what the lanes hold; each timing of every lane in turn, so that a
    machine that slows down slows all of them."""
    for way in ways:
        made: dict[Lane, Timing] = {}
        for lane, corpus in taken.items():
            amounts = {unit: corpus.amount(count, unit) for unit in corpus.amounts}
            about = _about(lane, corpus, batch)
            made[lane] = Timing(**about, measure=way, amounts=amounts, note=note)
        cores: dict[Lane, list[float]] = {lane: [] for lane in taken}
        for turn in range(settings.repeats):
            for lane, timing in made.items():
                if timing.note and timing.note != note:
                    continue
                try:
                    if turn == 0 and way == "decode":
                        lane.ask("encoded", batch)
                    seconds, busy = lane.ask(way, batch)
                except (Raised, TooLong) as error:
                    timing.note, timing.seconds = str(error), []
                    continue
                timing.seconds.append(seconds)
                cores[lane].append(busy)
        for lane, timing in made.items():
            timing.cores = median(cores[lane]).value if timing.seconds else None
            yield timing


def _batches(
    lanes: list[Lane], work: dict[str, list[Corpus]], settings: Settings
) -> Iterator[Timing]:
    """Encoding of the first set (all its corpora together) in batches of several sizes."""
    taken: dict[Lane, Corpus] = {}
    count = 0
    for lane in lanes:
        corpora = work[lane.name]
        same = [corpus for corpus in corpora if corpus.domain == corpora[0].domain]
        pooled = Corpus(
            "all", same[0].domain, [sample for one in same for sample in one.samples],
            {unit: [x for one in same for x in one.amounts[unit]] for unit in same[0].amounts},
            [rate for one in same for rate in one.rates],
        )  # fmt: skip
        try:
            reached = lane.ask("take", pooled.samples, pooled.rates, settings.once)[0]
        except (Raised, TooLong):
            continue  # said where its corpora are
        count = min(count, reached) if taken else reached
        taken[lane] = pooled
    for lane, pooled in taken.items():
        lane.ask("take", pooled.samples[:count], pooled.rates[:count], PATIENCE)
    if not taken:
        return
    for batch in settings.batches:
        if batch <= max(count, 1):
            yield from _both_ways(taken, count, batch, settings, ways=("encode",))


def _growth(lane: Lane, cap: float) -> Iterator[Timing]:
    """How encoding grows with the length of adversarial texts. Sizes double until a text takes
    over `cap` seconds, or would."""
    for kind, made in ADVERSARIAL.items():
        sizes: list[int] = []
        seconds: list[float] = []
        note, size = "", SMALLEST
        while size <= LARGEST:
            try:
                turns = []
                for turn in range(TURNS):
                    turns.append(lane.ask("once", made(size, turn), within=cap))
                    if turns[-1] > cap / 8:
                        break  # long enough to be told from noise
            except TooLong:
                note = f"{size >> 10:,} KiB: over {cap:g} s"
                break
            except Raised as error:
                note = f"{size >> 10:,} KiB: {error}"
                break
            sizes.append(size)
            seconds.append(min(turns))  # what else the machine does only ever adds
            grown = 2.0 if len(sizes) < 2 else max(2.0, seconds[-1] / seconds[-2])
            if seconds[-1] * grown > cap and size < LARGEST:
                note = (
                    f"stopped at {size >> 10:,} KiB ({seconds[-1]:.3g} s): the next is over the cap"
                )
                break
            size *= 2
        spread = exponent(sizes[-FITTED:], seconds[-FITTED:])
        largest = {"MB/s": sizes[-1] / 1e6} if sizes else {}
        yield Timing(
            lane.name, "growth", kind, "adversarial", 1, 1, largest, seconds[-1:],
            spread=spread, unit="exponent", note=note,
        )  # fmt: skip
