"""Numbers as people read them, and columns of them."""

from __future__ import annotations

import pytest

from tokbench import tables


@pytest.mark.parametrize(
    "low, high, shown",
    [
        (2.25, 2.496, "2.250 … 2.496"),
        (1.874, 2.00001, "1.874 … 2.000"),
        (-0.9432, 12.61, "-0.94 … 12.61"),
        (0.0, 0.02312, "0 … 0.02312"),  # nothing at all is exact
        (998.2, 1012.3, "998 … 1,012"),
        (1e-5, 0.25, "1e-05 … 0.2500"),
        (1.0, None, ""),
    ],
)
def test_ends_of_an_interval_have_as_many_decimals(
    low: float, high: float | None, shown: str
) -> None:
    assert tables.interval(low, high) == shown


def test_a_difference_has_its_sign_and_no_power_of_ten() -> None:
    assert [tables.signed(value) for value in (10_809.0, 0.5, 0.0, -0.04491)] == [
        "+10,809", "+0.5000", "+0", "-0.04491",
    ]  # fmt: skip


def test_padding_is_what_a_number_lacks_of_the_longest_fraction() -> None:
    column = ["1", "10.52", "0.007357", "4,902", "—", "none"]
    assert tables.padding(column) == [".000000", "0000", "", ".000000", ".000000", ""]
    assert tables.padding(["1", "20"]) == ["", ""]
    assert tables.padding([]) == []


def test_points_of_a_printed_column_stand_below_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [["a", "1"], ["b", "10.52"], ["c", "0.007357"], ["d", "4,902"]]
    tables.emit(["name", "value"], rows, "table", right=[1])
    lines = capsys.readouterr().out.splitlines()[2:]
    ends = [line.index(".") if "." in line else len(line.rstrip()) for line in lines]
    assert len(set(ends)) == 1
    tables.emit(["name", "value"], rows, "csv", right=[1])
    assert capsys.readouterr().out.splitlines()[1] == "a,1"
