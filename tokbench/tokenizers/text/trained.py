"""Tokenizers trained on the spot: `train:bpe?vocab=8000&on=DATA[&split=S][&limit=N]`.

The same text and options give the same bytes, in any process. Trained files stay in the
cache under a hash of all that they depend on, so the second load does not train.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Tokenizer

from tokbench.dataset import Dataset, open_dataset
from tokbench.errors import UserError, near
from tokbench.files import atomic_write, cache_dir, read_bytes
from tokbench.specs import Options
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.huggingface import HuggingFace
from tokbench.tokenizers.text.spm import SentencePiece
from tokbench.tokenizers.text.training import LEAST, STAGE, TRAINERS, Recipe, stage_of


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
        if not texts:
            raise UserError(f"{options.name}: {dataset.name}:{dataset.split} is empty")
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
    vocabulary = options.integer("vocab", 8000, LEAST, 1_000_000)
    limit = options.integer("limit", 0, 0, 1 << 40)
    stage = stage_of(vocabulary, _share(options)) if algorithm == "superbpe" else 0
    return Recipe(options.name, algorithm, vocabulary, limit, stage)


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
            yield from part.read(piece).texts
