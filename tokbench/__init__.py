"""tokbench: measure text, visual and audio tokenizers with the metrics their fields trust.

From Python: `evaluate`, `load_record`, `load_leaderboard`; `Record.to_frame()` is a data frame.
They are imported when they are first used: `import tokbench` loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokbench.api import Records, evaluate, load_leaderboard, load_record
    from tokbench.errors import UserError
    from tokbench.record import Record
    from tokbench.specs import load_tokenizer

__all__ = [
    "Record", "Records", "UserError", "evaluate", "load_leaderboard", "load_record",
    "load_tokenizer", "own_version",
]  # fmt: skip

_WHERE = {
    "Record": "record", "UserError": "errors", "load_tokenizer": "specs",
    "Records": "api", "evaluate": "api", "load_leaderboard": "api", "load_record": "api",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tokbench' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"tokbench.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def own_version() -> str:
    """Version of the installed tokbench."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tokbench")
    except PackageNotFoundError:
        return "unknown"
