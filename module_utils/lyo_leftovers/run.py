"""The module ``environment_leftovers``: what is left of an environment that was taken down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..lyo_aws import Aws, AwsFailure, parallel
from ..lyo_phases.target import GLOBAL_REGION, found
from ..lyo_progress import Progress
from ..lyo_release.verdict import FAILED
from . import decide
from .read import read

POLL_SECONDS = 5.0
# DeleteTaskDefinitions takes as many at once.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html
BATCH = 10


def remove_releases(aws: Any, name: str) -> list[str]:
    """Delete what releases have made and Terraform does not know: task definitions and their kind.

    Container Insights keeps a log group of its own, too.
    """
    families = decide.of_environment(
        aws.all("ecs", "list_task_definition_families", "families", familyPrefix=name), name
    )
    for family in families:
        for arn in _revisions(aws, family, "ACTIVE"):
            aws.call("ecs", "deregister_task_definition", taskDefinition=arn)
    inactive = [arn for family in families for arn in _revisions(aws, family, "INACTIVE")]
    for start in range(0, len(inactive), BATCH):
        aws.call("ecs", "delete_task_definitions", taskDefinitions=inactive[start : start + BATCH])
    groups = [
        group["logGroupName"]
        for group in aws.all(
            "logs",
            "describe_log_groups",
            "logGroups",
            logGroupNamePrefix=f"/aws/ecs/containerinsights/{name}/",
        )
    ]
    for group in groups:
        found(aws, "logs", "delete_log_group", logGroupName=group)
    return [arn.rpartition("/")[2] for arn in inactive] + groups


def _revisions(aws: Any, family: str, status: str) -> list[str]:
    revisions: list[str] = aws.all(
        "ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status=status
    )
    return revisions


def settle(
    clouds: Sequence[Any], env: str, name: str, timeout: float, progress: Progress
) -> list[decide.Found]:
    """Read every region until nothing is left in it, or the time is over: tags lag behind."""
    deadline = time.monotonic() + timeout
    while True:
        regions: list[decide.Found] = parallel(
            *(lambda aws=aws: read(aws, env, name) for aws in clouds)
        )
        left = [item for region in regions for item in decide.left(region)]
        if not left or time.monotonic() >= deadline:
            return regions
        progress("leftovers", f"{len(left)} still there: {left[0]}")
        time.sleep(POLL_SECONDS)


def run(module: Any) -> None:
    """Remove what releases have made, see what is left, and leave the module."""
    params = module.params
    options, env, name = params["aws"], params["env"], params["name"]
    regions = dict.fromkeys([options["region"], GLOBAL_REGION, *params["regions"]])
    clouds = [Aws({**options, "region": region}) for region in regions]
    progress = Progress("leftovers", clouds[0].secrets)
    try:
        clouds[0].call("sts", "get_caller_identity")
        removed = [] if module.check_mode else remove_releases(clouds[0], name)
        states = settle(clouds, env, name, params["timeout"], progress)
    except AwsFailure as failure:
        module.fail_json(msg=failure.message, verdict=FAILED, reasons=[failure.message])
    else:
        left = [item for state in states for item in decide.left(state)]
        kept = [item for state in states for item in decide.kept(state)]
        answer = {
            "changed": bool(removed),
            "removed": removed,
            "kept": decide.summary(kept, env, params["state_bucket"]),
        }
        if left:
            module.fail_json(
                msg=f"{len(left)} resources of {env} are left; run this again, or remove them",
                verdict=FAILED,
                reasons=left,
                **answer,
            )
        module.exit_json(**answer)
