"""What rolling and side-by-side deployments have in common: snapshot, actions, failure, rollback.

Decisions are pure: a snapshot in, a tuple of actions out. The engine applies them and asks again
until nothing is left to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.services.ecs.hooks import HookSnapshot
from localcloud.services.ecs.scheduler import Start, Stop

#: A stage that takes longer than 24 hours fails the deployment
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html).
LONGEST_STAGE = 24 * 3600.0

BREAKER_REASON = (
    "Service deployment rolled back because the circuit breaker threshold was exceeded."
)
ALARMS_REASON = "Service deployment rolled back because of one or more active alarms."
NETWORK_REASON = "Service deployment rolled back because of invalid networking configuration."
USER_REASON = "Service deployment rolled back because of a user request."
NO_CANDIDATE = "No rollback candidate was found to run the rollback."


@dataclass(frozen=True)
class DeploymentSnapshot:
    """Where a service deployment stands. Times and durations in cloud seconds.

    ``candidate`` is the revision to turn back to, ``breaker_threshold`` None while the circuit
    breaker is off, ``alarms`` those in ALARM, ``fault`` a problem found while acting.
    """

    status: str
    now: float = 0.0
    stage: str | None = None
    stage_since: float = 0.0
    shifted: float | None = None
    candidate: str | None = None
    step: int = 0
    production_percent: float = 0.0
    test_percent: float = 0.0
    hooks: tuple[HookSnapshot, ...] = ()
    hook_stages: frozenset[str] = frozenset()
    bake: float = 0.0
    failures: int = 0
    breaker_threshold: int | None = None
    breaker_rollback: bool = True
    alarms: tuple[str, ...] = ()
    alarms_rollback: bool = True
    #: Whether alarms decide at all (enabled, and quiet when the deployment began).
    alarms_watched: bool = False
    fault: str | None = None


@dataclass(frozen=True)
class Begin:
    """PENDING becomes IN_PROGRESS, at a first stage (None: rolling deployments have none)."""

    stage: str | None


@dataclass(frozen=True)
class Enter:
    """Go to a lifecycle stage."""

    stage: str


@dataclass(frozen=True)
class OpenHooks:
    """Reach the PAUSE hooks of the present stage."""

    stage: str


@dataclass(frozen=True)
class ShiftTest:
    """Give the target revision this percentage of the test traffic."""

    percent: float


@dataclass(frozen=True)
class ShiftProduction:
    """Give the target revision this percentage of the production traffic."""

    percent: float


@dataclass(frozen=True)
class Ask:
    """Let the scheduler keep this many tasks of a revision."""

    revision: str
    count: int


@dataclass(frozen=True)
class TurnBack:
    """Begin the rollback."""

    reason: str


@dataclass(frozen=True)
class Finish:
    """End the deployment with a final status; ``cause`` is what went wrong before."""

    status: str
    reason: str | None = None
    cause: str | None = None


Action = (
    Start | Stop | Begin | Enter | OpenHooks | ShiftTest | ShiftProduction | Ask | TurnBack | Finish
)


def turn_back(deployment: DeploymentSnapshot, reason: str, *, rollback: bool = True) -> Action:
    """How a failed deployment goes on: back, or to its end where it cannot or must not go back.

    Without a revision that once completed, the rollback fails; without the rollback option the
    deployment stops where it is.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    if not rollback:
        return Finish("STOPPED", reason.replace("rolled back", "stopped"))
    if deployment.candidate is None:
        return Finish("ROLLBACK_FAILED", NO_CANDIDATE, reason)
    return TurnBack(reason)


def failure(deployment: DeploymentSnapshot) -> Action | None:
    """What to do about a failure that either detection method sees, None when there is none.

    Circuit breaker and alarms work for rolling and for blue/green deployments; whichever is first
    decides, by its own rollback option.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-failure-detection.html
    """
    if deployment.fault is not None:
        return turn_back(deployment, f"{NETWORK_REASON} {deployment.fault}")
    threshold = deployment.breaker_threshold
    if threshold is not None and deployment.failures >= threshold:
        return turn_back(deployment, BREAKER_REASON, rollback=deployment.breaker_rollback)
    if deployment.alarms_watched and deployment.alarms:
        return turn_back(deployment, ALARMS_REASON, rollback=deployment.alarms_rollback)
    return None
