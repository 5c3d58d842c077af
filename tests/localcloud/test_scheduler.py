"""EventBridge Scheduler over its API: a schedule starts a task, and where it cannot, the queue says why."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import RunningCloud

ACCOUNT, REGION = "123456789012", "eu-south-1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture(scope="module")
def target(cloud: RunningCloud) -> dict[str, Any]:
    """A target whose task has no image: it is started all the same, and stops with a reason."""
    role = cloud.client("iam").create_role(RoleName="s", AssumeRolePolicyDocument=TRUST)
    ecs = cloud.client("ecs")
    cluster = ecs.create_cluster(clusterName="scheduled")["cluster"]["clusterArn"]
    ecs.register_task_definition(
        family="scheduled-ops",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=role["Role"]["Arn"],
        containerDefinitions=[
            {"name": "ops", "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/none:none"}
        ],
    )
    subnets = cloud.client("ec2").describe_subnets()["Subnets"]
    return {
        "Arn": cluster,
        "RoleArn": role["Role"]["Arn"],
        "Input": json.dumps({"containerOverrides": [{"name": "ops", "command": ["backup.yml"]}]}),
        "EcsParameters": {
            "TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/scheduled-ops",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {
                "awsvpcConfiguration": {"Subnets": [subnets[0]["SubnetId"]]},
            },
        },
    }


def wait_for(what: str, look: Any, seconds: float = 30) -> Any:
    """What `look` returns once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    pytest.fail(f"{what} did not happen in {seconds} s")


def test_a_schedule_starts_its_task_with_its_command(
    cloud: RunningCloud, target: dict[str, Any]
) -> None:
    scheduler, ecs = cloud.client("scheduler"), cloud.client("ecs")
    scheduler.create_schedule_group(Name="lyo")
    given = {
        "Name": "backup",
        "GroupName": "lyo",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    scheduler.create_schedule(**given, State="DISABLED")

    def started() -> list[str]:
        listed: list[str] = ecs.list_tasks(cluster="scheduled", desiredStatus="STOPPED")["taskArns"]
        return listed

    time.sleep(1)  # twenty cloud seconds
    assert started() == []
    scheduler.update_schedule(**given, State="ENABLED")
    arns = wait_for("the task", started)
    (task,) = ecs.describe_tasks(cluster="scheduled", tasks=arns)["tasks"]
    (override,) = task["overrides"]["containerOverrides"]
    assert override["command"] == ["backup.yml"]
    assert task["taskDefinitionArn"].endswith("scheduled-ops:1")
    assert scheduler.get_schedule(GroupName="lyo", Name="backup")["State"] == "ENABLED"
    scheduler.delete_schedule(GroupName="lyo", Name="backup")


def test_a_start_that_fails_for_good_is_in_the_queue(
    cloud: RunningCloud, target: dict[str, Any]
) -> None:
    scheduler, sqs = cloud.client("scheduler"), cloud.client("sqs")
    url = sqs.create_queue(QueueName="not-started")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    nobody = target["EcsParameters"]["TaskDefinitionArn"] + "-nobody"
    missing = {**target["EcsParameters"], "TaskDefinitionArn": nobody}
    scheduler.create_schedule(
        Name="nobody",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            **target,
            "EcsParameters": missing,
            "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 1},
            "DeadLetterConfig": {"Arn": arn["QueueArn"]},
        },
    )

    def letters() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    (letter,) = wait_for("the message", letters)
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "ClientException"
    assert said["RETRY_ATTEMPTS"] == "1"
    assert said["SCHEDULE_ARN"].endswith(":schedule/default/nobody")
    scheduler.delete_schedule(Name="nobody")


def test_what_aws_refuses_is_refused(cloud: RunningCloud, target: dict[str, Any]) -> None:
    scheduler = cloud.client("scheduler")
    with pytest.raises(ClientError) as caught:
        scheduler.create_schedule(
            Name="bad",
            ScheduleExpression="every day",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "Invalid Schedule Expression" in caught.value.response["Error"]["Message"]
    assert [s["Name"] for s in scheduler.list_schedules()["Schedules"]] == []
