"""BLUE_GREEN, CANARY and LINEAR deployments as a state machine over lifecycle stages.

Stages and their meaning:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html,
canary and linear shifts: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/canary-deployment.html
and https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-linear.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.services.ecs.decisions import (
    BREAKER_REASON,
    LONGEST_STAGE,
    USER_REASON,
    Action,
    Ask,
    Begin,
    DeploymentSnapshot,
    Enter,
    Finish,
    OpenHooks,
    ShiftProduction,
    ShiftTest,
    failure,
    turn_back,
)
from localcloud.services.ecs.hooks import failure_reason, verdict
from localcloud.services.ecs.scheduler import RevisionSnapshot, balance

STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
)


@dataclass(frozen=True)
class BlueGreenSnapshot:
    """A service with two revisions side by side.

    ``blue`` serves (None on a service's first deployment), ``green`` is the target, ``leftovers``
    are revisions of a superseded deployment. ``shifts`` are the percentages of production traffic
    that green gets step by step; ``shift_pause`` the cloud seconds between two steps.
    """

    deployment: DeploymentSnapshot
    desired: int
    green: RevisionSnapshot
    blue: RevisionSnapshot | None = None
    leftovers: tuple[RevisionSnapshot, ...] = ()
    shifts: tuple[float, ...] = (100.0,)
    shift_pause: float = 0.0
    has_test_rule: bool = False
    maximum_percent: int = 200

    @property
    def now(self) -> float:
        """Cloud seconds."""
        return self.deployment.now


def shifts_of(configuration: Mapping[str, Any]) -> tuple[tuple[float, ...], float]:
    """The production shifts of a deployment configuration, and the pause between two of them.

    Defaults: canary 5 % for 10 minutes, linear steps of 10 % every 6 minutes.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html
    """
    strategy = configuration.get("strategy")
    if strategy == "CANARY":
        canary = configuration.get("canaryConfiguration") or {}
        percent = float(canary.get("canaryPercent", 5.0))
        pause = 60.0 * canary.get("canaryBakeTimeInMinutes", 10)
        return ((percent, 100.0) if percent < 100 else (100.0,)), pause
    if strategy == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        # In tenths of a percent, or the sum of steps would not be exact.
        step = round(10 * float(linear.get("stepPercent", 10.0)))
        pause = 60.0 * linear.get("stepBakeTimeInMinutes", 6)
        return (*(tenths / 10 for tenths in range(step, 1000, step)), 100.0), pause
    return (100.0,), 0.0


def decide(snapshot: BlueGreenSnapshot) -> tuple[Action, ...]:
    """The next actions of a side-by-side deployment: tasks first, then at most one step ahead."""
    revisions = (snapshot.blue, snapshot.green, *snapshot.leftovers)
    tasks = hold([r for r in revisions if r is not None], snapshot.maximum_percent, snapshot.now)
    return (*tasks, *_step(snapshot, snapshot.deployment))


def hold(
    revisions: Sequence[RevisionSnapshot], maximum_percent: int, now: float
) -> tuple[Action, ...]:
    """Keep each revision at what it was asked for; also after a deployment stopped midway."""
    actions: list[Action] = []
    for revision in revisions:
        room = max(revision.requested, revision.requested * maximum_percent // 100)
        actions += balance(revision, revision.requested, room, now)
    return tuple(actions)


def _step(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> tuple[Action, ...]:
    if deployment.status == "PENDING":
        return (Begin("RECONCILE_SERVICE" if snapshot.leftovers else "PRE_SCALE_UP"),)
    if deployment.status == "ROLLBACK_REQUESTED":
        return (turn_back(deployment, USER_REASON),)
    if deployment.status == "ROLLBACK_IN_PROGRESS":
        return _back(snapshot, deployment)
    if deployment.status != "IN_PROGRESS":
        return ()
    stage = deployment.stage or STAGES[0]
    if stage != "CLEAN_UP":
        failed = failure(deployment) or _stage_failure(deployment, stage)
        if failed is not None:
            return (failed,)
    handler = _WORK.get(stage)
    if handler is not None:
        waiting = handler(snapshot, deployment)
        if waiting is not None:
            return waiting
    if stage in deployment.hook_stages:
        said = verdict(deployment.hooks, stage, deployment.step)
        if said == "NONE":
            return (OpenHooks(stage),)
        if said == "WAIT":
            return ()
    return (_next(snapshot, deployment, stage),)


def _stage_failure(deployment: DeploymentSnapshot, stage: str) -> Action | None:
    """A hook that said ROLLBACK, or a stage that takes longer than 24 hours.

    Waiting for a PAUSE hook or for the bake time is not what the limit is about: hooks may wait
    14 days.
    """
    if verdict(deployment.hooks, stage, deployment.step) == "ROLLBACK":
        here = [hook for hook in deployment.hooks if hook.step == deployment.step]
        return turn_back(deployment, failure_reason(here, stage))
    works = stage == "SCALE_UP" or (stage == "RECONCILE_SERVICE" and not deployment.hooks)
    if works and deployment.now - deployment.stage_since > LONGEST_STAGE:
        reason = f"Service deployment rolled back because the {stage} stage timed out."
        return turn_back(deployment, reason)
    return None


def _next(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot, stage: str) -> Action:
    if stage == "CLEAN_UP":
        return Finish("SUCCESSFUL")
    if stage == "PRODUCTION_TRAFFIC_SHIFT" and deployment.step < len(snapshot.shifts):
        return Enter("PRE_PRODUCTION_TRAFFIC_SHIFT")
    return Enter(STAGES[STAGES.index(stage) + 1])


# Each of these returns the actions of its stage while there is work or something to wait for, and
# None when the stage is done.
_Work = tuple[Action, ...] | None


def _reconcile(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    """Remove what a superseded deployment left, so that the second target group is free."""
    del deployment
    blue = snapshot.blue
    if blue is not None and not blue.blocked and blue.healthy < blue.requested:
        return ()  # a rolling deployment may have taken tasks of it away
    asks = tuple(Ask(left.number, 0) for left in snapshot.leftovers if left.requested)
    if asks:
        return asks
    return None if all(left.gone for left in snapshot.leftovers) else ()


def _scale_up(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    del deployment
    green = snapshot.green
    if green.requested != snapshot.desired:
        return (Ask(green.number, snapshot.desired),)
    return None if green.healthy >= snapshot.desired else ()


def _shift_test(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    if snapshot.has_test_rule and deployment.test_percent < 100:
        return (ShiftTest(100.0),)
    return None


def _shift_production(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    if deployment.shifted is None:
        return (ShiftProduction(snapshot.shifts[deployment.step]),)
    # The pause is not applied after reaching 100 percent.
    paused = deployment.step < len(snapshot.shifts)
    if paused and snapshot.now < deployment.shifted + snapshot.shift_pause:
        return ()
    return None


def _bake(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    return None if snapshot.now >= deployment.stage_since + deployment.bake else ()


def _clean_up(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> _Work:
    del deployment
    blue = snapshot.blue
    if blue is None:
        return None
    if blue.requested:
        return (Ask(blue.number, 0),)
    return None if blue.gone else ()


_WORK = {
    "RECONCILE_SERVICE": _reconcile,
    "SCALE_UP": _scale_up,
    "TEST_TRAFFIC_SHIFT": _shift_test,
    "PRODUCTION_TRAFFIC_SHIFT": _shift_production,
    "BAKE_TIME": _bake,
    "CLEAN_UP": _clean_up,
}


def _back(snapshot: BlueGreenSnapshot, deployment: DeploymentSnapshot) -> tuple[Action, ...]:
    """Turn back: traffic to blue as soon as blue is whole, then stop green.

    Until CLEAN_UP blue still has all its tasks, so that this is a flip of weights; from CLEAN_UP on
    blue must be launched again first.
    """
    threshold = deployment.breaker_threshold
    if threshold is not None and deployment.failures >= threshold:
        return (Finish("ROLLBACK_FAILED", BREAKER_REASON),)
    if deployment.fault is not None:
        return (Finish("ROLLBACK_FAILED", deployment.fault),)
    blue, green = snapshot.blue, snapshot.green
    if blue is None:  # turn_back() finishes such a deployment instead
        return (Finish("ROLLBACK_FAILED"),)
    if deployment.stage == "CLEAN_UP" and deployment.production_percent > 0:
        if blue.requested != snapshot.desired:
            return (Ask(blue.number, snapshot.desired),)
        if blue.healthy < snapshot.desired:
            return ()
    if deployment.production_percent > 0:
        return (ShiftProduction(0.0),)
    if deployment.test_percent > 0:
        return (ShiftTest(0.0),)
    asks = tuple(Ask(r.number, 0) for r in (green, *snapshot.leftovers) if r.requested)
    if asks:
        return asks
    if not green.gone or not all(left.gone for left in snapshot.leftovers):
        return ()
    return (Finish("ROLLBACK_SUCCESSFUL"),)
