"""Code metrics worked out by hand, against slow references, and against Python's own modules."""

from __future__ import annotations

import ast
import io
import keyword
import sys
import tokenize
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from mocks.command import called
from mocks.evidence import batch_of, evidence_of, scores_of
from mocks.greedy import Greedy
from scipy.stats import spearmanr

from tokbench.metrics.text.alignment import (
    IdentifierTokens,
    OperatorIsolation,
    SyntaxAlignment,
    word_borders,
)
from tokbench.metrics.text.constructs import ConstructBytes, ConstructTokens
from tokbench.metrics.text.indentation import IndentationConsistency, IndentationTokens
from tokbench.statistics import EncodedText
from tokbench.text.syntax import CODE, STRING, names_of, syntax_of
from tokbench.tokenizers.text.adapter import TextTokenizer
from tokbench.tokenizers.text.baselines import Bytes, Words

pytest.importorskip("tree_sitter_python", reason="needs the extra `code`")

WHITE = b" \t\n\r\f\v"
LETTERS = tuple("abcdefghijklmnopqrstuvwxyzSHTP_:()[]{},.=!<>-+*/'\"#\n\r\t 0123456789")
SNIPPET = """\
import os

def toSnake(HTTPServer, my_var=10):
\tif my_var != 0 and HTTPServer:
\t\treturn {"a b": -my_var ** 2}  # note
    
def g(x):
        s = '''two
    lines'''
        return f"{x!r} é" + s
"""  # noqa: W293


def python(*texts: str) -> dict[str, list[str]]:
    return {"": list(texts)}


def column(tokenizer: TextTokenizer, statistic: str, name: str, *texts: str) -> list[int]:
    part = evidence_of(tokenizer, python(*texts), [f"{statistic}?language=python"])
    return part.columns[f"python-{name}"].tolist()


def kinds_of(text: str) -> list[tuple[str, str]]:
    batch = batch_of([text])
    syntax = syntax_of(batch, [""], "python")
    raw = batch.data.tobytes()
    return [
        (raw[a:b].decode(), CODE[k])
        for a, b, k in zip(syntax.starts, syntax.stops, syntax.kinds, strict=True)
    ]


def test_leaves_and_their_constructs() -> None:
    assert kinds_of("def f(x=1.5):\n    return 'a\\n' != f\"b{x}\"  # c\n") == [
        ("def", "keyword"), ("f", "identifier"), ("(", "punctuation"), ("x", "identifier"),
        ("=", "operator"), ("1.5", "number"), (")", "punctuation"), (":", "punctuation"),
        ("return", "keyword"), ("'a\\n'", "string"), ("!=", "operator"), ('f"b', "string"),
        ("{", "punctuation"), ("x", "identifier"), ("}", "punctuation"), ('"', "string"),
        ("# c", "comment"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("javascript", "let a = b?.c === /r+/g; // d", "keyword identifier operator identifier "
         "operator identifier operator string punctuation comment"),
        ("c", "int *p = a->b + 'c'; /* d */", "keyword operator identifier operator identifier "
         "operator identifier operator string punctuation comment"),
        ("cpp", "auto x = std::y<int>(0x1f);", "keyword identifier operator identifier operator "
         "identifier operator keyword operator punctuation number punctuation punctuation"),
        ("go", 'package p\nvar s = "a\\n" // c', "keyword identifier keyword identifier operator "
         "string comment"),
        ("java", "class A { int f = 1 >= 2; }", "keyword identifier punctuation keyword "
         "identifier operator number operator number punctuation punctuation"),
        ("rust", "fn f(mut a: &str) {} // c", "keyword identifier punctuation keyword identifier "
         "punctuation operator keyword punctuation punctuation punctuation comment"),
    ],
)  # fmt: skip
def test_other_languages_have_the_same_constructs(language: str, text: str, expected: str) -> None:
    syntax = syntax_of(batch_of([text]), [""], language)
    assert [CODE[kind] for kind in syntax.kinds] == expected.split()


