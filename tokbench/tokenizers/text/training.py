"""The trainers behind `train:`: texts and a recipe to the bytes of a tokenizer file.

The same text and options give the same bytes, in any process.
"""

from __future__ import annotations

import io
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import sentencepiece
import tokenizers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from tokbench.dataset import Dataset
from tokbench.errors import UserError, one_line
from tokbench.files import sha256
from tokbench.tokenizers.text.superwords import Superwords

VERSION = 1
"""Raise it when a change here changes what is trained: it is part of the cache's key."""

LEAST = 300
"""The smallest vocabulary that can be asked for."""

COVERAGE = 0.9995
"""Share of the characters that unigram and WordPiece spell (SentencePiece's default); the
rest, rare ones, become bytes and [UNK]."""

STAGE = 0.8
"""Share of a superbpe vocabulary that is learnt inside words."""

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def stage_of(vocabulary: int, share: float = STAGE) -> int:
    """Tokens of a superbpe vocabulary that are learnt inside words: the bytes at least."""
    return max(256, round(vocabulary * share))


class Shortfall(UserError):
    """The text yields fewer tokens than asked for. reach: the most it yields to the same
    options, None where that is not known."""

    def __init__(self, message: str, reach: int | None = None):
        super().__init__(message)
        self.reach = reach


@dataclass(frozen=True)
class Recipe:
    """What is trained, beside the text.

    name: the spec, for messages.
    limit: samples of each group, 0 for all.
    stage: superbpe: tokens learnt inside words, before superwords.
    """

    name: str
    algorithm: str
    vocabulary: int
    limit: int
    stage: int

    @property
    def made_by(self) -> str:
        """The library that trains, and its version."""
        if self.algorithm == "unigram":
            return f"sentencepiece {sentencepiece.__version__}"
        return f"tokenizers {tokenizers.__version__}"

    def key(self, dataset: Dataset) -> str:
        """Hash of everything that the result depends on."""
        numbers = map(str, (VERSION, self.vocabulary, self.limit, self.stage))
        return sha256(self.algorithm, *numbers, dataset.fingerprint, self.made_by)

    def short(self, found: int, wanted: int, way: str) -> Shortfall:
        """The error for a text that yields fewer tokens than asked for."""
        other = f" or {way}" if found >= LEAST else ""
        return Shortfall(
            f"{self.name}: the text yields {found} tokens of {wanted}; give more text{other}",
            None if self.stage else found,
        )

    def narrow(self, least: int) -> UserError:
        """The error for a vocabulary that does not hold the text's characters."""
        return UserError(
            f"{self.name}: the text's characters alone take {least} tokens; "
            f"give vocab={least} or more"
        )


def _bpe(texts: Sequence[str], recipe: Recipe) -> bytes:
    """Byte-level BPE with GPT-2's pre-tokenisation."""
    backend = _byte_level_bpe(texts, recipe.vocabulary)
    found = backend.get_vocab_size()
    if found < recipe.vocabulary:
        raise recipe.short(found, recipe.vocabulary, f"vocab={found}")
    return _serialised(backend)


