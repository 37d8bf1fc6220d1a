"""Two implementations of one vocabulary, line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mocks.command import called, refused
from mocks.greedy import PIECES, Greedy

from tokbench.dataset import open_dataset
from tokbench.errors import UserError
from tokbench.parity import parity, way_of


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_text("hello world\n\nhello éab\nab, ab\n", encoding="utf-8")
    return path


def compared(a: Greedy, b: Greedy, path: Path):
    return parity(a, b, open_dataset(str(path)))


class Lax(Greedy):
    """The same vocabulary; cuts `ab` in two after a character of two bytes."""

    name = "lax"

    def _tokens(self, text: str) -> list[tuple[int, int, int]]:
        found = super()._tokens(text)
        if "é" in text:
            place = found.pop()[1]
            found += [(9, place, place + 1), (10, place + 1, place + 2)]
        return found


def test_a_tokenizer_equals_itself_by_ids(lines: Path) -> None:
    found = compared(Greedy(), Greedy(), lines)
    assert (found.way.by, found.lines, found.equal, found.first) == ("ids", 3, 3, None)


def test_the_first_difference_has_line_byte_and_tokens(lines: Path) -> None:
    found = compared(Greedy(), Lax(), lines)
    assert (found.lines, found.equal) == (3, 2)
    first = found.first
    assert (first.group, first.index, first.token, first.byte) == ("", 2, 3, 8)
    assert (first.a, first.b) == ("'ab' (11)", "'a' (9)")


def test_other_ids_are_compared_by_byte_boundaries(lines: Path) -> None:
    turned = Greedy(PIECES[::-1])
    assert "stand for other bytes" in way_of(Greedy(), turned).why
    found = compared(Greedy(), turned, lines)
    assert (found.way.by, found.equal) == ("boundaries", 3)
    finer = Greedy([piece for piece in PIECES[::-1] if piece != "ab"])
    first = compared(Greedy(), finer, lines).first
    assert (first.index, first.byte, first.a, first.b) == (2, 9, "'ab'", "'a'")


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match="no line has any text"):
        compared(Greedy(), Greedy(), tmp_path / "empty.txt")


def test_a_tokenizer_that_fails_is_refused_by_name(lines: Path) -> None:
    class Broken(Greedy):
        name = "broken"

        def encode(self, batch):
            raise ValueError("cannot say é")

    with pytest.raises(UserError, match="broken: cannot encode samples 0 to 3: cannot say é"):
        compared(Greedy(), Broken(), lines)


def test_the_command_exits_with_0_or_3(lines: Path) -> None:
    same = called("parity", "bytes", "bytes", "--data", lines)
    assert (same.code, same.err) == (0, "")
    assert "3 of 3 lines equal (100.0000%)" in same.out
    other = called("parity", "mocks.greedy:Greedy", "test_parity:Lax", "--data", lines)
    assert other.code == 3
    assert "first difference: line 2 (from 0), byte 8: 'ab' (11) in" in other.out
    found = json.loads(
        called("parity", "bytes", "codepoints", "--data", lines, "--format", "json").out
    )
    assert found["way"]["by"] == "boundaries"
    assert (found["lines"], found["equal"], found["first"]["index"]) == (3, 2, 2)
    assert found["first"]["byte"] == 7  # é is two tokens for one of them


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("parity bytes bytse", "did you mean 'bytes'?"),
        ("parity bytes bytes --data nowhere.txt", "no file, folder or dataset of that name"),
        ("parity bytes", "b"),
        ("parity bytes bytes --limit 0", "not a whole number above 0"),
    ],
)
def test_bad_input_gets_one_line(arguments: str, message: str) -> None:
    refused(called(*arguments.split()), message)


def found_on(data: object, *specs: Path) -> tuple[int, dict]:
    done = called("parity", *specs, "--data", data, "--format", "json")
    return done.code, json.loads(done.out)


def test_gpt2_in_two_libraries(shared: Path) -> None:
    specs = [shared / "tokenizers" / n for n in ("r50k_base.tiktoken", "gpt2.tokenizer.json")]
    for data, lines in (("parallel-mini", 1440), (shared / "text" / "mixed_input.txt", 120)):
        code, found = found_on(data, *specs)
        assert (code, found["first"]) == (0, None)
        assert found["equal"] == found["lines"] == lines
        assert found["way"]["by"] == "ids"


def test_mistral_in_two_libraries_differs_in_lines_that_begin_with_a_blank(shared: Path) -> None:
    # So do the reference ids in text/expected/{sentencepiece,tokenizers}-mistral03.txt.
    names = "mistral-v0.3.model", "mistral-v0.3.tokenizer.json"
    specs = [shared / "tokenizers" / name for name in names]
    code, found = found_on("parallel-mini", *specs)
    assert (code, found["equal"], found["lines"]) == (0, 1440, 1440)
    text = shared / "text" / "mixed_input.txt"
    code, found = found_on(text, *specs)
    assert (code, found["way"]["by"]) == (3, "ids")
    assert (found["lines"], found["equal"]) == (120, 109)
    first = found["first"]
    assert (first["index"], first["byte"]) == (7, 0)
    assert (first["a"], first["b"]) == ("' ' (29473)", "' d' (1049)")
    lines = text.read_text(encoding="utf-8").split("\n")
    assert lines[7].startswith(" d")
    expected = [
        (shared / "text" / "expected" / f"{kind}-mistral03.txt").read_text().splitlines()
        for kind in ("sentencepiece", "tokenizers")
    ]
    assert sum(x != y for x, y in zip(*expected, strict=True)) == 120 - 109
