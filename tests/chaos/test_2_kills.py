"""Killed at any mutating call, a runbook is finished by typing it again.

The rows are made from the calls of a clean run (`points.py`). With LYO_CHAOS=chain, each kind of call
is tried on one side, sides and victims taking turns; the lock's and the record's, which every runbook
has from the same code, with deploy.yml alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.chaos import points
from tests.chaos.conftest import EVERYTHING
from tests.chaos.control import Faults
from tests.chaos.kill_table import Table, settings, verdict_of
from tests.chaos.points import Point
from tests.chaos.truth import Made
from tests.runbooks.harness import Environment, Run

pytestmark = [pytest.mark.late, pytest.mark.timeout(8 * 3600 if EVERYTHING else 3600)]

Check = Callable[[Made, Run], list[str]]
# Where the network ends: in the plan, the image, the migration, the release.
ENDS = ("GetParameters", "PutImage", "RunTask", "UpdateService")
PLANS = pytest.mark.skipif(not EVERYTHING, reason="each row is a Terraform plan: make chaos")
ROLLBACK = ("rollback.yml", *settings())


@pytest.fixture(scope="module")
def table(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    made = Table(environment, tmp_path_factory.mktemp("chaos"))
    yield made
    bad = sum(bool(result.problems) for result in made.results)
    print(f"\nkill table: {len(made.results)} rows, {bad} failed")


def all_well(
    table: Table,
    found: Sequence[Point],
    command: Sequence[str],
    begin: Callable[[], Check],
    nothing_left: Sequence[str] = (),
) -> None:
    """Try the rows of some points, then tell of those that failed."""
    before = len(table.results)
    if EVERYTHING:
        rows = points.every_row(found)
        for row in rows:
            table.try_row(row, command, begin(), nothing_left)
    else:
        rows = points.some_rows([point for point in found if point.code not in table.tried])
        table.tried |= {point.code for point in found if point.what}
        table.try_chain(rows, command, begin, nothing_left)
    done = table.results[before:]
    assert len(done) == len(rows) > 0
    failed = [f"{r.row}: " + "\n  ".join(r.problems) for r in done if r.problems]
    assert not failed, "\n\n".join(failed)


def test_a_release(table: Table) -> None:
    table.renew()
    found = table.points_of(*table.deploy())
    operations = {(point.service, point.operation) for point in found}
    assert {("ecs", "UpdateService"), ("ecr", "PutImage"), ("s3", "PutObject")} <= operations

    def begin() -> Check:
        table.renew()
        return table.released

    all_well(table, found, table.deploy(), begin)


@PLANS
def test_the_note_of_an_empty_plan(table: Table) -> None:
    """What a run calls because Terraform has to plan: the lock of its state, the note."""
    command = ("deploy.yml", *settings(), "-e", "infra=plan", "-e", "phases=1")
    found = [p for p in table.points_of(*command) if "lyo.lock" not in p.what]
    found = [p for p in found if "ledger" not in p.what]
    assert found

    def check(_: Made, again: Run) -> list[str]:
        return [] if again.returncode == 0 else [f"exit code {again.returncode}"]

    plain = table.deploy()
    all_well(table, found, command, lambda: check, plain)


def test_a_rollback_after_clean_up(table: Table) -> None:
    table.serve(*table.deploy())
    former = table.carrying()
    table.renew()
    table.serve(*table.deploy())
    found = table.points_of(*ROLLBACK)

    def begin() -> Check:
        """Where a rollback has something to undo."""
        table.serve(*table.deploy())
        assert table.carrying() != former
        return table.turned_back(former)

    all_well(table, found, ROLLBACK, begin)


def test_a_rollback_during_bake(table: Table) -> None:
    table.serve(*table.deploy())
    former = table.carrying()

    def bake() -> Check:
        table.renew()
        table.serve(
            "deploy.yml",
            *table.application.arguments(),
            *settings(bake_time_minutes=1440),
            *("-e", "wait_for=bake"),
        )
        assert table.carrying() != former
        return check

    def check(before: Made, again: Run) -> list[str]:
        problems = table.turned_back(former)(before, again)
        newest = table.truth.deployments()[0]
        if newest["status"] != "ROLLBACK_SUCCESSFUL":
            problems.append(f"the deployment is {newest['status']}")
        return problems

    bake()
    found = table.points_of(*ROLLBACK)
    assert ("ecs", "StopServiceDeployment") in {(p.service, p.operation) for p in found}
    all_well(table, found, ROLLBACK, bake)


@pytest.mark.parametrize("operation", ENDS if EVERYTHING else ENDS[-1:])
def test_the_network_ends(table: Table, operation: str) -> None:
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
def test_afterwards_terraform_has_nothing_to_do(table: Table) -> None:
    run = table.environment.run("drift.yml")
    assert run.returncode == 0, run.output
