"""On an empty cloud: predictions before anything exists, and what to do first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud import lifecycle
from tests.conftest import DEPLOYMENT
from tests.localcloud.conftest import localcloud
from tests.runbooks.harness import Environment


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("empty")
    state = folder / "state"
    localcloud("up", "--state", str(state))
    yield Environment(lifecycle.require_running(state), folder)
    localcloud("down", "--state", str(state))


def test_a_deploy_before_the_bootstrap_says_what_to_type(empty: Environment) -> None:
    run = empty.run("deploy.yml")
    assert run.returncode == 2
    assert "does not exist. Type: ansible-playbook bootstrap.yml -e env=local" in run.output
    assert empty.calls(run.started, writes=True) == []


def test_bootstrap_predicts_then_does_then_changes_nothing(empty: Environment) -> None:
    predicted = empty.run("bootstrap.yml", "--check")
    assert "changed=1" in predicted.output
    assert empty.calls(predicted.started, writes=True) == []
    done = empty.run("bootstrap.yml")
    assert done.returncode == 0, done.output
    assert "changed=1" in done.output
    for arguments in (["--check"], []):
        again = empty.run("bootstrap.yml", *arguments)
        assert "changed=0" in again.output
        assert empty.calls(again.started, writes=True) == []


def test_the_first_deploy_is_predicted_as_a_whole(empty: Environment) -> None:
    run = empty.run("deploy.yml", "--check", "--diff")
    assert run.returncode == 0, run.output
    for address in ("module.vpc.aws_vpc.this", "module.database.aws_db_instance.this"):
        assert address in run.output
    assert "deploy: v1, after the infrastructure exists" in run.output
    assert empty.calls(run.started, writes=True) == []


def test_the_environment_was_deployed_by_the_first_try(
    environment: Environment, request: pytest.FixtureRequest
) -> None:
    assert request.config.stash[DEPLOYMENT].failures == []
