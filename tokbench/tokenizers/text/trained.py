"""Tokenizers trained on the spot: `train:bpe?vocab=8000&on=DATA[&split=S][&limit=N]`.

The same text and options give the same bytes, in any process. Trained files stay in the
cache under a hash of all that they depend on, so the second load does not train.
"""

from __future__ import annotations

import io
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError, near, one_line
from tokbench.files import atomic_write, cache_dir, read_bytes, sha256
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.huggingface import HuggingFace
from tokbench.tokenizers.text.spm import SentencePiece
from tokbench.tokenizers.text.superwords import Superwords

VERSION = 1
"""Raise it when a change here changes what is trained: it is part of the cache's key."""

COVERAGE = 0.9995
"""Share of the characters that unigram and WordPiece spell (SentencePiece's default); the
rest, rare ones, become bytes and [UNK]."""

STAGE = 0.8
"""Share of a superbpe vocabulary that is learnt inside words."""

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


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
        return Shortfall(
            f"{self.name}: the text yields {found} tokens of {wanted}; give more text or {way}",
            None if self.stage else found,
        )

    def narrow(self, least: int) -> UserError:
        """The error for a vocabulary that does not hold the text's characters."""
        return UserError(
            f"{self.name}: the text's characters alone take {least} tokens; "
            f"give vocab={least} or more"
        )


def load(reference: str, options: Options) -> TextTokenizer:
    """`bpe`, `unigram`, `wordpiece` or `superbpe`, trained on a dataset or read from the cache.

    Options: vocab=8000, on=parallel-mini (a manifest's name or a path), split,
    limit (samples of each group; 0, the default, for all), and for superbpe stage=0.8
    (share of the vocabulary learnt before superwords).
    Raises `UserError` for an unknown algorithm or option, a dataset that cannot be opened,
    and a text that does not yield the vocabulary.
    """
    recipe = _recipe(reference, options)
    on, split = options.take("on", "parallel-mini"), options.take("split")
    options.done()  # before the training, not after it
    dataset = open_dataset(str(on), split)
    suffix = "model" if recipe.algorithm == "unigram" else "json"
    path = cache_dir() / "trained" / f"{recipe.key(dataset)}.{suffix}"
    if not path.exists():
        texts = list(_texts(dataset, recipe.limit))
        atomic_write(path, TRAINERS[recipe.algorithm](texts, recipe))
    share = f", first {recipe.limit} samples of each group" if recipe.limit else ""
    source = f"trained on {dataset.label}{share} by {recipe.made_by}"
    return assembled(read_bytes(path), recipe, source)


def assembled(content: bytes, recipe: Recipe, source: str) -> TextTokenizer:
    """The adapter for what a trainer made."""
    if recipe.algorithm == "unigram":
        return SentencePiece(content, recipe.name, source)
    return HuggingFace(Tokenizer.from_str(content.decode()), recipe.name, source=source)


def _recipe(algorithm: str, options: Options) -> Recipe:
    if algorithm not in TRAINERS:
        raise UserError(
            f"{options.name}: no algorithm '{algorithm}'{near(algorithm, TRAINERS)} "
            f"(train: knows {', '.join(TRAINERS)})"
        )
    vocabulary = options.integer("vocab", 8000, 300, 1_000_000)
    limit = options.integer("limit", 0, 0, 1 << 40)
    stage = stage_of(vocabulary, _share(options)) if algorithm == "superbpe" else 0
    return Recipe(options.name, algorithm, vocabulary, limit, stage)


def stage_of(vocabulary: int, share: float = STAGE) -> int:
    """Tokens of a superbpe vocabulary that are learnt inside words: the bytes at least."""
    return max(256, round(vocabulary * share))


def _share(options: Options) -> float:
    value = str(options.take("stage", str(STAGE)))
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UserError(f"{options.name}: stage={value}: give a number from 0 to 1")
    return share


def _texts(dataset: Dataset, limit: int) -> Iterator[str]:
    """The samples as an evaluation reads them: without line ends, empty ones left out."""
    for number, part in enumerate(dataset.parts):
        for piece in part.slices(number, 1024, 1 << 20, limit or None):
            yield from part.read(piece)[0]


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
