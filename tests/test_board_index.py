"""The index of a leaderboard is the leaderboard, whatever happens to files and cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mocks.board import made_up, many, written
from pandas.testing import assert_frame_equal

from tokbench import board_index
from tokbench.board_index import index
from tokbench.errors import UserError
from tokbench.leaderboard import frame, records


@pytest.fixture
def board(tmp_path: Path) -> Path:
    silent = made_up("silent", values={"premium/mean": None})
    return written(tmp_path / "board", [*many(6, ("numbers", "parallel-mini")), silent])


def right(board: Path) -> None:
    """The index says what the files say."""
    for task in (None, "numbers"):
        assert_frame_equal(index(board, task).frame(), frame(records(board, task)))


def test_cold_and_warm_it_is_the_frame_of_the_records(board: Path) -> None:
    right(board)
    right(board)


def test_a_warm_index_parses_nothing(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_index, "SETTLED", -(10**18))
    index(board)
    monkeypatch.setattr(board_index, "record_of", lambda *_: [][1])
    monkeypatch.setattr(board_index, "read_bytes", lambda *_: [][1])
    assert len(index(board).entries) == 7


def test_a_change_of_the_same_size_and_time_is_seen(board: Path) -> None:
    index(board)
    path = next(board.glob("numbers/*.json"))
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content.replace(b'"tokenizer": "made-up-', b'"tokenizer": "made-op-'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    right(board)
    assert index(board).frame()["tokenizer"].str.startswith("made-op").any()


def test_what_comes_and_goes_is_seen(board: Path) -> None:
    index(board)
    next(board.glob("numbers/*.json")).unlink()
    right(board)
    written(board, [made_up("new", task="a-task")])
    right(board)
    for path in board.glob("*/*.json"):
        path.unlink()
    assert index(board).entries == []


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"x" * 1000])
def test_a_damaged_cache_is_made_anew(board: Path, cache: Path, content: bytes) -> None:
    index(board)
    for file in (cache / "leaderboards").iterdir():
        file.write_bytes(content)
    right(board)


def test_a_cut_off_cache_is_made_anew(board: Path, cache: Path) -> None:
    index(board)
    for file in (cache / "leaderboards").iterdir():
        file.write_bytes(file.read_bytes()[:-100])
    right(board)


def test_a_record_that_is_none_is_named(board: Path) -> None:
    index(board)
    path = next(board.glob("numbers/*.json"))
    path.write_text("{")
    with pytest.raises(UserError, match=path.name):
        index(board)
