"""Readers of gold segmentations: words with their morphemes, in the formats people keep them.

Every reader gives the word as the sample and these notes, each where it is known:
`segmentation` (morphemes joined by `+`, spelling the word), `lemma`, `stem_index` (which
morpheme is the stem, from 0) and `weight` (above 0, at most 1). A word without `segmentation`
has no surface segmentation in its source; metrics leave it out and count it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tokbench.annotated import rows, unheaded
from tokbench.errors import UserError
from tokbench.parts import Noted, NotedPart, Notes, Part
from tokbench.readers import Found, text_lines

JOIN = "+"
"""Stands between morphemes in the note `segmentation`."""


def noted(
    word: str,
    morphemes: Sequence[str],
    lemma: str = "",
    stem_index: int | None = None,
    weight: str = "",
) -> Noted:
    """A word and its notes; no `segmentation` where the morphemes do not spell the word (a
    canonical segmentation, `run|ing` of "running") or the word holds the joining sign."""
    notes: Notes = {}
    if morphemes and all(morphemes) and "".join(morphemes) == word and JOIN not in word:
        notes["segmentation"] = JOIN.join(morphemes)
        if stem_index is not None:
            notes["stem_index"] = str(stem_index)
    if lemma:
        notes["lemma"] = lemma
    if weight:
        notes["weight"] = weight
    return word, notes


def morphemes(found: Found, fields: dict[str, str]) -> list[Part]:
    """Gold segmentations as a table with a header, strictly: a segmentation that does not
    spell its word is an error. fields: the columns `word`, `segmentation` (`kitab+ı`), and where
    the table has them `lemma`, `stem_index`, `weight`; each is by default named so."""
    word, segmentation, lemma, stem, weight = (
        fields.get(name, name) for name in ("word", "segmentation", "lemma", "stem_index", "weight")
    )

    def iterate(path: Path) -> Iterator[Noted]:
        for number, row in rows(path, (word, segmentation, *_named(fields))):
            where = f"{path}: line {number}"
            pieces = row[segmentation].split(JOIN)
            if "".join(pieces) != row[word] or not all(pieces):
                raise UserError(
                    f"{where}: the segmentation '{row[segmentation]}' does not spell the word "
                    f"'{row[word]}' (morphemes are joined by single '{JOIN}')"
                )
            index = _stem_index(row.get(stem, ""), len(pieces), f"{where}: '{row[word]}'")
            share = row.get(weight, "")
            if share:
                _check_weight(share, f"{where}: '{row[word]}'")
            yield noted(row[word], pieces, row.get(lemma, ""), index, share)

    return [NotedPart(group, [path], iterate) for group, path in found]


def _named(fields: dict[str, str]) -> tuple[str, ...]:
    """Optional columns that the manifest names must be there."""
    return tuple(fields[name] for name in ("lemma", "stem_index", "weight") if name in fields)


def _stem_index(cell: str, count: int, where: str) -> int | None:
    if not cell:
        return None
    if not cell.isdecimal() or int(cell) >= count:
        raise UserError(f"{where}: stem_index is '{cell}', not one of 0 to {count - 1}")
    return int(cell)


def _check_weight(cell: str, where: str) -> None:
    try:
        fits = 0 < float(cell) <= 1
    except ValueError:
        fits = False
    if not fits:
        raise UserError(f"{where}: weight is '{cell}', not a number above 0 and at most 1")


def conllu(found: Found, fields: dict[str, str]) -> list[Part]:
    """CoNLL-U treebanks: each occurrence of a word whose MISC column has `MSeg` (`un-break-able`)
    is a sample, with its lemma; other words are none. A form that has hyphens itself gets no
    segmentation: MSeg does not tell them from its own. fields: `key` (default "MSeg")."""
    key = fields.get("key", "MSeg") + "="

    def iterate(path: Path) -> Iterator[Noted]:
        for number, line in enumerate(text_lines(path), start=1):
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != 10:
                raise UserError(f"{path}: line {number}: {len(cells)} columns; CoNLL-U has 10")
            marked = [item for item in cells[9].split("|") if item.startswith(key)]
            if not marked:
                continue
            pieces = marked[0].removeprefix(key).split("-")
            lemma = "" if cells[2] == "_" else cells[2]
            yield noted(cells[1], pieces, lemma, _place(pieces, lemma))

    return [NotedPart(group, [path], iterate) for group, path in found]


def _place(pieces: Sequence[str], lemma: str) -> int | None:
    """The morpheme that is the lemma, where just one is."""
    return pieces.index(lemma) if pieces.count(lemma) == 1 else None


def inflections(found: Found, fields: dict[str, str]) -> list[Part]:
    """UniMorph's `*.segmentations` and MorphyNet's `*.inflectional.v1.tsv`: lemma, form,
    features, segmentation (`talo|ssa`), no header. Forms of a lemma that are spelt and cut alike
    count once. Most segmentations are canonical (`run|ing`); only those that spell their form
    are used."""
    columns = ("lemma", "form", "features", "segmentation")

    def iterate(path: Path) -> Iterator[Noted]:
        lemma = ""
        seen: set[tuple[str, str]] = set()
        for _, row in unheaded(path, columns):
            if row["lemma"] != lemma:
                lemma, seen = row["lemma"], set()
            if (row["form"], row["segmentation"]) in seen:
                continue
            seen.add((row["form"], row["segmentation"]))
            pieces = row["segmentation"].split("|")
            yield noted(row["form"], pieces, lemma, _place(pieces, lemma))

    return [NotedPart(group, [path], iterate) for group, path in found]


def derivations(found: Found, fields: dict[str, str]) -> list[Part]:
    """MorphyNet's `*.derivational.v1.tsv`: source word, word, their parts of speech, affix,
    `prefix` or `suffix`, no header. The word is cut once, before the suffix or after the
    prefix, where it has it at that end; what is left is the stem."""
    columns = ("source", "word", "source_pos", "pos", "affix", "kind")

    def iterate(path: Path) -> Iterator[Noted]:
        for number, row in unheaded(path, columns):
            word, affix = row["word"], row["affix"].strip("-")
            if row["kind"] == "suffix":
                stem, pieces = 0, [word.removesuffix(affix), affix]
            elif row["kind"] == "prefix":
                stem, pieces = 1, [affix, word.removeprefix(affix)]
            else:
                raise UserError(
                    f"{path}: line {number}: '{word}': the affix is a '{row['kind']}', "
                    "neither prefix nor suffix"
                )
            yield noted(word, pieces, "", stem)

    return [NotedPart(group, [path], iterate) for group, path in found]
