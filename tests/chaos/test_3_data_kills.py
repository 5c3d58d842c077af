"""Killed at any mutating call, what works on data is finished by typing it again, and leaves nothing.

Rows and modes are those of `test_2_kills.py`. Of calls that a task of the ops image makes, the task dies,
alone or with its run, or it goes on while its run dies.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import EVERYTHING, MODE
from tests.chaos.data_table import BackupTable, Data, MigrateTable
from tests.chaos.kill_table import Attempt
from tests.chaos.points import BEFORE, EVERYBODY, PROGRAM, TREE, Point, Row
from tests.runbooks.harness import Environment, Run
from tests.runbooks.recovery import database, serving

pytestmark = [
    pytest.mark.late,
    pytest.mark.timeout(8 * 3600 if EVERYTHING else 3600),
    pytest.mark.usefixtures("ops_image"),
]
# So much random data makes a part of a backup a multipart upload.
MIB = 18


@pytest.fixture
def large(environment: Environment) -> Iterator[None]:
    """A table that is larger than one part of an upload."""
    with database(environment, serving(environment)) as connection:
        connection.execute("DROP TABLE IF EXISTS chaos_large")
        connection.execute("CREATE TABLE chaos_large (body bytea)")
        for _ in range(MIB):
            connection.execute("INSERT INTO chaos_large VALUES (%s)", (secrets.token_bytes(2**20),))
        yield
        connection.execute("DROP TABLE chaos_large")


def test_a_migration(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = MigrateTable(environment, tmp_path_factory.mktemp("chaos"))
    found = table.points_of(*table.begin().command)
    operations = {(point.service, point.operation) for point in found}
    assert {("rds", "CreateDBSnapshot"), ("ecs", "RunTask")} <= operations
    table.try_all(found, table.begin, MODE)
    table.tell()


def test_a_backup(environment: Environment, large: None) -> None:
    table = BackupTable(environment)
    table.serve(*table.begin().command)  # so that the next one has something to delete
    found = table.points_of(*table.begin().command)
    operations = {(point.caller, point.operation) for point in found}
    assert {"CreateDBSnapshot", "CreateSnapshot", "CreateDBInstance", "DeleteObjects"} <= {
        operation for caller, operation in operations if not caller
    }
    assert {(PROGRAM, "UploadPart"), (PROGRAM, "PutObjectRetention")} <= operations
    table.try_all(found, table.begin, MODE)
    table.tell()


@pytest.fixture(scope="module")
def logical(environment: Environment) -> tuple[BackupTable, tuple[str, ...], list[Point]]:
    """Logical backups with retention as it comes, so that nothing goes: command and its calls."""
    table = BackupTable(environment, kinds="logical")
    command = table.command()
    return table, command, table.points_of(*command)


@pytest.mark.parametrize(
    ("operation", "nth"),
    # Of RunTask the first is the dump's, the second the copy's: what they make is complete then.
    [("RunTask", 2), ("PutObjectRetention", 1), ("PutObjectRetention", -1)],
)
def test_what_a_killed_backup_has_completed_is_finished_copied_and_verified(
    logical: tuple[BackupTable, tuple[str, ...], list[Point]], operation: str, nth: int
) -> None:
    table, command, points = logical
    found = [point for point in points if point.operation == operation]
    point = found[nth if nth < 0 else nth - 1]

    def check(before: Data, _: Run) -> list[str]:
        now = table.made()
        return table.proven(before, now, 2) + table.left(now)

    victim = EVERYBODY if point.caller == PROGRAM else TREE
    table.try_row(Row(point, BEFORE, victim), Attempt(command, check))
    assert table.results[-1].problems == []
