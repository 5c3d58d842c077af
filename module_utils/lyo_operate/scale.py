"""The module ``ecs_scale``: another number of tasks, until Application Auto Scaling decides anew.

Between releases the number of tasks is Application Auto Scaling's; its bounds are Terraform's. Setting
the desired count inside of them is allowed, and lasts until a policy or the bounds change it:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws, parallel
from ..lyo_progress import Progress
from ..lyo_release import live, result, verdict
from . import decide, place, spec
from .restart import seen

DIMENSION = "ecs:service:DesiredCount"


def scalable_target(aws: Aws, cluster: str, service: str) -> decide.Scaling | None:
    """Return the service's scalable target, None where nothing scales it.

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
    """
    answer = aws.call(
        "application-autoscaling",
        "describe_scalable_targets",
        ServiceNamespace="ecs",
        ResourceIds=[f"service/{cluster}/{service}"],
        ScalableDimension=DIMENSION,
    )
    for entry in answer.get("ScalableTargets", []):
        suspended = entry.get("SuspendedState") or {}
        words = [
            text
            for key, text in (
                ("DynamicScalingInSuspended", "scaling in"),
                ("DynamicScalingOutSuspended", "scaling out"),
                ("ScheduledScalingSuspended", "scheduled actions"),
            )
            if suspended.get(key)
        ]
        return decide.Scaling(
            int(entry["MinCapacity"]), int(entry["MaxCapacity"]), " and ".join(words)
        )
    return None


def healthy_targets(aws: Aws, groups: Mapping[str, str]) -> int:
    """Return how many targets are healthy, in both target groups together."""

    def reader(arn: str) -> Callable[[], Any]:
        return lambda: aws.call("elbv2", "describe_target_health", TargetGroupArn=arn)

    answers = parallel(*map(reader, groups.values())) if groups else []
    return sum(
        entry.get("TargetHealth", {}).get("State") == "healthy"
        for answer in answers
        for entry in answer.get("TargetHealthDescriptions", [])
    )


def work(
    module: Any,
    aws: Aws,
    progress: Progress,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Scale, and wait until as many tasks run and are healthy."""
    params = module.params
    tasks = int(params["tasks"])
    outputs = place.read(aws, params)
    cluster, name = outputs["cluster_name"], outputs["service_name"]
    state, scaling = parallel(
        lambda: place.service(aws, outputs), lambda: scalable_target(aws, cluster, name)
    )
    service = seen(state)
    step, why = decide.scale(service, scaling, tasks, params["env"])
    common: dict[str, Any] = {
        "before": service.desired,
        "minimum": scaling.minimum if scaling else 0,
        "maximum": scaling.maximum if scaling else 0,
        "pending": False,
        "diff": result.diff({"desired": service.desired}, {"desired": tasks}, "number of tasks"),
    }
    good = (verdict.SCALED, verdict.UNCHANGED)
    if step == decide.REFUSE:
        refused = {**common, "diff": {}}
        result.finish(
            module,
            verdict=verdict.FAILED,
            reasons=[why],
            changed=False,
            good=(),
            headline="nothing was scaled",
            **refused,
        )
    if step == decide.UNCHANGED:
        same = {**common, "diff": {}}
        result.finish(
            module, verdict=verdict.UNCHANGED, reasons=[why], changed=False, good=good, **same
        )
    if module.check_mode:
        result.finish(
            module,
            verdict=verdict.PREDICTED,
            reasons=[why],
            changed=True,
            good=(verdict.PREDICTED,),
            **common,
        )
    if params["begin"]:
        # Put on record, and locked, before anything is written.
        module.exit_json(changed=False, reasons=[why], **{**common, "pending": True, "diff": {}})
    progress("scale", why)
    if step == decide.START:
        aws.call("ecs", "update_service", cluster=cluster, service=name, desiredCount=tasks)
    word, lines = settle(aws, progress, outputs, tasks, float(params["timeout"]), sleep, clock)
    if word == verdict.SCALED and scaling is not None:
        lines.append(
            f"until Application Auto Scaling decides anew, between {scaling.minimum} and "
            f"{scaling.maximum}"
            + (f"; {scaling.suspended} is suspended" if scaling.suspended else "")
        )
    result.finish(
        module,
        verdict=word,
        reasons=[why, *lines],
        changed=step == decide.START,
        good=good,
        headline="the number of tasks is another",
        **common,
    )


def settle(
    aws: Aws,
    progress: Progress,
    outputs: Mapping[str, Any],
    tasks: int,
    timeout: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> tuple[str, list[str]]:
    """Wait until that many tasks run and are healthy; return verdict and reasons."""
    cluster, name = outputs["cluster_name"], outputs["service_name"]
    groups = outputs.get("target_group_arns") or {}
    end, pause, words, accepted = clock() + timeout, 0.2, "", False
    while True:
        service, healthy = parallel(
            lambda: live.describe_service(aws, cluster, name) or {},
            lambda: healthy_targets(aws, groups) if groups else None,
        )
        desired, running = int(service.get("desiredCount", 0)), int(service.get("runningCount", 0))
        accepted = accepted or desired == tasks
        step, text = decide.settled(desired, running, healthy, tasks, accepted=accepted)
        progress("scale", text)
        if step == "done":
            return verdict.SCALED, [text]
        if step == "overruled":
            return verdict.FAILED, [text]
        if clock() > end:
            late = f"{text} after {timeout:.0f} s; the same command watches on"
            return verdict.STILL_RUNNING, [f"{late}, logs.yml shows why tasks stop"]
        pause = 0.2 if text != words else min(2.0, pause * 1.25)
        words = text
        sleep(pause)


def run(module: Any) -> None:
    """Run the module."""
    spec.run(module, "scale", work)
