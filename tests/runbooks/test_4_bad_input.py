"""What cannot work is said in one clear message, before anything is changed."""

from __future__ import annotations

from tests.runbooks.harness import Environment
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


def test_another_account_than_the_inventory_says(environment: Environment) -> None:
    run = environment.run(
        "deploy.yml",
        "-e",
        '{"lyo_aws": {"account_id": "210987654321", "region": "eu-south-1",'
        f' "endpoint_url": "{environment.content["endpoint"]}",'
        f' "access_key": "{environment.content["access_key_id"]}",'
        f' "secret_key": "{environment.content["secret_access_key"]}"}}}}',
    )
    assert run.returncode != 0
    assert "123456789012" in run.output
    assert "210987654321" in run.output
    assert environment.content["secret_access_key"] not in run.output
    operations = [call.operation for call in environment.calls(run.started)]
    assert set(operations) == {"GetCallerIdentity"}
