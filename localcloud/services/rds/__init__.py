"""Amazon RDS for PostgreSQL: every instance is a real server, every backup can be restored.

Instances, snapshots, automated backups, parameter and subnet groups, events, their subscriptions and
tags are ours; option groups are moto's records. Clusters, replicas, proxies, other engines
and other major versions than the one installed are refused.

What an instance's record says without effect here: Multi-AZ (there is one server), storage size and
type, encryption, maintenance and backup windows (a backup is taken every 24 hours of cloud time),
Performance Insights, enhanced monitoring, public accessibility and security groups.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_PostgreSQL.html
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from botocore import xform_name
from moto.core.utils import get_service_model

from localcloud.api import Call, Handler, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.rds.engine import EngineApi
from localcloud.services.rds.events import EventApi
from localcloud.services.rds.groups import GroupApi
from localcloud.services.rds.instances import InstanceApi
from localcloud.services.rds.snapshots import SnapshotApi
from localcloud.services.rds.state import State
from localcloud.services.rds.subscriptions import SubscriptionApi

_MOTO = frozenset(
    {
        "CreateOptionGroup",
        "DeleteOptionGroup",
        "DescribeOptionGroups",
        "DescribeOptionGroupOptions",
        "ModifyOptionGroup",
    }
)


def _refusal(operation: str) -> Handler:
    def refuse(_: Call) -> None:
        raise NotReproducedError("RDS", operation)

    return refuse


def register(cloud: Cloud) -> None:
    """Put the local RDS into a cloud."""
    state = State(cloud)
    instances = InstanceApi(state)
    parts: list[Any] = [
        instances,
        SnapshotApi(state, instances),
        GroupApi(state),
        EventApi(state),
        SubscriptionApi(state),
        EngineApi(cloud.settings.region),
    ]
    for operation in get_service_model("rds").operation_names:
        if operation in _MOTO:
            continue
        methods = [getattr(part, xform_name(operation), None) for part in parts]
        ours = next((method for method in methods if method is not None), None)
        cloud.api.replace("rds", operation, ours or _refusal(operation))

    cloud.parts["rds-rotate"] = instances.rotate_managed_password

    def prepare(_: Event) -> None:
        state.templates.get()

    cloud.background("rds-template", prepare)

    def stop() -> None:
        databases = [record.database for record in list(state.instances.values())]
        if databases:
            with ThreadPoolExecutor(len(databases)) as pool:
                list(pool.map(lambda database: database.kill(), databases))

    cloud.on_stop(stop)
    cloud.parts["rds"] = state
