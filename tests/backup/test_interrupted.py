"""A run that is refused, cut off or killed: nothing good is touched, and the next run repairs it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backup.conftest import NEW, new_id
from tests.backup.harness import BUCKET, COPIES, Bench, ended
from tests.backup.s3_harness import Refusal, Request
from tests.localcloud.booking_harness import wait_for

# Uncompressed, so that the larger table takes a multipart upload of two parts.
LARGE: dict[str, Any] = {"LYO_BACKUP_COMPRESSION": "none", "LYO_BACKUP_LOCK_DAYS": "1"}
ROWS = 9


@pytest.fixture(scope="module")
def _large(_servers: Bench) -> str:
    database = _servers.fresh("large")
    _servers.sql(
        database,
        "CREATE TABLE tenants (id text PRIMARY KEY)",
        "INSERT INTO tenants VALUES ('t1')",
        "CREATE TABLE documents (id serial PRIMARY KEY, tenant_id text REFERENCES tenants, body text)",
        "INSERT INTO documents (tenant_id, body)"
        f" SELECT 't1', repeat('x', 1000000) || n FROM generate_series(1, {ROWS}) n",
    )
    return database


@pytest.fixture
def large(bench: Bench, _large: str) -> Iterator[str]:
    """A database with 9 MB in one table; its backups are removed afterwards."""
    yield _large
    forget(bench)


def forget(bench: Bench) -> None:
    for bucket in (BUCKET, COPIES):
        bench.s3.forget(bucket, NEW)


@pytest.fixture
def good(bench: Bench, made: str) -> Iterator[str]:
    """An older backup, which is as it was when the test ends."""
    before = bench.s3.snapshot(BUCKET, made)
    yield made
    assert bench.s3.snapshot(BUCKET, made) == before


def names(bench: Bench, backup_id: str, bucket: str = BUCKET) -> list[str]:
    """Everything that is stored of a backup, every version."""
    return sorted(
        key.partition(f"{backup_id}/")[2] for key in bench.s3.versions(bucket) if backup_id in key
    )


EXPECTED = [
    "manifest.json",
    "parts/0001-pre-data.dump",
    "parts/0002-post-data.dump",
    "parts/0003-public.documents.dump",
    "parts/0004-public.tenants.dump",
    "parts/0005-rest.dump",
]


def whole(bench: Bench, backup_id: str) -> None:
    """A backup is finished, locked, readable, and nothing else is there."""
    assert names(bench, backup_id) == EXPECTED
    assert bench.s3.uploads(BUCKET) == []
    client = bench.s3.client()
    for name in EXPECTED:
        key = f"logical/{backup_id}/{name}"
        answer = client.head_object(Bucket=BUCKET, Key=key)
        assert answer["ObjectLockMode"] == "GOVERNANCE"
    manifest = json.loads(bench.s3.content(BUCKET, f"logical/{backup_id}/manifest.json"))
    for part in manifest["parts"]:
        content = bench.s3.content(BUCKET, part["key"])
        assert hashlib.sha256(content).hexdigest() == part["sha256"]


@pytest.mark.parametrize(
    ("status", "code", "advice", "from_then_on"),
    [
        (403, "QuotaExceeded", "S3 refused it", False),
        (400, "KMS.DisabledException", "could not use the KMS key", False),
        (400, "ExpiredToken", "the credentials have ended", True),
    ],
)
def test_a_refused_upload_is_said_and_repaired(
    bench: Bench, large: str, good: str, status: int, code: str, advice: str, from_then_on: bool
) -> None:
    """In the middle of the second part of an upload; also where the clean-up is refused too."""
    refused: list[Request] = []

    def refuse(request: Request) -> Refusal | None:
        second = request.query.get("partNumber") == ["2"]
        if second or (from_then_on and refused):
            refused.append(request)
            return Refusal(status, code)
        return None

    backup_id = new_id()
    bench.s3.door.before = refuse
    failed = bench.run(large, "dump", "--id", backup_id, expect=1, **LARGE)
    assert refused
    assert advice in failed.event("failed")["reason"]
    assert "manifest.json" not in names(bench, backup_id)
    bench.s3.door.open()
    if from_then_on:
        assert bench.s3.uploads(BUCKET)
    else:
        assert names(bench, backup_id) == []
        assert bench.s3.uploads(BUCKET) == []
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    whole(bench, backup_id)


def test_another_backup_removes_what_a_broken_one_has_left(bench: Bench, large: str) -> None:
    broken, next_one = new_id(), new_id()
    kill_at(bench, large, ["dump", "--id", broken], 4, after=True)
    assert names(bench, broken)
    ended_well = bench.run(large, "dump", "--id", next_one, **LARGE)
    assert ended_well.event("removed")["id"] == broken
    assert names(bench, broken) == []
    whole(bench, next_one)


def test_a_running_dump_is_not_mistaken_for_a_broken_one(bench: Bench, large: str) -> None:
    """While one is held in the middle, another of the same ID is refused, of another ID goes on."""
    first, second = new_id(), new_id()
    others: list[Any] = []

    def meanwhile(request: Request) -> Refusal | None:
        if request.query.get("partNumber") == ["2"] and first in request.path:
            bench.s3.door.before = lambda _: None
            same = bench.run(large, "dump", "--id", first, expect=2, **LARGE)
            others.append(same.event("refused")["reason"])
            bench.run(large, "dump", "--id", second, **LARGE)
        return None

    bench.s3.door.before = meanwhile
    bench.run(large, "dump", "--id", first, **LARGE)
    assert others == [f"another run is making {first}: wait for it"]
    whole(bench, first)
    whole(bench, second)


def kill_at(
    bench: Bench,
    database: str,
    argv: list[str],
    number: int,
    *,
    after: bool,
    reads: bool = False,
    key: str = "",
) -> bool:
    """Run the program and kill it at its nth write (or read); False if it had no so many.

    :param after: once the call took effect, else before.
    :param key: count only those whose path ends with it.
    """
    bench.s3.door.open()
    process: list[subprocess.Popen[str]] = []
    seen: list[Request] = []
    killed: list[bool] = []

    def look(request: Request) -> bool:
        if killed or (request.method != "GET" if reads else not request.writes):
            return bool(killed)
        if not request.path.endswith(key):
            return False
        seen.append(request)
        if len(seen) == number:
            killed.append(True)
            os.killpg(process[0].pid, signal.SIGKILL)
        return bool(killed)

    def before(request: Request) -> Refusal | None:
        return Refusal(500, "Gone") if look(request) else None

    def behind(request: Request) -> None:
        look(request)

    if after:
        bench.s3.door.after = behind
    else:
        bench.s3.door.before = before
    process.append(bench.start(database, argv, LARGE))
    output, _ = process[0].communicate(timeout=60)
    bench.s3.door.open()
    if not killed:
        ended(process[0].returncode, output)
    return bool(killed)


def sessions_gone(bench: Bench, database: str) -> None:
    """The server has noticed that a killed program's sessions have ended."""
    query = (
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )

    def gone() -> bool:
        with bench.postgres.connect("postgres") as connection:
            row = connection.execute(query, (database,)).fetchone()
            return bool(row and row[0])

    wait_for("the sessions end", gone)


