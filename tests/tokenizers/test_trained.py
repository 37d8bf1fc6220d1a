"""Tokenizers trained on the spot: the same bytes each time, cached, and what each promises."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import tokenizers

from tokbench.errors import UserError
from tokbench.files import cache_dir
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text import superwords, trained
from tokbench.tokenizers.text.byte_tables import BYTE_LEVEL

VOCABULARY = {"bpe": 400, "superbpe": 400, "unigram": 330, "wordpiece": 300}

ODD = [
    "Unseen: ŝajnas 日本 🤯",
    "two  spaces\tand\n\nline ends \r\n",
    " lead",
    "tail ",
    "x",
    " ",
    "1 2 3",
]


def sentences() -> list[str]:
    """Prose with words and phrases that come again."""
    who = ("the old baker", "my grandmother", "a young engineer", "nobody", "the whole village")
    what = ("opened the window", "wrote a long letter", "quarrelled about politics", "kept quiet")
    where = ("in the middle of the night", "at the end of the street", "by the way to Córdoba")
    lines = ["Questions puzzled scholars", "Zebras jumped over exhausted foxes near the river bank"]
    for number, parts in enumerate(itertools.product(who, what, where)):
        lines.append(
            f"{' '.join(parts).capitalize()}, on day {number} of the year {1900 + number}."
        )
    return lines


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file of `sentences`, with a cache of its own."""
    monkeypatch.setenv("TOKBENCH_CACHE", str(tmp_path / "cache"))
    cache_dir.cache_clear()
    path = tmp_path / "prose.txt"
    path.write_text("\n".join(sentences()) + "\n", encoding="utf-8")
    yield path
    cache_dir.cache_clear()


def spec(algorithm: str, text: Path, **options: object) -> str:
    given = {"vocab": VOCABULARY[algorithm], "on": text} | options
    return f"train:{algorithm}?" + "&".join(f"{key}={value}" for key, value in given.items())


def cached(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "trained").iterdir())}


def test_two_processes_train_the_same_bytes(text: Path, tmp_path: Path) -> None:
    specs = [spec(algorithm, text) for algorithm in VOCABULARY]
    program = "import sys; from tokbench.specs import load_tokenizer as load; "
    program += "[load(spec) for spec in sys.argv[1:]]"
    for seed in "1", "2":
        folder = {"PYTHONHASHSEED": seed, "TOKBENCH_CACHE": str(tmp_path / seed)}
        subprocess.run([sys.executable, "-c", program, *specs], check=True, env=os.environ | folder)
    first = cached(tmp_path / "1")
    assert len(first) == len(VOCABULARY)
    assert first == cached(tmp_path / "2")


@pytest.mark.parametrize("algorithm", VOCABULARY)
def test_vocabulary_name_and_source(algorithm: str, text: Path) -> None:
    name = spec(algorithm, text)
    tokenizer = load_tokenizer(name)
    assert tokenizer.name == name
    assert tokenizer.spec.vocabulary == (VOCABULARY[algorithm],)
    library = sentencepiece if algorithm == "unigram" else tokenizers
    assert "prose.txt@local:all#" in tokenizer.spec.source
    assert f"by {library.__name__} {library.__version__}" in tokenizer.spec.source


@pytest.mark.parametrize("algorithm", ["bpe", "superbpe", "unigram"])
def test_lossless(algorithm: str, text: Path) -> None:
    tokenizer = load_tokenizer(spec(algorithm, text))
    texts = [*sentences(), *ODD]
    assert tokenizer.decode(tokenizer.encode(texts)) == texts


def test_wordpiece_keeps_case_and_has_unknown(text: Path) -> None:
    tokenizer = load_tokenizer(spec("wordpiece", text))
    upper, lower, unseen = tokenizer.encode(["The", "the", "日"]).ids
    assert upper.tolist() != lower.tolist()
    assert unseen.tolist() == [tokenizer.unknown]
    assert tokenizer.decode(tokenizer.encode(["nobody kept quiet"])) == ["nobody kept quiet"]


