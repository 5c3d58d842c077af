"""Amazon ECS: our own implementation, moto's is not used.

``EcsTasksApi`` (clusters, task definitions, tasks) and ``EcsServicesApi`` (services, deployments)
are composed to one object whose methods are the operations; an operation without a method is
refused by the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def register(cloud: Cloud) -> None:
    """Answer the ECS API and offer it to the other parts as ``cloud.parts["ecs"]``."""
    # The data plane imports the store of this package, so nothing of it is imported above.
    from localcloud.services.ecs.metrics import ServiceMetrics
    from localcloud.services.ecs.whole import Ecs

    ecs = Ecs(cloud)
    cloud.parts["ecs"] = ecs
    cloud.api.replace_service("ecs", ecs)
    if "cloudwatch" in cloud.parts:  # tests start some parts alone
        cloud.parts["cloudwatch"].add_source(ServiceMetrics(ecs).report)
