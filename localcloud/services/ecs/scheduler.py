"""How many tasks of a revision to start and which to stop: decisions without any side effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Cause = Literal["scale-in", "unhealthy", "replaced"]

#: A service without load balancer and container health check counts a task as healthy after
#: having been RUNNING for this long
#: (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html).
SETTLE_SECONDS = 40.0
#: The longest pause between launches of a service whose tasks do not reach RUNNING
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html).
LONGEST_PAUSE = 27 * 60.0
_FREE_LAUNCH_FAILURES = 3
_FIRST_PAUSE = 10.0


@dataclass(frozen=True)
class TaskSnapshot:
    """A task that is meant to run. ``created`` orders tasks; ``unhealthy`` is a reason or None."""

    arn: str
    created: float
    running: bool = False
    healthy: bool = False
    unhealthy: str | None = None


@dataclass(frozen=True)
class RevisionSnapshot:
    """The tasks of one service revision.

    ``leaving`` counts tasks that were told to stop and have not stopped; before ``retry_at`` no
    task is launched; ``blocked`` revisions launch none; ``proven`` ones had a healthy task. One that
    stands ``aside`` was the target of a side-by-side deployment and gets no production traffic.
    """

    number: str
    requested: int = 0
    tasks: tuple[TaskSnapshot, ...] = ()
    leaving: int = 0
    blocked: bool = False
    proven: bool = False
    retry_at: float = 0.0
    aside: bool = False

    @property
    def healthy(self) -> int:
        """Tasks that run and are healthy."""
        return sum(task.healthy for task in self.tasks)

    @property
    def gone(self) -> bool:
        """Whether no task of it is left."""
        return not self.tasks and not self.leaving


@dataclass(frozen=True)
class Start:
    """Launch ``count`` tasks of a revision."""

    revision: str
    count: int


@dataclass(frozen=True)
class Stop:
    """Stop a task; whether it counts as a failure follows from the cause."""

    arn: str
    cause: Cause
    reason: str | None = None


def balance(
    revision: RevisionSnapshot, goal: int, room: int, now: float
) -> tuple[Start | Stop, ...]:
    """Bring one revision to ``goal`` tasks without ever having more than ``room`` of them.

    An unhealthy task of a revision that has proven itself is replaced first and stopped when the
    replacement is healthy, or one at a time when there is no room for a replacement. A task that
    never got healthy in a revision without any healthy one is stopped at once: nothing is lost,
    and the failure counts.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
    """
    unhealthy = [task for task in revision.tasks if task.unhealthy is not None]
    good = [task for task in revision.tasks if task.unhealthy is None]
    actions: list[Start | Stop] = []
    missing = goal - len(good)
    held = len(revision.tasks)
    if not revision.proven or revision.healthy >= goal:
        doomed = unhealthy
    else:
        no_room = missing > 0 and room - held <= 0
        doomed = unhealthy[:1] if no_room else []
    actions += [Stop(task.arn, "unhealthy", task.unhealthy) for task in doomed]
    held -= len(doomed)
    launch = min(missing, room - held)
    if launch > 0 and not revision.blocked and now >= revision.retry_at:
        actions.append(Start(revision.number, launch))
    if missing < 0:
        actions += [Stop(task.arn, "scale-in") for task in dispensable(good)[:-missing]]
    return tuple(actions)


def dispensable(tasks: list[TaskSnapshot]) -> list[TaskSnapshot]:
    """Those that serve least first: pending, then not healthy, then the youngest."""
    return sorted(tasks, key=lambda task: (task.running, task.healthy, -task.created))


def pause_after(launch_failures: int) -> float:
    """Cloud seconds to wait before the next launch after so many launches in a row failed.

    Only tasks that never reached RUNNING count.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
    """
    if launch_failures < _FREE_LAUNCH_FAILURES:
        return 0.0
    doublings = min(launch_failures - _FREE_LAUNCH_FAILURES, 10)
    return min(_FIRST_PAUSE * 2.0**doublings, LONGEST_PAUSE)


def breaker_threshold(configuration: Mapping[str, Any], desired: int) -> int:
    """Failed tasks at which the deployment circuit breaker triggers.

    Half of the desired count, between 3 and 200, unless ``thresholdConfiguration`` says otherwise.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    threshold = configuration.get("thresholdConfiguration") or {}
    kind = threshold.get("type", "BOUNDED_PERCENT")
    value = int(threshold.get("value", 50))
    if kind == "COUNT":
        return value
    share = math.ceil(desired * value / 100)
    return share if kind == "UNBOUNDED_PERCENT" else max(3, min(200, share))