def _byte_level_bpe(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """At most `vocabulary` tokens, the 256 bytes first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _serialised(backend: Tokenizer) -> bytes:
    return backend.to_str().encode()


def _unigram(texts: Sequence[str], recipe: Recipe) -> bytes:
    """SentencePiece's unigram model with byte fallback, without normalisation: lossless but
    for U+2581, its sign for a space. (The trainer of `tokenizers` differs from run to run.)"""
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            # A line end is then a byte, never part of a piece.
            sentence_iterator=(line for text in texts for line in text.split("\n") if line),
            model_writer=model,
            model_type="unigram",
            vocab_size=recipe.vocabulary,
            character_coverage=COVERAGE,
            byte_fallback=True,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            max_sentence_length=1 << 30,  # longer ones would be left out
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # sums of floats depend on the number of threads
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _explained(one_line(error), recipe) from error
    return model.getvalue()


def _explained(message: str, recipe: Recipe) -> UserError:
    """SentencePiece's complaint in terms of this spec."""
    if most := re.search(r"set it to a value <= (\d+)", message):
        found = int(most[1])
        return recipe.short(found, recipe.vocabulary, f"vocab={found}")
    if least := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return recipe.narrow(int(least[1]))
    return UserError(f"{recipe.name}: cannot be trained: {message}")


def _wordpiece(texts: Sequence[str], recipe: Recipe) -> bytes:
    """BERT's WordPiece, case kept.

    The library numbers `##` characters as its hash map yields them, and breaks ties between
    pairs by number. So a first training without merges finds the alphabet, and the second
    is given it in order.
    """
    normalizer = normalizers.BertNormalizer(lowercase=False)
    characters = _characters(texts, normalizer)
    alphabet = sorted(_wordpieces(texts, normalizer, characters, 0, []))
    fixed = [*SPECIALS, *alphabet]
    if len(fixed) > recipe.vocabulary:
        raise recipe.narrow(len(fixed))
    vocabulary = _wordpieces(texts, normalizer, characters, recipe.vocabulary, fixed)
    if len(vocabulary) < recipe.vocabulary:
        raise recipe.short(len(vocabulary), recipe.vocabulary, f"vocab={len(vocabulary)}")
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(list(SPECIALS))
    cls, sep = ((token, vocabulary[token]) for token in ("[CLS]", "[SEP]"))
    backend.post_processor = processors.BertProcessing(sep, cls)
    return _serialised(backend)


def _wordpieces(
    texts: Sequence[str],
    normalizer: normalizers.Normalizer,
    characters: list[str],
    vocabulary: int,
    first: list[str],
) -> dict[str, int]:
    """Trained WordPiece tokens and their ids: `first` in its order, then what is learnt from
    words of `characters`."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        special_tokens=first,
        # Together: these characters and no others, whatever the library counts.
        initial_alphabet=characters,
        limit_alphabet=len(characters),
    )
    backend.train_from_iterator(texts, trainer)
    return backend.get_vocab()


def _characters(texts: Sequence[str], normalizer: normalizers.Normalizer) -> list[str]:
    """The most frequent characters, down to `COVERAGE`; what the normaliser drops left out."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    counts = Counter({c: n for c, n in counts.items() if normalizer.normalize_str(c).strip()})
    ordered = sorted(counts, key=lambda character: (-counts[character], character))
    enough = COVERAGE * counts.total()
    before = accumulate((counts[character] for character in ordered), initial=0)
    return [character for character, seen in zip(ordered, before, strict=False) if seen < enough]


def _superbpe(texts: Sequence[str], recipe: Recipe) -> bytes:
    """SuperBPE (arXiv 2503.13423): byte-level BPE, then merges over the text so encoded, from
    word to word. The merges of words stand first, so they keep priority in encoding."""
    way = "a lower vocab= or stage="
    words = _byte_level_bpe(texts, recipe.stage)
    if words.get_vocab_size() < recipe.stage:
        raise recipe.short(words.get_vocab_size(), recipe.stage, way)
    # Encoded as the finished tokenizer will: in one piece, not word by word.
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = words.get_vocab()
    superwords = Superwords(sorted(vocabulary, key=vocabulary.__getitem__), _encoded(words, texts))
    merges = superwords.learn(recipe.vocabulary - recipe.stage)
    if len(superwords.tokens) < recipe.vocabulary:
        raise recipe.short(len(superwords.tokens), recipe.vocabulary, way)
    inner = [(left, right) for left, right in json.loads(words.to_str())["model"]["merges"]]
    numbered = {token: number for number, token in enumerate(superwords.tokens)}
    backend = Tokenizer(models.BPE(numbered, inner + merges))
    backend.pre_tokenizer = words.pre_tokenizer
    backend.decoder = words.decoder
    return _serialised(backend)


def _encoded(backend: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """The ids of all texts, -1 before, between and after them."""
    ids = array("i", [-1])
    for start in range(0, len(texts), 1024):
        for encoding in backend.encode_batch_fast(texts[start : start + 1024]):
            ids.extend(encoding.ids)
            ids.append(-1)
    return np.array(ids, dtype=np.int32)


TRAINERS: dict[str, Callable[[Sequence[str], Recipe], bytes]] = {
    "bpe": _bpe,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "superbpe": _superbpe,
}
"""Algorithms by name: texts in order and a recipe to the bytes of a tokenizer file."""