STDLIB = ["textwrap", "json.decoder", "dataclasses", "argparse", "heapq", "ast"]


def module_text(name: str) -> str:
    import importlib

    return Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="tokenize gives f-strings in pieces")
@pytest.mark.parametrize("name", STDLIB)
def test_constructs_agree_with_pythons_tokenize(name: str) -> None:
    text = module_text(name)
    raw = text.encode()
    lines = [0]
    for line in io.BytesIO(raw):
        lines.append(lines[-1] + len(line))
    wanted = ["" for _ in raw]
    for token in tokenize.tokenize(io.BytesIO(raw).readline):
        if token.type in (tokenize.ENCODING, tokenize.ENDMARKER) or not token.string.strip():
            continue
        (a, i), (b, j) = token.start, token.end
        i = len(text.split("\n")[a - 1][:i].encode())
        j = len(text.split("\n")[b - 1][:j].encode())
        prefix = token.string[:2].partition(token.string.lstrip("rbfuRBFU")[:1] or "'")[0].lower()
        kind = {
            tokenize.NUMBER: "number", tokenize.COMMENT: "comment", tokenize.OP: "mark",
            tokenize.NAME: "keyword" if keyword.iskeyword(token.string) else "identifier",
            tokenize.STRING: "?" if "f" in prefix else "string",
        }[token.type]  # fmt: skip
        if kind == "identifier" and keyword.issoftkeyword(token.string):
            kind = "?"
        for place in range(lines[a - 1] + i, lines[b - 1] + j):
            wanted[place] = kind
    batch = batch_of([text])
    syntax = syntax_of(batch, [""], "python")
    assert syntax.parsed.all()
    found = ["" for _ in raw]
    for a, b, k in zip(syntax.starts - 1, syntax.stops - 1, syntax.kinds, strict=True):
        kind = "mark" if CODE[k] in ("operator", "punctuation") else CODE[k]
        found[a:b] = [kind] * (b - a)
    differ = [
        (place, raw[place : place + 20], wanted[place], found[place])
        for place in range(len(raw))
        if wanted[place] not in ("?", found[place]) and raw[place] not in WHITE + b"\\"
    ]
    assert not differ


@pytest.mark.parametrize("name", STDLIB)
def test_nodes_agree_with_pythons_ast(name: str) -> None:
    text = module_text(name)
    lines = [1]  # of the batch's buffer
    for line in io.BytesIO(text.encode()):
        lines.append(lines[-1] + len(line))
    batch = batch_of([text])
    syntax = syntax_of(batch, [""], "python")
    spans = set(zip(syntax.inner_starts.tolist(), syntax.inner_stops.tolist(), strict=True))
    wanted = [
        (lines[n.lineno - 1] + n.col_offset, lines[n.end_lineno - 1] + n.end_col_offset)
        for n in ast.walk(ast.parse(text))
        if isinstance(n, (ast.Call, ast.Attribute, ast.Subscript, ast.BinOp, ast.Return, ast.If))
    ]
    there = [span in spans for span in wanted]
    assert len(there) > 100
    # Nodes of f-strings have other positions, and a bare `return` is a leaf of tree-sitter's.
    assert np.mean(there) > 0.97


