"""The lint's own decisions; the rules themselves are in tests/migrations/cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.module_utils.lyo_migration import squawk
from ansible.module_utils.lyo_migration.lint import Migration, Result, lint

INDEX = "CREATE INDEX bookings_by_start ON bookings (starts_at);"
RULE = "require-concurrent-index-creation"


def nothing(texts: Sequence[str], version: str) -> list[Any]:
    return []


def found(*sqls: str, kind: str = "expand", **more: Any) -> list[Result]:
    migrations = [Migration(f"{n:04}", kind, "", sql, **more) for n, sql in enumerate(sqls, 1)]
    results: list[Result] = lint(migrations, "18.0")
    return results


def stopped(*sqls: str, **more: Any) -> set[str]:
    return {r.rule for r in found(*sqls, **more) if not r.reason}


@pytest.mark.parametrize(
    "sql",
    [
        f"-- lyo: allow {RULE}: the table is new\n{INDEX}",
        f"{INDEX} -- lyo: allow {RULE}: the table is new",
        f"/* lyo: allow {RULE}: the table is new */ {INDEX}",
        f"-- lyo: allow unlogged, {RULE}: the table is new\n{INDEX}",
    ],
)
def test_a_finding_is_allowed_beside_its_statement_with_a_reason(sql: str) -> None:
    assert stopped(sql) == set()
    assert [r.reason for r in found(sql) if r.rule == RULE] == ["the table is new"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"-- lyo: allow {RULE}:\n{INDEX}", "without a reason"),
        (f"-- lyo: allow {RULE}\n{INDEX}", "without a reason"),
        (f"-- lyo: allow {RULE}:   \n{INDEX}", "without a reason"),
        (f"-- lyo: allow everything: because\n{INDEX}", "is no rule"),
        (f"-- lyo: allow bad-allow: because\n{INDEX}", "is no rule"),
    ],
)
def test_an_allowance_without_a_reason_allows_nothing(sql: str, message: str) -> None:
    assert stopped(sql) == {RULE, "bad-allow"}
    assert any(message in r.message for r in found(sql) if r.rule == "bad-allow")


def test_an_allowance_counts_for_its_own_statement_alone() -> None:
    other = "CREATE INDEX bookings_by_wa_id ON bookings (wa_id);"
    results = found(f"-- lyo: allow {RULE}: small\n{INDEX}\n{other}")
    assert [(bool(r.reason), r.line) for r in results if r.rule == RULE] == [(True, 2), (False, 3)]


def test_a_migration_may_allow_a_rule_as_a_whole() -> None:
    assert stopped(INDEX, allow={RULE: "empty in every environment"}) == set()
    assert stopped(INDEX, allow={RULE: " "}) == {RULE, "bad-allow"}


@pytest.mark.parametrize("ignore", ["-- squawk-ignore-file", f"-- squawk-ignore {RULE}"])
def test_squawks_own_comments_allow_nothing(ignore: str) -> None:
    assert stopped(f"{ignore}\n{INDEX}") == {RULE}


def test_a_table_that_the_plan_creates_is_free() -> None:
    table = "BEGIN; CREATE TABLE visits (id bigint); COMMIT;"
    after = (
        "BEGIN; CREATE INDEX visits_id ON visits (id); ALTER TABLE visits DROP COLUMN id; COMMIT;"
    )
    assert stopped(table, after) == set()
    assert stopped(after, table) == {RULE, "ban-drop-column"}


def test_only_a_contract_migration_may_drop() -> None:
    drop = "BEGIN; ALTER TABLE bookings DROP COLUMN party_size; COMMIT;"
    assert stopped(drop) == {"ban-drop-column"}
    assert stopped(drop, kind="contract") == set()
    assert stopped(drop, kind="both") == {"ban-drop-column", "unknown-kind"}


def test_a_finding_says_where_and_what_to_do() -> None:
    [result] = found(f"BEGIN;\n\n{INDEX}\nCOMMIT;")
    lines = result.lines()
    assert lines[0].startswith(f"0001, line 3: {RULE}: ")
    assert lines[1].strip() == INDEX.rstrip(";")
    assert any("CREATE INDEX CONCURRENTLY" in line for line in lines[2:])


def test_without_squawk_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squawk.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(squawk.SquawkError, match="make setup"):
        found(INDEX)


def test_our_rules_do_not_need_squawk() -> None:
    results = lint([Migration("0001", "expand", "", "TRUNCATE bookings;")], "18.0", nothing)
    assert [r.rule for r in results] == ["truncate"]
