"""How a deployment that was followed has ended, judged by service revisions.

A restart brings a new service revision of the same task definition, so task definitions do not tell
whether what was started serves; ARNs of service revisions do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..lyo_aws import Aws
from ..lyo_progress import Progress
from ..lyo_release import verdict
from ..lyo_release.follow import Outcome
from ..lyo_release.patience import read_after


def judge(
    aws: Aws,
    progress: Progress,
    outputs: Mapping[str, Any],
    outcome: Outcome,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> tuple[str, str]:
    """Return verdict and reason of a deployment, with what really serves now.

    :raises AwsFailure: that cannot be read.
    """
    deployment = outcome.deployment
    target = deployment.get("targetServiceRevision") or {}
    arn = str(target.get("arn", ""))
    cluster, name = outputs["cluster_name"], outputs["service_name"]
    state = read_after(
        aws, cluster, name, deployment, lambda text: progress("waiting", text), sleep, clock
    )
    ending = verdict.Ending(
        status=str(deployment.get("status")),
        stage=str(deployment.get("lifecycleStage") or ""),
        production_weight=target.get("requestedProductionTrafficWeight"),
        asked=arn,
        target=arn,
        live=state.live_revision,
    )
    return verdict.of_release(ending, "complete")
