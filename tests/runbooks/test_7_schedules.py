"""What runs by itself: the ops image, a schedule that starts a runbook in it, and what rings when none did.

The schedules that Terraform made stay off; each test makes one with the same target.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.runbooks.harness import Environment
from tests.runbooks.test_2_releases import release_of

GROUP = "lyo-local"
FAMILY = "lyo-local-ops"
SNAPSHOT = ("backup.yml", "-e", "kinds=snapshot", "-e", "verify=false")


def wait_for(what: str, look: Callable[[], Any], seconds: float = 180) -> Any:
    """What `look` returns once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.5)
    pytest.fail(f"{what} did not happen in {seconds} s")


def ops_tasks(environment: Environment) -> set[str]:
    """Every task of the family that schedules start, running or stopped."""
    ecs, cluster = environment.client("ecs"), environment.outputs["cluster_name"]
    return {
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster=cluster, family=FAMILY, desiredStatus=status)["taskArns"]
    }


@contextmanager
def scheduled(environment: Environment, *command: str) -> Iterator[None]:
    """A schedule like Terraform's backup, with another command, due at once."""
    scheduler = environment.client("scheduler")
    made = scheduler.get_schedule(GroupName=GROUP, Name="backup")
    assert made["State"] == "DISABLED"
    target = made["Target"]
    target["Input"] = json.dumps(
        {"containerOverrides": [{"name": "ops", "command": list(command)}]}
    )
    scheduler.create_schedule(
        Name="tried",
        GroupName=GROUP,
        ScheduleExpression="rate(30 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    try:
        yield
    finally:
        scheduler.delete_schedule(GroupName=GROUP, Name="tried")


def ended_task(environment: Environment, before: set[str]) -> tuple[int, list[str]]:
    """Exit code and log of the task that was started since, once it has ended."""
    ecs, cluster = environment.client("ecs"), environment.outputs["cluster_name"]

    def look() -> Any:
        arns = ops_tasks(environment) - before
        found = ecs.describe_tasks(cluster=cluster, tasks=list(arns))["tasks"] if arns else []
        return found[0] if found and found[0]["lastStatus"] == "STOPPED" else None

    task = wait_for("the end of the task", look)
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    role = definition["taskDefinition"]["taskRoleArn"]
    assert role == environment.outputs["operations"]["runner_role_arn"]
    events = environment.client("logs").get_log_events(
        logGroupName=environment.outputs["operations"]["log_group"],
        logStreamName=f"ops/ops/{task['taskArn'].rsplit('/', 1)[1]}",
        startFromHead=True,
    )["events"]
    return task["containers"][0]["exitCode"], [event["message"] for event in events]


def test_the_ops_image_is_built_and_pushed_once(environment: Environment) -> None:
    predicted = environment.run("ops_image.yml", "--check")
    assert predicted.returncode == 0, predicted.output
    assert environment.calls(predicted.started, writes=True) == []

    run = environment.run("ops_image.yml")
    assert run.returncode == 0, run.output
    assert "task-definition/lyo-local-ops:" in run.output

    again = environment.run("ops_image.yml")
    assert again.returncode == 0, again.output
    assert "UNCHANGED" in again.output
    assert environment.calls(again.started, writes=True) == []


def test_a_schedule_starts_a_runbook_as_a_task_of_the_runners_role(
    environment: Environment,
) -> None:
    before = ops_tasks(environment)
    with scheduled(environment, "status.yml"):
        code, log = ended_task(environment, before)
    assert code == 0, "\n".join(log)
    assert any(release_of(environment) in line for line in log), "\n".join(log)


def test_a_runbook_that_is_none_ends_with_a_code_of_its_own(environment: Environment) -> None:
    before = ops_tasks(environment)
    with scheduled(environment, "nonsense.yml"):
        code, log = ended_task(environment, before)
    assert code == 64
    assert "no runbook" in log[-1]


@pytest.fixture
def alarm(environment: Environment) -> Iterator[Callable[[], str]]:
    """The alarm of a missed backup with a short memory, two cloud minutes: a function for its state."""
    cloudwatch = environment.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="tried-schedule-missed",
        Namespace="Lyo/Operations",
        MetricName="Succeeded",
        Dimensions=[
            {"Name": "Environment", "Value": "local"},
            {"Name": "Runbook", "Value": "backup.yml"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        ComparisonOperator="LessThanThreshold",
        Threshold=1,
        TreatMissingData="breaching",
    )

    def state() -> str:
        (found,) = cloudwatch.describe_alarms(AlarmNames=["tried-schedule-missed"])["MetricAlarms"]
        return str(found["StateValue"])

    yield state
    cloudwatch.delete_alarms(AlarmNames=["tried-schedule-missed"])


def test_what_did_not_run_rings_until_it_has_run(
    environment: Environment, alarm: Callable[[], str]
) -> None:
    wait_for("the alarm", lambda: alarm() == "ALARM")
    rds = environment.client("rds")

    def snapshots() -> set[str]:
        found = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return {snapshot["DBSnapshotIdentifier"] for snapshot in found}

    before, had = ops_tasks(environment), snapshots()
    own: set[str] = set()
    try:
        with scheduled(environment, *SNAPSHOT):
            wait_for("the end of the alarm", lambda: alarm() == "OK")
            code, log = ended_task(environment, before)
        assert code == 0, "\n".join(log)
        # Somebody else may have made one meanwhile: the log names the one that the task made.
        own = {name for name in snapshots() - had if any(name in line for line in log)}
        assert len(own) == 1, "\n".join(log)
        # Nothing runs again, so it rings again.
        wait_for("the alarm", lambda: alarm() == "ALARM")
    finally:
        for name in own:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)
