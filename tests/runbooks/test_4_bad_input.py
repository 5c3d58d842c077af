"""What cannot work is said in one clear message, before anything is changed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.runbooks.harness import ROOT, Environment
from tests.runbooks.traffic import Customer


def test_an_image_that_does_not_exist(environment: Environment) -> None:
    before = environment.live_image()
    run = environment.run("deploy.yml", "-e", "image=no-such-tag")
    assert run.returncode != 0
    assert "no-such-tag" in run.output
    assert environment.calls(run.started, writes=True) == []
    assert environment.live_image() == before


def test_a_release_that_is_not_in_image_toml(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", "release=v99")
    assert run.returncode != 0
    assert "v99" in run.output
    assert "v1" in run.output, "the releases that exist are not named"
    assert environment.calls(run.started, writes=True) == []


def test_a_migration_that_fails_leaves_the_live_release_alone(environment: Environment) -> None:
    before = environment.live_image()
    run = environment.run("deploy.yml", "-e", "release=badmigration")
    assert run.returncode == 2
    assert "FAILED release badmigration" in run.output
    assert environment.live_image() == before
    operations = {call.operation for call in environment.calls(run.started, writes=True)}
    assert "UpdateService" not in operations
    assert Customer(environment).request("/health")[0] == 200


def test_wrong_credentials(environment: Environment) -> None:
    run = environment.run(
        "deploy.yml",
        "-e",
        '{"lyo_aws": {"account_id": "123456789012", "region": "eu-south-1",'
        f' "endpoint_url": "{environment.content["endpoint"]}",'
        ' "access_key": "AKIANOBODYKNOWSTHISKEY", "secret_key": "not-the-secret-of-anybody-1"}}',
    )
    assert run.returncode != 0
    assert "does not accept the credentials" in run.output
    assert "not-the-secret-of-anybody-1" not in run.output
    assert environment.calls(run.started, writes=True) == []


def account_of_somebody_else(environment: Environment) -> str:
    """The inventory's account for `-e`, with this cloud's credentials, which are another's."""
    aws = {
        "account_id": "210987654321",
        "region": "eu-south-1",
        "endpoint_url": environment.content["endpoint"],
        "access_key": environment.content["access_key_id"],
        "secret_key": environment.content["secret_access_key"],
    }
    return json.dumps({"lyo_aws": aws})


def test_another_account_than_the_credentials(environment: Environment, tmp_path: Path) -> None:
    for name in ("local.tfvars", "local.s3.tfbackend"):
        text = (ROOT / "terraform" / name).read_text().replace("123456789012", "210987654321")
        (tmp_path / name).write_text(text)
    run = environment.run(
        "deploy.yml",
        *("-e", account_of_somebody_else(environment)),
        *("-e", f"lyo_terraform_project={tmp_path}"),
    )
    assert run.returncode != 0
    assert "123456789012" in run.output
    assert "210987654321" in run.output
    assert environment.content["secret_access_key"] not in run.output
    operations = [call.operation for call in environment.calls(run.started)]
    assert set(operations) == {"GetCallerIdentity"}


def test_another_account_than_terraforms_files(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", account_of_somebody_else(environment))
    assert run.returncode == 2
    assert "terraform/local.tfvars and inventories/local/group_vars/local/aws.yml" in run.output
    assert environment.calls(run.started) == []


def test_a_phase_that_does_not_exist(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", "phases=databse")
    assert run.returncode == 2
    assert "There is no phase 'databse'. The phases are 1 foundation, 2 database" in run.output
    assert environment.calls(run.started) == []
