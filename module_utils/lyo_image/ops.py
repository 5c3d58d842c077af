"""The module ``ops_task_definition``: what a schedule starts is the newest ops image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import live
from ..lyo_release.result import diff
from ..lyo_release.run_task import ALWAYS, OneOff
from ..lyo_release.task_definition import summary

CONTAINER = "ops"
FAILED = "FAILED"


def ops_outputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return Terraform's outputs as an ops task sees them: its own roles, log group and container.

    :raises ValueError: the environment has no operations yet.
    """
    own = outputs.get("operations")
    if not own:
        raise ValueError(
            f"{outputs.get('environment') or 'the environment'} has no registry of the ops image yet: "
            "run deploy.yml"
        )
    return {
        **outputs,
        "container_name": CONTAINER,
        "execution_role_arn": own["execution_role_arn"],
        "task_role_arn": own["runner_role_arn"],
        "log_group": own["log_group"],
        "repository_name": own["repository_name"],
        "repository_url": own["repository_url"],
    }


def definition_of(
    aws: Aws, progress: Progress, outputs: Mapping[str, Any], params: Mapping[str, Any]
) -> OneOff:
    """Return the one-off task whose definition is what schedules start: family ``<family>-ops``."""
    return OneOff(
        aws,
        progress,
        {
            "outputs": ops_outputs(outputs),
            "name": CONTAINER,
            "image": params["image"],
            "release": params["release"],
            "task": params["task"],
            "command": [],
            # The command is given when the task is started, so it is no part of the definition.
            "repeat": ALWAYS,
        },
    )


def run(module: Any) -> None:
    """Register the definition unless the newest is the same, and leave the module."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress("ops task definition", aws.secrets)
    try:
        wanted = definition_of(aws, progress, params["outputs"], params)
        aws.call("sts", "get_caller_identity")
        latest = live.describe_definition(aws, wanted.wanted["family"])
        found = wanted.existing_definition()
        answer: dict[str, Any] = {
            "changed": found is None,
            "family": wanted.wanted["family"],
            "task_definition": str(found["taskDefinitionArn"]) if found else "",
            "previous": str(latest["taskDefinitionArn"]) if latest else "",
        }
        if found is None:
            answer["diff"] = diff(summary(latest), summary(wanted.wanted), wanted.wanted["family"])
            if not module.check_mode:
                answer["task_definition"] = str(wanted.register()["taskDefinitionArn"])
    except (AwsFailure, ValueError) as failure:
        message = getattr(failure, "message", str(failure))
        module.fail_json(msg=message, changed=aws.writes > 0, verdict=FAILED, reasons=[message])
    else:
        module.exit_json(**answer)
