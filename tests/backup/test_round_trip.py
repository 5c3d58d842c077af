"""A backup is made, checked, restored and verified; the restored database is the same."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from tests.backup.conftest import new_id
from tests.backup.harness import BUCKET, Bench
from tests.backup.schema import BOOKINGS, TENANTS
from tests.localcloud import booking_harness

PREFIX = "logical/"


def manifest(bench: Bench, backup_id: str) -> dict[str, Any]:
    answer = bench.s3.client().get_object(Bucket=BUCKET, Key=f"{PREFIX}{backup_id}/manifest.json")
    found: dict[str, Any] = json.loads(answer["Body"].read())
    return found


def content(bench: Bench, database: str) -> dict[str, Any]:
    """Everything in a database, read without the program."""
    tables = ("tenants", "customers", "bookings", "inbox", "visits", "archive.bookings", "strict")
    rows = {
        name: bench.sql(database, f"SELECT t::text FROM {name} t ORDER BY 1")
        for name in (*tables, "counted")
    }
    rows["odd"] = bench.sql(database, 'SELECT t::text FROM "Odd ""name"" %, $1" t ORDER BY 1')
    rows["objects"] = bench.sql(
        database, "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata"
    )
    rows["constraints"] = bench.sql(
        database,
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated"
        " FROM pg_constraint WHERE conrelid <> 0 AND connamespace = ANY (ARRAY['public', 'archive']"
        "::regnamespace[]) ORDER BY 1, 2",
    )
    rows["indexes"] = bench.sql(
        database, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    )
    rows["sequences"] = bench.sql(
        database, "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
    )
    rows["triggers"] = bench.sql(
        database, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    )
    return rows


def test_a_restored_database_is_the_same(bench: Bench, made: str) -> None:
    bench.run(bench.fresh("back"), "restore", "--id", made)
    assert content(bench, "back") == content(bench, "live")


def test_checksums_are_those_of_whole_rows(bench: Bench, made: str) -> None:
    """Whatever way they are asked for: who verifies with another version has to get the same."""
    tables = {table["name"]: table for table in manifest(bench, made)["tables"]}
    assert {name: table["method"] for name, table in tables.items() if table["rows"]} == {
        "archive.bookings": "record",
        'public.Odd "name" %, $1': "record",
        "public.alembic_version": "record",
        "public.bookings": "record",
        "public.customers": "text",  # json
        "public.inbox": "record",
        "public.strict": "text",  # a domain that takes no NULL
        "public.tenants": "record",
        "public.visits_2025": "record",
        "public.visits_2026": "record",
    }
    for name, method in (
        ("bookings", "hash_record_extended(t"),
        ("strict", "hashtextextended(t::text"),
    ):
        ((total,),) = bench.sql("live", f"SELECT sum({method}, 0)) FROM {name} t")
        assert tables[f"public.{name}"]["checksum"] == f"{int(total) % 2**64:016x}"


def test_whoever_owns_the_database_can_restore_it_and_a_second_time_does_nothing(
    bench: Bench,
) -> None:
    """RDS's master user is no superuser."""
    name, password = "owner_alone", booking_harness.PASSWORD
    bench.sql(
        "postgres",
        f"DROP DATABASE IF EXISTS {name}",
        f"DROP ROLE IF EXISTS {name}",
        f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'",
    )
    bench.fresh("simple")
    bench.sql("simple", "CREATE TABLE tenants (id text PRIMARY KEY)")
    bench.sql("simple", "INSERT INTO tenants VALUES ('t1')")
    backup_id = new_id()
    bench.run("simple", "dump", "--id", backup_id)
    bench.sql("postgres", f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0")
    for _ in range(2):
        bench.run(name, "restore", "--id", backup_id, "--no-owner", PGUSER=name)
    assert bench.sql(name, "SELECT id FROM tenants") == [("t1",)]
    # Of another backup it is not empty.
    other = new_id()
    bench.run("simple", "dump", "--id", other)
    refused = bench.run(name, "restore", "--id", other, "--no-owner", expect=2, PGUSER=name)
    assert "is not empty" in refused.output


def test_a_manifest_says_what_is_in_it(bench: Bench, made: str) -> None:
    found = manifest(bench, made)
    bookings = next(t for t in found["tables"] if t["name"] == "public.bookings")
    assert bookings["rows"] == BOOKINGS
    assert bookings["tenant_column"] == "tenant_id"
    assert bookings["rows_per_tenant"] == {
        f"t{n}": BOOKINGS // TENANTS for n in range(1, TENANTS + 1)
    }
    inbox = next(t for t in found["tables"] if t["name"] == "public.inbox")
    assert inbox["rows_per_tenant"] == {"": 1, "t1": 1}
    assert found["schema_revision"] == "0005"
    assert found["server_version"].startswith("18")
    assert set(found["tools"]) == {"pg_dump", "lyo_backup"}
    listed = bench.s3.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{PREFIX}{made}/parts/")
    sizes = {entry["Key"]: entry["Size"] for entry in listed["Contents"]}
    assert {part["key"]: part["bytes"] for part in found["parts"]} == sizes
    assert found["total_bytes"] == sum(sizes.values())
    (earlier,) = bench.sql(
        "live",
        f"SELECT '0/0' < '{found['snapshot_lsn']}'::pg_lsn,"
        f" '{found['snapshot_lsn']}'::pg_lsn <= pg_current_wal_insert_lsn()",
    )
    assert earlier == (True, True)


def test_a_verified_backup_is_listed_as_such(bench: Bench) -> None:
    backup_id = new_id()
    bench.run("live", "dump", "--id", backup_id)
    before = bench.run("live", "list")
    assert {"UNVERIFIED"} == {e["verdict"] for e in before.events if e.get("id") == backup_id}
    ended = bench.run(bench.fresh("scratch"), "verify", "--id", backup_id)
    assert ended.event("verdict")["verdict"] == "VERIFIED"
    after = bench.run("live", "list")
    assert {"VERIFIED"} == {e["verdict"] for e in after.events if e.get("id") == backup_id}


def test_a_finished_backup_is_not_made_again(bench: Bench, made: str) -> None:
    bench.s3.door.open()
    bench.run("live", "dump", "--id", made)
    assert [call for call in bench.s3.door.calls if call.writes] == []


def test_the_backup_is_of_one_moment_while_guests_book(bench: Bench) -> None:
    """Each booking has a customer of its own: no backup may have one without the other."""
    stop, errors = threading.Event(), []

    def book() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                bench.sql(
                    "busy",
                    f"WITH c AS (INSERT INTO customers VALUES ('t1', 'new{number}') RETURNING 1)"
                    f" INSERT INTO archive.bookings SELECT {number}, 'new' FROM c",
                )
            except Exception as error:
                errors.append(error)
                return
            time.sleep(0.005)

    bench.fresh("busy")
    bench.sql("postgres", "DROP DATABASE busy", "CREATE DATABASE busy TEMPLATE live")
    writer = threading.Thread(target=book)
    writer.start()
    backup_id = new_id()
    try:
        time.sleep(0.2)
        bench.run("busy", "dump", "--id", backup_id, LYO_BACKUP_JOBS="1")
    finally:
        stop.set()
        writer.join()
    assert errors == []
    bench.run(bench.fresh("back"), "verify", "--id", backup_id)
    (customers,) = bench.sql("back", "SELECT count(*) FROM customers WHERE wa_id LIKE 'new%'")
    (bookings,) = bench.sql("back", "SELECT count(*) FROM archive.bookings WHERE what = 'new'")
    assert customers == bookings
    assert customers[0] > 0
    assert customers < bench.sql("busy", "SELECT count(*) FROM archive.bookings")[0]


def test_verify_sees_what_differs(bench: Bench, made: str) -> None:
    """Restored, then changed: the comparison alone has to notice."""
    database = bench.fresh("scratch")
    bench.run(database, "restore", "--id", made)
    bench.sql(
        database,
        "UPDATE bookings SET guests = guests + 1 WHERE id = 17",
        "DELETE FROM inbox WHERE tenant_id = 't1'",
        "UPDATE archive.bookings SET what = 'new'",
        "ALTER TABLE bookings DROP CONSTRAINT bookings_guests_check",
        "DROP INDEX bookings_of",
        "SELECT setval('spare', 499)",
        "DROP VIEW guests_of",
    )
    ended = bench.run(database, "verify", "--id", made, expect=3)
    said = "\n".join(ended.event("verdict")["reasons"])
    for expected in (
        "public.bookings has as many rows, but not the same",
        "public.inbox has 1 rows, not 2",
        "public.inbox has other rows of 1 tenants: t1",
        "archive.bookings has as many rows, but not the same",
        "constraint public.bookings bookings_guests_check is missing",
        "index public.bookings_of is missing",
        "sequence public.spare is at 499, not between 500 and 500",
    ):
        assert expected in said