def reference(tokenizer: TextTokenizer, text: str) -> dict[str, int]:
    """The syntax columns of one text, token by token and node by node."""
    batch = batch_of([text])
    encoded = EncodedText(tokenizer, batch, tokenizer.encode(batch.texts), [""])
    syntax = syntax_of(batch, [""], "python")
    raw, spans = batch.data.tobytes(), encoded.spans
    tokens = [(a, b) for a, b in zip(spans.starts.tolist(), spans.stops.tolist(), strict=True)]
    tokens = [(a, b) for a, b in tokens if b > a]
    edges = {a for a, _ in tokens}
    leaves = list(
        zip(syntax.starts.tolist(), syntax.stops.tolist(), syntax.kinds.tolist(), strict=True)
    )

    def starts_there(place: int) -> bool:
        while place not in edges and raw[place - 1] in WHITE and place > 1:
            place -= 1
        return place in edges

    def ends_there(place: int) -> bool:
        while place < len(raw) and place not in edges and raw[place] in WHITE:
            place += 1
        return place == len(raw) or place in edges

    def trimmed(stop: int) -> int:
        while raw[stop - 1] in WHITE:
            stop -= 1
        return stop

    found: dict[str, int] = {}

    def count(name: str, value: int = 1) -> None:
        found[name] = found.get(name, 0) + value

    leaves = [(a, trimmed(b), kind) for a, b, kind in leaves]
    for a, b, kind in leaves:
        cuts = [p for p in range(a + 1, b) if p in edges]
        both = starts_there(a) and ends_there(b)
        count("leaf")
        count("leaf-start", starts_there(a))
        count("leaf-end", ends_there(b))
        count("leaf-both", both)
        count("leaf-whole", both and not cuts)
        count("cuts-leaf", len(cuts))
        if CODE[kind] == "identifier":
            name = raw[a:b].decode()
            borders = [
                p
                for p in range(1, len(name))
                if (name[p - 1] == "_") != (name[p] == "_")
                or (name[p].isupper() and (name[p - 1].islower() or name[p - 1].isdigit()))
                or (name[p - 1 : p + 1].isupper() and name[p + 1 : p + 2].islower()
                    and name[p - 1].isalpha() and name[p].isalpha())
            ]  # fmt: skip
            count("identifiers")
            count("identifiers-tokens", len(cuts) + 1)
            count("identifiers-borders", len(borders))
            count("identifiers-cut-borders", sum(p - a in borders for p in cuts))
        if CODE[kind] == "operator" and b - a > 1:
            count("operators-multi")
            count("operators-multi-isolated", both and not cuts)
            count("operators-glued", not both)
    for a, b in zip(syntax.inner_starts.tolist(), syntax.inner_stops.tolist(), strict=True):
        count("inner")
        count("inner-both", starts_there(a) and ends_there(b))
    owner = {}
    for number, (a, b, _) in enumerate(leaves):
        owner |= dict.fromkeys(range(a, b), number)
    for a, b in tokens:
        dark = [p for p in range(a, b) if raw[p] not in WHITE]
        if dark:
            count("dark-tokens")
            count("glued-tokens", any(p in owner and owner[p] != owner.get(dark[0])
                                      and p == leaves[owner[p]][0] for p in dark[1:]))  # fmt: skip
    return found


PIECES = (*LETTERS, "é", "my_", "_var", " HTTP", "Server", "!=", " **", "**", "):\n", "def to",
          "Snake(", "return", "\t\t", "    ", '"a', " b", " f\"", "'''")  # fmt: skip


@pytest.mark.parametrize("tokenizer", [Greedy(PIECES), Bytes(), Words()], ids=["greedy", "b", "w"])
@pytest.mark.parametrize("text", [SNIPPET, SNIPPET.replace("\n", "\r\n"), "x = 1"])
def test_columns_agree_with_the_slow_reference(tokenizer: TextTokenizer, text: str) -> None:
    part = evidence_of(tokenizer, python(text), ["syntax?language=python"])
    wanted = reference(tokenizer, text)
    assert wanted["leaf"] > 2
    assert {name: int(part.columns[f"python-{name}"][0]) for name in wanted} == wanted


@pytest.mark.parametrize(
    "name", ["gpt2.tokenizer.json", "cl100k_base.tiktoken", "bert-base-cased.tokenizer.json"]
)
def test_columns_of_real_vocabularies_agree_with_the_slow_reference(name: str, real) -> None:
    text = module_text("textwrap")
    part = evidence_of(real(name), python(text), ["syntax?language=python"])
    wanted = reference(real(name), text)
    found = {key: int(part.columns[f"python-{key}"][0]) for key in wanted}
    if "bert" in name:  # it loses no text here, but white space belongs to no token
        wanted.pop("dark-tokens"), found.pop("dark-tokens")
    assert found == wanted


