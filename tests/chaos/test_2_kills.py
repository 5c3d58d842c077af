"""Killed at any mutating call, a runbook is finished by typing it again.

The rows are made from the calls of a clean run (`points.py`). With LYO_CHAOS=chain, each kind of call
is tried on one side, sides and victims taking turns; the lock's and the record's, which every runbook
has from the same code, with deploy.yml alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.conftest import MODE
from tests.chaos.control import Faults
from tests.chaos.kill_table import ALL, SIDES, Attempt, verdict_of
from tests.chaos.release_table import ReleaseTable, settings
from tests.chaos.truth import Made
from tests.runbooks.harness import Environment, Run

BOTH_SIDES = MODE in (SIDES, ALL)
pytestmark = [pytest.mark.late, pytest.mark.timeout(8 * 3600 if BOTH_SIDES else 3600)]

# Where the network ends: in the plan, the image, the migration, the release.
ENDS = ("GetParameters", "PutImage", "RunTask", "UpdateService")
PLANS = pytest.mark.skipif(not BOTH_SIDES, reason="each row is a Terraform plan: make chaos")
ROLLBACK = ("rollback.yml", *settings())


@pytest.fixture(scope="module")
def table(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReleaseTable]:
    made = ReleaseTable(environment, tmp_path_factory.mktemp("chaos"))
    yield made
    bad = sum(bool(result.problems) for result in made.results)
    print(f"\nkill table: {len(made.results)} rows, {bad} failed")


def test_a_release(table: ReleaseTable) -> None:
    table.renew()
    found = table.points_of(*table.deploy())
    operations = {(point.service, point.operation) for point in found}
    assert {("ecs", "UpdateService"), ("ecr", "PutImage"), ("s3", "PutObject")} <= operations

    def begin() -> Attempt:
        table.renew()
        return Attempt(table.deploy(), table.released)

    table.try_all(found, begin, MODE)


@PLANS
def test_the_note_of_an_empty_plan(table: ReleaseTable) -> None:
    """What a run calls because Terraform has to plan: the lock of its state, the note."""
    table.serve(*table.deploy())
    command = ("deploy.yml", *settings(), "-e", "infra=plan", "-e", "phases=1")
    found = [p for p in table.points_of(*command) if "lyo.lock" not in p.what]
    found = [p for p in found if "ledger" not in p.what]
    assert found

    def check(_: Made, again: Run) -> list[str]:
        return [] if again.returncode == 0 else [f"exit code {again.returncode}"]

    attempt = Attempt(command, check, table.deploy())
    table.try_all(found, lambda: attempt, MODE)


def test_a_rollback_after_clean_up(table: ReleaseTable) -> None:
    table.serve(*table.deploy())
    former = table.carrying()
    table.renew()
    table.serve(*table.deploy())
    found = table.points_of(*ROLLBACK)

    def begin() -> Attempt:
        """Where a rollback has something to undo."""
        table.serve(*table.deploy())
        assert table.carrying() != former
        return Attempt(ROLLBACK, table.turned_back(former))

    table.try_all(found, begin, MODE)


def test_a_rollback_during_bake(table: ReleaseTable) -> None:
    table.serve(*table.deploy())
    former = table.carrying()

    def bake() -> Attempt:
        table.renew()
        table.serve(
            "deploy.yml",
            *table.application.arguments(),
            *settings(bake_time_minutes=1440),
            *("-e", "wait_for=bake"),
        )
        assert table.carrying() != former
        return Attempt(ROLLBACK, check)

    def check(before: Made, again: Run) -> list[str]:
        problems = table.turned_back(former)(before, again)
        newest = table.truth.deployments()[0]
        if newest["status"] != "ROLLBACK_SUCCESSFUL":
            problems.append(f"the deployment is {newest['status']}")
        return problems

    bake()
    found = table.points_of(*ROLLBACK)
    assert ("ecs", "StopServiceDeployment") in {(p.service, p.operation) for p in found}
    table.try_all(found, bake, MODE)


@pytest.mark.parametrize("operation", ENDS if BOTH_SIDES else ENDS[-1:])
def test_the_network_ends(table: ReleaseTable, operation: str) -> None:
    """From a call on nothing comes through any more: one message, and the next run repairs."""
    table.renew()
    # Watching ends early, so that the test does; not of a migration that has to come to its end.
    command = ("deploy.yml", *table.application.arguments(), *settings(timeout=5))
    if operation == "RunTask":
        command += ("-e", "lyo_migration_timeout=5")
    before = table.truth.made()
    faults = Faults(table.environment.content["endpoint"])
    running = table.environment.start(*command)
    try:
        faults.set({"action": "hold", "operation": operation, "when": "after", "nth": 1})
        assert faults.wait_until_held(lambda: running.process.poll() is not None), running.output()
        faults.set({"action": "cut", "request": "", "when": "before"})  # lets go of what is held
        run = running.finish()
    finally:
        faults.clear()
    assert run.returncode == 2, run.output
    assert verdict_of(run) in ("FAILED", "STILL_RUNNING", ""), run.output
    assert run.output.count("fatal: ") == 1, run.output
    assert "nothing answers at" in run.output
    assert "Traceback" not in run.output
    table.outlive_the_lease()
    again = table.environment.run(*table.deploy())
    assert table.released(before, again) == []
    assert table.nothing_left(table.deploy()) == []


@PLANS
def test_afterwards_terraform_has_nothing_to_do(table: ReleaseTable) -> None:
    run = table.environment.run("drift.yml")
    assert run.returncode == 0, run.output
