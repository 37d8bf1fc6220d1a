"""The sections of text tokenizers: tokens on samples, languages, lengths, words, vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tokbench.report import (
    text_boundaries,
    text_languages,
    text_lengths,
    text_vocabulary,
    text_words,
)
from tokbench.report.page import Page, Section
from tokbench.report.subjects import Subject
from tokbench.report.text_samples import single_samples
from tokbench.report.text_survey import survey


def sections(page: Page, subjects: Sequence[Subject]) -> Iterator[Section]:
    """All sections of text, for the subjects that are of text."""
    of_text = [subject for subject in subjects if subject.modality == "text"]
    if not of_text:
        return
    surveys, absent = survey(of_text)
    known = single_samples(of_text)
    shown = {sample.group for each in surveys for sample in each.shown}
    yield from text_boundaries.sections(page, of_text, surveys, absent)
    yield from text_languages.sections(page, of_text, shown)
    yield from text_lengths.sections(page, of_text, surveys, known)
    yield from text_words.sections(page, of_text, surveys, known)
    yield from text_vocabulary.sections(page, of_text)
