"""Going back over a contracted schema: refused with a reason, forced by name, allowed where it serves.

v1 has served before. At the end it is live again, on a schema that serves it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import psycopg
import pytest

from tests.runbooks.harness import Environment, Run
from tests.runbooks.processes import send, tree
from tests.runbooks.test_2_releases import release_of
from tests.runbooks.test_5_lock import deployments, ledger

# What 0003 has made, taken back by hand as nobody would: migrations never go down.
UNDO = (
    "ALTER TABLE customers ALTER COLUMN allergies DROP NOT NULL",
    "UPDATE alembic_version SET version_num = '0002'",
)


@pytest.fixture(scope="module", autouse=True)
def v3_live(environment: Environment) -> Iterator[Run]:
    """v3 after v2, and the schema contracted; yields the run that wanted to contract too early."""
    for release in ("v1", "v2"):
        run = environment.run("deploy.yml", "-e", f"release={release}")
        assert run.returncode == 0, run.output
    early = environment.run("migrate.yml", "-e", "contract=0003")
    run = environment.run("deploy.yml", "-e", "release=v3")
    assert run.returncode == 0, run.output
    run = environment.run("migrate.yml", "-e", "contract=0003")
    assert run.returncode == 0, run.output
    assert "MIGRATED release v3" in run.output
    yield early
    place = environment.outputs["database"]
    secret = environment.secret(place["secret_arn"])
    with psycopg.connect(
        host=place["host"],
        port=place["port"],
        dbname=place["name"],
        user=secret["username"],
        password=secret["password"],
        autocommit=True,
    ) as connection:
        for statement in UNDO:
            connection.execute(statement)
    # The ledger still says 0003; the migration of this release says otherwise.
    run = environment.run("deploy.yml", "-e", "release=v1", "-e", "force_schema=v1")
    assert run.returncode == 0, run.output
    assert ledger(environment)[-1]["schema"] == "0002"


def test_what_a_rollback_may_still_need_is_not_contracted(
    environment: Environment, v3_live: Run
) -> None:
    assert v3_live.returncode == 2, v3_live.output
    assert "not run: 0003; nothing was changed" in v3_live.output
    assert re.search(r"v1 \(\S+\) can be rolled back to and runs on 0001", v3_live.output)
    early = ledger(environment)[-3]
    assert (early["runbook"], early["verdict"], early["schema"]) == (
        "migrate.yml",
        "FAILED",
        "0002",
    )


def test_the_ledger_says_where_the_schema_is(environment: Environment) -> None:
    released, contracted = ledger(environment)[-2:]
    assert (released["release"], released["verdict"]) == ("v3", "DEPLOYED")
    assert released["schema"] == "0002"
    assert released["schema_range"] == ["0002", "0003"]
    assert (contracted["runbook"], contracted["verdict"]) == ("migrate.yml", "MIGRATED")
    assert contracted["schema"] == "0003"
    assert contracted["schema_serves"] == ["0002", "0003"]
    assert contracted["schema_contracted"] == ["0001"]


def test_what_is_contracted_already_is_left_alone(environment: Environment) -> None:
    run = environment.run("migrate.yml", "-e", "contract=0003")
    assert run.returncode == 0, run.output
    assert "UNCHANGED release v3" in run.output
    operations = {call.operation for call in environment.calls(run.started, writes=True)}
    assert "CreateDBSnapshot" not in operations
    plan = environment.run("migrate.yml", "--check")
    assert plan.returncode == 0, plan.output
    assert environment.calls(plan.started, writes=True) == []


def test_a_killed_rollback_is_adopted_and_leads_to_what_the_schema_serves(
    environment: Environment,
) -> None:
    before = deployments(environment)
    killed = environment.start("rollback.yml")
    killed.wait_for_output("SCALE_UP")
    send(tree(killed.process.pid), signal.SIGKILL)
    killed.finish()
    again = environment.run("rollback.yml", "-e", "lock_wait=20")
    assert again.returncode == 0, again.output
    assert "a rollback is already in progress" in again.output
    assert "ROLLED_BACK" in again.output
    assert release_of(environment) == "v2"
    assert deployments(environment) == before + 1
    first, second = ledger(environment)[-2:]
    assert (first["verdict"], second["verdict"]) == ("KILLED", "ROLLED_BACK")
    assert first["aim"] == second["task_definition"]


@pytest.mark.parametrize("force", [(), ("-e", "force_schema=v2")])
def test_a_rollback_to_what_was_contracted_is_refused(
    environment: Environment, force: tuple[str, ...]
) -> None:
    run = environment.run("rollback.yml", "-e", "to=v1", *force)
    assert run.returncode == 2, run.output
    assert "runs on schema 0001, but the database is at 0003" in run.output
    assert "-e force_schema=v1" in run.output
    assert environment.calls(run.started, writes=True) == []
    assert release_of(environment) == "v2"


@pytest.mark.parametrize("force", [(), ("-e", "force_schema=v2")])
def test_a_deploy_of_what_was_contracted_is_refused(
    environment: Environment, force: tuple[str, ...]
) -> None:
    run = environment.run("deploy.yml", "-e", "release=v1", *force)
    assert run.returncode == 2, run.output
    assert "v1 runs on schema 0001, but the database is at 0003" in run.output
    assert environment.calls(run.started, writes=True) == []


def test_forced_by_name_it_is_tried_and_its_own_checks_turn_it_back(
    environment: Environment,
) -> None:
    run = environment.run("rollback.yml", "-e", "to=v1", "-e", "force_schema=v1")
    assert "forced by name" in run.output
    assert run.returncode == 2, run.output
    assert "could not take over, what served before still serves" in run.output
    assert release_of(environment) == "v2"
    assert "force_schema=v1" in ledger(environment)[-1]["command"]


def active(environment: Environment) -> set[str]:
    """Releases of the service's active task definitions."""
    ecs, family = environment.client("ecs"), environment.outputs["task_family"]
    arns = ecs.list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]
    found = [ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"] for arn in arns]
    return {d["containerDefinitions"][0]["dockerLabels"]["lyo.release"] for d in found}


def images(environment: Environment) -> set[str]:
    """Releases of the repository's images."""
    answer = environment.client("ecr").describe_images(
        repositoryName=environment.outputs["repository_name"]
    )
    return {tag.rsplit("-", 1)[0] for i in answer["imageDetails"] for tag in i["imageTags"]}


def test_what_no_rollback_can_need_goes_and_the_rest_stays(environment: Environment) -> None:
    assert {"v1", "v2", "v3"} <= active(environment)
    keep = ("-e", "lyo_keep_releases=2", "-e", "lyo_keep_days=0")
    run = environment.run("deploy.yml", "-e", "release=v3", *keep)
    assert run.returncode == 0, run.output
    assert active(environment) == {"v2", "v3"}
    assert images(environment) == {"v2", "v3"}
    back = environment.run("rollback.yml", "--check")
    assert back.returncode == 0, back.output
    assert "going back to v2" in back.output
    run = environment.run("deploy.yml", "-e", "release=v3", *keep)
    assert "UNCHANGED" in run.output
    assert environment.calls(run.started, writes=True) == []
