"""Does a tokenizer's own output come back? ids -> text -> ids, whole samples and seams."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tokbench.derived import derived
from tokbench.evidence import EXAMPLES, Example, Failure
from tokbench.measured import Measured
from tokbench.metrics.metric import Metric
from tokbench.metrics.text.pooled import pooled, total
from tokbench.metrics.text.prompts import common_prefix
from tokbench.round_trip import decoded_rows
from tokbench.statistics import EncodedText, Statistic
from tokbench.text.cuts import PLACES, VERSION, cut
from tokbench.tokenizers.text.adapter import TextTokenizer, table_spans
from tokbench.types import Codes, Ragged, Score

CLASSES = (
    "unknown-or-lossy", "white-space-boundary", "normalisation", "duplicate-surface",
    "inside-word", "other",
)  # fmt: skip
SOURCES = ("whole", *(f"seam-{kind}" for kind in PLACES))


def artefact(
    tokenizer: TextTokenizer, before: np.ndarray, after: np.ndarray, text: str, meant: str
) -> str:
    """The class of a failure, one of `CLASSES`: `before` are the ids, `after` those that come in
    their place; `text` is the text of `before`, `meant` the one that it should have been."""
    same = np.minimum(len(before), len(after))
    front = int(np.argmin(np.append(before[:same] == after[:same], False)))
    tail = np.append(before[::-1][: same - front] == after[::-1][: same - front], False)
    back = int(np.argmin(tail))
    changed = (*before[front : len(before) - back], *after[front : len(after) - back])
    if tokenizer.unknown in changed or text.count("\ufffd") > meant.count("\ufffd"):
        return "unknown-or-lossy"
    if text != meant:
        a, b = ("".join(side.split()) for side in (text, meant))
        if a == b:
            return "white-space-boundary"
        return "normalisation" if _plain(a) == _plain(b) else "unknown-or-lossy"
    if tokenizer.pieces is None:
        return "other"
    old, new = (tokenizer.pieces.lengths[ids].cumsum() for ids in (before, after))
    data = b"".join(tokenizer.pieces.pieces[i] for i in before.tolist())
    if data != b"".join(tokenizer.pieces.pieces[i] for i in after.tolist()):
        return "other"
    moved = np.setxor1d(old, new).tolist()
    if not moved:
        return "duplicate-surface"
    sides = [(_last(data[:at]), _first(data[at:])) for at in moved]
    if any(a.isspace() or b.isspace() for a, b in sides):
        return "white-space-boundary"
    return "inside-word" if all(_wordly(a) and _wordly(b) for a, b in sides) else "other"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _last(data: bytes) -> str:
    return data[-8:].decode(errors="ignore")[-1:]


def _first(data: bytes) -> str:
    return data[:8].decode(errors="ignore")[:1]


def _wordly(character: str) -> bool:
    """Letters, marks, numbers; nothing at all beside a cut inside a character."""
    return not character or unicodedata.category(character)[0] in "LMN"


def reencoding(encoded: EncodedText) -> Statistic:
    """Token sequences that are not those of their text. Columns `SOURCE-checked` and
    `SOURCE-failed`: of the whole sample, its ids decoded and encoded again; of its two parts
    (cut at one place of each kind), their ids one after the other against those of the whole.
    `artefact-CLASS` of all failures."""
    samples = len(encoded.batch)
    names = [f"{source}-{what}" for source in SOURCES for what in ("checked", "failed")]
    columns = {
        name: np.zeros(samples, dtype=np.int64)
        for name in (*names, *(f"artefact-{kind}" for kind in CLASSES))
    }
    found = Statistic(columns)
    if not samples or encoded.batch.raw_bytes:
        return found
    changed = _there_and_back(encoded, found)
    for kind in PLACES:
        changed += _in_two_parts(encoded, kind, found)
    changed.sort(key=lambda each: each.row)  # stable: shards find the same first examples
    found.examples = _examples(encoded, changed)
    return found


class _Changed(NamedTuple):
    """A failure: ids before and after, of which the first `same` are equal."""

    row: int
    source: str
    kind: str
    before: np.ndarray
    after: np.ndarray
    same: int


def _examples(encoded: EncodedText, changed: list[_Changed]) -> list[Example]:
    """The first failures of each class."""
    shown: Counter[str] = Counter()
    examples = []
    for row, source, kind, before, after, same in changed:
        shown[kind] += 1
        if shown[kind] > EXAMPLES:
            continue
        window = slice(max(same - 1, 0), same + 3)
        old, new = (_shown(encoded.tokenizer, ids[window]) for ids in (before, after))
        group = encoded.groups[int(encoded.batch.group[row])]
        index = int(encoded.batch.index[row])
        note = f"{source}: {old}, but its text is {new}"
        examples.append(Example(f"re-encode: {kind}", group, index, note))
    return examples


def _there_and_back(encoded: EncodedText, found: Statistic) -> list[_Changed]:
    """Whole samples. Ids that spell the sample need no decoding: the ids of its text are known.
    Ids that decode to nothing are not checked."""
    checked = (encoded.spans.tiled & encoded.tokenizer.spells).astype(np.int64)
    found.columns["whole-checked"] = checked
    rows = np.flatnonzero(checked == 0)
    texts = decoded_rows(encoded, rows, found.failures) if len(rows) else []
    kept = [place for place, text in enumerate(texts) if text]
    if not kept:
        return []
    rows, texts = rows[kept], [texts[place] for place in kept]
    again, good = derived(encoded, rows, texts, "its own output", found.failures)
    rows, texts = rows[good], [texts[place] for place in good.tolist()]
    checked[rows] = 1
    before = encoded.codes.ids.take(rows)
    differs = _different(before, again.codes.ids)
    failed = rows[differs]
    meant = [encoded.batch.texts[row] for row in failed.tolist()]
    came = [texts[place] for place in differs.tolist()]
    return _classed(
        encoded, failed, before.take(differs), again.codes.ids.take(differs), came, meant,
        "whole", found,
    )  # fmt: skip


def _in_two_parts(encoded: EncodedText, kind: str, found: Statistic) -> list[_Changed]:
    """Samples cut at one place, both parts encoded by themselves."""
    joined, rows = _joined_parts(encoded, kind, found.failures)
    if not len(rows):
        return []
    source = f"seam-{kind}"
    found.columns[f"{source}-checked"][rows] = 1
    whole = encoded.codes.ids.take(rows)
    differs = _different(joined.codes.ids, whole)
    failed = rows[differs]
    meant = [encoded.batch.texts[row] for row in failed.tolist()]
    came = list(meant)
    spelled = np.zeros(len(rows), dtype=bool)
    if encoded.tokenizer.pieces is not None and encoded.tokenizer.spells:
        spelled = table_spans(encoded.tokenizer, joined.batch, joined.codes)[2]
    unclear = np.flatnonzero(~spelled[differs])
    if len(unclear):
        texts = decoded_rows(joined, differs[unclear], found.failures)
        as_whole = decoded_rows(encoded, failed[unclear], found.failures)
        for place, text, other in zip(unclear.tolist(), texts, as_whole, strict=True):
            came[place], meant[place] = text, other
    return _classed(
        encoded, failed, joined.codes.ids.take(differs), whole.take(differs), came, meant,
        source, found,
    )  # fmt: skip


def _joined_parts(
    encoded: EncodedText, kind: str, failures: dict[str, Failure]
) -> tuple[EncodedText, np.ndarray]:
    """The samples as the ids of their two parts, one after the other; and their rows."""
    texts = encoded.batch.texts
    places = [(row, cut(kind, text)) for row, text in enumerate(texts)]
    ends = [(row, end) for row, end in places if end is not None]
    rows = np.array([row for row, _ in ends], dtype=np.int64)
    fronts = [texts[row][:end] for row, end in ends]
    backs = [texts[row][end:] for row, end in ends]
    front, good_front = derived(encoded, rows, fronts, f"before a cut, {kind}", failures)
    back, good_back = derived(encoded, rows, backs, f"behind a cut, {kind}", failures)
    good = np.intersect1d(good_front, good_back)
    left = front.codes.ids.take(np.searchsorted(good_front, good))
    right = back.codes.ids.take(np.searchsorted(good_back, good))
    ids = [np.concatenate(pair) for pair in zip(left, right, strict=True)]
    codes = Codes((Ragged.of(ids, np.int64),))
    batch = encoded.batch.select(rows[good])
    return EncodedText(encoded.tokenizer, batch, codes, encoded.groups), rows[good]


def _different(a: Ragged, b: Ragged) -> np.ndarray:
    """The rows that are not equal."""
    return np.flatnonzero((a.lengths != b.lengths) | (common_prefix(a, b) < a.lengths))


def _classed(
    encoded: EncodedText,
    rows: np.ndarray,
    before: Ragged,
    after: Ragged,
    texts: list[str],
    meant: list[str],
    source: str,
    found: Statistic,
) -> list[_Changed]:
    """Count and class failures."""
    found.columns[f"{source}-failed"][rows] = 1
    same = common_prefix(before, after).tolist()
    changed = []
    for place, row in enumerate(rows.tolist()):
        ids = before[place], after[place]
        kind = artefact(encoded.tokenizer, *ids, texts[place], meant[place])
        found.columns[f"artefact-{kind}"][row] += 1
        changed.append(_Changed(row, source, kind, *ids, same[place]))
    return changed


def _shown(tokenizer: TextTokenizer, ids: np.ndarray) -> str:
    if tokenizer.pieces is None:
        return str(ids.tolist())
    pieces = [tokenizer.pieces.pieces[i].decode(errors="backslashreplace") for i in ids.tolist()]
    return "|".join(pieces).__repr__()


class ReEncode(Metric):
    """Are token sequences those of their text? `re-encode`: share of the samples whose ids,
    decoded and encoded again, are other ids, also by language; only a tokenizer that changes
    text fails. `re-encode/seam-KIND`: share of the samples that in two parts, as a prompt and
    its completion, each encoded by itself and put together, have other ids than whole: cut
    between two letters (`inside-word`), before or behind white space. A model's output that is
    read again then changes though no one edited it. Failures are classed once, in this order,
    as shares of all sequences (`re-encode/artefact-…`): `unknown-or-lossy` (UNK, a broken or
    another character), `white-space-boundary` (a blank came, went or is cut off elsewhere),
    `normalisation` (equal under NFKC and case folding), `duplicate-surface` (other ids, same
    cuts), `inside-word` (other cuts, all of them inside words), `other`. The record's examples
    show the first of each class."""

    name = "re-encode"
    statistics = ("reencoding",)
    unit, better, aggregation = "share", "lower", "ratio of sums"
    reference = "Say Anything but This (2601.14658), static proxy of its phantom edits"
    tags = {"cuts": str(VERSION)}

    def result(self, measured: Measured) -> Iterator[Score]:
        for source in SOURCES:
            failed, checked = [f"{source}-failed"], [f"{source}-checked"]
            if source != "whole":
                yield self._score(measured, f"{self.name}/{source}", failed, checked)
                continue
            yield self._score(measured, self.name, failed, checked)
            if measured.grouped:
                for g, label in enumerate(measured.groups):
                    yield self._score(measured, f"{self.name}/{label}", failed, checked, g)
        checked = [f"{source}-checked" for source in SOURCES]
        for kind in CLASSES:
            name = f"artefact-{kind}"
            yield self._score(measured, f"{self.name}/{name}", [name], checked)

    def _score(
        self,
        measured: Measured,
        name: str,
        tops: list[str],
        bottoms: list[str],
        group: int | None = None,
    ) -> Score:
        samples = len(bottoms) * total(measured, ["samples"], group)
        n = total(measured, bottoms, group)
        note = ""
        if n < samples:
            note = f"{samples - n:,} of {samples:,} left out: not cut so, or not decoded"
        return pooled(
            measured, name, tops, bottoms, n, self.unit, self.better,
            note, note, group,
        )  # fmt: skip
