"""Syntax of source code by tree-sitter: leaves with their construct, and inner nodes."""

from __future__ import annotations

import hashlib
import importlib
import io
import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from tokbench.errors import MissingExtra
from tokbench.files import cache_dir, cache_write
from tokbench.text import lexical
from tokbench.text.batch import TextBatch
from tokbench.text.programming import BY_GROUP, GRAMMARS, LEXED, language_of, versions

VERSION = 1
"""Raised whenever what is kept of a tree changes."""

CODE = (
    "identifier", "keyword", "string", "comment", "number", "operator", "punctuation", "other",
    "indentation", "whitespace",
)  # fmt: skip
IDENTIFIER, KEYWORD, STRING, COMMENT, NUMBER, OPERATOR, PUNCTUATION, OTHER = range(8)

_NUMBER = re.compile("number|integer|float|int_literal|imaginary")
_STRING = re.compile("string|char|rune|escape|regex|quote|format_specifier")
_WORDS = frozenset(
    "true false none null nil undefined this super self crate iota null_literal primitive_type "
    "void_type boolean_type mutable_specifier preproc_directive auto".split()
)
_MARKS = {
    "ellipsis": PUNCTUATION, "line_continuation": PUNCTUATION, "dot": PUNCTUATION,
    "type_conversion": OPERATOR, "asterisk": OPERATOR, "keyword_separator": OPERATOR,
    "positional_separator": OPERATOR, "label_name": IDENTIFIER, "metavariable": IDENTIFIER,
    "shebang": COMMENT, "hash_bang_line": COMMENT, "optional_chain": OPERATOR,
    "lifetime": IDENTIFIER,
}  # fmt: skip


@dataclass
class Syntax:
    """Syntax of a batch; positions are bytes of its buffer, int64.

    parsed: samples whose tree has no error; the others have no leaves.
    starts, stops, kinds: leaves in order. A string literal (between interpolations) is one leaf
        with its quotes and escapes, and so is a comment.
    inner_starts, inner_stops: distinct spans of nodes with children, without those of the root
        and of leaves.
    """

    parsed: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    kinds: np.ndarray
    inner_starts: np.ndarray
    inner_stops: np.ndarray


def names_of(language: str) -> tuple[str, ...]:
    """The constructs of a language, by number; the last one is white space."""
    return {"json": lexical.JSON, "log": lexical.LOG}.get(language, CODE)


def require(language: str) -> None:
    """Raise `MissingExtra` where the packages that parse a language are not installed."""
    if language not in LEXED:
        for name in GRAMMARS if language == BY_GROUP else [language]:
            _grammar(name)


def syntax_of(batch: TextBatch, groups: list[str], language: str) -> Syntax:
    """The batch's syntax, parsed once for each content and kept in the cache.

    language: that of all samples, or `group` where the labels of the groups name it.
    """
    if language not in batch.analyses:
        batch.analyses[language] = _kept(batch, groups, language)
    return batch.analyses[language]


def _kept(batch: TextBatch, groups: list[str], language: str) -> Syntax:
    if batch.content is None:
        return _parsed(batch, groups, language)
    spoken = [language if language != BY_GROUP else groups[int(g)] for g in batch.group]
    head = f"syntax-{VERSION}-{versions(language)}-{'|'.join(spoken)}"
    content = batch.content.encode() or batch.data.tobytes()
    key = head.encode() + batch.starts.astype(np.int64).tobytes() + content
    name = hashlib.sha256(key).hexdigest()
    path = cache_dir() / "syntax" / name[:2] / f"{name}.npz"
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as known:
                return Syntax(**{f.name: _wide(known[f.name]) for f in fields(Syntax)})
        except Exception:
            pass  # cut short by a crash of the file system; written anew below
    syntax = _parsed(batch, groups, language)
    file = io.BytesIO()
    arrays: dict[str, Any] = {f.name: _narrow(getattr(syntax, f.name)) for f in fields(Syntax)}
    np.savez(file, **arrays)
    cache_write(path, file.getvalue())
    return syntax


def _narrow(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int32) if values.dtype == np.int64 else values


def _wide(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64) if values.dtype == np.int32 else values


def _parsed(batch: TextBatch, groups: list[str], language: str) -> Syntax:
    parsed = np.zeros(len(batch), dtype=bool)
    leaves, inner = [np.empty((0, 3), np.int64)], [np.empty((0, 2), np.int64)]
    for row, text in enumerate(batch.texts):
        spoken = language if language != BY_GROUP else language_of(groups[int(batch.group[row])])
        found = None if spoken is None else _parse(text.encode(), spoken)
        if found is None:
            continue
        parsed[row] = True
        leaves.append(found[0] + [*[batch.starts[row]] * 2, 0])
        inner.append(found[1] + batch.starts[row])
    starts, stops, kinds = np.concatenate(leaves).T
    inner_starts, inner_stops = np.concatenate(inner).T
    return Syntax(parsed, starts, stops, kinds.astype(np.uint8), inner_starts, inner_stops)


