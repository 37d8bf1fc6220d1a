"""Matched text: what each language trains on and is evaluated on, and that the two are apart."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError, near
from tokbench.files import sha256

Match = Literal["sentences", "content", "bytes"]

LEAST_TRAINING, LEAST_EVALUATION = 100, 50
"""Lines under which a sweep refuses: its numbers would be noise."""

RUN = 10
"""Neighbouring sentences that are held out together: they are often of one document."""

Source = tuple[str, str | None]
"""A dataset's name or path, and a split."""


@dataclass(frozen=True, eq=False)
class Matched:
    """Line numbers, from 0, of what every language trains on and is evaluated on.

    match: how the amounts of training text match. `sentences`: the same sentences in every
        language; `content`: the same UTF-8 bytes times the language's byte premium; `bytes`:
        the same bytes.
    training: by language, non-empty lines that are not in its evaluation text, in order.
    evaluation: lines that every language has; the same sentences.
    amounts: UTF-8 bytes of the reference's training text asked for, 0 for the most all have;
        `lines[amount][language]` says how many of its training lines that is.
    premiums: bytes of the evaluation text over the reference's, by language (byte premium).
    repeated: training lines left out because they are evaluation lines too.
    """

    on: Source
    data: Source
    labels: tuple[str, str]
    match: Match
    languages: list[str]
    reference: str
    training: dict[str, np.ndarray]
    evaluation: np.ndarray
    amounts: list[int]
    lines: dict[int, dict[str, int]]
    premiums: dict[str, float]
    repeated: int
    left_out: list[str]

    def training_lines(self, language: str, amount: int) -> Iterator[str]:
        """The training text of a language, line by line."""
        rows = self.training[language][: self.lines[amount][language]]
        return _picked(self.on, language, rows)

    def evaluation_lines(self, language: str) -> Iterator[str]:
        """The evaluation text of a language, line by line."""
        return _picked(self.data, language, self.evaluation)

    def fingerprint(self, language: str, amount: int) -> str:
        """Hash of the text, and of nothing else: names and other languages are not in it."""
        sides = self.training_lines(language, amount), self.evaluation_lines(language)
        return sha256(*(sha256(*map(_raw, lines)) for lines in sides))


def matched(
    data: Source,
    on: Source | None = None,
    share: float = 0.8,
    languages: Sequence[str] = (),
    reference: str | None = None,
    match: Match | None = None,
    amounts: Sequence[int] = (),
) -> Matched:
    """Choose the text of a sweep.

    data: parallel text for the evaluation. on: training text; without it, `share` of the
    sentences of `data`, in runs of neighbours, so that the two are never the same sentence.
    Raises `UserError` when the data is not parallel, a language is in only one of the two, or
    too little text is left.
    """
    _opened.cache_clear()  # files may have changed since
    evaluated = _opened(*data)
    trained = _opened(*on) if on else evaluated
    if not evaluated.parallel:
        raise UserError(
            f"--data {data[0]}: premiums need parallel text (the same sentences in every language, "
            "groups named by codes such as tur_Latn)"
        )
    chosen, base, left_out = _languages(evaluated, trained, languages, reference)
    if match == "sentences" and not trained.parallel:
        raise UserError(
            f"--match sentences: {trained.name} is not parallel; use --match content or bytes"
        )
    match = match or ("sentences" if trained.parallel else "content")
    rows = _common(data, chosen)
    train_rows = None
    if on is None:
        train_rows, rows = _dealt(rows, share)
    elif match == "sentences":
        train_rows = _common(on, chosen)
    _enough(evaluated, "evaluation", len(rows), LEAST_EVALUATION)
    size = {one: sum(len(_raw(text)) for text in _picked(data, one, rows)) for one in chosen}
    premiums = {one: size[one] / size[base] for one in chosen}
    training, repeated = _apart(on or data, data, chosen, train_rows, rows, match)
    for one in chosen:
        use = f"training in {one}" + (", without the evaluation's" if repeated else "")
        _enough(trained, use, len(training[one]), LEAST_TRAINING)
    scale = premiums if match == "content" else dict.fromkeys(chosen, 1.0)
    lines = _amounts(on or data, training, base, match, scale, list(amounts) or [0])
    return Matched(
        on or data, data, (trained.label, evaluated.label), match, chosen, base, training, rows,
        list(lines), lines, premiums, repeated, left_out,
    )  # fmt: skip


@functools.lru_cache(maxsize=4)
def _opened(reference: str, split: str | None) -> Dataset:
    return open_dataset(reference, split)


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _samples(source: Source, language: str) -> Iterator[str]:
    dataset = _opened(*source)
    return dataset.parts[dataset.groups.index(language)].samples()


def _picked(source: Source, language: str, rows: np.ndarray) -> Iterator[str]:
    wanted = iter(rows.tolist())
    row = next(wanted, None)
    for number, text in enumerate(_samples(source, language)):
        if row is None:
            return
        if number == row:
            yield text
            row = next(wanted, None)


