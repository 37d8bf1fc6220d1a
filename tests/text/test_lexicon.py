"""Lexicons: case, Turkish analyses, simplemma's lists against the library itself, own lists."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from simplemma import is_known, lemmatize
from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

from tokbench.errors import MissingExtra, UserError
from tokbench.text import lexicon as lexicon_module
from tokbench.text import wordlists
from tokbench.text.casing import fold
from tokbench.text.lexicon import (
    PURE,
    SIMPLEMMA,
    UNKNOWN,
    WORD,
    Lexicon,
    lexicon_for,
)


@pytest.mark.parametrize(
    ("text", "language", "folded"),
    [
        ("IŞIK İZ", "tur_Latn", "ışık iz"),
        ("IŞIK", "deu_Latn", "işik"),
        ("Straße", "deu_Latn", "strasse"),
        ("I", "azj_Latn", "ı"),
        ("e\u0301", "fra_Latn", "é"),
    ],
)
def test_case_is_folded_as_the_language_does(text: str, language: str, folded: str) -> None:
    assert fold(text, language) == folded


def test_every_simplemma_list_has_a_language() -> None:
    assert set(SIMPLEMMA.values()) == {path.stem for path in _shipped()}


def _shipped() -> list[Path]:
    import simplemma

    return list(Path(simplemma.__file__).parent.rglob("*.plzma"))


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("ev", PURE),
        ("EV", PURE),
        ("evler", WORD),
        ("evlerimizden", WORD),
        ("kitap", PURE),
        ("kitab", PURE),  # a root as it stands before a vowel
        ("gelmek", WORD),  # gel and -mek
        ("ler", PURE),
        ("lığ", PURE),
        ("IŞIK", PURE),
        ("hâlâ", PURE),
        ("laru", UNKNOWN),  # breaks vowel harmony
        ("ing", UNKNOWN),
        ("the", UNKNOWN),
        ("ev1", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_turkish_words_roots_and_suffixes(word: str, verdict: int) -> None:
    assert lexicon_for("tur_Latn").judge([word]) == [verdict]


def test_turkish_case_counts_where_it_is_asked_to() -> None:
    judged = lexicon_for("tur_Latn").judge(["İstanbul", "istanbul", "EV", "Ev", "ev"], exact=True)
    assert judged == [PURE, PURE, UNKNOWN, UNKNOWN, PURE]


@pytest.mark.parametrize("language", ["ind_Latn", "gla_Latn"])
def test_a_word_list_says_what_simplemma_says(language: str) -> None:
    code = SIMPLEMMA[language]
    table = dict(DefaultDictionaryFactory().get_dictionary(code).items())
    rng = random.Random(1)
    words = [word for word in rng.sample(sorted(table), 2000) if word == fold(word, language)]
    made_up = ["".join(rng.choices("aeinrstl", k=rng.randint(2, 6))) for _ in range(500)]
    judged = lexicon_for(language).judge([*words, *made_up])
    for word, verdict in zip([*words, *made_up], judged, strict=True):
        if is_known(word, code):
            assert verdict >= WORD, word
            assert verdict == PURE or lemmatize(word, code) != word
        elif verdict:  # known in capitals within, which simplemma does not try
            assert any(word == fold(form, language) for form in table)
    exact = lexicon_for(language).judge(words + [word.upper() for word in words], exact=True)
    forms = words + [word.upper() for word in words]
    assert [verdict > UNKNOWN for verdict in exact] == [form in table for form in forms]


def test_a_broken_list_is_unpacked_again(cache: Path) -> None:
    wordlists.unpack_missing(["gv"])
    (path,) = (cache / "wordlists").glob("*-gv-1.zst")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert wordlists.found(["thie", "xqz"], "glv_Latn") == {"thie": PURE}
    assert path.read_bytes() == whole


def test_verdicts_are_remembered_and_a_broken_memory_is_forgotten(cache: Path) -> None:
    class Counting(Lexicon):
        label, language, asked = "counting-1", "eng_Latn", 0

        def look_up(self, words, exact):
            Counting.asked += len(words)
            return {word: WORD for word in words if word == "house"}

    for _ in range(2):
        assert Counting().judge(["House", "house", "xq"]) == [WORD, WORD, UNKNOWN]
        lexicon_module._memory.cache_clear()  # another process
    assert Counting.asked == 2
    (path,) = (cache / "verdicts").glob("counting-1-1.json")
    path.write_bytes(b'{"house": ')
    assert Counting().judge(["house"]) == [WORD]
    assert Counting.asked == 3


def own(tmp_path: Path, text: str) -> str:
    path = tmp_path / "list.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    path = own(tmp_path, "# ours\nIşık\troot\nevler\n-ler\taffix\n\nevler\tword\n")
    lexicon = lexicon_for("tur_Latn", path)
    assert lexicon.judge(["ışık", "IŞIK", "Evler", "ler", "ev"]) == [PURE, PURE, WORD, PURE, 0]
    assert lexicon.judge(["Işık", "IŞIK", "ışık", "evler"], exact=True) == [PURE, 0, 0, WORD]


@pytest.mark.parametrize(
    ("text", "message"),
    [("ev\trot\n", ":1: 'rot' is not root, affix or word; did you mean 'root'"),
     ("# nothing\n", "without entries")],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        lexicon_for("tur_Latn", own(tmp_path, text))


def test_a_manifest_is_a_list_for_each_language(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "tur_Latn.txt").write_text("ev\troot\n", encoding="utf-8")
    (folder / "deu_Latn.txt").write_text("Haus\troot\n", encoding="utf-8")
    assert lexicon_for("deu_Latn", str(folder)).judge(["haus", "ev"]) == [PURE, UNKNOWN]
    with pytest.raises(UserError, match="no list for 'fra_Latn'"):
        lexicon_for("fra_Latn", str(folder))


def test_a_language_without_lexicon_names_those_that_have_one() -> None:
    with pytest.raises(UserError, match=r"no lexicon for 'jpn_Jpan'.*tur_Latn, ukr_Cyrl") as error:
        lexicon_for("jpn_Jpan")
    assert "\n" not in str(error.value)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(package: str) -> str:
        raise lexicon_module.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(lexicon_module.metadata, "version", absent)
    lexicon_for.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'tokbench\[morphology\]'"):
        lexicon_for("tur_Latn")
    lexicon_for.cache_clear()