def _parse(raw: bytes, language: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Leaves (start, stop, kind) and inner nodes (start, stop); None where there is an error."""
    nothing = np.empty((0, 2), np.int64)
    if language in LEXED:
        lexed = lexical.json_leaves(raw) if language == "json" else lexical.log_leaves(raw)
        return None if lexed is None else (np.array(lexed, np.int64).reshape(-1, 3), nothing)
    parser, kinds, opaque = _grammar(language)
    tree = parser.parse(raw)
    if tree.root_node.has_error:
        return None
    flat, inner = _walk(tree, kinds, opaque)
    leaves = _leaves(np.array(flat, np.int64).reshape(-1, 3), raw)
    keys = np.unique(np.array(inner[2:], np.int64).reshape(-1, 2) @ [1 << 32, 1])
    whole = inner[0] << 32 | inner[1] if inner else -1
    keys = keys[(keys != whole) & ~np.isin(keys, leaves[:, :2] @ [1 << 32, 1])]
    return leaves, np.stack(np.divmod(keys, 1 << 32), axis=1)


def _walk(tree: Any, kinds: list[int], opaque: list[bool]) -> tuple[list[int], list[int]]:
    """Leaves as start, stop, kind, start …; inner nodes, the root first, as start, stop, …"""
    cursor = tree.walk()
    down, side, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    leaves: list[int] = []
    inner: list[int] = []
    while True:
        node = cursor.node
        kind = node.kind_id
        if not opaque[kind] and down():
            inner += (node.start_byte, node.end_byte)
            continue
        leaves += (node.start_byte, node.end_byte, kinds[kind])
        while not side():
            if not up():
                return leaves, inner


def _leaves(found: np.ndarray, raw: bytes) -> np.ndarray:
    """Without empty leaves and line ends, with the pieces of a string literal joined."""
    data = np.frombuffer(raw, np.uint8)
    dark = np.concatenate(([0], np.cumsum((data > 32) | ((data < 9) | (data > 13)) & (data != 32))))
    found = found[dark[found[:, 1]] > dark[found[:, 0]]]
    if len(found) < 2:
        return found
    text = found[:, 2] == STRING
    joins = text[1:] & text[:-1] & (found[1:, 0] == found[:-1, 1])
    first = np.flatnonzero(np.concatenate(([True], ~joins)))
    last = np.append(first[1:], len(found)) - 1
    return np.stack((found[first, 0], found[last, 1], found[first, 2]), axis=1)


@cache
def _grammar(language: str) -> tuple[Any, list[int], list[bool]]:
    """A parser, the construct of every kind of node, and which nodes are taken whole."""
    grammar = GRAMMARS[language]
    try:
        import tree_sitter

        module = importlib.import_module(grammar.module)
    except ImportError as error:
        raise MissingExtra(f"the tree-sitter grammar of {language}", "code") from error
    tongue = tree_sitter.Language(module.language())
    count = tongue.node_kind_count
    names = [str(tongue.node_kind_for_id(number) or "") for number in range(count)]
    named = [bool(tongue.node_kind_is_named(number)) for number in range(count)]
    kinds = [_kind(name, real) for name, real in zip(names, named, strict=True)]
    opaque = [
        real and ("comment" in name or name in ("string_content", "regex", "lifetime"))
        for name, real in zip(names, named, strict=True)
    ]
    return tree_sitter.Parser(tongue), kinds, opaque


def _kind(name: str, named: bool) -> int:
    """The construct of a leaf by the name of its node; an unnamed node's name is its text."""
    if not named:
        if name.strip("\"'`") == "" or name.endswith(('"', "'")):
            return STRING
        if name.replace(" ", "").strip("#@_").isalnum():
            return KEYWORD
        if name == "_":
            return IDENTIFIER
        closed = any(mark in name for mark in "()[]{}") or name in (",", ";", ":", ".", "...")
        return PUNCTUATION if closed else OPERATOR
    if name in _MARKS:
        return _MARKS[name]
    if "comment" in name:
        return COMMENT
    if name.endswith("identifier"):
        return IDENTIFIER
    if name in _WORDS:
        return KEYWORD
    if _STRING.search(name):
        return STRING
    return NUMBER if _NUMBER.search(name) else OTHER