def test_alignment_by_hand() -> None:
    # x| !=| y|\n: three leaves, and the comparison is the inner node (as its statement).
    found = scores_of(
        SyntaxAlignment(language="python"), Greedy((*LETTERS, " !=", " y")), python("x != y\n")
    )
    assert found["syntax-alignment"].value == 1
    assert found["syntax-alignment/leaf-whole"].value == 1
    assert found["syntax-alignment/inner-both"].value == 1
    assert found["syntax-alignment/cuts-in-leaves"].value == 0
    # x !|=| y\n: x starts, y starts and ends, `!=` ends; a boundary of two is inside a leaf.
    found = scores_of(
        SyntaxAlignment(language="python"), Greedy((*LETTERS, "x !", " y\n")), python("x != y\n")
    )
    assert found["syntax-alignment/leaf-start"].value == pytest.approx(2 / 3)
    assert found["syntax-alignment/leaf-end"].value == pytest.approx(2 / 3)
    assert found["syntax-alignment"].value == pytest.approx(1 / 3)
    assert found["syntax-alignment/cuts-in-leaves"].value == 1 / 2
    assert found["syntax-alignment/glued-tokens"].value == 1 / 3


def test_bytes_respect_every_node_and_cut_every_leaf() -> None:
    found = scores_of(SyntaxAlignment(language="python"), Bytes(), python(SNIPPET))
    for facet in ("leaf-start", "leaf-end", "inner-start", "inner-end", "inner-both"):
        assert found[f"syntax-alignment/{facet}"].value == 1
    assert found["syntax-alignment/cuts-in-leaves"].value > 0.4
    assert found["syntax-alignment/glued-tokens"].value == 0


def test_identifiers_by_hand() -> None:
    # my_|var|Name: borders my|_|var|Name, cuts after my_ and var, both on borders; f|oo is not.
    greedy = Greedy((*LETTERS, "my_", "var", "Name", "oo"))
    found = scores_of(IdentifierTokens(language="python"), greedy, python("my_varName = foo\n"))
    assert found["identifier-tokens"].value == (3 + 2) / 2
    assert found["identifier-tokens/uncut"].value == 0
    assert found["identifier-tokens/cuts-at-borders"].value == pytest.approx(2 / 3)
    assert found["identifier-tokens/borders-cut"].value == pytest.approx(2 / 3)


def test_borders_between_sub_words() -> None:
    def shown(name: str) -> str:
        at = np.flatnonzero(word_borders(np.frombuffer(name.encode(), np.uint8)))
        ends = [0, *at.tolist(), len(name)]
        return "|".join(name[a:b] for a, b in pairwise(ends))

    assert shown("HTTPServer") == "HTTP|Server"
    assert shown("toSnake2Case") == "to|Snake2|Case"
    assert shown("__init__") == "__|init|__"
    assert shown("a_b") == "a|_|b"
    assert shown("URL") == "URL"


def test_operators_by_hand() -> None:
    # a| !=| b is isolated, c|**|d too; e|-|>… is not valid, so x|!|= y is the cut one.
    greedy = Greedy((*LETTERS, " !=", "**", "==b"))
    text = "a != b\nc**d\na<=b\na==b\n"
    found = scores_of(OperatorIsolation(language="python"), greedy, python(text))
    assert found["operator-isolation"].value == 2 / 4
    assert found["operator-isolation/uncut"].value == 3 / 4  # <|= is cut
    assert found["operator-isolation/glued"].value == 1 / 4  # ==b
    assert found["operator-isolation/single-character"].value is None


def test_constructs_by_hand() -> None:
    # ab |= 'c|d' |# e|\n: white space goes with the rest; `= '` ties and is its first byte's.
    greedy = Greedy(("ab", " = '", "cd'", " #", " e", "\n"))
    text = "ab = 'cd' # e\n"
    found = scores_of(ConstructBytes(language="python"), greedy, python(text))
    value = {name: score.value for name, score in found.items()}
    assert value["construct-bytes/identifier"] == 2 / 1
    assert value["construct-bytes/operator"] == 1 / 1
    assert value["construct-bytes/string"] == 4 / 1
    assert value["construct-bytes/comment"] == 3 / 2
    assert value["construct-bytes/whitespace"] == 4 / 1  # three blanks ride along
    shares = scores_of(ConstructTokens(language="python"), greedy, python(text))
    assert sum(score.value or 0 for score in shares.values()) == pytest.approx(1)
    assert shares["construct-tokens/comment"].value == 2 / 6


