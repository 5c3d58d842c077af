"""The module ``ecs_watch``: looks on while somebody else's deployment goes its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws
from ..lyo_progress import Progress
from ..lyo_release import decide_deploy as decide
from ..lyo_release import live, reasons, result, verdict
from ..lyo_release.follow import Follower
from ..lyo_release.task_definition import release_of
from . import ending, place, spec

Sleep = Callable[[float], None]


def last_line(state: live.State) -> str:
    """Return what is known of the latest deployment, where none is in progress."""
    last: Mapping[str, Any] = state.last or {}
    serves = live.name_of(state.live, state.live_definition)
    ended = last.get("finishedAt")
    if not last:
        return f"no deployment is in progress; {serves} serves"
    when = f" at {ended:%Y-%m-%d %H:%M:%S} UTC" if isinstance(ended, datetime) else ""
    return (
        f"no deployment is in progress; the last one ended{when} as {last.get('status')}, "
        f"{serves} serves"
    )


def work(
    module: Any,
    aws: Aws,
    progress: Progress,
    sleep: Sleep = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Watch the deployment in progress to its end, and end with its verdict."""
    params = module.params
    outputs = place.read(aws, params)
    state = place.service(aws, outputs)
    if state.deployment is None:
        module.exit_json(
            changed=False,
            in_progress=False,
            lyo_summary={"report": [last_line(state)]},
            reasons=[],
            deployment="",
            release="",
            stages=[],
        )
    assert state.deployment is not None
    arn = str(state.deployment["serviceDeploymentArn"])
    target = state.definitions.get(state.target)
    name = live.name_of(state.target, target)
    progress("watch", f"{name}, {state.deployment.get('status')}: only watching")
    # Looking on means that no hook is answered and nothing is turned back.
    limits = decide.Limits(0, float("inf"), float(params["timeout"]))
    outcome = Follower(aws, progress, limits, turning_back=True, sleep=sleep, clock=clock).follow(
        arn
    )
    word, why = ending.judge(aws, progress, outputs, outcome, sleep, clock)
    lines = [f"{name}: {why}", *outcome.reasons]
    if word not in (verdict.DEPLOYED, verdict.STILL_RUNNING):
        lines += _why(aws, outputs, state, outcome.deployment)
    result.finish(
        module,
        verdict=word,
        reasons=lines,
        changed=False,
        good=(verdict.DEPLOYED,),
        in_progress=True,
        deployment=arn,
        release=release_of(target),
        stages=outcome.stages,
    )


def _why(
    aws: Aws, outputs: Mapping[str, Any], state: live.State, deployment: Mapping[str, Any]
) -> list[str]:
    """Return what tasks, log and events tell of a deployment that did not succeed."""
    cluster, name = outputs["cluster_name"], outputs["service_name"]
    definition = state.definitions.get(state.target) or {}
    witness = reasons.Witness(aws, cluster, name, definition, [])
    witness.since = deployment.get("createdAt")
    witness.look()
    service = live.describe_service(aws, cluster, name) or {}
    return witness.lines() + reasons.event_lines(service, deployment.get("createdAt"))


def run(module: Any) -> None:
    """Run the module."""
    spec.run(module, "watch", work)
