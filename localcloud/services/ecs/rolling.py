"""Rolling deployments, and the steady state of every service: one revision at the desired count.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from localcloud.services.ecs.decisions import (
    BREAKER_REASON,
    USER_REASON,
    Action,
    Begin,
    DeploymentSnapshot,
    Enter,
    Finish,
    failure,
    turn_back,
)
from localcloud.services.ecs.scheduler import (
    RevisionSnapshot,
    Start,
    Stop,
    balance,
    dispensable,
)


@dataclass(frozen=True)
class RollingSnapshot:
    """A service that rolls: the revision it goes to, and older ones that still have tasks."""

    now: float
    desired: int
    target: RevisionSnapshot
    olds: tuple[RevisionSnapshot, ...] = ()
    minimum_percent: int = 100
    maximum_percent: int = 200
    deployment: DeploymentSnapshot | None = None

    @property
    def floor(self) -> int:
        """Healthy tasks to keep: a share of the desired count, rounded up."""
        return math.ceil(self.desired * self.minimum_percent / 100)

    @property
    def ceiling(self) -> int:
        """Tasks to have at most: a share of the desired count, rounded down."""
        return self.desired * self.maximum_percent // 100


def decide(snapshot: RollingSnapshot) -> tuple[Action, ...]:
    """The next actions of a rolling deployment, or of a service at rest."""
    deployment = snapshot.deployment
    if deployment is not None:
        if deployment.status == "PENDING":
            return (Begin(None),)
        if deployment.status == "ROLLBACK_REQUESTED":
            return (turn_back(deployment, USER_REASON),)
        if deployment.status == "IN_PROGRESS":
            failed = failure(deployment)
            if failed is not None:
                return (failed,)
        elif _broken_again(deployment):
            return (Finish("ROLLBACK_FAILED", BREAKER_REASON),)
    actions = _pace(snapshot)
    if deployment is None or actions:
        return actions
    return _conclude(snapshot, deployment)


def _pace(snapshot: RollingSnapshot) -> tuple[Action, ...]:
    """Start new tasks as far as the ceiling allows, stop old ones as far as the floor allows."""
    aside = [task for old in snapshot.olds if old.aside for task in old.tasks]
    if aside:
        return tuple(Stop(task.arn, "replaced") for task in aside)
    target = snapshot.target
    olds = [old for old in snapshot.olds if not old.aside]
    old_tasks = [task for old in olds for task in old.tasks]
    # At rest the ceiling is what replacements of unhealthy tasks may take.
    room = max(snapshot.ceiling, snapshot.desired if not olds else 0) - len(old_tasks)
    actions: list[Action] = list(balance(target, snapshot.desired, max(room, 0), snapshot.now))
    if not old_tasks:
        return tuple(actions)
    doomed = [task for task in old_tasks if task.unhealthy is not None]
    spare = target.healthy + sum(old.healthy for old in olds) - snapshot.floor
    waiting = [task for task in old_tasks if not task.healthy and task not in doomed]
    # Old tasks that do not serve are never what the floor counts.
    doomed += waiting
    healthy = [task for task in dispensable(old_tasks) if task.healthy]
    doomed += healthy[: max(spare, 0)]
    actions += [
        Stop(t.arn, "unhealthy" if t.unhealthy else "replaced", t.unhealthy) for t in doomed
    ]
    actions += _hold_floor(snapshot, olds, len(doomed))
    return tuple(actions)


def _hold_floor(
    snapshot: RollingSnapshot, olds: list[RevisionSnapshot], doomed: int
) -> list[Action]:
    """Relaunch old tasks that were lost before the new revision can stand in for them.

    Never more than there were when the deployment began: what the service is to have beyond that
    is the new revision's. An unhealthy task is replaced within its own revision.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html
    """
    keeper = max(olds, key=lambda old: (old.proven, old.healthy))
    kept = sum(len(old.tasks) for old in olds) - doomed
    held = min(snapshot.floor, sum(old.requested for old in olds))
    missing = held - snapshot.target.healthy - kept
    room = snapshot.ceiling - kept - len(snapshot.target.tasks)
    launch = min(missing, max(room, 0))
    if launch <= 0 or not keeper.proven or keeper.blocked or snapshot.now < keeper.retry_at:
        return []
    return [Start(keeper.number, launch)]


def _conclude(snapshot: RollingSnapshot, deployment: DeploymentSnapshot) -> tuple[Action, ...]:
    """Finish once every new task is healthy and no old one is left, after the bake time if any."""
    settled = snapshot.target.healthy >= snapshot.desired and all(o.gone for o in snapshot.olds)
    if not settled or len(snapshot.target.tasks) > snapshot.desired:
        return ()
    if deployment.status == "ROLLBACK_IN_PROGRESS":
        return (Finish("ROLLBACK_SUCCESSFUL"),)
    if deployment.bake > 0:
        if deployment.stage != "BAKE_TIME":
            return (Enter("BAKE_TIME"),)
        if snapshot.now < deployment.stage_since + deployment.bake:
            return ()
    return (Finish("SUCCESSFUL"),)


def _broken_again(deployment: DeploymentSnapshot) -> bool:
    threshold = deployment.breaker_threshold
    return threshold is not None and deployment.failures >= threshold
