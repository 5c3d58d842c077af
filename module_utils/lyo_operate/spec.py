"""Argument specs and the way to end that the modules of this package share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release.verdict import FAILED


def place_spec() -> dict[str, Any]:
    """Return the argument spec of where the service is."""
    return {
        "env": {"type": "str", "required": True},
        "outputs_parameter": {"type": "str"},
    }


def run(module: Any, task: str, work: Callable[[Any, Aws, Progress], None]) -> None:
    """Run a module's work; what AWS refuses ends it with one message.

    :param task: what progress events belong to.
    """
    aws = Aws(module.params["aws"])
    progress = Progress(task, aws.secrets)
    try:
        work(module, aws, progress)
    except AwsFailure as failure:
        module.fail_json(
            msg=failure.message,
            verdict=FAILED,
            reasons=[failure.message],
            changed=aws.writes > 0,
        )
