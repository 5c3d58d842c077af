"""PAUSE lifecycle hooks: where they may stand, when they open, what ends them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/pause-lifecycle-hooks.html
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.api import AwsError, NotReproducedError

#: Where a PAUSE hook may stand; the two traffic shift stages take Lambda hooks only.
PAUSE_STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)
DEFAULT_TIMEOUT_MINUTES = 1440
LONGEST_TIMEOUT_MINUTES = 20160
MOST_PAUSE_HOOKS = 10


@dataclass(frozen=True)
class HookSnapshot:
    """A hook that was reached: its stage, status and, once it ended, CONTINUE or ROLLBACK."""

    hook_id: str
    stage: str
    step: int
    status: str
    outcome: str | None = None


@dataclass(frozen=True)
class PauseHook:
    """A configured PAUSE hook; ``timeout`` in cloud seconds."""

    stages: tuple[str, ...]
    timeout: float
    action: str


def new_hook_id() -> str:
    """An id of the form that ECS gives to PAUSE hooks."""
    return f"ecs-pause-{secrets.token_urlsafe(32)}"


def configured(configuration: Mapping[str, Any]) -> tuple[PauseHook, ...]:
    """The PAUSE hooks of a deployment configuration, defaults filled in."""
    hooks = []
    for entry in configuration.get("lifecycleHooks") or []:
        timeout = entry.get("timeoutConfiguration") or {}
        hooks.append(
            PauseHook(
                tuple(entry.get("lifecycleStages") or ()),
                60.0 * timeout.get("timeoutInMinutes", DEFAULT_TIMEOUT_MINUTES),
                timeout.get("action", "ROLLBACK"),
            )
        )
    return tuple(hooks)


def stages_with_hooks(hooks: Iterable[PauseHook]) -> frozenset[str]:
    """The stages at which a deployment pauses."""
    return frozenset(stage for hook in hooks for stage in hook.stages)


def verdict(hooks: Sequence[HookSnapshot], stage: str, step: int) -> str:
    """What the hooks of a stage say: NONE (not opened), WAIT, CONTINUE or ROLLBACK.

    Hooks of a stage run side by side, each must end; one ROLLBACK turns the deployment back.
    """
    here = [hook for hook in hooks if hook.stage == stage and hook.step == step]
    if not here:
        return "NONE"
    if any(hook.outcome == "ROLLBACK" for hook in here):
        return "ROLLBACK"
    return "CONTINUE" if all(hook.outcome == "CONTINUE" for hook in here) else "WAIT"


def failure_reason(hooks: Sequence[HookSnapshot], stage: str) -> str:
    """Why hooks turned a deployment back, as its status reason."""
    failed = next(hook for hook in hooks if hook.stage == stage and hook.outcome == "ROLLBACK")
    how = (
        "timed out before it was continued."
        if failed.status == "TIMED_OUT"
        else "was answered with ROLLBACK."
    )
    return (
        f"Service deployment rolled back because {stage} lifecycle hook(s) failed. "
        f"Lifecycle hook {failed.hook_id} {how}"
    )


def check(entries: Sequence[Mapping[str, Any]], strategy: str) -> None:
    """Refuse hooks that ECS refuses or that the local cloud does not reproduce.

    Raises ``InvalidParameterException``; Lambda hooks, and hooks of rolling deployments, whose
    stages AWS's pages do not tell, are not reproduced.
    """
    if entries and strategy == "ROLLING":
        raise NotReproducedError("ecs", "lifecycleHooks of ROLLING deployments")
    if len(entries) > MOST_PAUSE_HOOKS:
        raise _invalid(f"A service can have at most {MOST_PAUSE_HOOKS} PAUSE lifecycle hooks.")
    for entry in entries:
        if entry.get("targetType", "AWS_LAMBDA") != "PAUSE":
            raise NotReproducedError("ecs", "lifecycle hooks of targetType AWS_LAMBDA")
        if entry.get("hookTargetArn") or entry.get("hookDetails") is not None:
            raise _invalid("hookTargetArn and hookDetails are not valid for PAUSE lifecycle hooks.")
        stages = entry.get("lifecycleStages") or []
        if not stages:
            raise _invalid("lifecycleStages must be provided for a deployment lifecycle hook.")
        for stage in stages:
            if stage not in PAUSE_STAGES:
                raise _invalid(f"PAUSE lifecycle hooks cannot be configured at stage {stage}.")
        timeout = entry.get("timeoutConfiguration") or {}
        minutes = timeout.get("timeoutInMinutes", DEFAULT_TIMEOUT_MINUTES)
        if not 1 <= minutes <= LONGEST_TIMEOUT_MINUTES:
            raise _invalid(f"timeoutInMinutes must be between 1 and {LONGEST_TIMEOUT_MINUTES}.")
        if timeout.get("action", "ROLLBACK") not in ("ROLLBACK", "CONTINUE"):
            raise _invalid("The timeout action must be ROLLBACK or CONTINUE.")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
