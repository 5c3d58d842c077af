"""Killed at any mutating call, a restore, the release of a former instance and a drill are finished.

Rows and modes are those of `test_2_kills.py`.
"""

from __future__ import annotations

import pytest

from tests.chaos.conftest import EVERYTHING
from tests.chaos.restore_table import DrillTable, RestoreTable
from tests.runbooks.harness import Environment

pytestmark = [
    pytest.mark.late,
    pytest.mark.timeout(8 * 3600 if EVERYTHING else 3600),
    pytest.mark.usefixtures("ops_image"),
]


def test_a_drill(environment: Environment) -> None:
    table = DrillTable(environment)
    found = table.points_of(*DrillTable.COMMAND)
    assert ("rds", "DeleteDBInstance") in {(point.service, point.operation) for point in found}
    table.try_all(found, table.begin, everything=EVERYTHING)
    table.tell()


def test_a_restore_and_the_release_of_the_former_instance(environment: Environment) -> None:
    table = RestoreTable(environment)
    table.prepare()
    restored = table.points_of(*table.begin().command)
    released = table.points_of(*table.release())
    operations = {(point.service, point.operation) for point in restored + released}
    assert {
        ("rds", "RestoreDBInstanceFromDBSnapshot"),
        ("ssm", "PutParameter"),
        ("rds", "DeleteDBInstance"),
    } <= operations
    table.try_all(restored, table.begin, everything=EVERYTHING)
    table.try_all(released, table.begin_release, everything=EVERYTHING)
    table.clean()
    table.tell()


def test_afterwards_terraform_has_nothing_to_do(environment: Environment) -> None:
    run = environment.run("drift.yml")
    assert run.returncode == 0, run.output
