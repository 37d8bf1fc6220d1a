"""Vocabularies whose ills can be counted by hand, and Qtok's own count of GPT-2's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from mocks.evidence import Groups, evidence_of
from mocks.greedy import Greedy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.census import (
    Census,
    DuplicateSurfaces,
    PartialUtf8,
    class_of,
    script_of,
)
from tokbench.metrics.text.health import JunkMerges, Reachability, UnusedByScript
from tokbench.metrics.text.oddities import LongestToken, OddTokens
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.baselines import Bytes, Words
from tokbench.tokenizers.text.huggingface import HuggingFace
from tokbench.tokenizers.text.tiktokens import Tiktoken
from tokbench.types import Score

# Definitions §1, from a run of Qtok.
GPT2 = {
    "control": 2, "pure-unicode": 150, "char-alpha": 198, "spaced-alpha": 32_100,
    "inner-alpha": 14_841, "char-other": 52, "spaced-other": 987, "inner-other": 1_540,
    "unicode-flanks": 352, "char-errors": 33, "spaced-errors": 0, "inner-errors": 2,
}  # fmt: skip
ALL = (
    Census(), PartialUtf8(), DuplicateSurfaces(), LongestToken(), OddTokens(), UnusedByScript(),
    Reachability(), JunkMerges(),
)  # fmt: skip
each = pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)


def scores(
    metric: Metric, tokenizer: TextTokenizer, groups: Groups | None = None
) -> dict[str, Score]:
    """The metric's scores with the tokenizer at hand, by name."""
    groups = groups or {"": ["hello"]}
    evidence = evidence_of(tokenizer, groups, metric.statistics)
    measured = Measured(evidence, list(groups), True, tokenizer.spec, tokenizer=tokenizer)
    return {score.name: score for score in metric.result(measured)}


def values(metric: Metric, tokenizer: TextTokenizer, groups: Groups | None = None):
    return {name: score.value for name, score in scores(metric, tokenizer, groups).items()}


def bpe(vocabulary: Sequence[str], merges: Sequence[tuple[str, str]]) -> HuggingFace:
    numbered = {token: number for number, token in enumerate(vocabulary)}
    backend = Tokenizer(models.BPE(numbered, list(merges)))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return HuggingFace(backend, "bpe")


def test_the_census_of_gpt2_is_qtoks(shared: Path) -> None:
    found = values(Census(), load_tokenizer(str(shared / "tokenizers/gpt2.tokenizer.json")))
    assert {name: found[f"census-ids/{name}"] for name in GPT2} == GPT2
    assert sum(found[f"census/{name}"] for name in GPT2) == pytest.approx(1)
    assert found["census/spaced-alpha"] == 32_100 / 50_257
    assert found["census/script-Latn"] > 0.99


def test_the_census_of_the_ranks_is_that_of_the_file(shared: Path) -> None:
    found = values(Census(), load_tokenizer(str(shared / "tokenizers/r50k_base.tiktoken")))
    assert {name: found[f"census-ids/{name}"] for name in GPT2} == GPT2


@pytest.mark.parametrize(
    ("surface", "expected"),
    [
        (b"a", "pure-unicode"), ("é".encode(), "pure-unicode"), ("ş".encode(), "char-alpha"),
        (b" ", "char-other"), (b"\n", "char-errors"), (" été".encode(), "spaced-alpha"),
        (b" a1", "spaced-other"), (b"  ", "spaced-other"), (b" \n", "spaced-errors"),
        ("слово".encode(), "inner-alpha"), ("aя".encode(), "inner-other"), (b"a\t", "inner-errors"),
        (b"<s>", "control"), (b"[X]", "control"), (b"</h1>", "inner-other"), (b"<>", "control"),
        (b"\xc3", "unicode-flanks"), (b"a\xe2\x80", "unicode-flanks"),
        ("\ufffd".encode(), "unicode-flanks"),
    ],
)  # fmt: skip
def test_classes(surface: bytes, expected: str) -> None:
    assert class_of(surface) == expected


def test_scripts() -> None:
    texts = {
        "Latn": " word", "Cyrl": "сло1", "Zyyy": " 12.", "Hani": "日本", "Jpan": "食べる",
        "mixed": "aя", "Deva": "क्ष", "Hang": "한", "Vaii": "ꔀ",
    }  # fmt: skip
    assert {script: script_of(text) for script, text in texts.items()} == {s: s for s in texts}


def test_the_census_of_wordpiece_reads_tokens_in_running_text(shared: Path) -> None:
    bert = load_tokenizer(str(shared / "tokenizers/bert-base-cased.tokenizer.json"))
    found = values(Census(), bert)
    assert sum(found[f"census-ids/{name}"] for name in GPT2) == 28_996
    assert found["census-ids/spaced-alpha"] > found["census-ids/inner-alpha"] > 5_000
    assert found["census-ids/control"] == 5  # [PAD] [UNK] [CLS] [SEP] [MASK]


def test_partial_double_and_longest() -> None:
    tokenizer = Greedy(["a", " b", b"\xc3", b"\xc3\xa9x", "日本語", "hello"])
    tokenizer.pieces.pieces.append(b"hello")  # another id with the same bytes
    tokenizer.pieces = type(tokenizer.pieces)(tokenizer.pieces.pieces)
    tokenizer.text_ids = np.append(tokenizer.text_ids, True)
    assert values(PartialUtf8(), tokenizer) == {"partial-utf8": 1 / 7, "partial-utf8-ids": 1}
    double = scores(DuplicateSurfaces(), tokenizer)
    assert double["duplicate-surfaces-ids"].value == 2
    assert double["duplicate-surfaces"].value == 2 / 7
    assert "6 'hello', 7 'hello'" in double["duplicate-surfaces"].note
    longest = scores(LongestToken(), tokenizer)
    assert longest["longest-token/bytes"].value == 9
    assert longest["longest-token/characters"].value == 5
    found = scores(Reachability(), tokenizer)
    assert found["unreachable-ids"].value in (1, 2)  # of two ids with one surface, one is dead
    assert found["reachability/left-out"].value == 1
    assert found["reachability"].n == 6


