"""Metrics that another package's code or weights decide: they say which, or that it is missing."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import PackageNotFoundError, version

from tokbench.errors import MissingExtra, UserError
from tokbench.metrics.metric import Metric
from tokbench.types import Tokenizer


class Probed(Metric):
    """A metric whose signature ends with what judged; without it the metric alone is refused."""

    def judge(self) -> str:
        """Version of the package, or fingerprint of the probe. Raises `UserError` without it."""
        raise AttributeError(f"{type(self).__name__} has no judge()")

    @cached_property
    def _judged(self) -> tuple[str, str]:
        try:
            return self.judge(), ""
        except UserError as error:
            return "missing", str(error)

    def lacks(self, tokenizer: Tokenizer) -> str:
        return super().lacks(tokenizer) or self._judged[1]

    def signature(self) -> str:
        return f"{super().signature()}|by:{self._judged[0]}"


def package(name: str, extra: str) -> str:
    """`name-version` of an installed package. Raises `MissingExtra` where it is not."""
    try:
        return f"{name}-{version(name)}"
    except PackageNotFoundError as error:
        raise MissingExtra(name, extra) from error
