"""Gathers why a revision does not come up: tasks, targets, events, log; and says it in lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure

LOG_LINES = 20
_TROUBLE = ("unable", "unhealthy", "failed", "error", "cannot", "insufficient")
_WITH_TASK = re.compile(r"\(task [0-9a-f]{32}\) ?")


def task_failed(task: Mapping[str, Any]) -> bool:
    """Tell whether a stopped task failed, in contrast to one that was asked to stop.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    """
    if task.get("stopCode") in ("EssentialContainerExited", "TaskFailedToStart"):
        return True
    reason = str(task.get("stoppedReason", "")).lower()
    return "health check" in reason or reason.startswith("task failed")


def task_line(task: Mapping[str, Any]) -> str:
    """Return why a task stopped, in one line."""
    name = str(task.get("taskArn", "")).rpartition("/")[2][:12]
    text = f"task {name}: {task.get('stoppedReason') or task.get('lastStatus', 'unknown')}"
    for container in task.get("containers", []):
        details = []
        if container.get("exitCode") is not None:
            details.append(f"exit code {container['exitCode']}")
        if container.get("reason"):
            details.append(str(container["reason"]))
        if details:
            text += f"; container {container.get('name')}: {', '.join(details)}"
    return text


def target_lines(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line for each target that has failed; one that has just started does not count."""
    lines = []
    for entry in descriptions:
        health = entry.get("TargetHealth", {})
        if health.get("State") in ("unhealthy", "unavailable"):
            target = entry.get("Target", {})
            why = health.get("Description") or health.get("Reason") or "no reason given"
            lines.append(
                f"target {target.get('Id')}:{target.get('Port')} {health.get('State')}: {why}"
            )
    return lines


def deployment_lines(deployment: Mapping[str, Any]) -> list[str]:
    """Return what the deployment itself says about its end."""
    lines = []
    for text in (deployment.get("statusReason"), deployment.get("rollback", {}).get("reason")):
        if text and text not in lines:
            lines.append(str(text))
    alarms = deployment.get("alarms", {}).get("triggeredAlarmNames")
    if alarms:
        lines.append(f"alarms in state ALARM: {', '.join(alarms)}")
    return lines


def event_lines(service: Mapping[str, Any], since: datetime | None, limit: int = 5) -> list[str]:
    """Return the service events since a moment that tell of trouble, oldest first, each once.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """
    events: list[Mapping[str, Any]] = service.get("events") or []
    texts = [
        _WITH_TASK.sub("", str(event["message"]))
        for event in events
        if since is None or event.get("createdAt") is None or event["createdAt"] >= since
    ]
    trouble = [text for text in texts if any(word in text.lower() for word in _TROUBLE)]
    return [f"event: {text}" for text in reversed(list(dict.fromkeys(trouble))[:limit])]


def task_lines(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why tasks stopped: one line for all that stopped for the same reason."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for task in tasks:
        groups.setdefault(task_line(task).partition(": ")[2], []).append(task)
    lines = []
    for why, alike in groups.items():
        first = task_line(alike[0])
        lines.append(first if len(alike) == 1 else f"{len(alike)} tasks: {why}")
    return lines


def log_stream(definition: Mapping[str, Any], task_arn: str) -> tuple[str, str] | None:
    """Return group and stream of a task's first container, None where it does not use awslogs.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
    """
    for container in definition.get("containerDefinitions", []):
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        if configuration.get("logDriver") == "awslogs" and options.get("awslogs-stream-prefix"):
            task_id = task_arn.rpartition("/")[2]
            stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{task_id}"
            return str(options["awslogs-group"]), stream
    return None


class Witness:
    """Watches the tasks and targets of one revision while its deployment is followed.

    What it saw is kept, because ECS removes failed tasks and their targets before the end.

    :param definition: task definition of the revision.
    :param target_groups: ARNs to look at.
    :ivar since: tasks created before do not count; None until the deployment's start is known.
    """

    def __init__(
        self,
        aws: Aws,
        cluster: str,
        service: str,
        definition: Mapping[str, Any],
        target_groups: Sequence[str],
    ) -> None:
        self._aws = aws
        self._cluster = cluster
        self._service = service
        self._definition = definition
        self._groups = list(target_groups)
        self.since: datetime | None = None
        self._seen: set[str] = set()
        self.failed: dict[str, dict[str, Any]] = {}
        self.unhealthy: list[str] = []
        self.healthy = 0

    def look(self) -> None:
        """Look once; a refused read only means that less is known."""
        try:
            self._look_at_tasks()
            self._look_at_targets()
        except AwsFailure as failure:
            if failure.code in ("WrongAccount", "NoCredentials"):
                raise

    def _look_at_tasks(self) -> None:
        arns: list[str] = self._aws.call(
            "ecs",
            "list_tasks",
            cluster=self._cluster,
            serviceName=self._service,
            desiredStatus="STOPPED",
        ).get("taskArns", [])
        new = [arn for arn in arns if arn not in self._seen][:100]
        if not new:
            return
        answer = self._aws.call("ecs", "describe_tasks", cluster=self._cluster, tasks=new)
        for task in answer.get("tasks", []):
            if task.get("lastStatus") != "STOPPED":
                continue  # its exit code is not known yet
            self._seen.add(task["taskArn"])
            ours = task.get("taskDefinitionArn") == self._definition.get("taskDefinitionArn")
            created = task.get("createdAt")
            recent = self.since is None or created is None or created >= self.since
            if ours and recent and task_failed(task):
                self.failed[task["taskArn"]] = task

    def _look_at_targets(self) -> None:
        unhealthy: list[str] = []
        healthy = 0
        for group in self._groups:
            answer = self._aws.call("elbv2", "describe_target_health", TargetGroupArn=group)
            descriptions = answer.get("TargetHealthDescriptions", [])
            unhealthy.extend(target_lines(descriptions))
            healthy += sum(
                d.get("TargetHealth", {}).get("State") == "healthy" for d in descriptions
            )
        self.healthy = healthy
        self.unhealthy = unhealthy or self.unhealthy

    def lines(self) -> list[str]:
        """Return what went wrong, with the log's tail of the last task that failed."""
        tasks = list(self.failed.values())
        lines = task_lines(tasks)[-5:] + self.unhealthy[:5]
        if tasks:
            lines += [f"log: {text}" for text in self.log_tail(tasks[-1]["taskArn"])]
        return lines

    def log_tail(self, task_arn: str) -> list[str]:
        """Return the last lines of a task's log, empty where there are none."""
        place = log_stream(self._definition, task_arn)
        if place is None:
            return []
        try:
            answer = self._aws.call(
                "logs",
                "get_log_events",
                logGroupName=place[0],
                logStreamName=place[1],
                limit=LOG_LINES,
                startFromHead=False,
            )
        except AwsFailure as failure:
            return [] if failure.code == "ResourceNotFoundException" else [failure.message]
        return [str(event["message"]).rstrip() for event in answer.get("events", [])]
