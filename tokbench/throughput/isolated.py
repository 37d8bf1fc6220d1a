"""A stop-watch in another process: its threads are chosen, its memory is its own, and what
takes too long can be stopped (a call into a library cannot)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tokbench.errors import UserError, one_line

PATIENCE = 600.0
"""Seconds that a load or an ordinary timing may take before the tokenizer counts as stuck."""

_VARIABLES = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class TooLong(Exception):
    """No answer within the time; the process has been ended."""


class Raised(Exception):
    """What the tokenizer raised, in one line."""


class Died(Raised):
    """Its process is gone."""


class Isolated:
    """A `Meter` of its own process: `ask("encode", 64)`."""

    def __init__(self, spec: str, threads: int):
        self.spec, self.threads = spec, threads
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, spec, threads), daemon=True)
        with _variables(threads):
            self._process.start()
        other.close()
        try:
            self.ask("load")
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, *arguments: object, within: float = PATIENCE) -> Any:
        """The answer of the meter's method. Raises `TooLong`, `Raised` for the tokenizer's own
        error, or `UserError`."""
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(within):
                self.close()
                raise TooLong(f"no answer within {within:g} s")
            kind, answer = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            raise Died("its process died (out of memory?)") from error
        if kind == "user":
            raise UserError(answer)
        if kind == "raised":
            raise Raised(answer)
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._connection.close()
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Lane:
    """One tokenizer in its process, which is started anew where it had to be stopped."""

    def __init__(self, spec: str, name: str, threads: int):
        self.spec, self.name, self.threads = spec, name, threads
        self.meter: Isolated | None = None
        self.loads: list[tuple[float, float]] = []
        self._lost = ""

    def ask(self, method: str, *arguments: object, within: float | None = None) -> Any:
        """As `Isolated.ask`. What is asked of samples that went with a process says why they
        did."""
        if self._lost and method not in ("take", "once"):
            raise Raised(self._lost)
        if self.meter is None:
            self.meter = Isolated(self.spec, self.threads)
            self.loads.append(self.meter.ask("load"))
        try:
            limit = {} if within is None else {"within": within}
            answer = self.meter.ask(method, *arguments, **limit)
        except (TooLong, Died) as error:
            self.meter, self._lost = None, str(error)
            raise
        if method == "take":
            self._lost = ""
        return answer

    def close(self) -> None:
        """End the process."""
        if self.meter is not None:
            self.meter.close()


@contextmanager
def _variables(threads: int) -> Iterator[None]:
    """The libraries' own variables, as a process that starts now will see them."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end_with_parent() -> None:
    """One whose parent was killed ends too, however long its tokenizer would go on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _serve(connection: Connection, spec: str, threads: int) -> None:
    """Answer until the other end closes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees Ctrl-C and ends this process
    from tokbench.throughput.meter import Meter

    meter: Meter | None = None
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            meter = meter or Meter(spec, threads)
            answer: tuple[str, object] = ("answer", getattr(meter, method)(*arguments))
        except UserError as error:
            answer = ("user", str(error))
        except BaseException as error:  # a panic of a library in Rust is no Exception
            answer = ("raised", f"{type(error).__name__}: {one_line(error)}")
        connection.send(answer)
