"""The texts of service events and of the reasons on stopped tasks, as ECS words them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

from __future__ import annotations

from collections.abc import Sequence

STEADY = "has reached a steady state."
DRAINING = "has begun draining connections on 1 tasks."
UNABLE = (
    "is unable to consistently start tasks successfully. For more information, see the "
    "Troubleshooting section of the Amazon ECS Developer Guide."
)


def task_id(arn: str) -> str:
    """The part of a task's ARN that events name it by."""
    return arn.rsplit("/", 1)[1]


def started(arns: Sequence[str]) -> str:
    """Tasks were launched."""
    return f"has started {len(arns)} tasks: {_tasks(arns)}."


def stopped(arns: Sequence[str]) -> str:
    """Tasks were told to stop."""
    return f"has stopped {len(arns)} running tasks: {_tasks(arns)}."


def registered(count: int, target_group_arn: str) -> str:
    """Targets were registered."""
    return f"registered {count} targets in (target-group {target_group_arn})"


def deregistered(count: int, target_group_arn: str) -> str:
    """Targets were deregistered."""
    return f"deregistered {count} targets in (target-group {target_group_arn})"


def unhealthy_target(arn: str, target_group_arn: str, reason: str) -> str:
    """A target failed its load balancer's health checks."""
    return (
        f"(task {task_id(arn)}) is unhealthy in (target-group {target_group_arn}) "
        f"due to (reason {reason})."
    )


def unhealthy_container(arn: str) -> str:
    """A task failed its container health checks."""
    return f"(task {task_id(arn)}) failed container health checks."


def unable_to_place(reason: str) -> str:
    """A task could not be launched."""
    return f"was unable to place a task. Reason: {reason}."


def completed(deployment_id: str) -> str:
    """A deployment reached its end."""
    return f"(deployment {deployment_id}) deployment completed."


def failed(deployment_id: str, reason: str) -> str:
    """A deployment failed."""
    return f"(deployment {deployment_id}) deployment failed: {reason}"


def rolling_back(deployment_id: str) -> str:
    """The service turns back to an earlier deployment."""
    return f"rolling back to deployment {deployment_id}."


def stopped_scaling(deployment_id: str) -> str:
    """``stoppedReason`` of a task that is not needed any more."""
    return f"Scaling activity initiated by (deployment {deployment_id})"


def stopped_unhealthy_target(target_group_arn: str) -> str:
    """``stoppedReason`` of a task that failed load balancer health checks."""
    return f"Task failed ELB health checks in (target-group {target_group_arn})"


STOPPED_UNHEALTHY_CONTAINER = "Task failed container health checks"


def _tasks(arns: Sequence[str]) -> str:
    return " ".join(f"(task {task_id(arn)})" for arn in arns)