def test_construct_bytes_and_tokens_add_up_to_all() -> None:
    part = evidence_of(
        Greedy(PIECES), python(SNIPPET), ["constructs?language=python", "size", "tokens"]
    )
    for what, total in (("bytes", "bytes"), ("tokens", "tokens")):
        parts = [int(part.columns[f"python-{name}-{what}"][0]) for name in CODE]
        assert sum(parts) == int(part.columns[total][0])
    tabs = int(part.columns["python-indentation-bytes"][0])
    assert tabs == 1 + 2 + 8 + 8  # not the blanks inside the string or of the empty line


def test_json_and_logs_by_hand() -> None:
    text = '{"a b": [12.5, "x"], "c": null}'
    found = scores_of(ConstructBytes(language="json"), Bytes(), {"": [text]})
    assert all(score.value in (1, None) for score in found.values())
    part = evidence_of(Bytes(), {"": [text, "{broken"]}, ["constructs?language=json"])
    sizes = {n: part.columns[f"json-{n}-bytes"].tolist() for n in names_of("json")}
    assert sizes == {
        "key": [8, 0], "string": [3, 0], "number": [4, 0], "literal": [4, 0],
        "punctuation": [8, 0], "whitespace": [4, 0],
    }  # fmt: skip
    assert part.columns["json-parsed"].tolist() == [1, 0]
    line = "2031-04-09T17:26:53.118Z INFO took 42ms id=0x7f from 10.0.0.1"
    part = evidence_of(Bytes(), {"": [line]}, ["constructs?language=log"])
    sizes = {n: int(part.columns[f"log-{n}-bytes"][0]) for n in names_of("log")}
    assert sizes == {
        "timestamp": 24, "hex-id": 4, "number": 2 + 8, "word": 4 + 4 + 2 + 2 + 4,
        "punctuation": 1, "whitespace": 6,
    }  # fmt: skip


def test_equal_indentation_that_is_cut_differently() -> None:
    # Four blanks: [4] twice, [2, 2] where `if` follows (greedy takes "  i"); tabs once.
    greedy = Greedy((*LETTERS, "    ", "  if", "  "))
    lines = ["if a:", "    b", "    c", "if a:", "\tb"]
    found = scores_of(IndentationConsistency(language="python"), greedy, python("\n".join(lines)))
    assert found["indentation-consistency"].value == 1
    lines[2] = "    if b: c"
    greedy = Greedy((*LETTERS, "    ", "    if", "  "))
    found = scores_of(IndentationConsistency(language="python"), greedy, python("\n".join(lines)))
    assert found["indentation-consistency"].value == pytest.approx(2 / 3)


def test_indentation_tokens_against_depth() -> None:
    text = "if a:\n    if b:\n        c\n    d\nif e:\n    f\n    # g\n\n    '''s\n    t'''\n"
    greedy = Greedy((*LETTERS, "    "))
    depths, tokens = [1, 2, 1, 1, 1, 1], [1, 2, 1, 1, 1, 1]
    found = scores_of(IndentationTokens(language="python"), greedy, python(text))
    assert found["indentation-tokens"].value == sum(tokens) / len(tokens)
    assert found["indentation-tokens/per-level"].value == 1
    assert found["indentation-tokens/spearman"].value == pytest.approx(1)
    assert found["indentation-tokens/depth-2"].value == 2
    # With blanks that go with the word, and one piece for any indentation: no correlation.
    greedy = Greedy((*LETTERS, "       ", " c", "   ", " i", " d", " f", " #", " '''"))
    found = scores_of(IndentationTokens(language="python"), greedy, python(text))
    assert found["indentation-tokens"].value == 1
    assert found["indentation-tokens/spearman"].value is None
    assert "as many tokens" in found["indentation-tokens/spearman"].note
    found = scores_of(IndentationTokens(language="python"), Bytes(), python(text))
    widths = [4, 8, 4, 4, 4, 4]
    assert found["indentation-tokens"].value == sum(widths) / 6
    assert found["indentation-tokens/spearman"].value == pytest.approx(spearmanr(depths, widths)[0])


