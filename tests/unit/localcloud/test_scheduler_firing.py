"""Schedules are started when due, tried again when refused, and given up in the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from localcloud.api import AwsError, Call, NotReproducedError, OperationTable
from localcloud.cloud import Cloud
from localcloud.services.scheduler.checks import Checks
from localcloud.services.scheduler.firing import Firing

ACCOUNT, REGION = "123456789012", "eu-south-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/lyo"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:not-started"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"


class World:
    """The cloud as far as the scheduler asks it, with a clock that a test moves."""

    def __init__(self) -> None:
        self.present = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
        self.refusing: AwsError | None = None
        self.started: list[dict[str, Any]] = []
        self.letters: list[tuple[str, str, dict[str, Any]]] = []
        self.counted: list[str] = []
        self.groups: dict[str, Any] = {}
        trust = {"Statement": [{"Principal": {"Service": "scheduler.amazonaws.com"}}]}
        backends = {
            "scheduler": SimpleNamespace(
                schedule_groups=self.groups,
                delete_schedule=lambda group, name: self.groups[group].schedules.pop(name),
            ),
            "sqs": SimpleNamespace(send_message=lambda *letter: self.letters.append(letter)),
            "cloudwatch": SimpleNamespace(put_metric_data=self._count),
            "iam": SimpleNamespace(
                roles={"r": SimpleNamespace(arn=ROLE, assume_role_policy_document=trust)}
            ),
        }
        cloud = SimpleNamespace(
            api=OperationTable(),
            settings=SimpleNamespace(region=REGION, account_id=ACCOUNT),
            parts={"ecs": SimpleNamespace(run_task=self._run_task)},
            backend=lambda service, region=None: backends[service],  # noqa: ARG005
        )
        self.cloud = cast("Cloud", cloud)
        self.firing = Firing(self.cloud, now=lambda: self.present)

    def _run_task(self, call: Call) -> None:
        if self.refusing is not None:
            raise self.refusing
        self.started.append(call.params)

    def _count(self, namespace: str, data: list[dict[str, Any]]) -> None:
        assert namespace == "AWS/Scheduler"
        assert data[0]["Dimensions"] == [{"Name": "ScheduleGroup", "Value": "lyo"}]
        self.counted.append(data[0]["MetricName"])

    def add(self, expression: str, **changes: Any) -> Any:
        """A schedule of the group lyo."""
        schedule = SimpleNamespace(
            name="backup",
            group_name="lyo",
            arn="arn:backup",
            state="ENABLED",
            schedule_expression=expression,
            schedule_expression_timezone="UTC",
            flexible_time_window={"Mode": "OFF"},
            start_date=None,
            end_date=None,
            action_after_completion=None,
            target=target(),
        )
        for name, value in changes.items():
            setattr(schedule, name, value)
        self.groups["lyo"] = SimpleNamespace(schedules={"backup": schedule})
        return schedule

    def after(self, **passed: float) -> None:
        """Let time pass, and look."""
        self.present += timedelta(**passed)
        self.firing.look()


def target(**changes: Any) -> dict[str, Any]:
    command = {"name": "ops", "command": ["backup.yml", "<aws.scheduler.scheduled-time>"]}
    return {
        "Arn": CLUSTER,
        "RoleArn": ROLE,
        "Input": json.dumps({"containerOverrides": [command]}),
        "EcsParameters": {
            "TaskDefinitionArn": "arn:definition",
            "LaunchType": "FARGATE",
            "Group": "ops",
            "NetworkConfiguration": {
                "awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"]}
            },
        },
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 2},
        "DeadLetterConfig": {"Arn": QUEUE},
    } | changes


def test_a_task_is_started_each_time() -> None:
    world = World()
    world.add("cron(0 13 * * ? *)")
    world.after(minutes=59)
    assert world.started == []
    world.after(minutes=1)
    world.after(minutes=1)
    assert world.started == [
        {
            "cluster": CLUSTER,
            "taskDefinition": "arn:definition",
            "launchType": "FARGATE",
            "group": "ops",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
            "overrides": {
                "containerOverrides": [
                    {"name": "ops", "command": ["backup.yml", "2026-11-27T13:00:00Z"]}
                ]
            },
        }
    ]
    world.after(days=3)
    assert len(world.started) == 2, "what was missed is started once"
    world.after(hours=22)
    assert len(world.started) == 2
    world.after(hours=2)
    assert len(world.started) == 3


def test_a_schedule_that_is_off_starts_nothing_and_one_that_is_turned_on_does() -> None:
    world = World()
    schedule = world.add("rate(1 hour)", state="DISABLED")
    world.after(hours=3)
    assert world.started == []
    schedule.state = "ENABLED"
    world.after(minutes=1)
    assert len(world.started) == 1


def test_a_flexible_window_is_kept_to() -> None:
    world = World()
    world.add(
        "rate(1 day)", flexible_time_window={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 60}
    )
    world.after(minutes=0)
    assert world.started == []
    world.after(minutes=60)
    assert len(world.started) == 1


def test_a_refused_start_is_tried_again() -> None:
    world = World()
    world.add("rate(1 day)")
    world.refusing = AwsError("ClientException", "TaskDefinition not found.")
    world.after(minutes=0)
    world.refusing = None
    world.after(minutes=1)
    assert len(world.started) == 1
    assert world.letters == []
    assert world.counted == ["InvocationAttemptCount", "TargetErrorCount", "InvocationAttemptCount"]


def test_the_last_refusal_is_kept_in_the_queue() -> None:
    world = World()
    world.add("rate(1 day)")
    world.refusing = AwsError("ClientException", "TaskDefinition not found.")
    for _ in range(6):
        world.after(minutes=1)
    ((queue, body, attributes),) = world.letters
    assert queue == "not-started"
    assert json.loads(body)["taskDefinition"] == "arn:definition"
    said = {name: value["StringValue"] for name, value in attributes.items()}
    assert said["ERROR_CODE"] == "ClientException"
    assert said["ERROR_MESSAGE"] == "TaskDefinition not found."
    assert said["RETRY_ATTEMPTS"] == "2"
    assert said["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert world.counted.count("TargetErrorCount") == 3
    assert world.counted[-2:] == ["InvocationDroppedCount", "InvocationsSentToDeadLetterCount"]


def test_an_invocation_gets_too_old() -> None:
    world = World()
    old = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 185}
    world.add("rate(1 day)", target=target(RetryPolicy=old))
    world.refusing = AwsError("ClusterNotFoundException", "Cluster not found.")
    for _ in range(20):
        world.after(seconds=20)
    assert [letter[2]["EXHAUSTED_RETRY_CONDITION"]["StringValue"] for letter in world.letters] == [
        "MaximumEventAgeInSeconds"
    ]


def test_a_schedule_of_one_time_goes_after_it_where_it_says_so() -> None:
    world = World()
    world.add("at(2026-11-27T12:30:00)", action_after_completion="DELETE")
    world.after(minutes=29)
    assert world.started == []
    world.after(minutes=1)
    assert len(world.started) == 1
    world.after(minutes=1)
    assert world.groups["lyo"].schedules == {}


def request(**changes: Any) -> Call:
    params = {
        "Name": "backup",
        "GroupName": "lyo",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target(),
    } | changes
    return Call("scheduler", "CreateSchedule", ACCOUNT, REGION, params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ScheduleExpression": "daily"}, "Invalid Schedule Expression daily"),
        ({"ScheduleExpressionTimezone": "Milano"}, "Milano"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"GroupName": "other"}, "Schedule group other does not exist"),
        ({"Target": target(RoleArn=ROLE + "2")}, "must allow AWS EventBridge Scheduler"),
        ({"Target": target(Input="{")}, "no JSON"),
        ({"Target": target(DeadLetterConfig={"Arn": "arn:aws:sns:x:y:z"})}, "SQS"),
    ],
)
def test_what_aws_refuses(changes: dict[str, Any], message: str) -> None:
    world = World()
    world.add("rate(1 day)")
    Checks(world.cloud).schedule(request())
    with pytest.raises(AwsError, match=message):
        Checks(world.cloud).schedule(request(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"Target": target(Arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f")},
        {"ScheduleExpression": "cron(0 0 15W * ? *)"},
    ],
)
def test_what_is_not_reproduced_is_refused(changes: dict[str, Any]) -> None:
    world = World()
    world.add("rate(1 day)")
    with pytest.raises(NotReproducedError):
        Checks(world.cloud).schedule(request(**changes))
