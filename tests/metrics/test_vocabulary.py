"""Use of the vocabulary and lengths of tokens, worked out by hand."""

from __future__ import annotations

import pytest
from mocks.evidence import scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text.vocabulary import TokenLength, Utilisation

# hello| world|! and wor|ld| |é|é: 3 and 4 kinds, all different.
LINES = {"eng_Latn": ["hello world!"], "tur_Latn": ["wor", "ld éé"]}


def test_utilisation_counts_kinds_once_however_many_groups_have_them() -> None:
    groups = {**LINES, "deu_Latn": ["hello, a"]}  # hello|,| |a: two kinds new
    found = {name: s.value for name, s in scores_of(Utilisation(), Greedy(), groups).items()}
    assert found["types"] == 9
    assert found["types/eng_Latn"] == 3
    assert found["types/tur_Latn"] == 4
    assert found["types/deu_Latn"] == 4
    assert found["utilisation"] == pytest.approx(9 / 14)  # thirteen pieces and UNK
    assert found["utilisation-emittable"] == pytest.approx(9 / 13)
    assert found["utilisation-emittable/tur_Latn"] == pytest.approx(4 / 13)


def test_an_open_vocabulary_has_no_utilisation() -> None:
    from tokbench.tokenizers.text.baselines import Words

    found = scores_of(Utilisation(), Words(), {"": ["hello world hello"]})
    assert found["types"].value == 3  # hello, the blank, world
    assert found["utilisation"].value is None
    assert found["utilisation"].note == "open vocabulary: no denominator"


def test_token_length_is_the_distribution_of_source_bytes() -> None:
    found = {name: s.value for name, s in scores_of(TokenLength(), Greedy(), LINES).items()}
    # Bytes: hello 5, " world" 6, ! 1; wor 3, ld 2, " " 1, é 2, é 2.
    assert found["token-length/mean"] == pytest.approx(22 / 8)
    assert found["token-length/p50"] == 2
    assert found["token-length/p90"] == 6
    assert found["token-length/max"] == 6


def test_an_unknown_token_has_the_length_of_what_it_stands_for() -> None:
    found = scores_of(TokenLength(), Greedy(), {"": ["a語"]})
    assert found["token-length/max"].value == 3
    assert found["token-length/mean"].value == 2
