"""Adapters give the ids of the reference implementations, and positions in the source."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from mocks.evidence import batch_of, scores_of

from tokbench.conformance import conformance
from tokbench.errors import UserError
from tokbench.metrics.text.fidelity import Lossless
from tokbench.metrics.text.rates import SingleTokenRetention
from tokbench.specs import load_tokenizer
from tokbench.tokenizers.text.adapter import TextTokenizer, token_spans
from tokbench.tokenizers.text.byte_tables import BYTE_LEVEL
from tokbench.tokenizers.text.mistral import packaged

MULTILINGUAL = [
    "Hello, world! 1234567 + 3.14",
    "İstanbul'da ışık söndü.",
    "日本語のテキストと한국어 문장",
    "مرحبا بالعالم נסיון नमस्ते दुनिया",
    "สวัสดีชาวโลก ភាសាខ្មែរ မြန်မာ",
    "  two  spaces\tand\n\nline feeds\r\n",
    "def f(x):\n    return x ** 2  # ½ ﬁ",
    "👩‍👩‍👧 🇹🇷 ☝🏽 \x00\x7f\u200b e\u0301",
    "<s> [INST] <|endoftext|> </s>",
]


def rows(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [row.tolist() for row in tokenizer.encode(list(texts)).ids]


def surfaces(tokenizer: TextTokenizer, text: str) -> list[str]:
    """The source text under every token."""
    batch = batch_of([text])
    spans = token_spans(tokenizer, batch, tokenizer.encode([text]))
    raw = batch.data.tobytes()
    return [raw[a:b].decode() for a, b in zip(spans.starts, spans.stops, strict=True)]


def assert_tiles(tokenizer: TextTokenizer, texts: Sequence[str]) -> None:
    """Every byte of every text belongs to exactly one token, and the table knows it."""
    batch = batch_of(texts)
    codes = tokenizer.encode(batch.texts)
    spans = token_spans(tokenizer, batch, codes)
    assert spans.tiled.all()
    assert spans.known.all()
    for row, (first, last) in enumerate(pairwise(codes.ids.offsets)):
        edges = [batch.starts[row], *spans.stops[first:last]]
        assert spans.starts[first:last].tolist() == edges[:-1]
        assert edges[-1] == batch.stops[row]
    assert tokenizer.decode(codes) == batch.texts


@cache
def mistral(name: str) -> TextTokenizer:
    return load_tokenizer(f"mistral:{name}")


# From kitoken's test data: the ids of each backend's own implementation, a line a line.
EXPECTED = {
    "sentencepiece-mistral03": "mistral-v0.3.model",
    "sentencepiece-xlnet_base_cased": "xlnet-base-cased.model",
    "tiktoken-cl100k_base": "cl100k_base.tiktoken",
    "tiktoken-o200k_base": "o200k_base.tiktoken",
    "tokenizers-bert_base_cased": "bert-base-cased.tokenizer.json",
    "tokenizers-gpt2": "gpt2.tokenizer.json",
    "tokenizers-mistral03": "mistral-v0.3.tokenizer.json",
}


def mixed(shared: Path) -> list[str]:
    text = (shared / "text" / "mixed_input.txt").read_bytes().decode()
    return text.removesuffix("\n").split("\n")


@pytest.mark.parametrize("name", EXPECTED)
def test_ids_are_those_of_the_reference_on_every_line(name: str, shared: Path, real) -> None:
    found = rows(real(EXPECTED[name]), mixed(shared))
    written = (shared / "text" / "expected" / f"{name}.txt").read_text().splitlines()
    expected = [[int(number) for number in line.split(",")] for line in written]
    assert len(expected) == 120
    assert found == expected


def test_sentencepiece_gives_the_same_ids_without_its_buffers(monkeypatch) -> None:
    tokenizer, texts = mistral("v1"), ["", "Grüße, 世界!", "two  blanks", ""]
    expected = rows(tokenizer, texts)
    assert expected[1] == tokenizer._processor.encode(texts[1])
    monkeypatch.setattr(tokenizer, "_native", None)
    assert rows(tokenizer, texts) == expected


@pytest.mark.parametrize(
    "name",
    [
        "cl100k_base.tiktoken",
        "gpt2.tokenizer.json",
        "kl3m-001-32k.tokenizer.json",
        "mistral-v0.3.model",
        "o200k_base.tiktoken",
        "r50k_base.tiktoken",
    ],
)
def test_tokens_of_lossless_tokenizers_tile_the_text(name: str, shared: Path, real) -> None:
    assert_tiles(real(name), [*mixed(shared), *MULTILINGUAL])


@pytest.mark.parametrize(
    "name",
    [
        "bert-base-cased.tokenizer.json",
        "kl3m-004-char-8k-cased.tokenizer.json",
        "mistral-v0.3.tokenizer.json",
        "xlnet-base-cased.model",
    ],
)
def test_tokens_of_normalising_tokenizers_stand_where_their_text_is(
    name: str, shared: Path, real
) -> None:
    tokenizer = real(name)
    batch = batch_of([*mixed(shared), *MULTILINGUAL])
    codes = tokenizer.encode(batch.texts)
    spans = token_spans(tokenizer, batch, codes)
    assert spans.known.all()
    assert not spans.tiled.all()
    raw, sample = batch.data.tobytes(), np.repeat(np.arange(len(batch)), codes.ids.lengths)
    assert (spans.starts >= batch.starts[sample]).all()
    assert (spans.stops <= batch.stops[sample]).all()
    assert (np.diff(spans.starts) >= 0).all()
    exact = []
    for number, start, stop in zip(codes.ids.values, spans.starts, spans.stops, strict=True):
        if tokenizer.pieces is None:
            piece = tokenizer._backend.id_to_token(int(number)).removeprefix("##").encode()
        else:
            piece = tokenizer.pieces.pieces[number]
        if piece.strip().isalpha():  # ASCII letters
            exact.append(raw[start:stop].strip() == piece.strip())
    assert len(exact) > 5000
    assert np.mean(exact) > 0.99  # all but ligatures and the like, such as \u01f3 become "dz"


@pytest.mark.parametrize(
    "name",
    [
        "kl3m-001-32k.tokenizer.json",
        "kl3m-004-char-8k-cased.tokenizer.json",
        "kl3m-005-multi-word-32k.tokenizer.json",
    ],
)
def test_padding_stored_in_the_file_is_not_counted(name: str, shared: Path, real) -> None:
    stored = json.loads((shared / "tokenizers" / name).read_bytes())
    assert stored["padding"]["strategy"] == "BatchLongest"
    tokenizer = real(name)
    texts = ["a", "habeas corpus", "res judicata and stare decisis " * 20, ""]
    together = rows(tokenizer, texts)
    assert together == [rows(tokenizer, [text])[0] for text in texts]
    assert together[3] == []
    assert stored["padding"]["pad_id"] not in {number for row in together for number in row}


def test_padding_and_truncation_of_any_file_are_switched_off(tmp_path: Path) -> None:
    backend = byte_level()
    backend.enable_padding(pad_id=0, pad_token="<s>")
    backend.enable_truncation(3)
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(str(tmp_path / "tokenizer.json"))
    assert [len(row) for row in rows(tokenizer, ["h", "xyzxyz", ""])] == [1, 6, 0]


def test_a_file_without_a_decoder_is_decoded_by_its_library(real) -> None:
    # The tokens of kl3m-005 spell the text, but its decoder puts a blank between them.
    tokenizer = real("kl3m-005-multi-word-32k.tokenizer.json")
    text = "The court held that res judicata applies."
    assert "".join(surfaces(tokenizer, text)) == text
    assert scores_of(Lossless(), tokenizer, {"": [text] * 2})["lossless"].value == 0


@pytest.mark.parametrize("name", sorted(packaged()))
def test_vocabularies_packaged_with_mistral_common_tile_any_text(name: str) -> None:
    tokenizer = mistral(name)
    assert tokenizer.name == f"mistral:{name}"
    assert tokenizer.spec.vocabulary[0] >= 32000
    assert_tiles(tokenizer, MULTILINGUAL)


def test_all_packaged_vocabularies_have_their_names() -> None:
    assert {"v1", "v2", "v3", "v7", "tekken-240911"} <= set(packaged())
    newest = max(name for name in packaged() if name.startswith("tekken"))
    assert load_tokenizer("mistral:tekken").name == f"mistral:{newest}"
    with pytest.raises(UserError, match="did you mean 'v3'"):
        load_tokenizer("mistral:v33")


@pytest.mark.parametrize("name", [name for name in packaged() if name.startswith("tekken")])
def test_tekken_ids_are_those_of_mistral_common(name: str) -> None:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    theirs = Tekkenizer.from_file(str(packaged()[name]))
    ours = mistral(name)
    assert rows(ours, MULTILINGUAL) == [
        theirs.encode(text, bos=False, eos=False) for text in MULTILINGUAL
    ]
    assert ours.spec.vocabulary == (theirs.n_words,)
    assert ours.spec.emittable == theirs.n_words - theirs.num_special_tokens


@pytest.mark.parametrize("name", ["v1", "v7"])
def test_sentencepiece_ids_are_those_of_mistral_common(name: str) -> None:
    from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer

    theirs = SentencePieceTokenizer(str(packaged()[name]))
    assert rows(mistral(name), MULTILINGUAL) == [
        theirs.encode(text, bos=False, eos=False) for text in MULTILINGUAL
    ]


@pytest.mark.parametrize(
    ("name", "vocabulary", "emittable"),
    [
        ("r50k_base", 50257, 50256),
        ("cl100k_base", 100261, 100256),
        ("o200k_base", 200000, 199998),
    ],
)
def test_an_openai_file_is_known_by_its_hash(
    name: str, vocabulary: int, emittable: int, shared: Path, real, tmp_path: Path
) -> None:
    renamed = tmp_path / "mine.tiktoken"  # the name says nothing
    renamed.write_bytes((shared / "tokenizers" / f"{name}.tiktoken").read_bytes())
    tokenizer = load_tokenizer(str(renamed))
    assert tokenizer.spec.source == f"OpenAI encoding {name}"
    assert tokenizer.spec.vocabulary == (vocabulary,)
    assert tokenizer.spec.emittable == emittable
    assert tokenizer.fingerprint() == real(f"{name}.tiktoken").fingerprint()


def test_gpt2_is_the_same_in_two_formats(shared: Path, real) -> None:
    texts = [*mixed(shared), *MULTILINGUAL]
    assert rows(real("gpt2.tokenizer.json"), texts) == rows(real("r50k_base.tiktoken"), texts)


def ranks_file(folder: Path, *merged: bytes) -> Path:
    """A *.tiktoken file of all bytes and a few merges."""
    pieces = [*(bytes([value]) for value in range(256)), *merged]
    lines = [b"%s %d" % (base64.b64encode(piece), rank) for rank, piece in enumerate(pieces)]
    path = folder / "own.tiktoken"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_an_unknown_tiktoken_file_needs_a_pattern(tmp_path: Path) -> None:
    path = ranks_file(tmp_path, b"he", b" w", b"ll", b"12", b"123", b"1234")
    with pytest.raises(UserError, match=r"\?pattern=cl100k_base"):
        load_tokenizer(str(path))
    with pytest.raises(UserError, match="did you mean 'cl100k_base'"):
        load_tokenizer(f"{path}?pattern=cl100k_bas")
    old = load_tokenizer(f"{path}?pattern=r50k_base")
    new = load_tokenizer(f"{path}?pattern=cl100k_base")
    assert rows(old, ["hello w"]) == [[256, 258, ord("o"), 257]]
    # The patterns differ: GPT-4's cuts numbers after three digits.
    assert rows(old, ["1234"]) == [[261]]
    assert rows(new, ["1234"]) == [[260, ord("4")]]
    assert old.fingerprint() != new.fingerprint()
    assert old.spec.vocabulary == (262,)
    assert_tiles(old, MULTILINGUAL)


def test_a_broken_tiktoken_file_names_its_line(tmp_path: Path) -> None:
    path = ranks_file(tmp_path)
    path.write_bytes(path.read_bytes() + b"aGU= 256\n!!! 257\n")
    with pytest.raises(UserError, match="line 258: not 'base64 rank'"):
        load_tokenizer(f"{path}?pattern=r50k_base")
    path.write_bytes(b"aGU= 0\naGVs 0\n")
    with pytest.raises(UserError, match="same rank"):
        load_tokenizer(f"{path}?pattern=r50k_base")


def test_an_encoding_that_cannot_be_fetched_is_one_line(monkeypatch) -> None:
    from tiktoken_ext import openai_public

    def unreachable(*arguments: object, **named: object) -> None:
        raise ConnectionError("no network\nin this test")

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", unreachable)
    with pytest.raises(UserError, match=r"give the path of a \.tiktoken file") as raised:
        load_tokenizer("tiktoken:cl100k_base")
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="did you mean 'cl100k_base'"):
        load_tokenizer("tiktoken:cl100k_bse")


def test_special_strings_in_a_text_are_text(real) -> None:
    for name, end in (("gpt2.tokenizer.json", 50256), ("cl100k_base.tiktoken", 100257)):
        (row,) = rows(real(name), ["a<|endoftext|>b"])
        assert end not in row
        assert len(row) > 3
    (row,) = rows(real("bert-base-cased.tokenizer.json"), ["a [SEP] b"])
    assert 102 not in row


def test_baselines_are_what_they_say() -> None:
    text = "né 語🇹🇷, a"
    assert rows(load_tokenizer("bytes"), [text, ""]) == [list(text.encode()), []]
    assert rows(load_tokenizer("codepoints"), [text, ""]) == [list(map(ord, text)), []]
    assert surfaces(load_tokenizer("codepoints"), text) == list(text)
    assert surfaces(load_tokenizer("words"), text) == ["né", " ", "語", "🇹🇷", ",", " ", "a"]
    for name in ("bytes", "codepoints"):
        tokenizer = load_tokenizer(name)
        assert tokenizer.decode(tokenizer.encode(MULTILINGUAL)) == MULTILINGUAL
    words = load_tokenizer("words")
    first, second = rows(words, ["the cat", "cat the"])
    assert first == second[::-1]  # an id is a function of the segment alone
    assert words.spec.vocabulary == ()


VOCABULARY = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "hello", ",", "é",
]  # fmt: skip


def test_a_wordpiece_vocabulary_splits_by_longest_match(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.spec.vocabulary == (11,)
    assert tokenizer.spec.emittable == 6  # without the five specials
    # No capital in the vocabulary, so text is lowered; that strips accents as well.
    assert rows(tokenizer, ["Unaffable, HELLO zebra"]) == [[5, 6, 7, 9, 8, 1]]
    assert surfaces(tokenizer, "Unaffable, HELLO zebra") == [
        "Un", "aff", "able", ",", "HELLO", "zebra",
    ]  # fmt: skip
    assert rows(load_tokenizer(f"{path}?specials=add"), ["hello"]) == [[2, 8, 3]]
    assert rows(load_tokenizer(f"{path}?lowercase=false"), ["Hello é hello"]) == [[1, 10, 8]]
    assert rows(tokenizer, ["é"]) == [[1]]


def test_a_vocabulary_without_unk_is_no_wordpiece(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match=r"no \[UNK\] line"):
        load_tokenizer(str(path))


MERGES = ["h e", "l l", "he ll", "Ġ hell"]
IDS = {symbol: number for number, symbol in enumerate(BYTE_LEVEL)} | {
    "he": 256, "ll": 257, "hell": 258, "Ġhell": 259, "<|endoftext|>": 260,
}  # fmt: skip


@pytest.mark.parametrize(
    ("vocabulary", "merges"), [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")]
)
def test_gpt2_files_give_a_byte_level_bpe(vocabulary: str, merges: str, tmp_path: Path) -> None:
    (tmp_path / vocabulary).write_text(json.dumps(IDS))
    (tmp_path / merges).write_text("\n".join(["#version: 0.2", *MERGES]) + "\n")
    tokenizer = load_tokenizer(str(tmp_path))
    assert rows(tokenizer, ["hell hello"]) == [[258, 259, IDS["o"]]]
    assert tokenizer.spec.vocabulary == (261,)
    assert tokenizer.spec.emittable == 260
    assert 260 not in rows(tokenizer, ["<|endoftext|>"])[0]
    assert_tiles(tokenizer, MULTILINGUAL)


def test_a_folder_with_half_of_gpt2s_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text(json.dumps(IDS))
    with pytest.raises(UserError, match="neither encoder"):
        load_tokenizer(str(tmp_path))


def byte_level():
    """A byte-level BPE of the merges above, with <s> before and </s> after every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    specials = {"<s>": 0, "</s>": 1}
    ids = specials | {symbol: 2 + n for n, symbol in enumerate(list(IDS)[:260])}
    backend = Tokenizer(models.BPE(ids, [tuple(merge.split()) for merge in MERGES]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(specials))
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=list(specials.items())
    )
    return backend