def test_rare_characters_are_left_to_unknown(text: Path) -> None:
    with text.open("a", encoding="utf-8") as file:
        file.write("字")
    tokenizer = load_tokenizer(spec("wordpiece", text))
    rare, common = tokenizer.encode(["字", "ó"]).ids
    assert rare.tolist() == [tokenizer.unknown]
    assert tokenizer.unknown not in common


def test_superwords_compress_more_than_bpe(text: Path) -> None:
    plain, wide = (load_tokenizer(spec(a, text)) for a in ("bpe", "superbpe"))
    counts = [len(t.encode(sentences()).ids.values) for t in (plain, wide)]
    assert counts[1] < counts[0]
    assert not any(b" " in piece.strip() for piece in plain.pieces.pieces)
    found = [piece for piece in wide.pieces.pieces if b" " in piece.strip()]
    assert b" of the" in found
    assert max(len(piece.split()) for piece in found) == superwords.MOST_WORDS


def test_merges_of_words_come_first(text: Path) -> None:
    """In the order of plain BPE with a share of the vocabulary: they keep priority."""
    first = round(0.8 * VOCABULARY["superbpe"])
    load_tokenizer(spec("bpe", text, vocab=first))
    load_tokenizer(spec("superbpe", text))
    models = [json.loads(content)["model"] for content in cached(cache_dir()).values()]
    words, superwords = sorted(models, key=lambda model: len(model["vocab"]))
    assert superwords["merges"][: first - 256] == words["merges"]
    assert superwords["vocab"].items() >= words["vocab"].items()


def learner(texts: list[str]) -> superwords.Superwords:
    """A learner over bytes, which has nothing learnt before."""
    ids = [-1]
    for text in texts:
        ids += [*text.encode(), -1]
    return superwords.Superwords(
        sorted(BYTE_LEVEL, key=BYTE_LEVEL.get), np.array(ids, dtype=np.int32)
    )


def learnt_by_counting_anew(texts: list[str], most: int) -> list[tuple[str, str]]:
    """The same merges, slowly: all pairs are counted again for each."""
    tokens = sorted(BYTE_LEVEL, key=BYTE_LEVEL.get)
    rows = [list(text.encode()) for text in texts]
    merges = []
    while len(merges) < most:
        counts: dict[tuple[int, int], int] = {}
        for pair in {pair for row in rows for pair in itertools.pairwise(row)}:
            counts[pair] = sum(len(row) - len(merged(row, pair, -1)) for row in rows)
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < superwords.LEAST:
            break
        rows = [merged(row, best, len(tokens)) for row in rows]
        merges.append((tokens[best[0]], tokens[best[1]]))
        tokens.append("".join(merges[-1]))
    return merges


