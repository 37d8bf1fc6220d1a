"""Conformance of an adapter: what every score silently relies on. Here, of text adapters."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import numpy as np

from tokbench.specs import load_tokenizer
from tokbench.text.batch import TextBatch
from tokbench.tokenizers.text.adapter import Spans, TextTokenizer, token_spans
from tokbench.types import Codes, Tokenizer

PROBES = (
    "",
    " ",
    "a",
    "Hello, world!",
    "  two  spaces  ",
    "tab\tand\nline feed\r\n",
    "naïve café",
    "İstanbul'da ışık",
    "日本語のテキスト",
    "ภาษาไทย",
    "한국어 문장",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "👩‍👩‍👧 🇹🇷 ☝🏽",
    "e\u0301 e\u0301\u0323",
    "zero\u200bwidth\u200djoiner",
    "\ufeffbom",
    "1234567 3.14159 1,000,000",
    "def f(x):\n    return x ** 2\n",
    "https://example.org/a?b=1&c=2",
    "\x00\x01\x7f",
    "ﬁ ﬂ ㎏ ½",
    "<|endoftext|> <s> [CLS]",
    "a" * 500,
    " " * 64,
    "word " * 100,
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U0010fffd",
)


class Check(NamedTuple):
    """One check: outcome `pass`, `fail`, `skip` (cannot be made) or `note` (worth knowing)."""

    name: str
    outcome: str
    detail: str = ""


def conformance(spec: str, tokenizer: Tokenizer) -> list[Check]:
    """All checks of one adapter."""
    if tokenizer.spec.modality != "text":
        from tokbench.media_conformance import checks

        return checks(spec, tokenizer)
    assert isinstance(tokenizer, TextTokenizer)
    texts = list(PROBES)
    whole = tokenizer.encode(texts)
    rows = [row.tolist() for row in whole.ids]
    return [
        _batches(tokenizer, texts, rows),
        _same("determinism", rows, tokenizer.encode(texts), "the same texts, twice"),
        _order(tokenizer, texts, rows),
        _ids(tokenizer, whole),
        _serialised(tokenizer, whole),
        *_spans(tokenizer, texts, whole),
        _round_trip(tokenizer, texts, whole),
        fingerprint(spec, tokenizer),
    ]


def _same(name: str, rows: list[list[int]], codes: Codes, detail: str) -> Check:
    other = [row.tolist() for row in codes.ids]
    wrong = [i for i, (a, b) in enumerate(zip(rows, other, strict=True)) if a != b]
    if wrong:
        return Check(name, "fail", f"{detail}: ids differ for {PROBES[wrong[0]]!r}")
    return Check(name, "pass", detail)


def _batches(tokenizer: TextTokenizer, texts: list[str], rows: list[list[int]]) -> Check:
    for text, row in zip(texts, rows, strict=True):
        alone = tokenizer.encode([text]).ids[0].tolist()
        if alone != row:
            return Check(
                "batch invariance", "fail", f"{text!r} alone gives other ids than in a batch"
            )
    return Check("batch invariance", "pass", f"{len(texts)} texts alone and together")


def _order(tokenizer: TextTokenizer, texts: list[str], rows: list[list[int]]) -> Check:
    back = [row.tolist() for row in tokenizer.encode(texts[::-1]).ids][::-1]
    wrong = next((t for t, a, b in zip(texts, rows, back, strict=True) if a != b), None)
    if wrong is not None:
        return Check("order", "fail", f"{wrong!r} gives other ids in a reversed batch")
    return Check("order", "pass", "the batch reversed")


def _ids(tokenizer: TextTokenizer, codes: Codes) -> Check:
    values, size = codes.ids.values, sum(tokenizer.spec.vocabulary)
    if not size:
        return Check("ids within the vocabulary", "skip", "open vocabulary")
    # Ids may have gaps, so the largest may exceed the count; it never exceeds the table.
    top = (
        len(tokenizer.pieces.pieces)
        if tokenizer.pieces
        else max(size, len(tokenizer.text_ids) if tokenizer.text_ids is not None else 0)
    )
    if len(values) and (values.min() < 0 or values.max() >= top):
        return Check("ids within the vocabulary", "fail", f"id {values.max()} of {top}")
    return Check("ids within the vocabulary", "pass", f"{size:,} ids")


def _serialised(tokenizer: TextTokenizer, codes: Codes) -> Check:
    again = Codes.from_bytes(codes.to_bytes())
    if tokenizer.decode(again) != tokenizer.decode(codes):
        return Check("decodes from serialised codes", "fail", "decoding needs more than the codes")
    return Check("decodes from serialised codes", "pass")


def _spans(tokenizer: TextTokenizer, texts: list[str], codes: Codes) -> list[Check]:
    batch = TextBatch(texts, np.zeros(len(texts), np.int64), np.arange(len(texts)))
    spans = token_spans(tokenizer, batch, codes)
    name = "offsets tile the text"
    problems = []
    for row, text in enumerate(texts):
        here = slice(codes.ids.offsets[row], codes.ids.offsets[row + 1])
        starts, stops = spans.starts[here], spans.stops[here]
        inside = (starts >= batch.starts[row]).all() and (stops <= batch.stops[row]).all()
        if spans.known[row] and not (inside and (stops >= starts).all()):
            return [Check(name, "fail", f"{text!r}: a token lies outside its text")]
        edges = np.concatenate(([batch.starts[row]], stops))
        whole = (starts == edges[:-1]).all() and edges[-1] == batch.stops[row]
        if spans.known[row] and not whole:
            problems.append(text)
    return [_tiling(name, texts, problems, spans), _spelling(tokenizer, texts, codes, spans)]


def _tiling(name: str, texts: list[str], problems: list[str], spans: Spans) -> Check:
    unknown = int((~spans.known).sum())
    if unknown:
        return Check(name, "note", f"{unknown} of {len(texts)} texts have no token positions")
    if problems:
        detail = f"{len(problems)} of {len(texts)} texts have gaps or overlaps"
        return Check(name, "note", f"{detail}, such as {problems[0]!r}")
    return Check(name, "pass", "every byte belongs to one token")


def _spelling(tokenizer: TextTokenizer, texts: list[str], codes: Codes, spans: Spans) -> Check:
    """Texts that the tokens' bytes spell count as lossless undecoded: is that so?"""
    name = "byte table agrees with decode"
    if not spans.tiled.any() or not tokenizer.spells:
        return Check(name, "skip", "every text is decoded")
    decoded = zip(texts, tokenizer.decode(codes), spans.tiled, strict=True)
    wrong = next((text for text, back, tiled in decoded if tiled and text != back), None)
    if wrong is not None:
        return Check(name, "fail", f"{wrong!r} is spelled by its tokens but decodes otherwise")
    return Check(name, "pass", f"{int(spans.tiled.sum())} texts spelled by their tokens")


def _round_trip(tokenizer: TextTokenizer, texts: list[str], codes: Codes) -> Check:
    lost = [t for t, d in zip(texts, tokenizer.decode(codes), strict=True) if t != d]
    if not lost:
        return Check("round trip", "pass", f"{len(texts)} texts come back")
    return Check(
        "round trip", "note", f"{len(lost)} of {len(texts)} texts are lossy, such as {lost[0]!r}"
    )


def fingerprint(spec: str, tokenizer: Tokenizer) -> Check:
    """The same in a second load and in another process."""
    name, mine = "stable fingerprint", tokenizer.fingerprint()
    if load_tokenizer(spec).fingerprint() != mine:
        return Check(name, "fail", "a second load has another fingerprint")
    code = (
        "import sys; from tokbench.specs import load_tokenizer;"
        "print(load_tokenizer(sys.argv[1]).fingerprint())"
    )
    other = subprocess.run([sys.executable, "-c", code, spec], capture_output=True, text=True)
    if other.stdout.strip() != mine:
        return Check(name, "fail", "another process computes another fingerprint")
    return Check(name, "pass", mine[:16])
