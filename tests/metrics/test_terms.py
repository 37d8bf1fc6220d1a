"""Terms of a domain, and the generated JSON and logs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mocks.command import called
from mocks.evidence import evidence_of, pieces_of, scores_of
from mocks.greedy import Greedy

from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.generated_json import RECORDS
from tokbench.generated_logs import LINES
from tokbench.metrics.text.constructs import ConstructBytes
from tokbench.metrics.text.terms import TermTokens
from tokbench.text.lexical import json_leaves
from tokbench.tokenizers.text.baselines import Bytes


def texts_of(name: str) -> dict[str, list[str]]:
    return {part.group: list(part.samples()) for part in open_dataset(name).parts}


def test_tokens_of_terms_by_hand() -> None:
    groups = {"greetings": ["hello", "hello world"], "letters": ["ab", "abab", "b"]}
    found = scores_of(TermTokens(), Greedy(), groups, parallel=False)
    assert found["term-tokens"].value == (1 + 2 + 1 + 2 + 1) / 5
    assert found["term-tokens/greetings"].value == 3 / 2
    assert found["term-tokens/whole"].value == 3 / 5
    assert found["term-tokens/whole/letters"].value == 2 / 3


def test_the_most_fragmented_terms_are_shown_with_their_cuts() -> None:
    terms = ["hello", "hello!", "a,a,a,a", "b,b", "ab,ab,ab", "a!", "b!", "ab!a!", "hello,hello"]
    for size in (len(terms), 1, 4):
        pieces = pieces_of(Greedy(), {"mine": terms}, ["terms"], size)
        examples = Evidence.joined(pieces).examples
        assert [e.note for e in examples] == [
            "7 tokens: a|,|a|,|a|,|a", "3 tokens: b|,|b", "5 tokens: ab|,|ab|,|ab",
            "4 tokens: ab|!|a|!", "3 tokens: hello|,|hello",
        ]  # fmt: skip


def test_six_domains_of_about_sixty_terms() -> None:
    groups = texts_of("domain-terms")
    assert set(groups) == {
        "biomedical", "code", "computing-logs", "financial", "legal", "mathematics",
    }  # fmt: skip
    for terms in groups.values():
        assert 55 <= len(terms) == len(set(terms)) <= 70
        assert all(term == term.strip() for term in terms)


def test_the_command_shows_a_term_of_each_domain(tmp_path: Path) -> None:
    done = called("eval", "bytes", "--task", "domain-terms", "--out", tmp_path)
    assert done.code == 0
    assert len(re.findall(r"^most fragmented [a-z-]+: \d+ tokens: ", done.out, re.M)) == 6


def test_records_are_json_that_the_lexer_covers() -> None:
    groups = texts_of("json-records")
    assert [len(texts) for texts in groups.values()] == [RECORDS] * 6
    for kind, texts in groups.items():
        assert len(set(texts)) > RECORDS * 0.9, kind
        for text in texts:
            leaves = json_leaves(text.encode())
            assert leaves is not None
            dark = bytearray(text.encode())
            for start, stop, _ in leaves:
                dark[start:stop] = b" " * (stop - start)
            assert not dark.strip()  # every byte that is not white space is in a leaf
            keys = re.findall(r"'key'", str([("key",) for leaf in leaves if leaf[2] == 0]))
            assert len(keys) == count_keys(json.loads(text))


def count_keys(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(count_keys, value.values()))
    return sum(map(count_keys, value)) if isinstance(value, list) else 0


def test_logs_hold_what_the_metric_tells_apart() -> None:
    groups = texts_of("server-logs")
    assert [len(texts) for texts in groups.values()] == [LINES] * 6
    found = scores_of(ConstructBytes(language="log"), Bytes(), groups, parallel=False)
    assert all(found[f"construct-bytes/timestamp/{kind}"].value == 1 for kind in groups if kind)
    part = evidence_of(Bytes(), groups, ["constructs?language=log", "size"])
    columns = part.columns
    names = ("timestamp", "hex-id", "number", "word", "punctuation", "whitespace")
    total = sum(int(columns[f"log-{name}-bytes"].sum()) for name in names)
    assert total == int(columns["bytes"].sum())
    stamps = int(columns["log-timestamp-bytes"].sum())
    assert stamps > 0.1 * total


@pytest.mark.parametrize("task", ["json-records", "server-logs"])
def test_their_tasks_run(task: str, tmp_path: Path) -> None:
    done = called("eval", "bytes", "--task", task, "--limit", 5, "--out", tmp_path)
    assert done.code == 0
    assert "construct-bytes/number" in done.out
    assert "construct-bytes/number/" not in done.out  # groups only with --full


def test_a_folder_of_source_code_has_languages_as_groups(tmp_path: Path) -> None:
    (tmp_path / "deep" / ".git").mkdir(parents=True)
    (tmp_path / "one.py").write_text("x = 1\n\ny = 2\n")
    (tmp_path / "deep" / "two.py").write_text("z = 3\n")
    (tmp_path / "deep" / "a.rs").write_text("fn main() {}\n")
    (tmp_path / "deep" / ".git" / "hidden.py").write_text("no\n")
    dataset = open_dataset(str(tmp_path))
    assert dataset.groups == ["python", "rust"]
    assert not dataset.parallel
    assert sorted(dataset.parts[0].samples()) == ["x = 1\n\ny = 2\n", "z = 3\n"]
    alone = open_dataset(str(tmp_path / "one.py"))
    assert alone.groups == ["python"]


def test_source_code_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = '\xe9'\n")
    with pytest.raises(UserError, match=r"a\.py: byte 5: 0xe9 is not valid UTF-8"):
        list(open_dataset(str(tmp_path)).parts[0].samples())


def test_code_in_several_languages_from_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("tree_sitter_go", reason="needs the extra `code`")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.go").write_text("package a\n\nfunc F() int {\n\treturn 1\n}\n")
    (tmp_path / "src" / "b.js").write_text("function g(x) {\n  return x !== 1;\n}\n")
    done = called(
        "eval", "bytes", "--task", "code-languages", "--data", tmp_path / "src",
        "--out", tmp_path / "runs", "--format", "json",
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = json.loads(done.out)["records"]
    scores = {score["name"]: score["value"] for score in record["scores"]}
    assert scores["construct-bytes/identifier/go"] == 1
    assert scores["operator-isolation/javascript"] == 0  # !== is three tokens
    assert scores["operator-isolation/go"] is None
