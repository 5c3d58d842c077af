from __future__ import annotations

from typing import Any

import pytest

from filter_plugins import lyo_guard as guard

AWS = {"account_id": "123456789012", "region": "eu-south-1"}


def hostvars(**more: Any) -> dict[str, dict[str, Any]]:
    return {
        f"lyo-{env}": {
            "inventory_dir": f"/repository/inventories/{env}",
            "lyo_env": env,
            "lyo_aws": AWS,
            **more,
        }
        for env in ("staging", "production")
    }


GROUPS = {
    "all": ["lyo-staging", "lyo-production"],
    "ungrouped": [],
    "staging": ["lyo-staging"],
    "production": ["lyo-production"],
}


@pytest.fixture(autouse=True)
def plain_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def ask(env: str, hosts: list[str], **more: Any) -> str:
    return guard.lyo_guard(hostvars(**more), GROUPS, env, hosts, "deploy.yml")


def test_the_right_target_is_no_problem() -> None:
    assert ask("production", ["lyo-production"]) == ""


def test_environments_are_the_groups_that_have_an_inventory_of_their_own() -> None:
    assert guard.environments(hostvars(), GROUPS) == ["production", "staging"]


@pytest.mark.parametrize(
    "account", [None, "", "1234", 123456789012, "000000000000", "12345678901a"]
)
def test_account_ids_that_cannot_be_right(account: Any) -> None:
    problem = ask("staging", ["lyo-staging"], lyo_aws={**AWS, "account_id": account})
    assert problem.startswith(f"'{account}' is not an AWS account id")


@pytest.mark.parametrize("region", ["eu-south-1", "us-gov-west-1", "ap-southeast-2"])
def test_regions_that_can_be_right(region: str) -> None:
    assert ask("staging", ["lyo-staging"], lyo_aws={**AWS, "region": region}) == ""


def test_the_shells_own_region_is_no_problem() -> None:
    environ = {"AWS_REGION": "eu-south-1", "AWS_DEFAULT_REGION": "eu-south-1"}
    assert guard.wrong_shell(AWS, "staging", "deploy.yml", environ) == ""


def test_an_endpoint_is_no_problem_where_the_inventory_names_one() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.1.0.1:4566"}
    aws = {**AWS, "endpoint_url": "http://127.1.0.1:4566"}
    assert guard.wrong_shell(aws, "local", "deploy.yml", environ) == ""
    assert "unset AWS_ENDPOINT_URL" in guard.wrong_shell(AWS, "staging", "deploy.yml", environ)


def test_a_run_that_calls_nobody_needs_no_account_but_an_environment() -> None:
    nobody = {"lyo_aws": {"account_id": "000000000000", "region": "eu-south-1"}}
    hosts = ["lyo-production"]
    variables = hostvars(**nobody)
    assert guard.lyo_guard(variables, GROUPS, "production", hosts, "cost.yml", True) == ""
    assert "is not an AWS account id" in guard.lyo_guard(
        variables, GROUPS, "production", hosts, "cost.yml"
    )
    assert "There is no environment 'typo'" in guard.lyo_guard(
        variables, GROUPS, "typo", hosts, "cost.yml", True
    )