def test_unused_by_script() -> None:
    tokenizer = Greedy(["a", "b", "я", "日", "本", b"\xff"])
    found = scores(UnusedByScript(), tokenizer, {"x": ["aa"], "y": ["日b"]})
    assert {name: score.value for name, score in found.items()} == {
        "unused-by-script": 0.5,
        "unused-by-script/Latn": 0,
        "unused-by-script/Cyrl": 1,
        "unused-by-script/Hani": 0.5,
        "unused-by-script/partial": 1,
    }
    assert found["unused-by-script/Hani"].n == 2


def test_a_token_that_a_context_yields_is_not_accused() -> None:
    # a+b comes first, so abc is always ab|c: no text has a+bc.
    dead = bpe(["a", "b", "c", "x", "Ġ", "ab", "bc", "abc"], [("a", "b"), ("b", "c"), ("a", "bc")])
    found = values(Reachability(), dead)
    assert found["reachability"] == 7 / 8
    assert found["unreachable-ids"] == 1
    assert "7 'abc'" in scores(Reachability(), dead)["unreachable-ids"].note

    class Blind(Greedy):
        """Cuts before the last character of a text, so single pieces never come back alone."""

        def _tokens(self, text):
            whole = super()._tokens(text[:-1])
            size = len(text[:-1].encode())
            tail = super()._tokens(text[-1:])
            return whole + [(i, a + size, b + size) for i, a, b in tail]

    found = values(Reachability(), Blind())
    assert found["reachability"] == 1
    assert found["context-only-ids"] == 6  # the pieces of two and more characters


def test_real_vocabularies_accuse_few(shared: Path) -> None:
    gpt2 = values(Reachability(), load_tokenizer(str(shared / "tokenizers/gpt2.tokenizer.json")))
    assert (gpt2["reachability/alone"], gpt2["unreachable-ids"]) == (1, 0)
    assert gpt2["reachability/left-out"] == 344
    mistral = values(Reachability(), load_tokenizer("mistral:v3"))
    assert mistral["reachability/alone"] < 0.6 and mistral["reachability"] > 0.99


def test_ios_by_hand() -> None:
    tokenizer = bpe(
        ["a", "b", "c", "Ġ", "ab", "abc", "bb", "bbc"],
        [("a", "b"), ("ab", "c"), ("b", "b"), ("bb", "c")],
    )
    # abc nine times and ab once: ab is 10 times there before it is merged, 9 of them with c.
    # bbc five times, bb five times: IoS 5/10.
    texts = {"": ["abc"] * 9 + ["ab"] + ["bbc"] * 5 + ["bb"] * 5}
    found = scores(JunkMerges(), tokenizer, texts)
    assert found["junk-merges"].value == 0.5
    assert found["junk-merges"].n == 2
    assert "4 'ab'" in found["junk-merges"].note
    assert values(JunkMerges(threshold=0.91), tokenizer, texts)["junk-merges-ids"] == 0
    starved = scores(JunkMerges(least=11), tokenizer, texts)["junk-merges"]
    assert starved.value is None and starved.note.startswith("too little data")
    with pytest.raises(ValueError, match="threshold"):
        JunkMerges(threshold=0)


def test_ranks_imply_the_merges_that_a_file_lists(shared: Path) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    ranks |= {piece: 256 + i for i, piece in enumerate([b"ab", b"cd", b"abcd", b"abcde"])}
    arguments = {
        "name": "t", "pat_str": r"\w+|\W+", "mergeable_ranks": ranks, "special_tokens": {}
    }  # fmt: skip
    merges = Tiktoken(arguments, "t").merges()
    pairs = [merges.parts(place) for place in range(len(merges.products))]
    assert pairs == [(97, 98), (99, 100), (256, 257), (258, 101)]
    gpt2 = load_tokenizer(str(shared / "tokenizers/gpt2.tokenizer.json")).merges()
    r50k = load_tokenizer(str(shared / "tokenizers/r50k_base.tiktoken")).merges()
    places = range(0, 50_000, 97)
    assert [gpt2.products[k] for k in places] == [r50k.products[k] for k in places]
    assert [gpt2.parts(k) for k in places] == [r50k.parts(k) for k in places]
    assert all(a < b for a, b in pairwise(r50k.products))


def test_without_merges_junk_is_refused() -> None:
    for tokenizer in (Bytes(), Greedy()):
        score = scores(JunkMerges(), tokenizer)["junk-merges"]
        assert score.value is None and "no merges" in score.note


@each
def test_absence_is_said(metric: Metric) -> None:
    for tokenizer, why in ((Words(), "no surfaces"), (None, "not at hand")):
        there = tokenizer or Greedy()
        evidence = evidence_of(there, {"": ["hello"]}, metric.statistics)
        measured = Measured(evidence, [""], True, there.spec, tokenizer=tokenizer)
        (score,) = metric.result(measured)
        assert score.value is None
        assert why in score.note


@each
def test_every_score_has_a_note(metric: Metric) -> None:
    for score in scores(metric, Greedy(), {"": ["hello world"]}).values():
        assert score.note
