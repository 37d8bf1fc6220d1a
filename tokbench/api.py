"""tokbench from Python: measure, read records, and have them as data frames."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokbench.record import Record

if TYPE_CHECKING:
    import pandas as pd


class Records(list[Record]):
    """Records of one call; in a notebook, a table of their headline scores."""

    def to_frame(self) -> pd.DataFrame:
        """Long and tidy: one row for each score of each record (`Record.to_frame`)."""
        import pandas as pd

        return pd.concat([record.to_frame() for record in self], ignore_index=True)

    def _repr_html_(self) -> str:
        return "".join(record._repr_html_() for record in self)


def evaluate(
    *spec: str,
    suite: str | None = None,
    task: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    split: str | None = None,
    groups: Sequence[str] = (),
    reference: str | None = None,
    lexicon: str | Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
    executor: str | None = None,
    out: str | Path = "runs",
    again: bool = False,
) -> Records:
    """Measure tokenizers as `tokbench eval` does, and return their records.

    spec: one or several (`"mistral:v3"`, a path, `"jpeg:10..90:10"`, `"my_module:Class"`).
    suite or task: what is measured; by default the suite of the tokenizer's modality. The other
    arguments are the options of the command. Records and their samples are left in `out`; what
    has a record there is not measured again unless `again`.

    Raises `tokbench.UserError` for what the command line would refuse.
    """
    from tokbench.commands.evaluate import measure_all
    from tokbench.errors import UserError

    if suite is not None and task is not None:
        raise UserError("evaluate: give a suite or tasks, not both")
    for name, number in (("limit", limit), ("workers", workers)):
        if number is not None and number < 1:
            raise UserError(f"evaluate: {name}={number}: give a whole number above 0")
    options = Namespace(
        suite=suite,
        task=[task] if isinstance(task, str) else list(task) if task else None,
        data=str(data) if data is not None else None,
        split=split,
        groups=",".join(groups),
        reference=reference,
        lexicon=str(lexicon) if lexicon is not None else None,
        limit=limit,
        workers=workers,
        executor=executor,
        out=str(out),
        again=again,
    )
    found = measure_all(list(spec), options, ["evaluate", *spec])
    return Records(record for record, _ in found)


def load_record(path: str | Path) -> Record:
    """A record by its file, or by its run folder. Raises `UserError` for what is none."""
    from tokbench.record import read_record

    path = Path(path)
    return read_record(path / "record.json" if path.is_dir() else path)


def load_leaderboard(folder: str | Path | None = None, task: str | None = None) -> pd.DataFrame:
    """Every score of a leaderboard, long and tidy, with the columns of `Record.to_frame` and
    `question` (records with the same one are comparable), `created` and `path`.

    folder: default `leaderboards` here, else the shipped one. Raises `UserError` where there are
    no records.
    """
    from tokbench.board_index import index
    from tokbench.leaderboard import empty, opened_folder

    where = opened_folder(str(folder) if folder is not None else None)
    found = index(where, task)
    if not found.entries:
        raise empty(where)
    return found.frame()
