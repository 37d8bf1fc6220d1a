"""Data mixture inference: cases by hand, replay against a slow BPE, known mixtures recovered."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from mocks.command import called, files_in, refused
from scipy import sparse
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tokbench.dataset import open_dataset
from tokbench.mixture import _blocks, _by_category
from tokbench.pair_history import Table, simulate, summed
from tokbench.pretokens import BLOCKS, Pretokens, Source, count
from tokbench.programme import History, Rows, Solution, solved
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text.huggingface import HuggingFace
from tokbench.tokenizers.text.merges import Merges, Words, ranked


def quiet(_: str) -> None:
    pass


def solution(order: Sequence[str], texts: Sequence[dict[str, int]]) -> Solution:
    """What the merges of two-letter words in this order say of categories of such words."""
    letters = sorted({letter for word in order for letter in word})
    vocabulary = {token: i for i, token in enumerate([*letters, *order])}
    table = Table(ranked(order, vocabulary), 100)
    words = sorted({word for text in texts for word in text})
    counts = sparse.csr_array([[text.get(word, 0) for text in texts] for word in words])
    sizes = np.array([2 * sum(text.values()) for text in texts])
    changes = summed(simulate(words, table), counts)
    history = History(changes, table, sizes.mean() / sizes, 1)
    return solved(history.violated, Rows.none(len(texts)), quiet)


def test_a_mixture_by_hand() -> None:
    # Of 15 pairs: ef 5 in both, ab 8 and 2, cd 2 and 8. That ef comes first takes
    # 2 + 6a <= 5 and 8 - 6a <= 5: a half of each. The first text is twice as long.
    found = solution(
        ["ef", "ab", "cd"], [{"ab": 16, "cd": 4, "ef": 10}, {"ab": 2, "cd": 8, "ef": 5}]
    )
    assert found.shares == pytest.approx([0.5, 0.5])
    assert found.objective == pytest.approx(0, abs=1e-6)


def test_slack_by_hand() -> None:
    # cd exceeds ab by 3 in the first text and by 1 in the second, though ab was merged first.
    found = solution(["ab", "cd"], [{"ab": 2, "cd": 5}, {"ab": 3, "cd": 4}])
    assert found.shares == pytest.approx([0, 1], abs=1e-9)
    assert found.objective == pytest.approx(1)
    assert found.gap == 0


def slowly(words: list[list[int]], left: int, right: int, product: int) -> None:
    for word in words:
        place = 0
        while place < len(word) - 1:
            if word[place] == left and word[place + 1] == right:
                word[place : place + 2] = [product]
            place += 1


def test_the_replay_counts_every_pair_before_every_merge() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("aab"), rng.integers(1, 12))) for _ in range(200)]
    words = sorted({*words, "aaaaaaa", "b", "aaxa"})  # x is no letter of the vocabulary
    order = ["aa", "ab", "aaaa", "aaab", "aaaaaa", "ba", "aab"]
    vocabulary = {token: i for i, token in enumerate(["a", "b", *order])}
    table = Table(ranked(order, vocabulary), 100)
    counts = sparse.csr_array(rng.integers(0, 5, (len(words), 2)))
    changes = summed(simulate(words, table), counts)
    state = [[table.letters.get(letter, -1) for letter in word] for word in words]
    for merge in range(len(table)):
        expected: Counter[tuple[int, int]] = Counter()
        for word, numbers in zip(state, counts.toarray().tolist(), strict=True):
            for left, right in pairwise(word):
                if left >= 0 and right >= 0:
                    for category in (0, 1):
                        pair = left * table.size + right
                        expected[pair, category] += numbers[category]
        before = changes.step < merge
        found: Counter[tuple[int, int]] = Counter()
        columns = changes.pair[before], changes.row[before], changes.change[before]
        for pair, category, change in zip(*(c.tolist() for c in columns), strict=True):
            found[pair, category] += change
        assert +found == +expected
        assert -found == Counter()
        slowly(state, table.left[merge], table.right[merge], table.product[merge])


LETTERS = {"one": "abcdefgh", "two": "efghijklmn", "three": "lmnopqrstab"}


def draw(category: str, size: int, rng: np.random.Generator) -> list[str]:
    """Lines of Zipf-distributed words of a category's own lexicon, about `size` bytes."""
    lexicon_rng = np.random.default_rng(len(category) + ord(category[0]))
    letters = list(LETTERS[category])
    lexicon = ["".join(lexicon_rng.choice(letters, n)) for n in lexicon_rng.integers(2, 9, 800)]
    weights = 1 / np.arange(1, len(lexicon) + 1)
    mean = float(np.array([len(word) + 1 for word in lexicon]) @ weights / weights.sum())
    words = rng.choice(lexicon, int(size / mean), p=weights / weights.sum()).tolist()
    return [" ".join(words[i : i + 12]) for i in range(0, len(words), 12)]


