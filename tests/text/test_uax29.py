"""Word boundaries against the standard's own examples and against another implementation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocks.evidence import batch_of
from uniseg.wordbreak import words as segments_of_uniseg

from tokbench.text import uax29


def points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def segments(text: str) -> list[str]:
    starts = uax29.segment(points(text)).tolist()
    return [text[a:b] for a, b in pairwise([*starts, len(text)])]


def words(text: str) -> tuple[list[str], list[bool]]:
    starts, stops, unsegmented = uax29.words(points(text))
    found = [text[a:b] for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    return found, unsegmented.tolist()


# Several of each class that a rule names, so that short strings meet every pair of them.
ALPHABET = [
    *"abZé",
    *"\r\n\v\u0085\u2028",  # CR, LF, Newline
    *"\u0308\u0301\u05b0\u3099",  # Extend
    *"\u00ad\u2060\u202e",  # Format
    *"\u200d\u200d",  # ZWJ, weighted: WB3c needs it between two pictures
    *"🇹🇷🇩🇪",  # Regional_Indicator, four code points
    *"אבש",  # Hebrew_Letter
    *"'\"",  # Single_Quote, Double_Quote
    *".\u2019\u2018",  # MidNumLet
    *":\u00b7\u05f4",  # MidLetter
    *",;\u066c",  # MidNum
    *"019٣",  # Numeric
    *"カター",  # Katakana
    *"_\u203f\u202f",  # ExtendNumLet
    *"  \u3000",  # WSegSpace
    *"👩☝🏽❤\ufe0f",  # Extended_Pictographic, skin tone and variation selector (Extend)
    *"日ชあ한-!",  # Other, and Hangul
]


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.text(st.sampled_from(ALPHABET), max_size=24))
def test_segments_are_those_of_uniseg(text: str) -> None:
    assert segments(text) == list(segments_of_uniseg(text))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.sampled_from(ALPHABET), max_size=12), st.text(st.sampled_from(ALPHABET)))
def test_a_line_feed_parts_texts_as_if_each_stood_alone(first: str, second: str) -> None:
    # TextBatch finds the words of whole batches at once and relies on exactly this.
    assert words(f"\n{first}\n{second}")[0] == words(first)[0] + words(second)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("can't", ["can't"]),  # WB6, WB7
        ("'tis", ["'", "tis"]),
        ("3.14 1,000", ["3.14", " ", "1,000"]),  # WB11, WB12
        ("a.b 1.a", ["a.b", " ", "1", ".", "a"]),
        ("A1 b_2", ["A1", " ", "b_2"]),  # WB9, WB10, WB13a, WB13b
        ("a\r\n\u0308b", ["a", "\r\n", "\u0308", "b"]),  # WB3, and no WB4 after a line break
        ("  a", ["  ", "a"]),  # WB3d
        (" \u0308 ", [" \u0308", " "]),  # the mark parts the spaces again
        ("e\u0301\u0323x", ["e\u0301\u0323x"]),  # WB4
        ("א'", ["א'"]),  # WB7a
        ('א"ב', ['א"ב']),  # WB7b, WB7c
        ('a"b', ["a", '"', "b"]),
        ("カタカナ語", ["カタカナ", "語"]),  # WB13
        ("🇹🇷🇩🇪🇫", ["🇹🇷", "🇩🇪", "🇫"]),  # WB15, WB16
        ("a🇹🇷🇩", ["a", "🇹🇷", "🇩"]),
        ("👩\u200d👩\u200d👧👧", ["👩\u200d👩\u200d👧", "👧"]),  # WB3c
        ("\u200dא", ["\u200d", "א"]),
    ],
)
def test_segments_of_the_rules(text: str, expected: list[str]) -> None:
    assert segments(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, world! It's 3.14 o'clock.", ["Hello", "world", "It's", "3.14", "o'clock"]),
        ("İstanbul'da ışık", ["İstanbul'da", "ışık"]),
        ("well-known _x_ —", ["well", "known", "_x_"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("Ⅷ x²", ["Ⅷ", "x", "²"]),  # numbers of categories Nl and No
        ("... !? 👩🏽 \n", []),
    ],
)
def test_words_are_the_segments_with_a_letter_or_a_number(text: str, expected: list[str]) -> None:
    found, unsegmented = words(text)
    assert found == expected
    assert not any(u for word, u in zip(found, unsegmented, strict=True) if word != "²")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),  # Thai: marks belong to their letter
        ("你好世界", ["你", "好", "世", "界"]),
        ("日本語テスト", ["日", "本", "語", "テスト"]),
        ("ភាសាខ្មែរ", ["ភា", "សា", "ខ្", "មែ", "រ"]),  # Khmer
        ("မြန်မာ", ["မြ", "န်", "မာ"]),  # Burmese
        ("བོད་ཡིག", ["བོད", "ཡིག"]),  # Tibetan: syllables between tshegs, not words
    ],
)
def test_scripts_without_spaces_are_flagged(text: str, expected: list[str]) -> None:
    found, unsegmented = words(text)
    assert found == expected
    assert unsegmented == [True] * len(expected)


def test_mixed_text_flags_only_what_cannot_be_delimited() -> None:
    found, unsegmented = words("Tokyo は東京 2024")
    assert found == ["Tokyo", "は", "東", "京", "2024"]
    assert unsegmented == [False, True, True, True, False]


def test_a_batch_gives_the_words_of_each_of_its_texts(cache) -> None:
    texts = ["naïve café", "two\nlines", "…", "日本"]
    batch = batch_of(texts)
    for again in (batch, batch_of(texts)):  # the second time from the cache of counts
        raw, found = again.data.tobytes(), again.words
        spelled = [raw[a:b].decode() for a, b in zip(found.starts, found.stops, strict=True)]
        assert spelled == ["naïve", "café", "two", "lines", "日", "本"]
        assert found.sample.tolist() == [0, 0, 1, 1, 3, 3]
        assert found.unsegmented.tolist() == [False] * 4 + [True] * 2
        assert again.characters.tolist() == [10, 9, 1, 2]
        assert again.sizes.tolist() == [12, 9, 3, 6]
    assert list((cache / "words").rglob("*.int32"))


def test_a_word_cache_cut_short_is_counted_again(cache) -> None:
    texts = ["a cache entry that a crash cut short"]
    before = batch_of(texts).words.starts.tolist()
    newest = max((cache / "words").rglob("*.int32"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-8])
    assert batch_of(texts).words.starts.tolist() == before
