"""Unknown tokens and round trips, worked out by hand."""

from __future__ import annotations

import pytest
from mocks.evidence import evidence_of, scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text.fidelity import Lossless, Unknown

# z and 語 are unknown; they come back as one question mark each.
LINES = {"": ["hello world", "hello z", "語", "éé"]}


def test_unknown_is_a_share_of_tokens_and_of_characters() -> None:
    found = scores_of(Unknown(), Greedy(), LINES)
    # Tokens 2 + 3 + 1 + 2; characters 11 + 7 + 1 + 2.
    assert found["unknown"].value == pytest.approx(2 / 8)
    assert found["unknown-characters"].value == pytest.approx(2 / 21)


def test_one_unknown_token_may_stand_for_many_characters() -> None:
    class Coarse(Greedy):
        """A whole run of unknown characters is one UNK, as WordPiece does with a word; like
        SentencePiece it takes the blank before into the token."""

        def _tokens(self, text):
            merged = []
            for number, start, stop in super()._tokens(text):
                if number == 0 and merged and merged[-1][0] == 0:
                    merged[-1] = (0, merged[-1][1], stop)
                else:
                    merged.append((number, start, stop))
            return merged

    found = scores_of(Unknown(), Coarse(), {"": ["a ççç語 b"]})
    assert found["unknown"].value == pytest.approx(1 / 5)
    assert found["unknown-characters"].value == pytest.approx(4 / 8)


def test_lossless_is_the_share_of_exact_round_trips() -> None:
    found = scores_of(Lossless(), Greedy(), LINES)
    assert found["lossless"].value == pytest.approx(2 / 4)
    assert found["character-error-rate"].value == pytest.approx(2 / 21)


def test_the_first_difference_stands_in_the_examples() -> None:
    evidence = evidence_of(Greedy(), LINES, ["round-trip"])
    assert [(e.statistic, e.index) for e in evidence.examples] == [
        ("round-trip", 1),
        ("round-trip", 2),
    ]
    assert evidence.examples[0].note == "differs from byte 6: 'hello z' came back as 'hello ?'"


def test_a_tokenizer_without_unk_loses_nothing_to_it() -> None:
    from tokbench.tokenizers.text.baselines import Bytes

    found = scores_of(Unknown(), Bytes(), LINES)
    assert found["unknown"].value == 0
    assert scores_of(Lossless(), Bytes(), LINES)["lossless"].value == 1


def test_what_does_not_decode_is_lost_and_not_left_out() -> None:
    from tokbench.tokenizers.text.baselines import Words

    found = scores_of(Lossless(), Words(), LINES)
    assert found["lossless"].value == 0
    assert found["character-error-rate"].value == 1