TRUTH = {"one": 0.6, "three": 0.1, "two": 0.3}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tokenizer.json trained on 60, 30 and 10 %, and a folder of other text of its kinds."""
    folder = tmp_path_factory.mktemp("known")
    rng = np.random.default_rng(1)
    texts = [line for name, share in TRUTH.items() for line in draw(name, share * 1e6, rng)]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=556, show_progress=False, initial_alphabet=alphabet)
    backend.train_from_iterator(texts, trainer)
    backend.save(str(folder / "tokenizer.json"))
    (folder / "categories").mkdir()
    for name in LETTERS:
        (folder / "categories" / f"{name}.txt").write_text("\n".join(draw(name, 2e5, rng)) + "\n")
    return folder / "tokenizer.json", folder / "categories"


def test_a_known_mixture_is_recovered_whatever_the_workers(
    known: tuple[Path, Path], tmp_path: Path
) -> None:
    tokenizer, data = known
    given = (
        "mixture",
        tokenizer,
        "--on",
        data,
        "--bootstrap",
        4,
        "--merges",
        150,
        "--format",
        "json",
    )
    done = called(*given, "--out", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["categories"] == list(TRUTH)
    errors = np.array(found["shares"]) - list(TRUTH.values())
    assert np.log10(np.mean(errors**2)) < -4.5
    assert sum(found["shares"]) == pytest.approx(1)
    assert all(0 <= low < high <= 1 for low, high in found["intervals"])
    assert max(high - low for low, high in found["intervals"]) < 0.05
    assert (found["merges"], found["used"]) == (150, 150)
    assert found["gap"] <= 0.01
    (file,) = (tmp_path / "out").iterdir()
    assert file.read_text() == done.out
    assert called(*given, "--workers", 2).out == done.out
    other = json.loads(called(*given, "--seed", 1, "--bootstrap", 2).out)
    assert other["shares"] == found["shares"]
    assert other["intervals"] != found["intervals"]


def test_the_table_says_what_a_reader_has_to_know(known: tuple[Path, Path]) -> None:
    tokenizer, data = known
    given = "mixture", tokenizer, "--on", data, "--bootstrap", 0, "--merges", 100
    shown = called(*given)
    assert shown.code == 0
    assert "100 of the first 100 merges used" in shown.out
    assert "shares sum to 1 over these categories" in shown.out
    assert "intervals" not in shown.out
    limited = called(*given, "--bytes-per-category", 50_000, "--format", "json")
    assert all(48_000 <= size < 56_000 for size in json.loads(limited.out)["sizes"])
    as_csv = called(*given, "--format", "csv")
    assert as_csv.out.startswith("category,share of bytes,95 % interval,bytes read\none,0.")
    assert "merges used" in as_csv.err


def test_text_of_other_kinds_gets_a_warning(known: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("x", "y"):
        words = ["".join(rng.choice(list("abcdefghijklmnopqrst"), 6)) for _ in range(8_000)]
        lines = (" ".join(words[i : i + 10]) for i in range(0, len(words), 10))
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    done = called("mixture", known[0], "--on", tmp_path, "--bootstrap", 0)
    assert "warning: the text orders its pairs unlike the tokenizer" in done.out


def test_blocks_add_up_to_the_rows_of_the_solution(known: tuple[Path, Path]) -> None:
    tokenizer, data = load_tokenizer(str(known[0])), open_dataset(str(known[1]))
    assert isinstance(tokenizer, HuggingFace)
    pretokens = count(Source("", "", None, None), tokenizer, data, 1)
    sizes = pretokens.sizes.sum(axis=1)
    assert sizes.tolist() == [
        sum(len(text.encode()) for text in part.samples()) for part in data.parts
    ]
    assert (pretokens.sizes > 0.5 * sizes[:, None] / BLOCKS).all()
    merges = tokenizer.merges()
    assert merges is not None
    table = Table(merges, 80)
    changes = summed(simulate(pretokens.words, table), _by_category(pretokens))
    history = History(changes, table, np.ones(3), 10)
    found = solved(history.violated, Rows.none(3), quiet)
    blocks = _blocks(found, history, table, pretokens)
    total = np.cumsum(_by_category(Pretokens([], [], blocks.changes, sizes)).toarray(), axis=0)
    counts = total - np.concatenate((np.zeros((1, 3)), total))[blocks.begins]
    assert len(found.found.merge) > 50
    assert (counts[blocks.merged] - counts[blocks.other] == found.found.difference).all()
    assert blocks.start.sum() == len(found.rows.merge)


def model_of(**options: object) -> bytes:
    model = io.BytesIO()
    text = ["the cat sat on the mat 2024", "a bat that sat, the rat's hat 1999"] * 50
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, minloglevel=2, **options
    )
    return model.getvalue()


def test_scores_of_sentencepiece_give_the_merges_that_its_trainer_made(tmp_path: Path) -> None:
    path = tmp_path / "own.model"
    path.write_bytes(model_of(vocab_size=60, model_type="bpe"))
    tokenizer = load_tokenizer(str(path))
    merges = tokenizer.merges()
    names = [tokenizer._processor.id_to_piece(i) for i in range(60)]
    learnt = [tuple(names[i] for i in merges.parts(k)) for k in range(len(merges.products))]
    assert learnt[0] in {("a", "t"), ("▁", "t")}
    assert ["".join(pair) for pair in learnt] == [names[i] for i in merges.products]
    # Replayed on words, they encode as the library does.
    text = "that bat sat, the mathematician"
    state = [[merges.letters.get(c, 0) for c in word] for word in tokenizer.pretokens(text)]
    for place, product in enumerate(merges.products):
        slowly(state, *merges.parts(place), product)
    assert [i for word in state for i in word] == tokenizer._processor.encode(text)
    unigram = tmp_path / "unigram.model"
    unigram.write_bytes(model_of(vocab_size=24, model_type="unigram"))
    assert load_tokenizer(str(unigram)).merges() is None


def test_words_are_cut_as_the_tokens_tell() -> None:
    text = "▁don't▁stop▁2024▁мир東京"
    apart = Words(["▁do", "▁st", "ми", "東京"])
    assert apart.split(text) == [
        "▁don", "'", "t", "▁stop", "▁2", "0", "2", "4", "▁мир", "東京"
    ]  # fmt: skip
    assert Words(["▁do", "n't", "▁20"]).split(text) == ["▁don't", "▁stop", "▁2024", "▁мир東京"]
    assert Words(["of▁the", "▁do"]).split(text) == [text]


def test_a_list_with_every_way_to_a_token_names_the_one_learnt() -> None:
    vocabulary = {token: i for i, token in enumerate(["a", "b", "c", "ab", "abc", "bc"])}
    pairs = [["a", "b"], ["a", "bc"], ["ab", "c"], ["b", "c"]]
    backend = Tokenizer(models.BPE(vocabulary, [(left, right) for left, right in pairs]))
    merges = HuggingFace(backend, "t").merges()
    assert isinstance(merges, Merges)
    assert [merges.parts(k) for k in range(3)] == [(0, 1), (3, 2), (1, 2)]


def test_a_model_and_its_conversion_have_the_same_merges(real, shared: Path) -> None:
    model, converted = (real(f"mistral-v0.3.{s}").merges() for s in ("model", "tokenizer.json"))
    for place in range(0, len(model.products), 500):
        theirs = converted.products.index(model.products[place])
        assert converted.parts(theirs) == model.parts(place)
    text = "Don't stop: мир 東京 12\n"
    assert real("mistral-v0.3.model").pretokens(text)[:-1] == [
        "▁Don", "'", "t", "▁stop", ":", "▁мир", "▁東京", "▁1", "2"
    ]  # fmt: skip
    ours, listed = (real(n).pretokens(text) for n in ("r50k_base.tiktoken", "gpt2.tokenizer.json"))
    assert b"".join(ours) == text.encode()
    assert [len(word) for word in ours] == [len(word) for word in listed]


def test_categories_that_are_one_tell_nothing(tmp_path: Path) -> None:
    lines = draw("one", 1e5, np.random.default_rng(3))
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=60, show_progress=False))
    backend.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / "data" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    arguments = tmp_path / "tokenizer.json", "--on", tmp_path / "data"
    refused(called("mixture", *arguments), "tell nothing of the mixture")


def test_bad_input_gets_one_line(known: tuple[Path, Path], tmp_path: Path) -> None:
    tokenizer, data = known
    one, empty, few = tmp_path / "one", tmp_path / "empty", tmp_path / "few"
    for folder in (one, empty, few):
        folder.mkdir()
        (folder / "a.txt").write_text("abc abc\n")
    (empty / "b.txt").write_text("\n")
    (few / "b.txt").write_text("lmn lmn\n")
    before = files_in(tmp_path)
    for arguments, message in (
        (("bytes", "--on", data), "has no merges: mixture inference needs a BPE"),
        ((tokenizer, "--on", one), "one category; give data with several groups"),
        ((tokenizer, "--on", empty), "b has no text"),
        ((tokenizer, "--on", few), "0 of 300 merges occur 10 times in the text"),
        ((tokenizer, "--on", data, "--merges", "0"), "'0' is not a whole number above 0"),
        ((tokenizer, "--on", data, "--seed", "-1"), "'-1' is not a whole number from 0"),
        ((tokenizer, "--on", data, "--split", "dev"), "is a path and has no splits"),
        ((tokenizer,), "--on"),
    ):
        refused(called("mixture", *arguments, "--out", tmp_path / "out"), message)
    assert files_in(tmp_path) == before