@pytest.mark.parametrize("metric", [IndentationConsistency, IndentationTokens])
def test_a_tokenizer_that_drops_white_space_is_refused_and_not_perfect(metric, real) -> None:
    bert = real("bert-base-cased.tokenizer.json")
    found = scores_of(metric(language="python"), bert, python("if a:\n    b\n    c\n"))
    assert all(score.value is None and "no token holds" in score.note for score in found.values())


ALL = [
    ConstructBytes, ConstructTokens, SyntaxAlignment, IdentifierTokens, OperatorIsolation,
    IndentationConsistency, IndentationTokens,
]  # fmt: skip


@pytest.mark.parametrize("metric", ALL)
def test_what_does_not_parse_is_left_out_and_counted(metric) -> None:
    broken = "def (:\n    x !=\n"
    whole = scores_of(metric(language="python"), Bytes(), python(SNIPPET, SNIPPET))
    part = scores_of(metric(language="python"), Bytes(), python(SNIPPET, broken, SNIPPET))
    for name, score in part.items():
        if name.endswith("/parsed"):
            assert score.value == pytest.approx(2 / 3)
            assert score.note.startswith("1 of 3 samples left out")
        else:
            assert (score.value, score.n) == (whole[name].value, whole[name].n)
    none = scores_of(metric(language="python"), Bytes(), python(broken))
    none = {name: score for name, score in none.items() if not name.endswith("/parsed")}
    assert all(s.value is None and "no sample parses" in s.note for s in none.values())


@pytest.mark.parametrize("metric", ALL)
def test_groups_that_name_no_language_are_refused(metric) -> None:
    groups = {"python": [SNIPPET], "js": ["let a = b !== 1;\nif (a) {\n  b();\n}"], "eng": ["a b"]}
    found = scores_of(metric(), Bytes(), groups, parallel=False)
    refused = [score for name, score in found.items() if name.endswith("/eng")]
    assert refused
    assert all(s.value is None and "'eng' names no language" in s.note for s in refused)
    assert all(s.value is not None for n, s in found.items() if n.endswith("identifier/js"))


@pytest.mark.parametrize("metric", ALL)
def test_a_metric_explains_itself(metric) -> None:
    done = called("show", metric.name)
    assert done.code == 0
    assert "language" in done.out


def test_string_pieces_are_one_leaf() -> None:
    assert kinds_of("'' + b'\\x00a'") == [
        ("''", "string"), ("+", "operator"), ("b'\\x00a'", "string")
    ]  # fmt: skip
    assert CODE[STRING] == "string"


def test_an_unknown_language_is_refused_in_one_line(tmp_path: Path) -> None:
    task = tmp_path / "t.toml"
    task.write_text(
        'name = "t"\ntitle = ""\nmodality = "text"\ndataset = "python-stdlib"\nmain = "x"\n'
        'metrics = [{ name = "identifier-tokens", options = { language = "pyton" } }]\n'
    )
    done = called("eval", "bytes", "--task", task, "--out", tmp_path / "runs")
    assert done.code == 2
    assert "no language 'pyton'; did you mean 'python'?" in done.err
    assert not (tmp_path / "runs").exists()


def test_a_missing_grammar_is_one_line_with_the_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokbench.text.syntax import _grammar

    _grammar.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter_python", None)
    done = called("eval", "bytes", "--task", "code", "--out", tmp_path / "runs")
    _grammar.cache_clear()
    assert done.code == 2
    assert "pip install 'tokbench[code]'" in done.err
    assert not list((tmp_path / "runs").glob("*"))
