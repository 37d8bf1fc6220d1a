"""Models that packages carry in their wheels: found without importing the package."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tokbench.errors import MissingExtra, UserError
from tokbench.files import sha256, sha256_file


def packaged(module: str, extra: str, *names: str) -> list[Path]:
    """Files inside an installed package. Raises `MissingExtra` where it is not installed, and
    `UserError` where it lacks a file."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingExtra(module, extra)
    paths = [Path(spec.origin).parent / name for name in names]
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: missing from the package {module}; install it anew")
    return paths


def fingerprint(paths: list[Path], *packages: str) -> str:
    """Of the weights and the versions of the packages that run them: eight hex digits."""
    return sha256(*(sha256_file(path) for path in paths), *map(version, packages))[:8]
