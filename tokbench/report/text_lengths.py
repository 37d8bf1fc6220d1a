"""How long tokens are, how many a word takes, how often each occurs, how lines differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_figures import LINES, axes, colour, legend, plain_ticks
from tokbench.report.text_found import LONGEST_TOKEN, MOST_TOKENS, Found, mean, quantile
from tokbench.report.text_samples import Single, rates_of
from tokbench.report.text_survey import CHARACTERS, Survey

LEAST = 5
"""Occurrences that an id needs to enter the fit of Zipf's law."""
POINTS = 160
"""Ranks that are drawn, evenly spread over the logarithmic axis."""
_SHARES = (("median", 0.5), ("p90", 0.9), ("p99", 0.99))


def sections(
    page: Page, subjects: Sequence[Subject], surveys: Sequence[Survey], known: Single | None
) -> Iterator[Section]:
    """One section: figures of the dataset with most groups, and a table of all."""
    plots: list[Markup] = []
    if surveys:
        main = max(surveys, key=lambda one: len(one.groups))
        plots += [
            _histogram(page, main, "token_bytes", "bytes of a token", LONGEST_TOKEN),
            _histogram(page, main, "token_characters", "characters of a token", LONGEST_TOKEN),
        ]
        if any(found.word_tokens.any() for found in main.found.values()):
            plots.append(_histogram(page, main, "word_tokens", "tokens of a word", MOST_TOKENS))
        plots.append(_ranks(page, main, subjects))
    if known is not None:
        plots.append(_spread(page, known))
    rows = list(_rows(subjects, surveys))
    if not plots and not rows:
        return
    header = ["data", "tokenizer", "samples", "mean bytes", *(n for n, _ in _SHARES), "longest",
              "mean characters", "tokens within a word", "words in one token"]  # fmt: skip
    caption = (
        "Lengths of tokens, in bytes and characters of the source, and tokens of words "
        "(those that touch it; fertility counts those between words too)."
    )
    table = page.table("token-lengths", header, rows, caption, range(2, len(header)))
    body = page.fill(
        "text_lengths.html", plots=plots, table=table, surveys=surveys, characters=CHARACTERS
    )
    yield Section("token-lengths", "Lengths and frequencies of tokens", body)


def _histogram(page: Page, main: Survey, which: str, label: str, last: int) -> Markup:
    drawn = {name: getattr(found, which) for name, found in main.found.items()}
    drawn = {name: counts for name, counts in drawn.items() if counts.any()}
    figure, plot = axes(names=list(drawn))
    said, top = [], 2
    for number, (name, counts) in enumerate(drawn.items()):
        shares = counts / counts.sum()
        top = max(top, quantile(counts, 0.995) or 0)
        plot.step(
            range(len(shares)), 100 * shares, where="mid", color=colour(number), linewidth=1.6,
            linestyle=LINES[number % len(LINES)], label="subject",
        )  # fmt: skip
        said.append(f"{name}: mean {mean(counts):.2f}")
    plot.set_xlim(-0.5, min(top + 1, last) + 0.5)
    plot.set_ylim(bottom=0)
    plot.set_xlabel(label, fontsize=9)
    plot.set_ylabel("share of words, %" if which == "word_tokens" else "share of tokens, %",
                    fontsize=9)  # fmt: skip
    legend(plot, list(drawn))
    caption = f"{label.capitalize()}, {main.name}. {'; '.join(said)}."
    return page.figure(f"text-{which.replace('_', '-')}", figure, caption, caption)


