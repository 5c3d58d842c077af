from __future__ import annotations

import pytest
from booking.migration.literals import masked
from booking.migration.steps import NOTHING, Step, digest, problem

EXPAND = Step("0004", "", "expand", "A;")
CONTRACT = Step("0005", "", "contract", "B;", "0004")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (
            "SELECT 1 FROM t2 WHERE a = 'Giulia' AND b = 4.5",
            "SELECT ? FROM t2 WHERE a = ? AND b = ?",
        ),
        ("SELECT E'it\\'s', 'a''b', $x$ secret $x$, $1", "SELECT ?, ?, ?, $1"),
        ("UPDATE t SET a = 'cut of", "UPDATE t SET a = ?"),
        ("SELECT 1 -- the password is x\n FROM t /* or y */", "SELECT ? FROM t"),
        ('SELECT "col 1" FROM "t"', 'SELECT "col 1" FROM "t"'),
        ("SELECT X'ff', U&'d\\0061', 0xff, 1e5", "SELECT ?, ?, ?, ?"),
        ("SELECT $tag$ cut", "SELECT ?"),
        (None, ""),
    ],
)
def test_a_query_is_shown_without_its_literals(query: str | None, shown: str) -> None:
    assert masked(query) == shown


def test_a_long_query_is_cut() -> None:
    assert len(masked("SELECT a FROM t " * 50)) == 200


@pytest.mark.parametrize(
    ("steps", "contract", "fresh", "why"),
    [
        ([EXPAND], "", False, ""),
        ([CONTRACT], "0005", False, ""),
        ([], "0005", False, ""),
        ([EXPAND, CONTRACT], "", False, "a release only expands"),
        ([EXPAND, CONTRACT], "", True, ""),
        ([EXPAND, CONTRACT], "0005", False, "0004 comes before 0005"),
        ([EXPAND], "0004", False, "does not contract"),
        ([Step("0005", "", "contract", "B;")], "0005", False, "serves_since"),
        ([Step("0005", "", "", "B;")], "", False, "lyo_kind"),
    ],
)
def test_what_may_be_run_together(steps: list[Step], contract: str, fresh: bool, why: str) -> None:
    found = problem(steps, contract=contract, fresh=fresh)
    assert (why in found) if why else found == ""


def test_an_approval_names_steps_and_sql() -> None:
    assert digest([]) == NOTHING
    assert digest([EXPAND]) == digest([Step("0004", "another title", "expand", "A;")])
    others = [[CONTRACT], [EXPAND, CONTRACT], [Step("0004", "", "expand", "A2;")]]
    assert len({digest([EXPAND]), *map(digest, others)}) == 4
