"""What a due schedule does: RunTask with the schedule's parameters, or a message about why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
_SAME = {
    "TaskDefinitionArn": "taskDefinition",
    "LaunchType": "launchType",
    "TaskCount": "count",
    "Group": "group",
    "PlatformVersion": "platformVersion",
    "EnableECSManagedTags": "enableECSManagedTags",
    "EnableExecuteCommand": "enableExecuteCommand",
    "PropagateTags": "propagateTags",
    "Tags": "tags",
    "CapacityProviderStrategy": "capacityProviderStrategy",
}


def with_context(text: str, schedule_arn: str, scheduled: datetime, run: str, attempt: int) -> str:
    """The input with the words in angle brackets replaced by this run's values."""
    for name, value in {
        "schedule-arn": schedule_arn,
        "scheduled-time": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": run,
        "attempt-number": str(attempt),
    }.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def run_task(target: Mapping[str, Any], overrides: str | None) -> dict[str, Any]:
    """RunTask's parameters of a templated ECS target.

    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html
    """
    given = target["EcsParameters"]
    request = {"cluster": target["Arn"]}
    request |= {ours: given[theirs] for theirs, ours in _SAME.items() if given.get(theirs)}
    network = (given.get("NetworkConfiguration") or {}).get("awsvpcConfiguration")
    if network:
        request["networkConfiguration"] = {
            "awsvpcConfiguration": {
                "subnets": network.get("Subnets", []),
                "securityGroups": network.get("SecurityGroups", []),
                "assignPublicIp": network.get("AssignPublicIp", "DISABLED"),
            }
        }
    if overrides:
        request["overrides"] = json.loads(overrides)
    return request


def dead_letter(
    schedule_arn: str,
    target_arn: str,
    scheduled: datetime,
    run: str,
    retries: int,
    exhausted: str,
    error: tuple[str, str],
) -> dict[str, dict[str, str]]:
    """The attributes of the message in the dead-letter queue.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html

    :param exhausted: what was used up, MaximumRetryAttempts or MaximumEventAgeInSeconds.
    :param error: code and message of the last refusal.
    """
    values = {
        "ERROR_CODE": error[0],
        "ERROR_MESSAGE": error[1],
        "EXECUTION_ID": run,
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "RETRY_ATTEMPTS": str(retries),
        "SCHEDULED_TIME": scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": schedule_arn,
        "TARGET_ARN": target_arn,
    }
    return {
        name: {"DataType": "String", "StringValue": value or "-"} for name, value in values.items()
    }
