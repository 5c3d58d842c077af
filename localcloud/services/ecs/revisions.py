"""Service revisions: made from a service's configuration, with the target group each one uses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from localcloud.services.ecs.service_model import Binding, Revision, Service, new_number
from localcloud.services.ecs.store import EcsStore, Task

#: Members of a service that belong to its revisions
#: (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html).
REVISION_MEMBERS = (
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "loadBalancers",
)


def bind(
    load_balancers: list[dict[str, Any]], blue: tuple[Binding, ...], *, alternate: bool
) -> tuple[Binding, ...]:
    """The target group of each load balancer entry for a new revision.

    With ``alternate`` it is the one of the pair that the serving revision does not use, so that
    the two swap their roles from deployment to deployment; else it is the serving one's, or the
    entry's own ``targetGroupArn``.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-implementation.html
    """
    used = {binding.target_group_arn for binding in blue}
    bindings = []
    for entry in load_balancers:
        advanced = entry.get("advancedConfiguration") or {}
        first, second = entry["targetGroupArn"], advanced.get("alternateTargetGroupArn")
        chosen, other = first, second
        if (
            second is not None
            and (first in used) == alternate
            and (first in used or second in used)
        ):
            chosen, other = second, first
        bindings.append(
            Binding(
                chosen,
                entry["containerName"],
                int(entry["containerPort"]),
                other,
                advanced.get("productionListenerRule"),
                advanced.get("testListenerRule"),
            )
        )
    return tuple(bindings)


def new_revision(store: EcsStore, service: Service, now: datetime, *, alternate: bool) -> Revision:
    """The revision that a service's present configuration amounts to, kept by the service."""
    number = new_number()
    serving = service.revisions.get(service.serving or "")
    revision = Revision(
        number=number,
        arn=store.arn("service-revision", f"{service.cluster_name}/{service.name}/{number}"),
        task_definition_arn=service.config["taskDefinition"],
        config={m: service.config[m] for m in REVISION_MEMBERS if m in service.config},
        bindings=bind(
            service.config.get("loadBalancers") or [],
            serving.bindings if serving else (),
            alternate=alternate,
        ),
        created_at=now,
        updated_at=now,
        rollout_reason=f"ECS deployment ecs-svc/{number} in progress.",
    )
    definition = store.find_task_definition(revision.task_definition_arn)
    for container in definition.containers if definition else ():
        image = container["image"]
        digest = image.partition("@")[2] or None
        revision.images[container["name"]] = (image, digest)
    service.revisions[number] = revision
    return revision


def learn_digests(revision: Revision, task: Task) -> None:
    """Take over the digests that a first task has resolved its images to.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """
    for container in task.containers:
        image, digest = revision.images.get(container.name, (container.image, None))
        if digest is None and container.image_digest:
            revision.images[container.name] = (image, container.image_digest)


def shape(service: Service, revision: Revision) -> dict[str, Any]:
    """What DescribeServiceRevisions returns for a revision."""
    resolved: list[dict[str, Any]] = []
    for binding in revision.bindings:
        entry = {"targetGroupArn": binding.target_group_arn}
        if binding.production_rule:
            entry["productionListenerRule"] = binding.production_rule
        resolved.append(entry)
    images = [
        {"containerName": name, "image": image, **({"imageDigest": digest} if digest else {})}
        for name, (image, digest) in revision.images.items()
    ]
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        **revision.config,
        "containerImages": images,
        "guardDutyEnabled": False,
        "createdAt": revision.created_at,
        **({"resolvedConfiguration": {"loadBalancers": resolved}} if resolved else {}),
    }
