from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.lyo_migration.checks import Limits, Storage, check, human, needed
from ansible.module_utils.lyo_migration.effects import losses, widens
from ansible.module_utils.lyo_migration.events import Plan
from ansible.module_utils.lyo_migration.lint import Migration, Result

MIB = 1024**2
TABLES = [
    {"name": "bookings", "bytes": 300 * MIB, "total_bytes": 500 * MIB, "rows": 5_000_000,
     "columns": {"party_size": "integer", "note": "character varying(20)"}},
    {"name": "tenants", "bytes": MIB, "total_bytes": MIB, "rows": 100, "columns": {}},
]  # fmt: skip
LONG = {"pid": 7, "application": "report", "state": "idle in transaction", "seconds": 90,
        "query": "SELECT ?", "tables": ["public.bookings"]}  # fmt: skip
PLENTY = Storage(100 * 1024**3, 90 * 1024**3)


def plan(sql: str, **facts: Any) -> Plan:
    return Plan("d", (Migration("0009", "expand", "", sql),), facts={"table": TABLES, **facts})


def problems(sql: str, storage: Storage = PLENTY, **facts: Any) -> str:
    return "\n".join(check(plan(sql, **facts), [], storage, Limits()).problems)


@pytest.mark.parametrize(
    ("sql", "stopped"),
    [
        ("UPDATE bookings SET a = 1 WHERE a IS NULL;", True),
        ("-- lyo: in batches of 5000 rows by id\nUPDATE bookings SET a = 1 WHERE id > $1;", False),
        ("UPDATE tenants SET a = 1 WHERE a IS NULL;", False),
        ("DELETE FROM bookings WHERE id < 7;", True),
        ("INSERT INTO bookings SELECT * FROM old;", True),
    ],
)
def test_many_rows_are_changed_in_batches_only(sql: str, stopped: bool) -> None:
    assert ("0009: " in problems(sql)) is stopped
    assert ("5,000,000 rows" in problems(sql)) is stopped


@pytest.mark.parametrize(("table", "stopped"), [("bookings", True), ("tenants", False)])
def test_what_is_allowed_for_a_small_table_is_not_for_a_large_one(
    table: str, stopped: bool
) -> None:
    allowed = Result("0009", "changing-column-type", "", 1, "", table, "small")
    found = check(plan("SELECT 1;"), [allowed], PLENTY, Limits())
    assert bool(found.problems) is stopped
    assert bool(found.notes) is not stopped


def test_what_does_not_depend_on_the_size_stays_allowed() -> None:
    allowed = Result("0009", "ban-drop-not-null", "", 1, "", "bookings", "v3 can")
    assert check(plan("SELECT 1;"), [allowed], PLENTY, Limits()).problems == []


@pytest.mark.parametrize(
    ("sql", "transaction", "why"),
    [
        ("ALTER TABLE bookings ADD COLUMN a int;", LONG, "it holds bookings"),
        ("ALTER TABLE tenants ADD COLUMN a int;", LONG, ""),
        ("CREATE INDEX CONCURRENTLY i ON tenants (a);", LONG, "CONCURRENTLY waits for it"),
        ("ALTER TABLE bookings ADD COLUMN a int;", {**LONG, "seconds": 10}, ""),
    ],
)
def test_a_long_transaction_stops_what_would_wait_for_it(
    sql: str, transaction: dict[str, Any], why: str
) -> None:
    said = problems(sql, transaction=[transaction])
    if not why:
        assert said == ""
        return
    assert why in said
    assert "pid 7 (report), idle in transaction, in its transaction for 90 s" in said
    assert "pg_terminate_backend(7)" in said


def test_a_prepared_transaction_is_named() -> None:
    said = problems("SELECT 1;", prepared=[{"gid": "left", "seconds": 400}])
    assert "ROLLBACK PREPARED" in said
    assert "'left'" in said


@pytest.mark.parametrize(
    ("sql", "index", "note"),
    [
        ("SELECT 1;", {"building": False}, "DROP INDEX CONCURRENTLY i;"),
        ("SELECT 1;", {"building": True}, "built by somebody else"),
        ("DROP INDEX CONCURRENTLY IF EXISTS i;", {"building": False}, "is dropped first"),
    ],
)
def test_an_invalid_index_is_told_with_its_end(sql: str, index: dict[str, Any], note: str) -> None:
    left = {"name": "i", "table": "bookings", **index}
    [said] = check(plan(sql, invalid_index=[left]), [], PLENTY, Limits()).notes
    assert note in said


