"""Which releases may still be wanted when something is contracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lyo_aws import Aws, parallel
from ..lyo_release import decide_rollback as back
from ..lyo_release import live
from ..lyo_release.former import HISTORY, RUNS, Former
from ..lyo_release.task_definition import image_of, schema_of
from .contraction import Target, former_releases


def read(
    aws: Aws, cluster: str, service: str, ledger: Mapping[str, Any] | None, keep: int
) -> list[Target]:
    """Return the releases that may still be wanted.

    :param keep: how many that served before the present one have to stay possible.
    :raises AwsFailure: AWS cannot be asked.
    """
    state = live.describe_service(aws, cluster, service)
    if state is None:
        return []
    former = Former(aws, cluster, service, ledger)
    deployments, runs = parallel(former.deployments, lambda: former.past.runs(RUNS))
    revisions = former.revisions([d.revision for d in deployments[:HISTORY]])
    now: dict[str, str] = {}
    for entry in state.get("deployments") or []:
        if entry.get("taskDefinition"):
            moving = entry.get("rolloutState") == "IN_PROGRESS"
            now.setdefault(
                str(entry["taskDefinition"]),
                "is being deployed" if moving else "carries the traffic",
            )
    if state.get("taskDefinition"):
        now.setdefault(str(state["taskDefinition"]), "carries the traffic")
    before = [
        revision.task_definition
        for revision in (
            *back.served(deployments, revisions),
            *back.remembered(runs, {d.arn for d in deployments}),
        )
    ]
    earlier = former_releases(
        before, now, keep, lambda arn: image_of(former.definition(arn)) or arn
    )
    why = {**now, **dict.fromkeys(earlier, "can be rolled back to")}
    parallel(*(lambda arn=arn: former.definition(arn) for arn in why))
    return [
        Target(former.named(arn).name, text, schema_of(former.definition(arn)))
        for arn, text in why.items()
        if former.definition(arn) is not None
    ]
