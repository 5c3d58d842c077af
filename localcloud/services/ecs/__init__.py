"""Amazon ECS: our own implementation, moto's is not used.

``EcsTasksApi`` (clusters, task definitions, tasks) and ``EcsServicesApi`` (services, deployments)
are composed to one object whose methods are the operations; an operation without a method is
refused by the core.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def register(cloud: Cloud) -> None:
    """Answer the ECS API and offer it to the other parts as ``cloud.parts["ecs"]``."""
    # The data plane imports the store of this package, so nothing of it is imported above.
    from localcloud.dataplane.tasks.engine import ProcessTaskEngine
    from localcloud.services.ecs.store import EcsStore
    from localcloud.services.ecs.tasks import CloudSurroundings, EcsTasksApi

    bases: tuple[type, ...] = (EcsTasksApi,)
    if importlib.util.find_spec("localcloud.services.ecs.services_api"):
        services = importlib.import_module("localcloud.services.ecs.services_api")
        bases = (EcsTasksApi, services.EcsServicesApi)
    ecs: Any = type("Ecs", bases, {})()
    ecs.cloud = cloud
    ecs.store = EcsStore(cloud.settings.region, cloud.settings.account_id)
    ecs.engine = ProcessTaskEngine(cloud, ecs.store, CloudSurroundings(cloud))
    ecs.run_task_tokens = {}
    if hasattr(ecs, "start_services"):
        ecs.start_services()
    cloud.parts["ecs"] = ecs
    cloud.api.replace_service("ecs", ecs)
