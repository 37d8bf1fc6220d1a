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
    *spec: str | Path,
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

    spec: one or several, text or paths (`"mistral:v3"`, `"jpeg:10..90:10"`,
    `"my_module:Class"`).
    suite or task: what is measured; by default the suite of the tokenizer's modality. The other
    arguments are the options of the command. Records and their samples are left in `out`; what
    has a record there is not measured again unless `again`.

    Raises `tokbench.UserError` for what the command line would refuse.
    """
    from tokbench.commands.evaluate import measure_all
    from tokbench.errors import UserError

    for each in spec:
        if not isinstance(each, str | Path):
            several = isinstance(each, list | tuple | set)
            hint = "give them one by one, evaluate(*specs)" if several else (
                'give its spec as text, such as "mistral:v3" or "my_module:Class"'
            )  # fmt: skip
            raise UserError(f"evaluate: a tokenizer given as {type(each).__name__}: {hint}")
    specs = [str(each) for each in spec]
    if not specs:
        raise UserError('evaluate: no tokenizer; give its spec as text, such as "mistral:v3"')
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
    found = measure_all(specs, options, ["evaluate", *specs])
    return Records(record for record, _ in found)


def load_record(path: str | Path) -> Record:
    """A record by its file, or by its run folder. Raises `UserError` for what is none."""
    from tokbench.record import read_record

    path = Path(path)
    return read_record(path / "record.json" if path.is_dir() else path)


def load_leaderboard(folder: str | Path | None = None, task: str | None = None) -> pd.DataFrame:
    """Every score of a leaderboard, long and tidy, with the columns of `Record.to_frame` and
    `question` (records with the same one are comparable), `created` and `path`.

    folder: default `leaderboards` here, else the shipped one. The first argument may also be the
    task alone: `load_leaderboard("cldr-names")` is `load_leaderboard(task="cldr-names")` where
    no folder of that name is here. Raises `UserError` where there are no records.
    """
    from tokbench.board_index import index_of
    from tokbench.errors import UserError, listed, near
    from tokbench.leaderboard import default_folder
    from tokbench.task import task_paths

    if folder is None or Path(folder).is_dir():
        return index_of(None if folder is None else str(folder), task).frame()
    name, default = str(folder), default_folder()
    tasks = sorted(path.name for path in default.glob("*") if path.is_dir())
    if isinstance(folder, str) and task is None and (name in tasks or name in task_paths()):
        return index_of(None, name).frame()
    known = f"no folder, and no task of {default}{near(name, tasks)}; it has {listed(tasks)}"
    raise UserError(f"load_leaderboard: {name}: {known}")
