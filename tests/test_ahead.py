"""Reading ahead: one slice and no more, the same record, errors where they would have been."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from mocks.archives import shard
from mocks.images import picture

from tokbench.ahead import read_ahead
from tokbench.bench import Job, open_bench
from tokbench.errors import UserError
from tokbench.evidence import Evidence
from tokbench.image.pictures import save_png
from tokbench.task import Task


def test_the_next_is_read_while_this_one_is_worked_on() -> None:
    begun = [threading.Event() for _ in range(4)]

    def read(number: int) -> int:
        begun[number].set()
        return number * number

    found: list[int] = []
    for place, square in enumerate(read_ahead(read, range(4))):
        assert all(event.wait(5) for event in begun[: place + 2])
        assert not any(event.is_set() for event in begun[place + 2 :])
        found.append(square)
    assert found == [0, 1, 4, 9]


@pytest.mark.parametrize("ahead", [True, False])
def test_an_error_comes_in_its_turn(ahead: bool) -> None:
    def read(number: int) -> int:
        if number == 2:
            raise UserError("torn")
        return number

    values = read_ahead(read, range(5), ahead)
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(UserError, match="torn"):
        next(values)


def test_who_stops_early_leaves_no_thread() -> None:
    values = read_ahead(lambda number: number, range(9))
    assert next(values) == 0
    values.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("read-ahead")]


def evidence(path: Path, ahead: bool) -> Evidence:
    """Of pictures in slices of two."""
    task = Task("t", "", "image", "photos-mini", ["psnr"], "psnr")
    bench = open_bench(Job("jpeg:30", task, str(path)))
    bench.ahead = ahead
    [part] = bench.dataset.parts
    pieces = tuple(part.slices(0, 2, 1 << 20, None))
    assert len(pieces) > 2
    found = bench.evidence(pieces)
    assert found.seconds["read"] > 0
    found.seconds = {}
    return found


def test_the_same_numbers_and_failures(tmp_path: Path) -> None:
    files = {f"{n}.png": save_png(picture(n)) for n in range(9)}
    files["3.png"], files["6.png"] = files["3.png"][:90], b"no picture"
    path = shard(tmp_path / "0.tar", files)
    one, other = (evidence(path, ahead) for ahead in (True, False))
    assert one.rows == 7 and sum(failure.count for failure in one.failures.values()) == 2
    assert one.failures == other.failures and one.index.tolist() == other.index.tolist()
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name])


def test_an_archive_cut_while_it_is_read(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", {f"{n}.png": save_png(picture(n)) for n in range(9)})
    content = path.read_bytes()
    for ahead, stop in itertools.product((True, False), (0.3, 0.42, 0.5, 0.6)):
        path.write_bytes(content)
        task = Task("t", "", "image", "photos-mini", ["psnr"], "psnr")
        bench = open_bench(Job("identity", task, str(path)))
        bench.ahead = ahead
        pieces = tuple(bench.dataset.parts[0].slices(0, 2, 1 << 20, None))
        path.write_bytes(content[: int(len(content) * stop)])
        with pytest.raises(UserError, match="not a readable tar"):
            bench.evidence(pieces)
