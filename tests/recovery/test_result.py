"""A recovery that has lost a row does not count as good, whatever the runbook says."""

from __future__ import annotations

import pytest

from tests.recovery.drill import counts, fewer
from tests.recovery.result import Result, counted, table

EMPTY = Result("a table was dropped", "-e from=time")
COMMITTED = {("inbox", "m1"), ("bookings", "m1")}


def test_what_was_committed_before_the_point_is_looked_for_and_what_came_later_is_counted() -> None:
    there = COMMITTED | {("inbox", "m2"), ("inbox", "m9")}
    found = counted(EMPTY, {"m1", "m2"}, {"m3", "m9"}, COMMITTED, there)
    assert (found.acknowledged, found.missing, found.rows, found.rows_missing) == (2, 0, 2, 0)
    assert found.later == 1
    assert found.good


@pytest.mark.parametrize(
    ("acknowledged", "committed", "there"),
    [
        ({"m1", "m2"}, COMMITTED, COMMITTED),
        ({"m1"}, COMMITTED, {("inbox", "m1")}),
        (set(), COMMITTED, COMMITTED),
        ({"m1"}, set(), COMMITTED),
    ],
)
def test_a_lost_message_or_row_or_nothing_to_lose_is_not_good(
    acknowledged: set[str], committed: set[tuple[str, str]], there: set[tuple[str, str]]
) -> None:
    found = counted(EMPTY, acknowledged, set(), committed, there)
    assert not found.good
    assert "**FAILED**" in table([found])


def test_what_else_is_wrong_is_not_good() -> None:
    good = counted(EMPTY, {"m1"}, set(), COMMITTED, COMMITTED)
    assert good.but("", "").good
    assert "FAILED" not in table([good])
    assert not good.but("", "it says UNCHANGED").good


def test_a_drill_that_counts_fewer_rows_than_were_committed_is_told() -> None:
    said = "  because rows: bookings 1,234, inbox 2\n  took    drill 0:11"
    assert counts(said) == {"bookings": 1234, "inbox": 2}
    assert counts("no such line") == {}
    committed = {("inbox", "m1"), ("inbox", "m2"), ("bookings", "m1")}
    assert fewer(committed, counts(said)) == []
    assert fewer(committed | {("inbox", "m3")}, counts(said)) == ["inbox: 2 of 3"]
    assert fewer(committed, {}) == ["bookings: 0 of 1", "inbox: 0 of 2"]