def _languages(
    evaluated: Dataset, trained: Dataset, asked: Sequence[str], reference: str | None
) -> tuple[list[str], str, list[str]]:
    """Languages in the data's order, the reference, and languages without training text."""
    for one in [*asked, *([reference] if reference else [])]:
        for dataset in (evaluated, trained):
            if one not in dataset.groups:
                hint = near(one, dataset.groups)
                raise UserError(f"no language '{one}' in {dataset.name}{hint}")
    both = [group for group in evaluated.groups if group in trained.groups]
    left_out = [] if asked else [group for group in evaluated.groups if group not in both]
    if not reference:
        reference = "eng_Latn" if "eng_Latn" in both else next(iter(asked or both), "")
    chosen = [group for group in both if not asked or group in asked or group == reference]
    if len(chosen) < 2:
        if len(both) > 1:
            raise UserError(f"--languages {', '.join(chosen)}: a premium needs two languages")
        where = evaluated.name if trained is evaluated else f"{evaluated.name} and {trained.name}"
        raise UserError(
            f"{where}: languages in common: {', '.join(both) or 'none'} (groups go by name); a "
            "premium needs two"
        )
    return chosen, reference, left_out


def _common(source: Source, languages: Sequence[str]) -> np.ndarray:
    """Numbers of the lines that no language has empty."""
    there: np.ndarray | None = None
    for one in languages:
        own = np.array([bool(text.strip()) for text in _samples(source, one)])
        if there is None:
            there = own
        room = min(len(own), len(there))
        there = there[:room] & own[:room]
    assert there is not None
    return np.flatnonzero(there)


def _dealt(rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for evaluation, in runs spread evenly."""
    run = max(1, min(RUN, len(rows) // 20))
    block = np.arange(len(rows)) // run
    part = round(share * 1000)
    held = (block + 1) * part // 1000 == block * part // 1000
    return rows[~held], rows[held]


def _enough(dataset: Dataset, use: str, found: int, least: int) -> None:
    if found < least:
        raise UserError(
            f"{dataset.name}: {found} lines are left for {use}; a sweep needs {least} "
            "(give more text with --data or --on, or another --train-share)"
        )


def _apart(
    on: Source,
    data: Source,
    languages: Sequence[str],
    candidates: np.ndarray | None,
    evaluation: np.ndarray,
    match: Match,
) -> tuple[dict[str, np.ndarray], int]:
    """Training lines by language without empty ones and those of the evaluation text, and how
    many of the latter there were. Matched sentences go in every language together."""
    training: dict[str, np.ndarray] = {}
    repeated = 0
    wanted = None if candidates is None else set(candidates.tolist())
    for one in languages:
        known = {text.strip() for text in _picked(data, one, evaluation)}
        kept = []
        for number, text in enumerate(_samples(on, one)):
            if not text.strip() or (wanted is not None and number not in wanted):
                continue
            if text.strip() in known:
                repeated += 1
            else:
                kept.append(number)
        training[one] = np.array(kept, dtype=np.int64)
    if match == "sentences":
        assert candidates is not None
        shared = functools.reduce(np.intersect1d, training.values())
        training = dict.fromkeys(languages, shared)
    return training, repeated


def _amounts(
    on: Source,
    training: dict[str, np.ndarray],
    base: str,
    match: Match,
    scale: dict[str, float],
    asked: list[int],
) -> dict[int, dict[str, int]]:
    """How many training lines each amount is, by language."""
    found: dict[int, dict[str, int]] = {amount: {} for amount in asked}
    alike = match == "sentences"
    totals = {one: int(_ends(on, one, training[one])[-1]) for one in ([base] if alike else scale)}
    most = int(min(totals[one] / scale[one] for one in totals))
    for amount in asked:
        if amount > most:
            lacking = min(totals, key=lambda one: totals[one] / scale[one])
            raise UserError(
                f"--train-bytes {amount}: {lacking} has text for {most} bytes of {base} at most"
            )
    for one in [base] if alike else scale:
        ends = _ends(on, one, training[one])
        for amount in asked:
            # At most the amount; rounding must not cost the last line of the scarcest language.
            room = (amount or most) * scale[one] + 1
            found[amount][one] = int(np.searchsorted(ends, room, side="right"))
    for amount in asked:
        if alike:
            found[amount] = dict.fromkeys(scale, found[amount][base])
        one = min(found[amount], key=found[amount].__getitem__)
        if found[amount][one] < LEAST_TRAINING:
            raise UserError(
                f"--train-bytes {amount}: that is {found[amount][one]} lines of {one}; a sweep "
                f"needs {LEAST_TRAINING}"
            )
    return found


def _ends(source: Source, language: str, rows: np.ndarray) -> np.ndarray:
    """UTF-8 bytes up to the end of each of the rows."""
    return np.cumsum([len(_raw(text)) for text in _picked(source, language, rows)])