def test_a_dump_that_is_killed_at_any_write_is_repaired(
    bench: Bench, large: str, good: str
) -> None:
    """A chain: what repairs one kill is killed at the next write; before it and after it in turn."""
    backup_id, kills, number = new_id(), 0, 1
    while "manifest.json" not in names(bench, backup_id):
        after = kills % 2 == 1
        assert kill_at(bench, large, ["dump", "--id", backup_id], number, after=after)
        sessions_gone(bench, large)
        kills, number = kills + 1, number + 3
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    whole(bench, backup_id)
    assert kills >= 4


@pytest.mark.skipif(os.environ.get("LYO_CHAOS") != "all", reason="make chaos tries every write")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_kill_by_itself_is_repaired(bench: Bench, large: str, good: str, after: bool) -> None:
    for number in itertools.count(1):
        backup_id = new_id()
        killed = kill_at(bench, large, ["dump", "--id", backup_id], number, after=after)
        sessions_gone(bench, large)
        bench.run(large, "dump", "--id", backup_id, **LARGE)
        whole(bench, backup_id)
        forget(bench)
        if not killed:
            break
    assert number > 10


def test_a_copy_that_is_killed_is_repaired(bench: Bench, large: str, good: str) -> None:
    backup_id = new_id()
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    source = names(bench, backup_id)
    for number in (1, 3, 5, 7):
        kill_at(bench, large, ["copy", "--id", backup_id], number, after=bool(number % 4 == 1))
    bench.run(large, "copy", "--id", backup_id, **LARGE)
    assert names(bench, backup_id, COPIES) == EXPECTED
    assert names(bench, backup_id) == source
    assert bench.s3.uploads(COPIES) == []
    bench.run("live", "check", "--copy", "--id", backup_id)
    bench.s3.door.open()
    bench.run(large, "copy", "--id", backup_id, **LARGE)
    assert [call for call in bench.s3.door.calls if call.writes] == []


