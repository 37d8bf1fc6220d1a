"""Cells of samples hold every byte once, whatever the tokenizer does with the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from mocks.evidence import batch_of
from mocks.greedy import Greedy

from tokbench.report.text_found import Found, mean, quantile
from tokbench.report.text_tokens import GAP, Cells, cells_of, readable, surface_bytes
from tokbench.specs import load_tokenizer
from tokbench.statistics import EncodedText
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged

TEXTS = (
    "Hello,  world!\tIt's 12345 \u200d\u202eevil\u202c.",
    "दुकान में किताबें हैं।",
    "مكتبة في المدينة، هنا.",
    "ร้านหนังสือ 図書館 도서관",
    "👩‍👩‍👧 🇹🇷 naïve ﬁne Ⅷ ½",
    " \n  def f(x):\n\treturn x\u00a0+ 1",
    "<script>alert(1)</script> </s> [UNK] <|endoftext|>",
)


def encoded(tokenizer: TextTokenizer, *texts: str) -> EncodedText:
    return EncodedText(tokenizer, batch_of(texts), tokenizer.encode(list(texts)), [""])


def shown(text: str, cells: Cells) -> list[tuple[int, bytes]]:
    """Id and shown bytes of every cell."""
    ends = np.cumsum([0, *cells.sizes]).tolist()
    raw = text.encode()
    return [(i, raw[a:b]) for i, a, b in zip(cells.ids, ends, ends[1:], strict=False)]


def exact(tokenizer: TextTokenizer) -> None:
    """Assert that cells hold all bytes of every text, and all tokens in their order."""
    whole = encoded(tokenizer, *TEXTS)
    for row, text in enumerate(TEXTS):
        cells = cells_of(whole, row)
        assert b"".join(piece for _, piece in shown(text, cells)) == text.encode()
        assert sum(cells.sizes) == len(text.encode())
        assert [i for i in cells.ids if i != GAP] == whole.codes.ids[row].tolist()
        assert cells.tokens == whole.counts[row]
        if whole.spans.tiled[row]:  # a byte table: every cell is its token's own bytes
            prefix = tokenizer.prefix
            table = [tokenizer.pieces.pieces[i] for i in cells.ids]
            assert b"".join(table).removeprefix(prefix) == text.encode()


@pytest.mark.parametrize("spec", ["bytes", "codepoints", "words", "mistral:v3"])
def test_cells_hold_every_byte(spec: str) -> None:
    exact(load_tokenizer(spec))


@pytest.mark.parametrize(
    "name",
    [
        "gpt2.tokenizer.json",
        "o200k_base.tiktoken",
        "mistral-v0.3.model",
        "mistral-v0.3.tokenizer.json",
        "xlnet-base-cased.model",
        "bert-base-cased.tokenizer.json",
        "kl3m-005-multi-word-32k.tokenizer.json",
    ],
)
def test_cells_of_real_tokenizers_hold_every_byte(
    real: Callable[[str], TextTokenizer], name: str
) -> None:
    exact(real(name))


def test_wordpiece_leaves_gaps_and_names_its_pieces(real: Callable[[str], TextTokenizer]) -> None:
    tokenizer = real("bert-base-cased.tokenizer.json")
    whole = encoded(tokenizer, "unbelievable  thing 𒀀")
    cells = cells_of(whole, 0)
    pieces = shown("unbelievable  thing 𒀀", cells)
    assert [piece for i, piece in pieces if i == GAP] == [b"  ", b" "]
    assert pieces[-1] == (tokenizer.unknown, "𒀀".encode())
    second = cells.ids[1]
    assert surface_bytes(tokenizer, [second])[second].startswith(b"##")


def test_a_prefix_has_no_bytes_of_the_text(real: Callable[[str], TextTokenizer]) -> None:
    tokenizer = real("mistral-v0.3.model")
    cells = cells_of(encoded(tokenizer, "द"), 0)
    assert (cells.sizes[0], sum(cells.sizes)) == (0, 3)
    assert surface_bytes(tokenizer, cells.ids)[cells.ids[0]] == b" "


class Shared(Greedy):
    """Says of two tokens that they are the whole character, and of the next that it is none."""

    def encode(self, batch: Sequence[str]) -> Codes:
        spans = np.array([[0, 2], [0, 2], [4, 4], [3, 9]], dtype=np.int32)
        return Codes((Ragged.of([[1, 2, 3, 4]]),), spans=spans)


def test_tokens_that_share_bytes_show_them_once() -> None:
    cells = cells_of(encoded(Shared(), "é-bcd"), 0)
    assert (cells.ids, cells.sizes) == ([1, 2, 3, GAP, 4], [2, 0, 0, 1, 3])


def test_surfaces_are_readable() -> None:
    assert readable(b" the") == " the"
    assert readable(b"\xe0\xa4") == "E0 A4"


def test_lengths_words_and_worst_words_are_counted() -> None:
    found = Found(Greedy([" ", "ab", "a", b"\xc3", b"\xa9"]))
    found.add(encoded(found.tokenizer, "ab aé", "ab"), "fra_Latn")
    # ab | _ | a | C3 | A9 and ab: bytes 2 1 1 1 1 2, characters 2 1 1 1 0 2
    assert found.token_bytes[:4].tolist() == [0, 4, 2, 0]
    assert found.token_characters[:4].tolist() == [1, 3, 2, 0]
    assert found.word_tokens[:5].tolist() == [0, 2, 0, 1, 0]
    assert (found.samples, found.longest, found.unplaced) == (2, 2, 0)
    (word,) = found.words
    assert (word.text, word.tokens, word.pieces) == ("aé", 3, ["a", "C3", "A9"])
    assert dict(zip(found.ids.keys.tolist(), found.ids.counts.tolist(), strict=True)) == {
        1: 1, 2: 2, 3: 1, 4: 1, 5: 1,
    }  # fmt: skip


def test_unsegmented_groups_have_no_words() -> None:
    found = Found(load_tokenizer("codepoints"))
    found.add(encoded(found.tokenizer, "ร้านหนังสือ", "図書館"), "tha_Thai")
    assert (found.unsegmented, found.words, int(found.word_tokens.sum())) == (["tha_Thai"], [], 0)


def test_quantiles_and_means_of_histograms() -> None:
    histogram = np.array([0, 5, 4, 1])
    assert (quantile(histogram, 0.5), quantile(histogram, 0.9), quantile(histogram, 1)) == (1, 2, 3)
    assert mean(histogram) == pytest.approx(1.6)
    assert (quantile(np.zeros(3), 0.5), mean(np.zeros(3))) == (None, None)


def test_a_long_word_shows_its_beginning() -> None:
    found = Found(load_tokenizer("bytes"))
    found.add(encoded(found.tokenizer, "x" * 40), "")
    assert found.words[0].pieces == ["x"] * 16 + ["…"]
