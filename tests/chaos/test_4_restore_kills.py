"""Killed at any mutating call, a restore, the release of a former instance and a drill are finished.

Rows and modes are those of `test_2_kills.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.conftest import EVERYTHING, MODE
from tests.chaos.points import AFTER, TREE, Row
from tests.chaos.restore_table import AgainTable, DrillTable, RestoreTable
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
    table.try_all(found, table.begin, MODE)
    table.tell()


@pytest.fixture(scope="module")
def restores(environment: Environment) -> Iterator[RestoreTable]:
    """The table, with snapshots to restore from."""
    table = RestoreTable(environment)
    table.prepare()
    yield table
    table.clean()


def test_a_restore(restores: RestoreTable) -> None:
    # The first instance of an environment has another name than those that were restored.
    restores.begin_release()
    found = restores.points_of(*restores.begin().command)
    operations = {(point.service, point.operation) for point in found}
    assert {("rds", "RestoreDBInstanceFromDBSnapshot"), ("ssm", "PutParameter")} <= operations
    restores.try_all(found, restores.begin, MODE)
    restores.tell()


def test_a_restore_once_more_that_has_switched_is_finished_and_not_made_once_more(
    environment: Environment, restores: RestoreTable
) -> None:
    table = AgainTable(environment)
    points = table.points_of(*table.begin().command)
    switch = next(point for point in points if point.operation == "PutParameter")
    table.try_row(Row(switch, AFTER, TREE), table.begin())
    assert table.results[-1].problems == []


def test_the_release_of_a_former_instance(restores: RestoreTable) -> None:
    restores.begin_release()
    found = restores.points_of(*restores.begin_release().command)
    assert ("rds", "DeleteDBInstance") in {(point.service, point.operation) for point in found}
    restores.try_all(found, restores.begin_release, MODE)
    restores.tell()


def test_afterwards_terraform_has_nothing_to_do(environment: Environment) -> None:
    run = environment.run("drift.yml")
    assert run.returncode == 0, run.output
