"""Hundreds of small tables: few processes and sessions for all of them, and all of them come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backup.conftest import new_id
from tests.backup.harness import BUCKET, COPIES, Bench, rewritten
from tests.backup.test_round_trip import manifest

TABLES, TENANTS = 300, 3
# The program's own default, not the small one of these tests.
SETTINGS: dict[str, Any] = {"LYO_BACKUP_PART_BYTES": ""}
PARTS = ["pre-data", "post-data", "public.crowd_001-and-300-more", "rest"]
ROWS = " UNION ALL ".join(
    f"SELECT {n}, tenant_id, body FROM crowd_{n:03}" for n in range(1, TABLES + 1)
)


@pytest.fixture(scope="module")
def _crowd(_servers: Bench) -> str:
    database = _servers.fresh("crowd")
    _servers.sql(
        database,
        "CREATE TABLE tenants (id text PRIMARY KEY)",
        f"INSERT INTO tenants SELECT 't' || n FROM generate_series(1, {TENANTS}) n",
        f"""DO $$ BEGIN FOR i IN 1..{TABLES} LOOP
            EXECUTE format('CREATE TABLE crowd_%s (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,'
                ' tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE, body text)', to_char(i, 'FM000'));
            EXECUTE format('INSERT INTO crowd_%s (tenant_id, body) SELECT ''t'' || n, %L || n'
                ' FROM generate_series(1, {TENANTS}) n', to_char(i, 'FM000'), i || ' of ');
        END LOOP; END $$""",
    )
    return database


@pytest.fixture
def crowd(bench: Bench, _crowd: str) -> str:
    return _crowd


@pytest.fixture(scope="module")
def _dumped(_servers: Bench, _crowd: str) -> str:
    backup_id = new_id()
    _servers.run(_crowd, "dump", "--id", backup_id, **SETTINGS)
    return backup_id


@pytest.fixture
def dumped(bench: Bench, _dumped: str) -> Iterator[str]:
    """A backup of the crowd; what a test does to it is undone."""
    before = {bucket: bench.s3.snapshot(bucket) for bucket in (BUCKET, COPIES)}
    yield _dumped
    for bucket, content in before.items():
        bench.s3.put_back(bucket, content)


def sessions(bench: Bench, database: str) -> int:
    """How many sessions a database has had so far."""
    ((count,),) = bench.sql(
        "postgres", f"SELECT sessions FROM pg_stat_database WHERE datname = '{database}'"
    )
    return int(count)


def rows(bench: Bench, database: str) -> list[tuple[Any, ...]]:
    return sorted(bench.sql(database, ROWS))


def test_they_share_parts_and_sessions_and_all_come_back(bench: Bench, crowd: str) -> None:
    backup_id, before = new_id(), sessions(bench, crowd)
    ended = bench.run(crowd, "dump", "--id", backup_id, **SETTINGS)
    assert sessions(bench, crowd) - before < 10
    made = [event["key"].rpartition("/")[2] for event in ended.events if event["event"] == "part"]
    assert [name[5:].partition(".dump")[0] for name in sorted(made)] == PARTS
    found = manifest(bench, backup_id)
    assert len(found["tables"]) == TABLES + 1
    assert {table["rows"] for table in found["tables"]} == {TENANTS}
    back = bench.fresh("back")
    before = sessions(bench, back)
    verified = bench.run(back, "verify", "--id", backup_id, **SETTINGS)
    assert verified.event("verdict")["verdict"] == "VERIFIED"
    # pg_amcheck has a session for each job, pg_restore another for indexes and constraints.
    assert sessions(bench, back) - before < 20
    assert rows(bench, back) == rows(bench, crowd)


def test_one_that_changed_is_named(bench: Bench, crowd: str, dumped: str) -> None:
    back = bench.fresh("back")
    bench.run(back, "restore", "--id", dumped)
    bench.sql(back, "UPDATE crowd_123 SET body = 'x' WHERE id = 2", "DROP TABLE crowd_124")
    ended = bench.run(back, "verify", "--id", dumped, expect=3)
    said = ended.event("verdict")["reasons"]
    assert "table public.crowd_124 is missing" in said
    assert [reason for reason in said if "crowd_123" in reason] == [
        "public.crowd_123 has as many rows, but not the same: its checksum differs"
    ]


def test_a_damaged_part_is_rolled_back_with_all_of_its_tables(
    bench: Bench, crowd: str, dumped: str
) -> None:
    (key,) = [part["key"] for part in manifest(bench, dumped)["parts"] if part["tables"]]
    bench.s3.damage(BUCKET, key, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    checked = bench.run(crowd, "check", "--id", dumped, expect=3)
    assert f"{key} was changed" in checked.event("damaged")["reasons"][0]
    back = bench.fresh("back")
    bench.run(back, "restore", "--id", dumped, expect=3)
    assert rows(bench, back) == []
    # What is there of it is known to be incomplete, and the same command begins anew.
    bench.s3.damage(BUCKET, key, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    bench.run(back, "restore", "--id", dumped)
    assert rows(bench, back) == rows(bench, crowd)


def test_a_tenant_comes_back_into_all_of_them_from_one_reading(
    bench: Bench, crowd: str, dumped: str
) -> None:
    bench.sql(
        "postgres",
        "DROP DATABASE IF EXISTS today WITH (FORCE)",
        f"CREATE DATABASE today TEMPLATE {crowd}",
    )
    bench.sql("today", "DELETE FROM tenants WHERE id = 't2'", "DELETE FROM crowd_007")
    bench.s3.door.open()
    shown = bench.run("today", "tenant", "--id", dumped, "--tenant", "t2")
    read = [call.path for call in bench.s3.door.calls if "/parts/" in call.path]
    assert len(read) == 1
    assert shown.event("approval")["missing"] == TABLES + 1
    digest = shown.event("approval")["digest"]
    bench.run("today", "tenant", "--id", dumped, "--tenant", "t2", "--approve", digest)
    gone = [(7, "t1", "7 of 1"), (7, "t3", "7 of 3")]
    assert rows(bench, "today") == [row for row in rows(bench, crowd) if row not in gone]


def test_a_backup_of_format_1_is_still_one(bench: Bench, crowd: str) -> None:
    """As it was made before tables shared parts: a part for each table, its manifest of format 1."""
    bench.fresh("older")
    bench.sql(
        "older",
        "CREATE TABLE tenants (id text PRIMARY KEY)",
        "CREATE TABLE menus (id int PRIMARY KEY, tenant_id text REFERENCES tenants)",
        "INSERT INTO tenants VALUES ('t1')",
        "INSERT INTO menus VALUES (1, 't1')",
    )
    backup_id = new_id()
    bench.run("older", "dump", "--id", backup_id, LYO_BACKUP_PART_BYTES="0")

    def older(document: dict[str, Any]) -> None:
        document["format"] = 1
        for part in document["parts"]:
            (part["table"],) = part.pop("tables") or ("",)

    key = f"logical/{backup_id}/manifest.json"
    bench.s3.damage(BUCKET, key, lambda content: rewritten(content, older))
    bench.run("older", "check", "--id", backup_id)
    back = bench.fresh("back")
    bench.run(back, "verify", "--id", backup_id)
    assert bench.sql(back, "SELECT * FROM menus") == [(1, "t1")]
    bench.sql(back, "DELETE FROM menus")
    shown = bench.run(back, "tenant", "--id", backup_id, "--tenant", "t1")
    assert shown.event("approval")["missing"] == 1
    bench.run("older", "copy", "--id", backup_id)
    bench.run(bench.fresh("back"), "restore", "--copy", "--id", backup_id)
    assert bench.sql("back", "SELECT * FROM menus") == [(1, "t1")]
