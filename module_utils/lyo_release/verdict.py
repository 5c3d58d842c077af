"""The one word a run ends with."""

from __future__ import annotations

from dataclasses import dataclass

UNCHANGED = "UNCHANGED"
DEPLOYED = "DEPLOYED"
ROLLED_BACK = "ROLLED_BACK"
STILL_RUNNING = "STILL_RUNNING"
FAILED = "FAILED"
VERDICTS = (UNCHANGED, DEPLOYED, ROLLED_BACK, STILL_RUNNING, FAILED)
# Of runs that are not about a release.
BACKED_UP = "BACKED_UP"
DRIFTED = "DRIFTED"
MIGRATED = "MIGRATED"
RESTARTED = "RESTARTED"
SCALED = "SCALED"
SUCCEEDED = "SUCCEEDED"
# What check mode ends with.
PREDICTED = "PREDICTED"


@dataclass(frozen=True)
class Ending:
    """What is known of a service deployment when it is no longer followed.

    :ivar status: its ``status``.
    :ivar stage: its ``lifecycleStage``.
    :ivar production_weight: traffic of its target revision in percent, None where AWS names none.
    :ivar asked: task definition that was asked for.
    :ivar target: task definition of its target revision.
    :ivar live: task definition that carries the traffic now.
    """

    status: str
    stage: str
    production_weight: float | None
    asked: str
    target: str
    live: str


def of_release(ending: Ending, wait_for: str) -> tuple[str, str]:
    """Return verdict and reason of a release; DEPLOYED only if what was asked for serves alone."""
    if ending.target != ending.asked:
        return FAILED, f"the deployment is of {ending.target}, not of {ending.asked}"
    if ending.status == "SUCCESSFUL":
        if ending.live != ending.asked:
            return FAILED, f"{ending.live} serves: another deployment has taken over since"
        return DEPLOYED, "the release carries all production traffic"
    if ending.status == "ROLLBACK_SUCCESSFUL":
        return ROLLED_BACK, "the deployment was turned back, the former release serves"
    if ending.status == "ROLLBACK_FAILED":
        return FAILED, "turning back failed: look at the service now"
    if ending.status == "STOPPED":
        return FAILED, "the deployment was stopped before its end"
    if bakes(ending.status, ending.stage, ending.production_weight) and wait_for == "bake":
        return DEPLOYED, "the release carries all production traffic, the former one is kept ready"
    return STILL_RUNNING, (
        f"the deployment is {ending.status} at {ending.stage or 'its start'} and goes on by itself;"
        " run the same command again to watch it"
    )


def bakes(status: str, stage: str, production_weight: float | None) -> bool:
    """Tell whether the new revision carries all traffic while the old one is still there."""
    return status == "IN_PROGRESS" and stage == "BAKE_TIME" and production_weight == 100


def of_rollback(ending: Ending, method: str) -> tuple[str, str]:
    """Return verdict and reason of a rollback, for which ROLLED_BACK is success.

    :param method: ``stop`` where a deployment was turned back, else a revision was deployed.
    """
    verdict, reason = of_release(ending, "complete")
    if method == "stop":
        if ending.status == "SUCCESSFUL":
            return FAILED, "the deployment ended before it could be stopped; run rollback again"
        return verdict, reason
    if verdict == DEPLOYED:
        return ROLLED_BACK, "the former release carries all production traffic again"
    if verdict == ROLLED_BACK:
        return FAILED, "the former release could not take over, what served before still serves"
    return verdict, reason