def merged(row: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """A pass from the left."""
    out: list[int] = []
    at = 0
    while at < len(row):
        hit = tuple(row[at : at + 2]) == pair
        out.append(new if hit else row[at])
        at += 2 if hit else 1
    return out


@pytest.mark.parametrize("seed", range(20))
def test_learner_counts_as_if_anew(seed: int) -> None:
    dice = random.Random(seed)
    letters = "ab" if seed % 2 else "abcd"  # few letters: many runs
    texts = ["".join(dice.choices(letters, k=dice.randrange(60))) for _ in range(8)]
    found = learner(texts)
    assert found.learn(40) == learnt_by_counting_anew(texts, 40)
    assert len(set(found.tokens)) == len(found.tokens)


def test_learner_crosses_no_line_end_number_or_sample() -> None:
    found = learner(["ab\ncd 5 ef\r\n", "gh"] * 9)
    found.learn(100)
    assert set(found.tokens[256:]) == {"ab", "cd", "cdĠ", "Ġe", "Ġef", "gh"}


def test_learner_predicts_the_encoding(text: Path) -> None:
    """Merges applied by rank, by the library, give the tokens that the learner was left with."""
    merges = learner(sentences()).learn(200)
    alphabet = sorted(BYTE_LEVEL, key=BYTE_LEVEL.get)
    tokens = [*alphabet, *map("".join, merges)]
    model = tokenizers.models.BPE({token: i for i, token in enumerate(tokens)}, merges)
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    rows = [list(sentence.encode()) for sentence in sentences()]
    number = {token: i for i, token in enumerate(tokens)}
    for left, right in merges:
        pair = (number[left], number[right])
        rows = [merged(row, pair, number[left + right]) for row in rows]
    assert [encoding.ids for encoding in backend.encode_batch(sentences())] == rows


@pytest.mark.parametrize("algorithm", VOCABULARY)
def test_second_load_reads_the_cache(
    algorithm: str, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_tokenizer(spec(algorithm, text))
    monkeypatch.setitem(trained.TRAINERS, algorithm, None)  # calling it would fail
    again = load_tokenizer(spec(algorithm, text))
    assert first.fingerprint() == again.fingerprint()
    assert first.encode(ODD).ids.values.tolist() == again.encode(ODD).ids.values.tolist()


def test_cache_goes_by_content(text: Path) -> None:
    copy = text.with_name("same.txt")
    copy.write_bytes(text.read_bytes())
    load_tokenizer(spec("bpe", text))
    load_tokenizer(spec("bpe", copy))
    assert len(cached(cache_dir())) == 1
    load_tokenizer(spec("bpe", text, vocab=350))
    load_tokenizer(spec("bpe", text, limit=50))
    copy.write_text(text.read_text(encoding="utf-8").replace("baker", "smith"), encoding="utf-8")
    load_tokenizer(spec("bpe", copy))
    assert len(cached(cache_dir())) == 4


def test_limit_takes_the_first_samples_of_each_group(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "groups"
    folder.mkdir()
    for group, start in ("a", 0), ("b", 30):
        lines = sentences()[start : start + 30]
        (folder / f"{group}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text.write_text("\n".join(sentences()[:20] + sentences()[30:50]) + "\n", encoding="utf-8")
    limited = load_tokenizer(spec("bpe", folder, vocab=300, limit=20))
    assert limited.fingerprint() == load_tokenizer(spec("bpe", text, vocab=300)).fingerprint()
    assert "first 20 samples of each group" in limited.spec.source


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("bpe", {"vocab": 9000}, r"yields \d+ tokens of 9000; give more text or vocab=\d+"),
        ("wordpiece", {"vocab": 9000}, r"yields \d+ tokens of 9000; give more text or vocab=\d+"),
        ("unigram", {"vocab": 9000}, r"yields \d+ tokens of 9000; give more text or vocab=\d+"),
        ("superbpe", {"vocab": 9000}, r"yields \d+ tokens of 7200; .* a lower vocab= or stage="),
        ("superbpe", {"stage": 1.5}, "stage=1.5: give a number from 0 to 1"),
        ("superbpe", {"stage": "nan"}, "stage=nan: give a number from 0 to 1"),
        ("bpe", {"vocab": 299}, "vocab=299: give a whole number from 300"),
        ("bpe", {"stage": 0.5}, "no option 'stage'"),
        ("bpe", {"split": "dev"}, "has no splits"),
        ("bpe", {"on": "paralel-mini"}, "did you mean 'parallel-mini'"),
    ],
)
def test_errors(algorithm: str, options: dict[str, object], message: str, text: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_tokenizer(spec(algorithm, text, **options))


@pytest.mark.parametrize("algorithm", ["wordpiece", "unigram"])
def test_more_characters_than_vocabulary(algorithm: str, text: Path) -> None:
    text.write_text("".join(map(chr, range(0x4E00, 0x5000))) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"characters alone take \d+ tokens; give vocab=\d+"):
        load_tokenizer(spec(algorithm, text))


@pytest.mark.parametrize("algorithm", VOCABULARY)
def test_no_text(algorithm: str, text: Path) -> None:
    text.write_text("\n\n", encoding="utf-8")
    with pytest.raises(UserError):
        load_tokenizer(spec(algorithm, text))


def test_unknown_algorithm() -> None:
    with pytest.raises(UserError, match="no algorithm 'unigramm'; did you mean 'unigram'"):
        load_tokenizer("train:unigramm")
