"""Terraform under the runbooks: planned when it must be, applied where something changes, interrupted.

The tests follow each other; each leaves the infrastructure as it found it, or says what it leaves.
A plan takes half a minute, so one run answers several questions.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.runbooks.harness import Environment, Run

GROUP = "module.application.aws_cloudwatch_log_group.application"
# Another retention of the application's logs: a change of one attribute of one module. A variable is
# replaced as a whole: the other attribute is as in local.tfvars.
SERVICE = {"log_days": 14, "grace_seconds": 180}
FOURTEEN = ("-e", json.dumps({"lyo_terraform_overrides": {"service": SERVICE}}))
HOLDER = {
    "ID": "11111111-2222-3333-4444-555555555555",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "giulia@laptop",
    "Version": "1.11.4",
    "Created": "2026-11-20T09:30:00Z",
    "Path": "lyo.tfstate",
}


class State:
    """The bucket of Terraform's state, with the note of the last empty plan and the lock."""

    def __init__(self, environment: Environment) -> None:
        self.s3 = environment.client("s3")
        self.bucket = f"lyo-local-{environment.content['account_id']}-tfstate"

    def marker(self) -> dict[str, Any]:
        body = self.s3.get_object(Bucket=self.bucket, Key="lyo.plan.json")["Body"].read()
        content: dict[str, Any] = json.loads(body)
        return content

    def make_marker_older(self, hours: int) -> None:
        old = (datetime.now(UTC) - timedelta(hours=hours)).replace(microsecond=0).isoformat()
        content = json.dumps({**self.marker(), "planned_at": old}).encode()
        self.s3.put_object(Bucket=self.bucket, Key="lyo.plan.json", Body=content)


@pytest.fixture(scope="module")
def state(environment: Environment) -> State:
    return State(environment)


@pytest.fixture
def held(state: State) -> Iterator[None]:
    """Somebody else holds the state's lock."""
    key = "lyo.tfstate.tflock"
    state.s3.put_object(Bucket=state.bucket, Key=key, Body=json.dumps(HOLDER).encode())
    yield
    state.s3.delete_object(Bucket=state.bucket, Key=key)


def retention(environment: Environment) -> int:
    logs = environment.client("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/lyo-local/application")["logGroups"]
    return int(group["retentionInDays"])


def plans(environment: Environment, run: Run) -> int:
    """How many times Terraform has read the network, and so planned with a look at AWS."""
    operations = Counter(call.operation for call in environment.calls(run.started))
    return operations["DescribeInternetGateways"]


def written(environment: Environment, run: Run) -> set[str]:
    """What a run has written, besides the state, its lock and the note."""
    calls = environment.calls(run.started, writes=True)
    return {call.operation for call in calls} - {"PutObject", "DeleteObject"}


def applied(run: Run) -> list[str]:
    """The phases that a run has entered."""
    names = ("foundation", "database", "application", "security_and_monitoring", "dns_and_tls")
    return [name for name in names if f"TASK [infrastructure : Apply {name}]" in run.output]


def test_past_its_age_an_empty_plan_is_made_again_once(
    environment: Environment, state: State
) -> None:
    assert environment.run("deploy.yml").returncode == 0
    state.make_marker_older(hours=25)
    run = environment.run("deploy.yml")
    assert run.returncode == 0, run.output
    assert plans(environment, run) == 1
    assert applied(run) == []
    assert written(environment, run) == set()
    assert "UNCHANGED" in run.output
    age = datetime.now(UTC) - datetime.fromisoformat(state.marker()["planned_at"])
    assert age < timedelta(minutes=10)


def test_within_its_age_no_plan_is_made(environment: Environment) -> None:
    run = environment.run("deploy.yml")
    assert run.returncode == 0, run.output
    assert plans(environment, run) == 0
    assert "terraform" not in run.output.lower()


def test_what_was_not_chosen_stays_pending(environment: Environment, state: State) -> None:
    before = state.marker()
    run = environment.run("deploy.yml", "-e", "phases=database,5", *FOURTEEN)
    assert run.returncode == 0, run.output
    assert plans(environment, run) == 1
    assert applied(run) == []
    assert "UNCHANGED" in run.output
    assert "application_deployment was not chosen" in run.output
    # The role that may write to the log group follows from it.
    assert re.search(r"next .* -e phases=application \(pending: [12] changes\)", run.output)
    assert retention(environment) == 30
    assert state.marker() == before, "what is pending would be forgotten"


def test_an_apply_that_was_killed_is_finished_by_the_next_run(environment: Environment) -> None:
    """Leaves fourteen days of logs."""
    running = environment.start("deploy.yml", *FOURTEEN)
    running.wait_for_output("apply application")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    run = environment.run("deploy.yml", "-e", "infra=plan", *FOURTEEN)
    assert run.returncode == 0, run.output
    assert applied(run) in ([], ["application"])
    assert written(environment, run) <= {"PutRetentionPolicy"}
    assert retention(environment) == 14
    again = environment.run("deploy.yml", *FOURTEEN)
    assert again.returncode == 0, again.output
    assert plans(environment, again) == 0


def test_drift_is_reported_and_put_back_by_its_phase_alone(environment: Environment) -> None:
    """Puts thirty days of logs back, against what somebody changed by hand meanwhile."""
    logs = environment.client("logs")
    logs.put_retention_policy(logGroupName="/lyo-local/application", retentionInDays=7)
    found = environment.run("drift.yml", *FOURTEEN)
    assert found.returncode == 2, found.output
    assert f"DRIFTED\n  because {GROUP} retention_in_days is 7, should be 14\n" in found.output
    assert "changes: []" in found.output
    assert environment.calls(found.started, writes=True) == []

    run = environment.run("deploy.yml")
    assert run.returncode == 0, run.output
    # Ansible wraps long lines.
    assert f"{GROUP} retention_in_days is 7, should be 14" in " ".join(run.output.split())
    assert plans(environment, run) == 1
    assert applied(run) == ["application"]
    assert written(environment, run) == {"PutRetentionPolicy"}
    assert retention(environment) == 30


@pytest.mark.usefixtures("held")
def test_a_held_lock_names_the_holder_and_what_to_do(environment: Environment) -> None:
    run = environment.run("deploy.yml", "-e", "infra=plan", "-e", "lyo_terraform_lock_timeout=1")
    assert run.returncode == 2
    assert "locked by giulia@laptop since 2026-11-20" in run.output
    assert f"force-unlock {HOLDER['ID']}" in " ".join(run.output.split())
    # The lock that is not granted is asked for by a write that S3 refuses.
    assert written(environment, run) == set()


@pytest.mark.usefixtures("held")
def test_nothing_is_called_drift_while_somebody_deploys(environment: Environment) -> None:
    run = environment.run("drift.yml")
    assert run.returncode == 2
    assert "locked by giulia@laptop" in run.output
    assert "DRIFTED" not in run.output
    assert plans(environment, run) == 0


@pytest.mark.parametrize("words", [(), ("-e", "destroy=yes"), ("-e", "destroy=staging")])
def test_destroy_without_its_word_calls_nothing(
    environment: Environment, words: tuple[str, ...]
) -> None:
    run = environment.run("destroy.yml", *words)
    assert run.returncode == 2
    assert "Nothing was destroyed" in run.output
    assert environment.calls(run.started) == []
