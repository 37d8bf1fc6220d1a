"""Spellings counted by brute force, and ids that are not those of their text, class by class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocks.evidence import batch_of, scores_of
from mocks.greedy import Greedy

from tokbench.metrics.text.ambiguity import LONGEST, Encodings, Spellings, encodings
from tokbench.metrics.text.reencode import CLASSES, SOURCES, ReEncode, artefact, reencoding
from tokbench.statistics import EncodedText
from tokbench.text.cuts import PLACES, cut
from tokbench.tokenizers.text.adapter import TextTokenizer, TokenBytes
from tokbench.tokenizers.text.baselines import Bytes, Codepoints, Words


def doubled(pieces: Sequence[str | bytes], again: int) -> Greedy:
    """A vocabulary in which one id more has the bytes of id `again`."""
    tokenizer = Greedy(pieces)
    assert tokenizer.pieces is not None
    surfaces = list(tokenizer.pieces.pieces)
    tokenizer.pieces = TokenBytes([*surfaces, surfaces[again]])
    tokenizer.text_ids = np.append(tokenizer.text_ids, True)
    return tokenizer


def encoded_text(tokenizer: TextTokenizer, texts: Sequence[str]) -> EncodedText:
    return EncodedText(tokenizer, batch_of(texts), tokenizer.encode(texts), [""])


def test_spellings_by_hand() -> None:
    spellings = Spellings(Greedy(["a", "b", "ab", "ba", "aba", " a"]))
    # aba: a|b|a, ab|a, a|ba, aba
    assert spellings.count(b"aba") == 4
    assert spellings.count(b"") == 1
    assert spellings.count(b"abc") == 0
    assert spellings.bits(b"aba") == 2 << 20
    assert Spellings(doubled(["a", "b", "ab"], 1)).count(b"ab") == 3  # a|b, a'|b, ab


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sets(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=10),
    st.text("abc", max_size=8),
)
def test_spellings_are_those_of_brute_force(pieces: set[str], word: str) -> None:
    expected = 0
    for cuts in product([False, True], repeat=max(len(word) - 1, 0)):
        places = [0, *(k for k, here in enumerate(cuts, start=1) if here), len(word)]
        parts = [word[a:b] for a, b in pairwise(places)]
        expected += all(part in pieces for part in parts if word)
    assert Spellings(Greedy(sorted(pieces))).count(word.encode()) == expected


def test_a_vocabulary_of_all_pieces_has_one_bit_for_each_inner_place() -> None:
    pieces = [("a" * n) for n in range(1, 101)]
    found = scores_of(Encodings(), Greedy(pieces), {"": ["a" * 100, "a" * 50]})
    assert found["encodings"].value == pytest.approx((99 + 49) / 150)
    assert found["encodings/bits-per-word"].value == pytest.approx((99 + 49) / 2)
    assert scores_of(Encodings(), Bytes(), {"": ["hello", "ab cd"]})["encodings"].value == 0


def test_words_that_cannot_be_spelled_are_left_out_and_said() -> None:
    tokenizer = Greedy(["a", "b", "ab", " "])
    columns = encodings(encoded_text(tokenizer, ["ab zz aab", "日本", "b" * (LONGEST + 1)])).columns
    assert columns["encodings-words"].tolist() == [2, 0, 0]
    assert columns["encodings-none"].tolist() == [1, 0, 0]
    assert columns["encodings-long"].tolist() == [0, 0, 1]
    assert columns["encodings-bytes"].tolist() == [5 << 20, 0, 0]
    assert columns["encodings-bits"][0] == 2 << 20  # log2 2 for ab, log2 2 for a|ab
    found = scores_of(Encodings(), tokenizer, {"": ["ab zz aab", "ab"]})["encodings"]
    assert found.value == pytest.approx((1 + 1 + 1) / 7)
    assert found.note == "1 of 4 words left out: no token bytes spell them"


def test_encodings_are_refused_without_a_byte_table_or_words() -> None:
    for tokenizer in (Codepoints(), Words()):
        found = scores_of(Encodings(), tokenizer, {"": ["hello"]})["encodings"]
        assert found.value is None
        assert "byte table" in found.note
    found = scores_of(Encodings(), Bytes(), {"eng_Latn": ["hello"], "zho_Hans": ["日本"]})
    assert found["encodings/zho_Hans"].note == "script without spaces between words"
    assert found["encodings/zho_Hans"].value is None
    assert found["encodings/eng_Latn"].value == 0


def test_encodings_of_gpt2(real: Callable[[str], TextTokenizer]) -> None:
    tokenizer = real("gpt2.tokenizer.json")
    assert tokenizer.pieces is not None
    surfaces = set(tokenizer.pieces.pieces)

    def ways(word: bytes) -> int:
        if not word:
            return 1
        return sum(ways(word[n:]) for n in range(1, len(word) + 1) if word[:n] in surfaces)

    words = [b"tokenizer", b"the", "değil".encode(), "это".encode()]
    spellings = Spellings(tokenizer)
    assert [spellings.count(word) for word in words] == [ways(word) for word in words]
    text = b" ".join(words).decode()
    found = scores_of(Encodings(), tokenizer, {"": [text, text]})["encodings/bits-per-word"]
    assert found.value == pytest.approx(sum(log2(ways(w)) for w in words) / 4, abs=1e-5)


class Canonical(Greedy):
    """Greedy with some texts that it encodes otherwise, and a decoder that may change text."""

    def __init__(self, pieces: Sequence[str | bytes], change: Callable[[str], str] = str):
        super().__init__(pieces)
        self.spells = change is str
        self.change = change

    def decode(self, codes) -> list[str]:
        return [self.change(text) for text in super().decode(codes)]


@pytest.mark.parametrize(
    ("before", "after", "text", "meant", "expected"),
    [
        # ids of the pieces below: a 1, b 2, ab 3, blank 4, " a" 5, . 6, "é" 7, c3 8, a9 9, ".b" 10
        ([1, 2], [3], "ab", "ab", "inside-word"),
        ([1, 4, 1], [1, 5], "a a", "a a", "white-space-boundary"),
        ([1, 2, 4, 1], [3, 5], "ab a", "ab a", "white-space-boundary"),
        ([8, 9], [7], "é", "é", "inside-word"),
        ([1, 6, 2], [1, 10], "a.b", "a.b", "other"),
        ([1, 11], [1, 2], "ab", "ab", "duplicate-surface"),
        ([1, 0], [1, 2], "a?", "ab", "unknown-or-lossy"),
        ([1, 0, 1, 2], [1, 0, 3], "a?ab", "a?ab", "inside-word"),
        ([8, 1], [7, 1], "\ufffda", "éa", "unknown-or-lossy"),
        ([1, 5], [3], "a a", "aa", "white-space-boundary"),
        ([1, 2], [3], "AB", "ab", "normalisation"),
        ([1, 2], [3], "ab", "ba", "unknown-or-lossy"),
    ],
)
def test_artefact_classes(before, after, text: str, meant: str, expected: str) -> None:
    tokenizer = doubled(["a", "b", "ab", " ", " a", ".", "é", b"\xc3", b"\xa9", ".b"], 2)
    assert artefact(tokenizer, np.array(before), np.array(after), text, meant) == expected


def test_the_seams_of_a_sample_by_hand() -> None:
    tokenizer = Greedy(["a", "b", "ab", " ", " a", "."])
    found = reencoding(encoded_text(tokenizer, ["ab", "a a", "a. b"]))
    columns = {name: values.tolist() for name, values in found.columns.items()}
    assert columns["whole-checked"] == [1, 1, 1]
    assert columns["whole-failed"] == [0, 0, 0]
    assert columns["seam-inside-word-checked"] == [1, 0, 0]
    assert columns["seam-inside-word-failed"] == [1, 0, 0]  # a|b for ab
    assert columns["seam-after-blank-failed"] == [0, 1, 0]  # a| |a for a| a
    assert columns["seam-before-blank-checked"] == [0, 1, 1]
    assert columns["seam-before-blank-failed"] == [0, 0, 0]
    assert columns["artefact-inside-word"] == [1, 0, 0]
    assert columns["artefact-white-space-boundary"] == [0, 1, 0]
    assert [(e.statistic, e.index, e.note) for e in found.examples] == [
        ("re-encode: inside-word", 0, "seam-inside-word: 'a|b', but its text is 'ab'"),
        ("re-encode: white-space-boundary", 1, "seam-after-blank: 'a| |a', but its text is 'a| a'"),
    ]


def test_whole_samples_that_do_not_come_back() -> None:
    upper = Canonical(["a", "A", "b", "B", " "], str.upper)
    found = scores_of(ReEncode(), upper, {"": ["ab", "AB", "A b", "zz"]})
    assert found["re-encode"].value == 2 / 4  # zz is two UNK and comes back as ??, two UNK again
    assert found["re-encode"].n == 4
    assert found["re-encode/artefact-normalisation"].value is not None
    columns = reencoding(encoded_text(upper, ["ab", "AB"])).columns
    assert columns["whole-failed"].tolist() == [1, 0]
    assert columns["artefact-normalisation"].tolist() == [1, 0]


def test_failures_are_classed_once_and_shares_add_up() -> None:
    lines = ["hello hello world,hello ab!", "ab zz", "a. b", "日本 ab", "!", "abab ab"] * 3
    tokenizer = Greedy()
    columns = reencoding(encoded_text(tokenizer, lines)).columns
    failed = sum(columns[f"{source}-failed"] for source in SOURCES)
    classed = sum(columns[f"artefact-{kind}"] for kind in CLASSES)
    assert failed.sum() > 0
    assert failed.tolist() == classed.tolist()
    found = scores_of(ReEncode(), tokenizer, {"": lines})
    shares = sum(found[f"re-encode/artefact-{kind}"].value for kind in CLASSES)
    checked = sum(columns[f"{source}-checked"].sum() for source in SOURCES)
    assert shares == pytest.approx(failed.sum() / checked)


@pytest.mark.parametrize("name", ["gpt2.tokenizer.json", "bert-base-cased.tokenizer.json"])
def test_seams_are_those_of_a_loop(name: str, real: Callable[[str], TextTokenizer]) -> None:
    tokenizer = real(name)
    lines = [
        "The modern baker opens her shop.",
        "Çok güzel bir gün, değil mi?",
        "日本語。",
        "a b 1",
    ]
    columns = reencoding(encoded_text(tokenizer, lines)).columns
    for kind in PLACES:
        for row, text in enumerate(lines):
            at = cut(kind, text)
            assert columns[f"seam-{kind}-checked"][row] == (at is not None)
            if at is None:
                continue
            front, back, whole = (
                tokenizer.encode([t]).ids.values.tolist() for t in (text[:at], text[at:], text)
            )
            assert columns[f"seam-{kind}-failed"][row] == (front + back != whole)
    for row, text in enumerate(lines):
        ids = tokenizer.encode([text])
        again = tokenizer.encode(tokenizer.decode(ids)).ids.values.tolist()
        assert columns["whole-failed"][row] == (again != ids.ids.values.tolist())
