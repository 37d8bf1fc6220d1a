"""Sweeps: one tokenizer for each language, algorithm, vocabulary size and amount of text.

The setting of Arnett et al. (arXiv 2510.21909): monolingual tokenizers, matched training text,
parallel evaluation text. What a cell finds depends on its text and options alone, and is kept
in a file under their hash.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from tokbench.errors import UserError, near
from tokbench.executors import SERIAL, Executor, completed
from tokbench.files import atomic_write, sha256
from tokbench.matched import Matched
from tokbench.run import Progress
from tokbench.tokenizers.text import training as trainer
from tokbench.tokenizers.text.trained import assembled

VERSION = 1
"""Raise it when a change here changes what a cell finds: it is part of its key."""

LEAST, MOST = trainer.LEAST, 1_000_000
"""Vocabulary sizes that can be trained."""

BATCH = 1024
"""Sentences encoded at a time."""


@dataclass(frozen=True, order=True)
class Cell:
    """One tokenizer: its algorithm, amount of training text (see `Matched.amounts`), language
    and vocabulary size."""

    algorithm: str
    amount: int
    language: str
    vocabulary: int


class Found(msgspec.Struct, forbid_unknown_fields=True):
    """What a cell found.

    reached: tokens of the vocabulary that was trained: fewer than asked for where the text
        yields no more; None when none could be trained, and `note` says why.
    tokens: of each evaluation sentence.
    unknown: how many of them are UNK (WordPiece): text that is lost, and cheap for it.
    """

    reached: int | None
    note: str = ""
    tokens: list[int] = []
    unknown: int = 0
    training_lines: int = 0
    training_bytes: int = 0
    bytes: int = 0
    characters: int = 0

    def counts(self) -> np.ndarray:
        return np.array(self.tokens, dtype=np.float64)


Cells = dict[Cell, Found]


def grid(algorithms: Sequence[str], amounts: Sequence[int], languages: Sequence[str],
         sizes: Sequence[int]) -> list[Cell]:  # fmt: skip
    """All cells. Raises `UserError` for an unknown algorithm and a size out of range."""
    for algorithm in algorithms:
        if algorithm not in trainer.TRAINERS:
            raise UserError(
                f"--algorithm: no algorithm '{algorithm}'{near(algorithm, trainer.TRAINERS)} "
                f"(there are {', '.join(trainer.TRAINERS)})"
            )
    for size in sizes:
        if not LEAST <= size <= MOST:
            raise UserError(f"--vocab {size}: give sizes from {LEAST} to {MOST:,}")
    return [
        Cell(algorithm, amount, language, size)
        for algorithm in dict.fromkeys(algorithms)
        for amount in amounts
        for language in languages
        for size in sorted(set(sizes))
    ]


def measured(
    matched: Matched,
    cells: Sequence[Cell],
    folder: Path,
    executor: Executor = SERIAL,
    progress: Progress | None = None,
) -> Cells:
    """Every cell's result, from its file in `folder` or trained and evaluated now.

    A result is written as soon as it is there, so an interrupted sweep goes on where it stopped.
    """
    paths = {cell: folder / f"{_key(matched, cell)}.json" for cell in cells}
    found = {cell: result for cell in paths if (result := _kept(paths[cell]))}
    # Cells of one text follow each other, so that a process reads it once.
    waiting = [cell for cell in paths if cell not in found]
    waiting.sort(key=lambda cell: (cell.language, cell.amount))
    done = len(found)

    def another() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(paths))

    if progress:
        progress(done, len(paths))
    if executor.kind == "serial":
        results: Iterable[tuple[int, Found]] = (
            (number, _measured(matched, cell)) for number, cell in enumerate(waiting)
        )
    else:
        results = completed(_work, waiting, executor, _begin, (matched,))
    for number, result in results:
        atomic_write(paths[waiting[number]], msgspec.json.encode(result))
        found[waiting[number]] = result
        another()
    return {cell: found[cell] for cell in paths}


def _key(matched: Matched, cell: Cell) -> str:
    recipe = _recipe(cell)
    numbers = map(str, (VERSION, trainer.VERSION, recipe.vocabulary, recipe.stage))
    text = _fingerprint(matched, cell.language, cell.amount)
    return sha256("sweep", cell.algorithm, *numbers, recipe.made_by, text)[:32]


@functools.lru_cache(maxsize=4096)  # it reads the text
def _fingerprint(matched: Matched, language: str, amount: int) -> str:
    return matched.fingerprint(language, amount)


def _recipe(cell: Cell) -> trainer.Recipe:
    size = cell.vocabulary
    stage = trainer.stage_of(size) if cell.algorithm == "superbpe" else 0
    name = f"{cell.algorithm}, {cell.language}, {size} tokens"
    return trainer.Recipe(name, cell.algorithm, size, 0, stage)


def _kept(path: Path) -> Found | None:
    """The result in a file; None without one, or when it is damaged and has to be made again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Found)
    except (OSError, msgspec.DecodeError):
        return None


_matched: Matched | None = None


def _begin(threads: int, matched: Matched) -> None:
    global _matched
    _matched = matched


def _work(cell: Cell) -> Found:
    assert _matched is not None
    return _measured(_matched, cell)


def _measured(matched: Matched, cell: Cell) -> Found:
    training, evaluation = _texts(matched, cell.language, cell.amount)
    return _found(cell, training, evaluation)


@functools.lru_cache(maxsize=1)  # the next cell's are mostly the same
def _texts(matched: Matched, language: str, amount: int) -> tuple[list[str], list[str]]:
    lines = matched.training_lines(language, amount), matched.evaluation_lines(language)
    return list(lines[0]), list(lines[1])


def _found(cell: Cell, training: list[str], evaluation: list[str]) -> Found:
    """Train, and count the tokens of every evaluation sentence."""
    recipe = _recipe(cell)
    note = ""
    try:
        try:
            content = trainer.TRAINERS[cell.algorithm](training, recipe)
        except trainer.Shortfall as short:
            if short.reach is None or short.reach < LEAST:
                raise
            note = f"the text yields {short.reach} tokens"
            recipe = _recipe(replace(cell, vocabulary=short.reach))
            content = trainer.TRAINERS[cell.algorithm](training, recipe)
    except UserError as error:
        return Found(None, str(error).removeprefix(f"{recipe.name}: "))
    tokenizer = assembled(content, recipe, "sweep")
    tokens: list[int] = []
    unknown = 0
    for start in range(0, len(evaluation), BATCH):
        ids = tokenizer.encode(evaluation[start : start + BATCH]).ids
        tokens += ids.lengths.tolist()
        if tokenizer.unknown is not None:
            unknown += int((ids.values == tokenizer.unknown).sum())
    return Found(
        recipe.vocabulary, note, tokens, unknown, len(training), _bytes(training),
        _bytes(evaluation), sum(map(len, evaluation)),
    )  # fmt: skip


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode(errors="surrogatepass")) for text in texts)
