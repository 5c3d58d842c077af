"""What a release does next, given what is live: decisions without I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from . import stages, verdict

# First steps.
UNCHANGED = "unchanged"
DEPLOY = "deploy"
SCALE = "scale"
ADOPT = "adopt"
WAIT = "wait"
REFUSE = "refuse"


@dataclass(frozen=True)
class Live:
    """The service as it is.

    :ivar exists: whether it is there and ACTIVE.
    :ivar desired: desired number of tasks.
    :ivar matches: whether what carries the traffic is what was asked for.
    :ivar deployment: ARN of the deployment in progress, empty without one.
    :ivar deployment_status: its status.
    :ivar deployment_matches: whether its target is what was asked for.
    :ivar deployment_name: its release or task definition, for people.
    """

    exists: bool
    desired: int = 0
    matches: bool = False
    deployment: str = ""
    deployment_status: str = ""
    deployment_matches: bool = False
    deployment_name: str = ""


def first_step(live: Live, in_progress: str) -> tuple[str, str]:
    """Return the first step and its reason.

    :param in_progress: ``refuse`` or ``wait``, where another release is just being deployed. One
        that is turning back is always waited for: it ends soon, and nothing can overtake it.
    """
    if not live.exists:
        return REFUSE, "the service does not exist or is not active: run the infrastructure phases"
    if live.deployment:
        if live.deployment_status not in stages.FORWARD:
            return WAIT, f"the deployment of {live.deployment_name} is just turning back"
        if live.deployment_matches:
            return ADOPT, "a deployment of this release is already in progress"
        if in_progress == "wait":
            return WAIT, f"waiting for the deployment of {live.deployment_name}"
        return REFUSE, (
            f"{live.deployment_name} is just being deployed ({live.deployment}): wait for it "
            "(-e in_progress=wait) or turn it back with rollback.yml"
        )
    if live.matches:
        if live.desired == 0:
            return SCALE, "the release is live but has no tasks"
        return UNCHANGED, "the release is live and carries all production traffic"
    return DEPLOY, "the live revision differs from what was asked for"


# Steps while a deployment is followed.
POLL = "poll"
CHECK = "check"
TURN_BACK = "turn_back"
END = "end"
GIVE_UP = "give_up"


@dataclass(frozen=True)
class Limits:
    """When to stop hoping, in wall seconds and tasks, and where to stop watching."""

    max_failed_tasks: int = 3
    healthy_timeout: float = 900.0
    timeout: float = 7200.0
    wait_for: str = "complete"


@dataclass(frozen=True)
class Observation:
    """A service deployment at one moment.

    :ivar position: see :func:`stages.position`.
    :ivar waiting_hooks: ids of PAUSE hooks that wait for an answer.
    :ivar failed_tasks: tasks of the target revision that have failed so far.
    :ivar elapsed: seconds since it is followed.
    """

    status: str
    stage: str
    position: float
    production_weight: float | None = None
    waiting_hooks: tuple[str, ...] = ()
    failed_tasks: int = 0
    elapsed: float = 0.0


def next_step(
    seen: Observation, limits: Limits, answered: Collection[str], turning_back: bool
) -> tuple[str, str]:
    """Return what to do about a deployment that is followed, and why.

    :param answered: hooks that were already answered.
    :param turning_back: whether turning back was already asked for.
    """
    if seen.status in stages.ENDED:
        return END, seen.status
    if verdict.bakes(seen.status, seen.stage, seen.production_weight):
        if limits.wait_for == "bake" and not turning_back:
            return END, "all production traffic is on the new revision"
    elif seen.status in stages.FORWARD and not turning_back:
        if stages.before(seen.position, "PRODUCTION_TRAFFIC_SHIFT"):
            if limits.max_failed_tasks and seen.failed_tasks >= limits.max_failed_tasks:
                return TURN_BACK, f"{seen.failed_tasks} tasks of the new revision have failed"
            scaling = stages.before(seen.position, "POST_SCALE_UP")
            if scaling and seen.elapsed > limits.healthy_timeout:
                return TURN_BACK, (
                    f"the new revision is not healthy after {limits.healthy_timeout:.0f} s"
                )
        for hook in seen.waiting_hooks:
            if hook not in answered and stages.holds_test_traffic(seen.position):
                return CHECK, hook
    if seen.elapsed > limits.timeout:
        return GIVE_UP, f"not at its end after {limits.timeout:.0f} s"
    return POLL, ""


def desired_count(live_desired: int, autoscaling_min: int) -> int | None:
    """Return the desired count to ask for, None to leave it alone.

    Between releases the number belongs to Application Auto Scaling; only a service that has
    never run needs a first one.
    """
    return max(1, autoscaling_min) if live_desired == 0 else None


def pause_after(previous: float, changed: bool) -> float:
    """Return the seconds to the next poll: 0.2 after a change, slowly up to 1 without one.

    Growing by a fiftieth, the pause is about a fiftieth of what was waited: the end of a stage of half a
    minute is seen within 0.8 seconds, and a bake of an hour asks once a second.
    """
    return 0.2 if changed else min(1.0, previous * 1.02)
