"""A worker of the Ray executor: what runs on the machines of the cluster."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from tokbench.errors import UserError
from tokbench.executors import Unready, result_of, started
from tokbench.files import PACKAGE, sha256
from tokbench.record import versions


class Refused(NamedTuple):
    """A `UserError` of a worker, as data. final: it could not be made ready for its job."""

    why: str
    final: bool = True


class Worker:
    """The actor. `begin` makes it ready for a job's shards; `work` does one."""

    def __init__(self, folder: str, path: list[str], variables: dict[str, str]):
        with suppress(OSError):
            os.chdir(folder)  # relative paths mean the same here, where the folder is there
        sys.path += [place for place in path if place not in sys.path]  # adapters of one's own
        for name, value in variables.items():
            os.environ.setdefault(name, value)  # a machine may have places of its own

    def about(self) -> dict[str, str]:
        """What a score could depend on, and where this is."""
        return {"machine": socket.gethostname()} | identity()

    def begin(self, threads: int, given: tuple[Any, ...]) -> Refused | None:
        begin, arguments = given
        try:
            started(threads, begin, arguments)
        except UserError as error:
            return Refused(str(error))
        return None

    def work(self, work: Callable[[Any], Any], job: Any) -> Any:
        try:
            return result_of(work, job)
        except UserError as error:
            return Refused(str(error), isinstance(error, Unready))


def identity() -> dict[str, str]:
    """Versions of tokbench, its source as it lies there, and the packages it computes with."""
    source = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.glob("*.c")])
    digest = sha256(*(piece for path in source for piece in (path.name, path.read_bytes())))
    return versions() | {"tokbench's source": digest[:12]}
