"""The stop-watch: a tokenizer in a process of its own, timed on request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from tokbench.types import Codes

LEAST = 0.02
"""Seconds that one timing lasts at least: short work is done several times over."""

WARM_UP = 64
"""Most texts of the first pass that go together; between them it looks at the clock."""


class Meter:
    """A tokenizer and the samples it is timed on. Every answer is small and can be pickled."""

    def __init__(self, spec: str, threads: int):
        import psutil

        from tokbench.specs import load_tokenizer

        process = psutil.Process()
        before = process.memory_info().rss
        tokenizer: Any = cast(Any, load_tokenizer(spec))
        tokenizer.max_threads = threads
        self.tokenizer = tokenizer
        self.loaded = (self.tokenizer.load_seconds, (process.memory_info().rss - before) / 2**20)
        self.samples: list[Any] = []
        self.rates: list[int] = []
        self.codes: list[Codes] = []

    def load(self) -> tuple[float, float]:
        """Seconds to load, and MiB that the process grew by."""
        return self.loaded

    def peak(self) -> float:
        """Largest resident set so far, MiB."""
        from tokbench.results import peak_memory

        return peak_memory()

    def take(self, samples: list[Any], rates: list[int], cap: float) -> tuple[int, float]:
        """Take samples and encode them once, for as long as `cap` seconds: how many were
        reached, and seconds. The rest are dropped."""
        self.samples, self.rates, self.codes = samples, rates, []
        started, done = time.perf_counter(), 0
        step = 1
        while done < len(samples) and (not done or time.perf_counter() - started < cap):
            self._encode(done, done + step)
            done = min(done + step, len(samples))
            step = min(2 * step, WARM_UP) if isinstance(samples[0], str) else 1
        seconds = time.perf_counter() - started
        self.samples, self.rates = samples[:done], rates[:done]
        return done, seconds

    def _encode(self, start: int, stop: int) -> Codes:
        if self.rates:
            self.tokenizer.rates = self.rates[start:stop]
        return self.tokenizer.encode(self.samples[start:stop])

    def _decode(self, number: int, batch: int) -> None:
        if self.rates:
            self.tokenizer.rates = self.rates[number * batch : (number + 1) * batch]
        self.tokenizer.decode(self.codes[number])

    def encode(self, batch: int) -> tuple[float, float]:
        """Seconds of one pass over all samples in batches, and cores kept busy."""
        starts = range(0, len(self.samples), batch)
        return _timed(lambda: [self._encode(start, start + batch) for start in starts])

    def encoded(self, batch: int) -> None:
        """Keep the codes of all samples, in batches, for `decode`."""
        starts = range(0, len(self.samples), batch)
        found = [self._encode(start, start + batch) for start in starts]
        self.codes = [
            Codes(c.levels, c.latents, c.side_bits, c.extra) for c in found
        ]  # without spans, which no decoder sees
        self._decode(0, batch)  # warm, and it shows at once whether there is a decoder

    def decode(self, batch: int) -> tuple[float, float]:
        """Seconds of one pass over the kept codes, and cores kept busy."""

        def all_of_them() -> None:
            for number in range(len(self.codes)):
                self._decode(number, batch)

        return _timed(all_of_them)

    def latencies(self, rounds: int, cap: float) -> list[float]:
        """Median seconds of each sample encoded alone, for as many as `cap` seconds allow."""
        import statistics

        started, found = time.perf_counter(), []
        for number in range(len(self.samples)):
            if time.perf_counter() - started > cap:
                break
            turns = []
            for _ in range(rounds):
                begun = time.perf_counter()
                self._encode(number, number + 1)
                turns.append(time.perf_counter() - begun)
            found.append(statistics.median(turns))
        return found

    def once(self, text: str) -> float:
        """Seconds to encode one text."""
        started = time.perf_counter()
        self.tokenizer.encode([text])
        return time.perf_counter() - started


def _timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call, over as many calls as last `LEAST`, and processor seconds per second."""
    calls, wall, processor = 0, time.perf_counter(), time.process_time()
    while True:
        function()
        calls += 1
        spent = time.perf_counter() - wall
        if spent >= LEAST:
            return spent / calls, (time.process_time() - processor) / spent
