"""Scaling activities: what was done, what came of it, and what was not done for which reason.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

IN_PROGRESS, SUCCESSFUL = "InProgress", "Successful"
OVERRIDDEN, UNFULFILLED, FAILED = "Overridden", "Unfulfilled", "Failed"
# Cloud seconds until a change that ECS does not fulfil is given up; AWS names no figure.
LONGEST_SECONDS = 15 * 60.0
KEPT = 500


@dataclass
class Activity:
    """One scaling activity. Times named ``…_at`` are shown; ``done`` is in cloud seconds."""

    resource: str
    cause: str
    description: str
    started_at: datetime
    began: float
    capacity: int | None = None
    status: str = IN_PROGRESS
    message: str = ""
    ended_at: datetime | None = None
    done: float | None = None
    not_scaled: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, status: str, message: str, at: datetime, now: float) -> None:
        """Give it its end."""
        self.status, self.message, self.ended_at, self.done = status, message, at, now

    def shape(self) -> dict[str, Any]:
        """As DescribeScalingActivities has it.

        https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ScalingActivity.html
        """
        shape: dict[str, Any] = {
            "ActivityId": self.id,
            "ServiceNamespace": "ecs",
            "ResourceId": self.resource,
            "ScalableDimension": "ecs:service:DesiredCount",
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.started_at,
            "StatusCode": self.status,
        }
        if self.ended_at is not None:
            shape["EndTime"] = self.ended_at
        if self.message:
            shape["StatusMessage"] = self.message
        if self.not_scaled is not None:
            shape["NotScaledReasons"] = [self.not_scaled]
        return shape


class Journal:
    """The activities of all targets, the newest first."""

    def __init__(self) -> None:
        self._activities: deque[Activity] = deque(maxlen=KEPT)

    def __iter__(self) -> Any:
        return iter(self._activities)

    def under_way(self, resource: str) -> Activity | None:
        """The activity of a target that has not ended."""
        for activity in self._activities:
            if activity.resource == resource and activity.status == IN_PROGRESS:
                return activity
        return None

    def begin(self, activity: Activity) -> None:
        """Take a new one in; what it supersedes ends."""
        former = self.under_way(activity.resource)
        if former is not None:
            former.end(
                OVERRIDDEN,
                "The desired capacity was updated by a newer scaling event.",
                activity.started_at,
                activity.began,
            )
        self._activities.appendleft(activity)

    def note(self, activity: Activity) -> None:
        """Take in what was not done; the same again and again is told once."""
        for last in self._activities:
            if last.resource == activity.resource:
                same = last.not_scaled == activity.not_scaled and last.cause == activity.cause
                if last.not_scaled is not None and same:
                    return
                break
        self._activities.appendleft(activity)

    def follow(
        self, resource: str, desired: int, running: int, at: datetime, now: float
    ) -> Activity | None:
        """Compare what is under way with the service; return what has just succeeded."""
        activity = self.under_way(resource)
        if activity is None or activity.capacity is None:
            return None
        if desired != activity.capacity:
            activity.end(OVERRIDDEN, f"The desired count was set to {desired}.", at, now)
        elif running >= desired:
            text = f"Successfully set desired count to {desired}. Change successfully fulfilled by ecs."
            activity.end(SUCCESSFUL, text, at, now)
            return activity
        elif now - activity.began > LONGEST_SECONDS:
            text = f"Successfully set desired count to {desired}. Change was not fulfilled by ecs."
            activity.end(UNFULFILLED, text, at, now)
        return None
