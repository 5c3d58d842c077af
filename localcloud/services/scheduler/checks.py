"""What AWS refuses when a schedule is made or changed, and what this cloud does not reproduce.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.scheduler.expressions import (
    InvalidExpressionError,
    UnsupportedExpressionError,
    parse,
)

SERVICE = "scheduler"
PRINCIPAL = "scheduler.amazonaws.com"


def invalid(message: str) -> AwsError:
    """ValidationException."""
    return AwsError("ValidationException", message)


class Checks:
    """Looks at a schedule before moto keeps it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def schedule(self, call: Call) -> None:
        """Raises ValidationException, ResourceNotFoundException, NotReproducedError."""
        params = call.params
        if call.region != self._cloud.settings.region:
            raise NotReproducedError(SERVICE, "schedules outside of the environment's region")
        expression = params["ScheduleExpression"]
        try:
            parse(expression, params.get("ScheduleExpressionTimezone") or "UTC")
        except UnsupportedExpressionError as error:
            raise NotReproducedError(SERVICE, f"expressions with {error}") from error
        except InvalidExpressionError as error:
            raise invalid(f"Invalid Schedule Expression {expression}: {error}.") from error
        window = params["FlexibleTimeWindow"]
        if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
            raise invalid("MaximumWindowInMinutes belongs to the mode FLEXIBLE, and only to it.")
        group = params.get("GroupName") or "default"
        if group not in self._cloud.backend(SERVICE, call.region).schedule_groups:
            raise AwsError(
                "ResourceNotFoundException", f"Schedule group {group} does not exist.", status=404
            )
        self._target(params["Target"])

    def updated(self, call: Call) -> None:
        """After UpdateSchedule: moto forgets what is to happen after the last run."""
        backend = self._cloud.backend(SERVICE, call.region)
        schedule = backend.get_schedule(call.params.get("GroupName"), call.params["Name"])
        schedule.action_after_completion = call.params.get("ActionAfterCompletion")

    def _target(self, target: Mapping[str, Any]) -> None:
        """A templated ECS target is a cluster with EcsParameters.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
        """
        parts = target["Arn"].split(":")
        if parts[2:3] != ["ecs"] or not parts[-1].startswith("cluster/"):
            raise NotReproducedError(SERVICE, f"targets other than ECS tasks ({target['Arn']})")
        if "EcsParameters" not in target:
            raise invalid("EcsParameters must be given for a target that is an ECS cluster.")
        for member in ("PlacementConstraints", "PlacementStrategy", "ReferenceId"):
            if target["EcsParameters"].get(member):
                raise NotReproducedError(SERVICE, f"EcsParameters with {member}")
        if target.get("Input"):
            try:
                json.loads(target["Input"])
            except ValueError as error:
                raise invalid("Invalid RequestJson provided. Reason: it is no JSON.") from error
        self._role(target["RoleArn"])
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue and queue.split(":")[2:3] != ["sqs"]:
            raise invalid("A dead-letter queue must be the ARN of a standard SQS queue.")

    def _role(self, arn: str) -> None:
        """https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role"""
        roles = self._cloud.backend("iam").roles.values()
        trusts = [role.assume_role_policy_document for role in roles if role.arn == arn]
        if not trusts or PRINCIPAL not in str(trusts[0]):
            raise invalid(
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            )