def test_a_copy_is_marked_until_it_is_locked(bench: Bench, large: str, good: str) -> None:
    """Killed when its manifest is there: it is a backup, and shows that it is not at its end."""
    backup_id = new_id()
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    command = ["copy", "--id", backup_id]
    assert kill_at(bench, large, command, 1, after=True, key=f"{backup_id}/manifest.json")
    assert names(bench, backup_id, COPIES) == ["began.json", *EXPECTED]

    def locked() -> set[str]:
        client, found = bench.s3.client(), set()
        for name in EXPECTED:
            answer = client.head_object(Bucket=COPIES, Key=f"logical/{backup_id}/{name}")
            found |= {name} if answer.get("ObjectLockMode") else set()
        return found

    assert locked() == {"manifest.json"}
    bench.run(large, *command, **LARGE)
    assert names(bench, backup_id, COPIES) == EXPECTED
    assert locked() == set(EXPECTED)


def test_a_damaged_backup_is_not_copied(bench: Bench, large: str) -> None:
    backup_id = new_id()
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    key = f"logical/{backup_id}/parts/0003-public.documents.dump"
    bench.s3.damage(BUCKET, key, lambda content: content[:-1] + b"?")
    failed = bench.run(large, "copy", "--id", backup_id, expect=3, **LARGE)
    assert key in failed.event("damaged")["reason"]
    assert not [n for n in names(bench, backup_id, COPIES) if "documents" in n or "manifest" in n]
    assert bench.s3.uploads(COPIES) == []


def test_a_restore_that_is_killed_begins_anew(bench: Bench, large: str) -> None:
    backup_id = new_id()
    bench.run(large, "dump", "--id", backup_id, **LARGE)
    database = bench.fresh("back")
    for number in (2, 4, 6):
        killed = kill_at(
            bench, database, ["restore", "--id", backup_id], number, after=True, reads=True
        )
        assert killed
        sessions_gone(bench, database)
    assert bench.sql(database, "SELECT to_regclass('lyo_backup_restore.restore')") != [(None,)]
    bench.run(database, "restore", "--id", backup_id, **LARGE)
    assert bench.sql(database, "SELECT count(*) FROM documents") == [(ROWS,)]
    assert bench.sql(database, "SELECT to_regclass('lyo_backup_restore.restore')") == [(None,)]
    again = bench.run(database, "restore", "--id", backup_id, **LARGE)
    assert "already" in again.output


def test_a_restore_meets_nothing(bench: Bench, made: str) -> None:
    database = bench.fresh("back")
    bench.sql(database, "CREATE TABLE precious (i int)", "INSERT INTO precious VALUES (1)")
    refused = bench.run(database, "restore", "--id", made, expect=2)
    assert "table public.precious" in refused.event("refused")["reason"]
    assert bench.sql(database, "SELECT i FROM precious") == [(1,)]
    assert bench.sql(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [
        (1,)
    ]
