"""The two halves of the ECS API as one object."""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.dataplane.tasks.engine import ProcessTaskEngine
from localcloud.services.ecs.services_api import EcsServicesApi
from localcloud.services.ecs.store import EcsStore
from localcloud.services.ecs.tasks import CloudSurroundings, EcsTasksApi


class Ecs(EcsTasksApi, EcsServicesApi):
    """The ECS of one local cloud: ``cloud.parts["ecs"]``; its methods are the operations."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.store = EcsStore(cloud.settings.region, cloud.settings.account_id)
        self.engine = ProcessTaskEngine(cloud, self.store, CloudSurroundings(cloud))
        self.run_task_tokens = {}
        self.start_services()
