"""How digits are cut, worked out by hand, and the schemes of real vocabularies."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from mocks.evidence import evidence_of, scores_from, scores_of
from mocks.greedy import Greedy
from scipy.stats import spearmanr

from tokbench.metrics.text.numbers import (
    SCHEMES,
    TELLING,
    DigitConsistency,
    DigitScheme,
    MagnitudeConsistency,
    cuts_of,
    schemes_of,
    shown,
)

DIGITS = "0123456789"
GROUPS_OF_3 = ["".join(d) for n in (1, 2, 3) for d in product(DIGITS, repeat=n)]
SINGLE = (*DIGITS, "a", " ", ",")


def scores(metric, tokenizer, *lines: str):
    return scores_of(metric, tokenizer, {"": list(lines)})


@pytest.mark.parametrize(
    ("scheme", "length", "pattern"),
    [
        ("single", 4, "1|2|3|4"),
        ("left-to-right-3", 4, "123|4"),
        ("right-to-left-3", 4, "1|234"),
        ("whole", 4, "1234"),
        ("left-to-right-3", 8, "123|456|78"),
        ("right-to-left-3", 8, "12|345|678"),
        ("right-to-left-3", 12, "123|456|789|012"),
        ("right-to-left-3", 2, "12"),
    ],
)
def test_a_scheme_has_one_pattern_for_each_length(scheme: str, length: int, pattern: str) -> None:
    assert shown(length, cuts_of(scheme, length)) == pattern
    assert scheme in schemes_of(length, cuts_of(scheme, length))


def test_a_length_tells_when_the_schemes_cut_it_in_as_many_ways() -> None:
    told = {n for n in range(1, 13) if len({cuts_of(s, n) for s in SCHEMES}) == len(SCHEMES)}
    assert told == TELLING


def test_single_digits() -> None:
    found = scores(DigitScheme(), Greedy(SINGLE), "12345 1234567", "a1,2345", "66")
    assert found["digit-scheme"].value == 1
    assert found["digit-scheme"].note.startswith("single;")
    assert found["digit-scheme/single"].value == 1
    assert found["digit-scheme/whole"].value == 0
    assert found["digit-scheme/telling"].value == 3 / 5  # not 1 and 66


def test_groups_of_three_from_the_left() -> None:
    found = scores(DigitScheme(), Greedy(GROUPS_OF_3), "1234", "12345", "1234567", "123456")
    assert found["digit-scheme"].note.startswith("left-to-right-3;")
    assert found["digit-scheme/left-to-right-3"].value == 1
    assert found["digit-scheme/telling"].value == 3 / 4  # 123|456 is the same from the right


def test_a_mixture_is_irregular_and_its_shares_are_of_the_telling_runs() -> None:
    # 12|34 is irregular, 5678 whole, 1|2|3|4|5 single, 7|890 from the right, 44 tells nothing.
    greedy = Greedy((*SINGLE, "12", "34", "5678", "890", "44"))
    found = scores(DigitScheme(), greedy, "1234", "5678", "97531", "7890", "44")
    assert found["digit-scheme"].value == 1 / 4
    assert found["digit-scheme"].note.startswith("irregular;")
    for facet in ("single", "right-to-left-3", "whole", "irregular"):
        assert found[f"digit-scheme/{facet}"].value == 1 / 4
    assert found["digit-scheme/left-to-right-3"].value == 0


def test_cuts_are_strictly_inside_and_by_bytes() -> None:
    # é, and digits of another script, are bytes before and after; " 12" brings its blank.
    greedy = Greedy((*SINGLE, " 12", "34é", "é", "٣"))
    part = evidence_of(greedy, {"": ["é 1234é", "٣12"]}, ["digit-runs"])
    keys = part.tallies["digit-cuts"].keys & 0xFFFFFFFF
    assert [(int(k) >> 12, shown(int(k) >> 12, int(k) & 0xFFF)) for k in keys] == [
        (2, "1|2"),
        (4, "12|34"),
    ]


def test_long_runs_and_lost_digits_are_counted_and_left_out() -> None:
    greedy = Greedy(tuple(d for d in SINGLE if d != "9"))
    part = evidence_of(greedy, {"": ["1234567812345", "1934", "1234"]}, ["digit-runs"])
    assert part.columns["digit-runs"].tolist() == [1, 1, 1]
    assert part.columns["digit-placed"].tolist() == [0, 0, 1]  # 13 digits; 9 is UNK


def test_consistency_is_the_share_of_the_dominant_pattern_of_each_length() -> None:
    greedy = Greedy((*SINGLE, "12", "345"))
    # 12|3|4 twice and 5|6|7|8; 12 and 6|7; nothing of other lengths; one digit has no choice.
    found = scores(DigitConsistency(), greedy, "1234", "1234", "5678", "12", "67", "3")
    assert found["digit-consistency/4-digits"].value == pytest.approx(2 / 3)
    assert found["digit-consistency/4-digits"].note.startswith("12|3|4: irregular (3 runs)")
    assert found["digit-consistency/2-digits"].value == 1 / 2
    assert found["digit-consistency"].value == pytest.approx(3 / 5)
    assert found["digit-consistency/1-digits"].value == 1
    assert "digit-consistency/3-digits" not in found


def test_consistency_has_an_interval_from_sixteen_blocks() -> None:
    lines = ["1234", "5678"] * 12
    found = scores(DigitConsistency(), Greedy((*SINGLE, "12")), *lines)["digit-consistency"]
    assert found.value == 1 / 2
    assert found.interval == "jackknife"
    assert found.low < found.value < found.high


def test_magnitude_is_spearman_over_runs() -> None:
    lines = ["1", "12", "123", "1234", "12345", "99", "98", "12 12"]
    greedy = Greedy((*SINGLE, "12", "123", "99"))
    found = scores(MagnitudeConsistency(), greedy, *lines)
    digits = [1, 2, 3, 4, 5, 2, 2, 2, 2]
    tokens = [1, 1, 1, 2, 3, 1, 2, 1, 1]
    assert found["magnitude-consistency"].value == pytest.approx(spearmanr(digits, tokens)[0])
    per_digit = found["magnitude-consistency/tokens-per-digit"]
    assert per_digit.value == pytest.approx(sum(tokens) / sum(digits))


def test_magnitude_is_refused_where_every_number_is_one_token() -> None:
    found = scores(MagnitudeConsistency(), Greedy(("1", "12", "123")), "1", "12", "123")
    assert found["magnitude-consistency"].value is None
    assert "as many tokens" in found["magnitude-consistency"].note
    assert found["magnitude-consistency/tokens-per-digit"].value == 3 / 6


@pytest.mark.parametrize("metric", [DigitScheme, DigitConsistency, MagnitudeConsistency])
def test_text_without_digits_is_refused_and_never_0(metric) -> None:
    found = scores(metric(), Greedy(), "hello world", "ab")
    assert found
    assert all(score.value is None and "digit" in score.note for score in found.values())


def test_groups_have_shares_of_their_own() -> None:
    groups = {"integers": ["1234", "12345"], "words": ["ab", "a"], "short": ["12"]}
    found = scores_of(DigitScheme(), Greedy((*SINGLE, "ab")), groups, parallel=False)
    assert found["digit-scheme/single/integers"].value == 1
    assert found["digit-scheme/single/words"].note == "no digits"
    assert found["digit-scheme/single/short"].note.startswith("no run of 4, 5")
    assert "2 of 3 groups left out" in found["digit-scheme/single"].note


def test_without_tallies_there_are_columns_and_no_crash() -> None:
    # What `compare` has at hand: the per-sample columns alone.
    part = evidence_of(Greedy(SINGLE), {"": ["1234", "12345"]}, ["digit-runs"])
    part.tallies.clear()
    scheme, consistency = (
        scores_from(metric, part, [""], Greedy(SINGLE).spec)
        for metric in (DigitScheme(), DigitConsistency())
    )
    assert scheme["digit-scheme/single"].value == 1
    assert consistency["digit-consistency"].value is None


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("gpt2.tokenizer.json", "irregular"),
        ("cl100k_base.tiktoken", "left-to-right-3"),
        ("mistral-v0.3.model", "single"),
        ("bert-base-cased.tokenizer.json", "irregular"),  # no byte table: the library's offsets
    ],
)
def test_the_schemes_of_real_vocabularies(name: str, verdict: str, shared: Path, run) -> None:
    wanted = ["digit-scheme", "digit-consistency", "magnitude-consistency"]
    record, _ = run(str(shared / "tokenizers" / name), "numbers", wanted)
    assert record.score("digit-scheme").note.startswith(f"{verdict};")
    if verdict == "irregular":
        assert record.score("digit-consistency/7-digits").value < 0.5
        assert record.score("digit-scheme/irregular/integers").value > 0.5
    else:
        assert record.score(f"digit-scheme/{verdict}").value == 1
        assert record.score("digit-consistency").value == 1
    assert 0.7 < record.score("magnitude-consistency").value <= 1