def _ranks(page: Page, main: Survey, subjects: Sequence[Subject]) -> Markup:
    figure, plot = axes(5.4, 3.6, names=list(main.found))
    said = []
    for number, (name, found) in enumerate(main.found.items()):
        counts = np.sort(found.ids.counts)[::-1]
        if not len(counts):
            continue
        picked = np.unique(np.geomspace(1, len(counts), POINTS).astype(int))
        share = counts / counts.sum()
        plot.plot(
            picked, share[picked - 1], color=colour(number), linewidth=1.6,
            linestyle=LINES[number % len(LINES)], label="subject",
        )  # fmt: skip
        s, task = _exponent(name, subjects)
        if s is None:
            continue
        kept = np.arange(1, 1 + int((counts >= LEAST).sum()), dtype=float)
        law = kept**-s
        law *= share[: len(kept)].sum() / law.sum()
        ends = picked[picked <= len(kept)]
        plot.plot(ends, law[ends - 1], color=colour(number), linewidth=0.9, alpha=0.8,
                  linestyle=(0, (1, 2)))  # fmt: skip
        said.append(f"{name}: s = {s:.2f} in the record of {task}")
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.set_xlabel("rank of the token", fontsize=9)
    plot.set_ylabel("share of all tokens", fontsize=9)
    legend(plot, list(main.found))
    law_of = f" Dotted: Zipf's law, share ∝ rank^−s; {'; '.join(said)}." if said else ""
    caption = f"Rank and frequency of the tokens, {main.name}.{law_of}"
    return page.figure("text-rank-frequency", figure, caption, caption)


def _exponent(name: str, subjects: Sequence[Subject]) -> tuple[float | None, str]:
    """Zipf's exponent as a record of the subject has it."""
    subject = next(each for each in subjects if each.name == name)
    for record, _ in subject.records.values():
        score = record.score("zipf")
        if score is not None and score.value is not None:
            return score.value, record.task
    return None, ""


def _spread(page: Page, known: Single) -> Markup:
    """How bytes per token differ from sample to sample."""
    figure, plot = axes(names=list(known.samples))
    said = []
    curves = {name: np.sort(rates_of(samples)) for name, samples in known.samples.items()}
    curves = {name: curve[np.isfinite(curve)] for name, curve in curves.items()}
    for number, (name, curve) in enumerate(curves.items()):
        levels = np.linspace(0, 1, POINTS)
        plot.plot(
            np.quantile(curve, levels), 100 * levels, color=colour(number), linewidth=1.6,
            linestyle=LINES[number % len(LINES)], label="subject",
        )  # fmt: skip
        low, middle, high = np.quantile(curve, [0.05, 0.5, 0.95])
        said.append(f"{name}: median {middle:.2f}, 5 % {low:.2f}, 95 % {high:.2f}")
    if min(curve[0] for curve in curves.values()) > 0:
        plot.set_xscale("log")
        plain_ticks(plot.xaxis)
    plot.set_ylim(0, 100)
    plot.set_xlabel("bytes per token of a sample", fontsize=9)
    plot.set_ylabel("share of samples below, %", fontsize=9)
    legend(plot, list(curves))
    caption = f"Samples of {known.task}, one by one. {'; '.join(said)}."
    return page.figure("text-samples", figure, caption, caption)


def _rows(subjects: Sequence[Subject], surveys: Sequence[Survey]) -> Iterator[list[Any]]:
    for one in surveys:
        for name, found in one.found.items():
            yield [one.name, name, *_of_samples(found)]
    at_hand = {name for one in surveys for name in one.found}
    for subject in subjects:
        for task, (record, _) in subject.records.items() if subject.name not in at_hand else ():
            values = {score.name: score.value for score in record.scores}
            lengths = [
                values.get(f"token-length/{n}") for n in ("mean", "p50", "p90", "p99", "max")
            ]
            if any(length is not None for length in lengths):
                yield [
                    f"{task}, as recorded", subject.name, record.about.dataset.samples, *lengths,
                    None, values.get("fertility"), values.get("strr"),
                ]  # fmt: skip


def _of_samples(found: Found) -> list[Any]:
    words = int(found.word_tokens.sum())
    return [
        found.samples,
        mean(found.token_bytes),
        *(quantile(found.token_bytes, share) for _, share in _SHARES),
        found.longest or None,
        mean(found.token_characters),
        mean(found.word_tokens),
        float(found.word_tokens[1] / words) if words else None,
    ]
