"""Perturbations: what they change is exactly what they say they change."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokbench.text.cuts import PLACES, cut
from tokbench.text.draws import Draws
from tokbench.text.lookalikes import CONFUSED, NEAR_KEYS
from tokbench.text.perturb import EVERY, PERTURBATIONS, Perturbed, perturb
from tokbench.text.places import places

FRAGMENTS = (
    "hello", " World", "rn", "modern", "İstanbul", "ı", "Straße", "ﬁ", "é", "e\u0301",
    "q\u0307\u0323",
    "ΣΑΣ", "Привет", "йогурт", "日本語", "が", "か\u3099", "각", "\u1100\u1161\u11a8", "नमस्ते",
    "สวัสดี", "שָׁלוֹם", "مَرحبا", " ", "  ", "\t", "\u00a0", ". ", ", ", "'", "123", "\U0001f642",
    "\U0001f469\u200d\U0001f4bb", "\u0301", "\n", "Å", "ế", "lO0 1I", "\ufeff",
)  # fmt: skip
texts = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=30).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60
)
each = pytest.mark.parametrize("name", PERTURBATIONS)


def edits(found: Perturbed) -> list[tuple[int, int, int, int]]:
    return [tuple(span) for span in found.spans.tolist()]


@each
@settings(max_examples=60, deadline=None, derandomize=True)
@given(texts)
def test_old_and_new_differ_inside_the_edits_alone(name: str, text: str) -> None:
    found = perturb(name, text)
    if found is None:
        return
    assert found.text
    assert found.text != text
    place = made = 0
    for start, stop, new_start, new_stop in edits(found):
        # What lies before the edit is the same, so every differing byte is inside one.
        assert text[place:start] == found.text[made:new_start]
        assert text[start:stop] != found.text[new_start:new_stop]
        if PERTURBATIONS[name].whole:
            assert start < stop
            assert new_start < new_stop
        elif place:
            assert start > place  # local edits never touch
        place, made = stop, new_stop
    assert text[place:] == found.text[made:]
    assert place <= len(text)
    assert made <= len(found.text)


@each
def test_a_perturbation_depends_on_the_text_alone(name: str) -> None:
    text = "Çok güzel bir gün, the modern 10 km walk — да, конечно. " * 4 + "."
    first = perturb(name, text)
    perturb(name, "something else")
    again = perturb(name, text)
    assert (first is None) == (again is None) == (name == "nfc")
    if first is not None and again is not None:
        assert first.text == again.text
        assert edits(first) == edits(again)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(texts)
def test_normal_forms_are_those_of_the_standard(form: str, text: str) -> None:
    found = perturb(form.lower(), text)
    assert (found.text if found else text) == unicodedata.normalize(form, text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(texts)
def test_casing_is_unicodes_character_by_character(text: str) -> None:
    for name, change in (("lower", str.lower), ("upper", str.upper)):
        found = perturb(name, text)
        by_one = "".join(map(change, text))
        assert (found.text if found else text) in (by_one, change(text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("swap", "ab", "ba"), ("swap", "aa", None), ("swap", "a b", None),
        ("delete", ".a.", ".."),
        ("delete", "a", None), ("insert", "日", None),
        ("substitute", "日。本", ("本。本", "日。日")),
        ("ocr", "-rn-", "-m-"), ("ocr", "m", "rn"), ("ocr", "曰", "日"), ("ocr", "xyz", None),
        ("lower", "İI", "i̇i"),
        ("upper", "Straße ı", "STRASSE I"), ("upper", "日本", None),
        ("title", "don't go home", "Don't Go Home"), ("diacritics", "Çok güzel ế", "Cok guzel e"),
        ("diacritics", "が ø ı 각", None), ("diacritics", "مَرحبا", "مرحبا"),
        ("diacritics", "\u0301", None),
        ("nfc", "e\u0301a", "éa"), ("nfc", "\u1100\u1161\u11a8", "각"), ("nfd", "é", "e\u0301"),
        ("double-blank", "a b", "a  b"), ("tab", "a b", "a\tb"), ("tab", "日本", None),
        ("no-break-space", "a b", "a\u00a0b"), ("trailing-blank", "a", "a "),
        ("trailing-blank", "a ", None),
        ("emoji", "ab.", "ab\U0001f642."), ("emoji", "12.", None),
        ("emoji-zwj", "ab", "ab\U0001f469\u200d\U0001f4bb"),
        ("zero-width-space", "ab", "a\u200bb"), ("soft-hyphen", "ab", "a\u00adb"),
    ],
)  # fmt: skip
def test_perturbations_by_hand(
    name: str, text: str, expected: str | tuple[str, ...] | None
) -> None:
    found = perturb(name, text)
    if isinstance(expected, tuple):
        assert found is not None
        assert found.text in expected
    else:
        assert (found.text if found else None) == expected


def test_local_noise_does_not_thin_out_in_long_texts() -> None:
    text = "the quick brown fox jumps over a lazy dog " * 50
    for name in ("delete", "ocr", "double-blank", "emoji", "soft-hyphen"):
        found = perturb(name, text)
        assert found is not None
        assert 0.9 <= len(found.spans) / (len(text) // EVERY) <= 1


def test_wrong_keys_lie_beside_the_right_ones() -> None:
    assert sorted(NEAR_KEYS["s"]) == sorted("adwezx")
    assert all(a in NEAR_KEYS[b] for a in NEAR_KEYS for b in NEAR_KEYS[a])
    for number in range(50):
        text = f"{number} Q"
        found = perturb("substitute", text)
        assert found is not None
        assert found.text[-1] in "WA"
    assert all(a in CONFUSED[b] for a in CONFUSED for b in CONFUSED[a])
    assert all(1 <= len(key) <= 2 for key in CONFUSED)


def test_draws_are_even() -> None:
    draws = Draws("name", "text")
    counts = [0] * 7
    for _ in range(7000):
        counts[draws.below(7)] += 1
    assert min(counts) > 850
    assert Draws("name", "text").below(1 << 32) != Draws("other", "text").below(1 << 32)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(texts)
def test_places_are_those_of_a_plain_loop(text: str) -> None:
    def is_letter(k: int) -> bool:
        return k < len(text) and text[k].isalpha()

    def joins(k: int) -> bool:
        return k < len(text) and unicodedata.category(text[k])[0] in "LMN"

    every = range(len(text))
    found = places(text)
    assert found.letters == [k for k in every if is_letter(k)]
    assert found.inner == [k for k in every if is_letter(k) and is_letter(k + 1)]
    assert found.swappable == [k for k in found.inner if text[k] != text[k + 1]]
    assert found.word_ends == [k for k in every if is_letter(k) and not joins(k + 1)]
    assert found.blanks == [k for k in every if text[k] == " "]


@pytest.mark.parametrize("kind", PLACES)
def test_cuts_are_inside_the_text_and_of_their_kind(kind: str) -> None:
    for number in range(40):
        text = f"word {number} другой, e\u0301té fin"
        at = cut(kind, text)
        assert at is not None
        before, after = text[:at], text[at:]
        assert before
        assert after
        if kind == "inside-word":
            assert after[0].isalpha()
            assert before[-1].isalpha() or unicodedata.combining(before[-1])
        else:
            assert before[-1].isspace() == (kind == "after-blank")
            assert after[0].isspace() == (kind == "before-blank")
    assert cut(kind, "日") is None