CHAT = (
    "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>h{% endif %}"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as transformers saves it, with a chat template."""
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("saved")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level(), bos_token="<s>", eos_token="</s>"
    )
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(str(folder))
    return folder


def test_a_folder_saved_by_transformers_is_read(saved: Path) -> None:
    hello = [260, 2 + IDS["o"]]  # hell, o
    plain = load_tokenizer(f"hf:{saved}")
    assert rows(plain, ["hello", ""]) == [hello, []]
    assert plain.spec.vocabulary == (262,)
    assert plain.spec.emittable == 260
    assert plain.spec.special_tokens == "none added"
    assert_tiles(plain, MULTILINGUAL)

    added = load_tokenizer(f"hf:{saved}?specials=add")
    assert rows(added, ["hello", ""]) == [[0, *hello, 1], [0, 1]]
    assert "post-processor" in added.spec.special_tokens
    assert added.decode(added.encode(["hello"])) == ["hello"]
    # Specials have no bytes of their own, so the text's tokens still tile it.
    assert surfaces(added, "hello") == ["", "hell", "o", ""]

    assert plain.fingerprint() != added.fingerprint()
    # The folder itself and its file say the same.
    assert load_tokenizer(str(saved)).fingerprint() == plain.fingerprint()
    assert rows(load_tokenizer(str(saved / "tokenizer.json")), ["hello"]) == [hello]


def test_chat_counts_what_a_model_is_sent(saved: Path) -> None:
    pytest.importorskip("jinja2", reason="chat templates are rendered by jinja2")
    chat = load_tokenizer(f"hf:{saved}?chat=user")
    assert rows(chat, ["hello"]) == [[0, 260, 2 + IDS["o"], 1, 0, 2 + IDS["h"]]]
    assert "chat template" in chat.spec.special_tokens
    strr = scores_of(SingleTokenRetention(), chat, {"": ["hello"] * 2})["strr"]
    assert (strr.value, strr.note) == (None, "token positions unknown")
    assert chat.fingerprint() != load_tokenizer(f"hf:{saved}").fingerprint()


def test_options_are_checked(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="specials=all: choose none or add"):
        load_tokenizer(f"hf:{saved}?specials=all")
    with pytest.raises(UserError, match="no option 'special'; did you mean 'specials'"):
        load_tokenizer(f"{saved / 'tokenizer.json'}?special=add")
    byte_level().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    with pytest.raises(UserError, match="no chat template; drop chat=user"):
        load_tokenizer(f"hf:{tmp_path}?chat=user")


def test_an_unreachable_hub_is_one_line(tmp_path: Path) -> None:
    # A process of its own: the hub's library reads the variable when it is imported.
    done = subprocess.run(
        [sys.executable, "-m", "tokbench", "check", "hf:no-such-org/no-such-tokenizer@main"],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "hf:no-such-org/no-such-tokenizer@main: the hub cannot be reached" in line


@pytest.mark.parametrize("spec", ["bytes", "codepoints", "mistral:v3", "mocks.greedy:Greedy"])
def test_adapters_keep_their_promises(spec: str) -> None:
    # Not "stable fingerprint", which needs a process that finds the mock.
    failed = [
        check
        for check in conformance(spec, load_tokenizer(spec))
        if check.outcome == "fail" and check.name != "stable fingerprint"
    ]
    assert not failed
