"""`terraform validate`, `terraform test` with a mocked provider, and what the tfvars come to."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.terraform.conftest import Run
from tests.terraform.inventory import ENVIRONMENTS, Instance, load, problems, wanted


def test_the_configuration_is_valid(terraform: Run) -> None:
    # With the tests it would take each module they name for a root, without its second provider.
    done = terraform("validate", "-no-tests", "-json")
    assert json.loads(done.stdout)["diagnostics"] == []


def test_every_terraform_test_passes(terraform: Run) -> None:
    done = terraform("test", "-no-color", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_plan_is_what_the_inventory_says(
    plans: dict[str, list[Instance]], environment: str
) -> None:
    assert problems(load(), environment, plans[environment]) == []


def test_every_environment_has_the_same_resources(plans: dict[str, list[Instance]]) -> None:
    inventory = load()
    # What the inventory lets an environment do without: subscribers, backups of staging and the like.
    free = [
        row
        for environment in ENVIRONMENTS
        for row in wanted(inventory, environment)
        if row.count == 0 or (row.count is None and row.at_least == 0)
    ]
    kinds = {
        environment: {
            f"{instance.module}.{instance.resource}"
            for instance in plan
            if not any(row.names(instance) for row in free)
        }
        for environment, plan in plans.items()
    }
    assert kinds["local"] == kinds["staging"] == kinds["production"]


def test_what_is_missing_unnamed_or_different_is_reported(
    plans: dict[str, list[Instance]],
) -> None:
    plan, inventory = plans["production"], load()
    database = next(one for one in plan if one.resource == "aws_db_instance.this")
    rest = [one for one in plan if one is not database]
    label = "RDS PostgreSQL: database aws_db_instance.this"
    assert problems(inventory, "production", rest) == [f"{label}: 0 instead of 1"]

    other = replace(database, values={**database.values, "multi_az": False})
    assert problems(inventory, "production", [*rest, other]) == [
        f"{label}: multi_az of {database.address} is False, not True"
    ]

    more = Instance.at("module.vpc.aws_vpn_gateway.this", {})
    assert problems(inventory, "production", [*plan, more]) == [
        "no row names module.vpc.aws_vpn_gateway.this"
    ]

    rows = [row for row in inventory["row"] if row["what"] != "RDS PostgreSQL"]
    assert problems({"row": rows}, "production", plan) == [f"no row names {database.address}"]
