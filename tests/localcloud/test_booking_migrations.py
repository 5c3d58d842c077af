"""How the reference application migrates: planned, approved, watched, interrupted, repeated."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud import booking_harness as harness
from tests.localcloud.booking_harness import Backend, wait_for

SHORT = {"PGOPTIONS": "-c lock_timeout=300ms", "LYO_MIGRATION_ATTEMPTS": "2"}
BACKFILL = """
import sys
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from booking.config import DatabaseConfig
from booking.migration.backfill import backfill
from sqlalchemy import URL, create_engine
import os
arguments = DatabaseConfig.from_env(os.environ).connect_args("test")
engine = create_engine(URL.create("postgresql+psycopg"), connect_args=arguments)
with engine.connect() as connection:
    op = Operations(MigrationContext.configure(connection))
    with op.get_context().begin_transaction():
        backfill(op, "pairs", "c = a || '%', n = coalesce(n, 0) + 1", "c IS NULL", key=("a", "b"), size=7, rest=0)
"""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("migrations")
    made = Backend(harness.Postgres(folder), harness.Valkey(folder), folder)
    try:
        made.postgres.start()
        yield made
    finally:
        made.postgres.stop()


def said(done: subprocess.CompletedProcess[str], event: str) -> list[dict[str, Any]]:
    found = [
        json.loads(line.removeprefix("lyo.migrate: "))
        for line in done.stdout.splitlines()
        if line.startswith("lyo.migrate: ")
    ]
    return [entry for entry in found if entry["event"] == event]


def revision(backend: Backend, database: str) -> str:
    return str(backend.rows(database, "SELECT version_num FROM alembic_version")[0][0])


def test_a_plan_tells_everything_and_changes_nothing(backend: Backend) -> None:
    backend.prepare("planned")
    with backend.postgres.connect("planned") as connection:
        connection.execute("CREATE TABLE broken (a int)")
        connection.execute("INSERT INTO broken VALUES (1), (1)")
        with pytest.raises(Exception, match="duplicate"):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY twice ON broken (a)")
    plan = backend.run("v2", "planned", "migrate", "--plan")
    assert plan.returncode == 3
    [head] = said(plan, "plan")
    assert (head["current"], head["target"], head["count"], head["problem"]) == (
        "0001",
        "0002",
        1,
        "",
    )
    assert head["after"] == {"revision": "0002", "serves": ["0001", "0002"], "contracted": []}
    [step] = said(plan, "migration")
    assert (step["revision"], step["kind"]) == ("0002", "expand")
    assert "CREATE INDEX CONCURRENTLY customers_with_allergies" in said(plan, "sql")[0]["text"]
    assert "alembic_version" not in said(plan, "sql")[0]["text"]
    tables = {table["name"]: table for table in said(plan, "table")}
    assert tables["bookings"]["columns"]["party_size"] == "integer"
    assert [(i["name"], i["building"]) for i in said(plan, "invalid_index")] == [("twice", False)]
    assert revision(backend, "planned") == "0001"
    count = len(said(plan, "table")) + 2  # and the index, and the database
    assert head["facts"] == count


def test_only_the_approved_plan_runs(backend: Backend) -> None:
    backend.prepare("approved")
    asked = backend.run("v2", "approved", "migrate", "--approve", "nothing")
    assert asked.returncode == 3
    refused = backend.run("v2", "approved", "migrate", "--approve", "another")
    assert refused.returncode == 3
    assert revision(backend, "approved") == "0001"
    digest = said(asked, "plan")[0]["digest"]
    done = backend.run("v2", "approved", "migrate", "--approve", digest)
    assert done.returncode == 0, done.stderr
    assert revision(backend, "approved") == "0002"
    assert backend.run("v2", "approved", "migrate", "--approve", "nothing").returncode == 0


def test_whoever_is_in_the_way_is_named_without_what_he_said(backend: Backend) -> None:
    backend.prepare("blocked")
    with backend.postgres.connect("blocked") as connection, connection.transaction():
        connection.execute("SET application_name = 'report'")
        connection.execute("SELECT 'Giulia' FROM customers WHERE wa_id = '39333'")
        pid = connection.info.backend_pid
        done = backend.run("v2", "blocked", "migrate", **SHORT)
    assert done.returncode == 4
    [failed] = said(done, "failed")
    assert failed["sqlstate"] == "55P03"
    [blocker] = failed["blockers"]
    assert (blocker["pid"], blocker["application"]) == (pid, "report")
    assert blocker["state"] == "idle in transaction"
    assert blocker["query"] == "SELECT ? FROM customers WHERE wa_id = ?"
    assert blocker["query_start"]
    assert len(said(done, "retry")) == 1
    assert "Giulia" not in done.stdout + done.stderr
    assert f"in the way: pid {pid} (report)" in done.stdout


def test_nothing_but_a_lock_is_tried_again(backend: Backend) -> None:
    backend.prepare("wrong")
    with backend.postgres.connect("wrong") as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN allergies integer DEFAULT 1")
        connection.execute("CREATE TABLE customers_with_allergies (a int)")
    done = backend.run("v2", "wrong", "migrate")
    assert done.returncode == 1
    assert said(done, "retry") == []
    assert said(done, "failed")[0]["sqlstate"] not in ("", "55P03")


def test_a_release_expands_and_a_contraction_is_asked_for(backend: Backend) -> None:
    backend.prepare("apart", "v2")
    refused = backend.run("v4", "apart", "migrate")
    assert refused.returncode == 1
    assert "migrate.yml -e env=<env> -e contract=0003" in refused.stderr
    assert backend.run("v4", "apart", "migrate", "--contract", "0006").returncode == 1
    assert revision(backend, "apart") == "0002"
    for arguments in (("--contract", "0003"), (), ("--contract", "0006")):
        done = backend.run("v4", "apart", "migrate", *arguments)
        assert done.returncode == 0, done.stderr
    assert revision(backend, "apart") == "0006"


def test_an_empty_database_takes_all_of_them(backend: Backend) -> None:
    backend.prepare("empty", "v4")
    assert revision(backend, "empty") == "0005"


def test_rows_are_changed_in_batches_once_each(backend: Backend) -> None:
    backend.prepare("batches")
    with backend.postgres.connect("batches") as connection:
        connection.execute("CREATE TABLE pairs (a int, b int, c text, n int, PRIMARY KEY (a, b))")
        connection.execute(
            "INSERT INTO pairs (a, b) SELECT x, y FROM generate_series(1, 10) x, generate_series(1, 3) y"
        )
        connection.execute("UPDATE pairs SET c = 'kept' WHERE a = 4")
    environment = backend.environment("v1", "batches")
    done = subprocess.run(
        [sys.executable, "-c", BACKFILL],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said(done, "batch")[-1]["changed"] == 27
    wrong = "SELECT count(*) FROM pairs WHERE (a = 4 AND (c <> 'kept' OR n IS NOT NULL)) OR (a <> 4 AND (c <> a || '%' OR n <> 1))"
    assert backend.rows("batches", wrong) == [(0,)]


def test_a_killed_migration_is_finished_by_the_next(backend: Backend) -> None:
    backend.prepare("killed", "v2")
    assert backend.run("v4", "killed", "migrate", "--contract", "0003").returncode == 0
    with backend.postgres.connect("killed") as connection:
        connection.execute(
            "INSERT INTO customers (tenant_id, wa_id, allergies) SELECT 'da-mario', '1', '{}'"
        )
        connection.execute(
            "INSERT INTO bookings (tenant_id, wa_id, party_size, starts_at, source_message_id)"
            " SELECT 'da-mario', '1', 3, now(), n::text FROM generate_series(1, 60000) n"
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "booking", "migrate"],
        env=backend.environment("v4", "killed"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    filled = "SELECT count(guests) FROM bookings"
    exists = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'bookings'::regclass AND attname = 'guests'"
    wait_for("0004 is done", lambda: backend.rows("killed", exists)[0][0], 60)
    wait_for("some rows are filled", lambda: backend.rows("killed", filled)[0][0], 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert revision(backend, "killed") == "0004"
    assert 0 < backend.rows("killed", filled)[0][0] < 60000
    again = backend.run("v4", "killed", "migrate")
    assert again.returncode == 0, again.stderr
    assert revision(backend, "killed") == "0005"
    assert backend.rows("killed", "SELECT count(*) FROM bookings WHERE guests = 3") == [(60000,)]
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert backend.rows("killed", invalid) == [(0,)]