@pytest.mark.parametrize(
    ("sql", "lag", "stopped"),
    [
        ("CREATE INDEX CONCURRENTLY i ON bookings (a);", 31.0, True),
        ("CREATE INDEX CONCURRENTLY i ON bookings (a);", 29.0, False),
        ("ALTER TABLE bookings ADD COLUMN a int;", 31.0, False),
    ],
)
def test_a_replica_that_is_behind_stops_heavy_work(sql: str, lag: float, stopped: bool) -> None:
    said = problems(sql, replica=[{"application": "two", "lag_seconds": lag}])
    assert ("replica two is 31 s behind" in said) is stopped


def test_storage_for_the_time_of_the_change() -> None:
    assert needed(plan("CREATE INDEX CONCURRENTLY i ON bookings (a);")) == {"bookings": 300 * MIB}
    assert needed(plan("ALTER TABLE bookings ALTER a TYPE text;")) == {"bookings": 500 * MIB}
    assert needed(plan("ALTER TABLE bookings ADD COLUMN a int;")) == {}


@pytest.mark.parametrize(
    ("free", "stopped"), [(300 * MIB + 103 * MIB, False), (300 * MIB + 102 * MIB, True)]
)
def test_too_little_storage_stops(free: int, stopped: bool) -> None:
    said = problems("CREATE INDEX CONCURRENTLY i ON bookings (a);", Storage(1024 * MIB, free))
    assert ("too little storage" in said) is stopped


def test_storage_that_nobody_measured_is_estimated_and_told() -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON bookings (a);"
    facts: dict[str, Any] = {"database": [{"bytes": 600 * MIB}]}
    found = check(plan(sql, **facts), [], Storage(1024 * MIB, None), Limits())
    assert "not measured" in found.notes[0]
    assert found.problems == []
    small = check(plan(sql, **facts), [], Storage(950 * MIB, None), Limits())
    assert len(small.problems) == 1


def test_an_empty_database_minds_nothing() -> None:
    empty = replace(plan("UPDATE bookings SET a = 1;", transaction=[LONG]), fresh=True)
    found = check(empty, [], Storage(), Limits())
    assert (found.problems, found.notes) == ([], [])


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("DROP TABLE bookings;", True),
        ("ALTER TABLE bookings DROP COLUMN party_size;", True),
        ("ALTER TABLE bookings DROP party_size;", True),
        ("ALTER TABLE bookings DROP CONSTRAINT c;", False),
        ("ALTER TABLE bookings ALTER COLUMN party_size DROP NOT NULL;", False),
        ("TRUNCATE bookings;", True),
        ("DELETE FROM bookings WHERE id = 1;", True),
        ("ALTER TABLE bookings ALTER COLUMN party_size TYPE smallint;", True),
        ("ALTER TABLE bookings ALTER COLUMN party_size TYPE bigint;", False),
        ("ALTER TABLE bookings ALTER note TYPE varchar(10), ADD COLUMN a int;", True),
        ("ALTER TABLE bookings ALTER note TYPE varchar(30) ;", False),
        ("ALTER TABLE bookings ALTER unknown TYPE text;", True),
        ("CREATE TABLE t (id int); DROP TABLE t;", False),
        ("ALTER TABLE bookings ADD COLUMN a int;", False),
    ],
)
def test_what_is_lost_for_good_is_known(sql: str, lost: bool) -> None:
    found = plan(sql)
    assert bool(losses(found.migrations, found.tables())) is lost


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ("integer", "int8", True),
        ("bigint", "integer", False),
        ("character varying(20)", "text", True),
        ("text", "character varying ( 20 )", False),
        ("numeric(10,2)", "numeric", True),
        ("numeric(10,2)", "numeric ( 8 , 2 )", False),
        ("text", "bytea", False),
        ("", "text", False),
    ],
)
def test_types_that_hold_everything(old: str, new: str, wider: bool) -> None:
    assert widens(old, new) is wider


def test_sizes_for_people() -> None:
    assert [human(n) for n in (10, 2048, 3 * MIB, 5 * 1024**3)] == [
        "10 bytes", "2 KiB", "3 MiB", "5.0 GiB",
    ]  # fmt: skip
