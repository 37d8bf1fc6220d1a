"""Per-sample statistics by hand: how tokens cover words, what UNK stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from mocks.evidence import batch_of
from mocks.greedy import Greedy

from tokbench import statistics
from tokbench.round_trip import round_trip
from tokbench.statistics import EncodedText
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.types import Codes, Ragged


class Spanned(TextTokenizer):
    """Gives each text the byte spans it was told, as a normalising library would."""

    def __init__(self, **spans: list[tuple[int, int]]):
        self._spans = spans

    def encode(self, batch: Sequence[str]) -> Codes:
        rows = [self._spans[text.replace(" ", "_")] for text in batch]
        flat = np.array([span for row in rows for span in row], dtype=np.int32).reshape(-1, 2)
        return Codes((Ragged.of([[7] * len(row) for row in rows]),), spans=flat)


def cover(tokenizer: TextTokenizer, *texts: str) -> list[tuple[int, int, int]]:
    """(placed, single, continued) of each text."""
    batch = batch_of(texts)
    found = statistics.word_cover(
        EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), [""])
    ).columns
    columns = (found["placed"], found["single"], found["continued"])
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    ("pieces", "text", "expected"),
    [
        # hello|,| world: the leading space is no part of the word.
        (["hello", ",", " world"], "hello, world", (2, 2, 0)),
        (["hello", " ", "world"], "hello world", (2, 2, 0)),
        (["hello ", "world\n"], "hello world\n", (2, 2, 0)),
        # A comma is: hello,| world.
        (["hello,", " world"], "hello, world", (2, 1, 0)),
        (["hel", "lo", " world"], "hello world", (2, 1, 1)),
        # A superword covers both words, spells neither, and cuts none.
        (["hello world"], "hello world", (2, 0, 0)),
        (["hello w", "orld"], "hello world", (2, 0, 1)),
        # One boundary in each word, none between them.
        (["a", "b a", "b"], "ab ab", (2, 0, 2)),
        # Cut inside a character: ı is c4 b1, ş is c5 9f.
        ([b"\xc4", b"\xb1\xc5\x9f"], "ış", (1, 0, 1)),
        ([b"\xc4\xb1\xc5", b"\x9f"], "ış", (1, 0, 1)),
        (["ış"], "ış", (1, 1, 0)),
        ([" ış", "ık"], "a ışık", (2, 1, 1)),  # a is UNK, which spells it no less
        # Single letters and digits are words of one token each.
        (["b", "y", " "], "b y", (2, 2, 0)),
        (["3", ".", "14"], "3.14", (1, 0, 1)),
        # Nothing but punctuation: no word.
        (["!", " "], "! !", (0, 0, 0)),
    ],
)
def test_words_are_covered_byte_by_byte(pieces, text, expected) -> None:
    assert cover(Greedy(pieces), text) == [expected]


def test_words_of_a_batch_are_those_of_each_text() -> None:
    texts = ["hello, world", "ab", "wor ld", "zz hello", "! ,", "éa"]
    alone = [cover(Greedy(), text)[0] for text in texts]
    assert alone == [(2, 2, 0), (1, 1, 0), (2, 2, 0), (2, 1, 1), (0, 0, 0), (1, 0, 1)]
    assert cover(Greedy(), *texts) == alone
    assert cover(Greedy(), *texts[::-1]) == alone[::-1]


def test_tokens_that_share_a_character_do_not_spell_it() -> None:
    # Byte-level libraries give each token of a cut character the whole of it.
    assert cover(Spanned(é=[(0, 2), (0, 2)]), "é") == [(1, 0, 1)]
    assert cover(Spanned(é_a=[(0, 2), (0, 2), (2, 4)]), "é a") == [(2, 1, 1)]


def test_tokens_without_bytes_cover_nothing() -> None:
    assert cover(Spanned(hello=[(0, 0), (0, 5), (5, 5)]), "hello") == [(1, 1, 0)]


def test_a_word_that_the_normaliser_dropped_is_placed_and_neither_single_nor_cut() -> None:
    tokenizer = Spanned(hello_a=[(6, 7)], hello=[], a=[(0, 1)], é=[(0, 2), (0, 2)])
    alone = [(2, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1)]
    texts = ["hello a", "hello", "a", "é"]
    assert [cover(tokenizer, text)[0] for text in texts] == alone
    # And so in every company: the token before it, in another text, is not its own.
    assert cover(tokenizer, *texts) == alone
    assert cover(tokenizer, *texts[::-1]) == alone[::-1]


def test_a_word_cut_short_by_the_normaliser_is_continued_at_the_first_kept_byte() -> None:
    tokenizer = Spanned(xab=[(1, 3)], a=[(0, 1)])
    assert cover(tokenizer, "xab") == [(1, 0, 1)]
    assert cover(tokenizer, "a", "xab") == [(1, 1, 0), (1, 0, 1)]


def test_words_at_unknown_positions_are_not_placed() -> None:
    class Blind(Spanned):
        def encode(self, batch):
            return Codes((Ragged.of([[1, 2]] * len(batch)),))

    assert cover(Blind(), "hello world") == [(0, 0, 0)]


def measured(function, tokenizer, *texts):
    batch = batch_of(texts)
    return function(EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), [""]))


def test_sizes_are_utf8_bytes_and_code_points() -> None:
    found = measured(statistics.size, Greedy(), "ab", "é\n語", "👩🏽").columns
    assert found["bytes"].tolist() == [2, 6, 8]
    assert found["characters"].tolist() == [2, 3, 2]


def test_sizes_of_binaries_are_their_bytes() -> None:
    batch = batch_of([bytes(range(256)).decode("latin-1")])
    batch.raw_bytes = True
    tokenizer = Greedy()
    found = statistics.size(EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), [""]))
    assert found.columns["bytes"].tolist() == found.columns["characters"].tolist() == [256]


def test_unknown_characters_are_those_under_unk_without_the_blanks_around() -> None:
    tokenizer = Spanned(a_語=[(1, 5)], ççç=[(0, 6)])  # as SentencePiece gives them
    tokenizer.unknown = 7
    found = measured(statistics.unknown, tokenizer, "a 語", "ççç").columns
    assert found["unknown-tokens"].tolist() == [1, 1]
    assert found["unknown-characters"].tolist() == [1, 3]
    tokenizer.unknown = None
    found = measured(statistics.unknown, tokenizer, "a 語", "ççç").columns
    assert found["unknown-tokens"].tolist() == found["unknown-characters"].tolist() == [0, 0]


def test_ids_are_counted_by_group_and_by_jackknife_block() -> None:
    found = measured(statistics.ids, Greedy(["a", "b"]), *["ab"] * 17).tallies
    by_group = dict(zip(*(x.tolist() for x in vars(found["ids-by-group"]).values()), strict=True))
    assert by_group == {1: 17, 2: 17}
    by_block = dict(zip(*(x.tolist() for x in vars(found["ids-by-block"]).values()), strict=True))
    assert len(by_block) == 32
    assert by_block[1] == 2  # samples 0 and 16 are of block 0
    assert by_block[(15 << 32) + 2] == 1


def test_ids_of_an_open_vocabulary_need_no_table_of_their_range() -> None:
    class Hashed(Spanned):
        def encode(self, batch):
            return Codes((Ragged.of([[2**31 - 1, 5]] * len(batch)),))

    found = measured(statistics.ids, Hashed(), "a", "b").tallies["ids-by-group"]
    assert found.keys.tolist() == [5, 2**31 - 1]
    assert found.counts.tolist() == [2, 2]


def test_token_bytes_are_counted_by_group() -> None:
    found = measured(statistics.token_bytes, Greedy(), "hello é語").tallies["token-bytes"]
    assert found.keys.tolist() == [1, 2, 3, 5]
    assert found.counts.tolist() == [1, 1, 1, 1]


class Undecodable(Greedy):
    """Raises on every batch that holds a UNK."""

    spells = False

    def decode(self, codes: Codes) -> list[str]:
        if (codes.ids.values == 0).any():
            raise RuntimeError("no such id")
        return super().decode(codes)


def test_a_sample_that_cannot_be_decoded_is_lost_whole_and_counted() -> None:
    tokenizer = Undecodable()
    batch = batch_of(["hello world", "hello ?"])
    found = round_trip(EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), ["eng_Latn"]))
    assert found.columns["exact"].tolist() == [1, 0]
    assert found.columns["edits"].tolist() == [0, len("hello ?")]
    ((cause, failure),) = found.failures.items()
    assert cause == "decode: RuntimeError: no such id"
    assert (failure.count, failure.example) == (1, "eng_Latn 1")
