"""Amazon ElastiCache: every replication group is a real Valkey server.

One node per group: replicas, cluster mode, standalone cache clusters, serverless caches, users and
user groups are refused. So is encryption in transit, which the build of Valkey lacks; an AUTH token
is therefore accepted without it, unlike on AWS. The engine version is what was asked for, while the
server is always the Valkey installed (its INFO says which). Memory is not limited by the node type.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.html
"""

from __future__ import annotations

from threading import Event
from typing import Any

from botocore import xform_name
from moto.core.utils import get_service_model

from localcloud.api import Call, Handler, NotReproducedError
from localcloud.cloud import Cloud
from localcloud.services.elasticache.groups import GroupApi
from localcloud.services.elasticache.replication import ReplicationApi
from localcloud.services.elasticache.state import State


def _refusal(operation: str) -> Handler:
    def refuse(_: Call) -> None:
        raise NotReproducedError("ElastiCache", operation)

    return refuse


def register(cloud: Cloud) -> None:
    """Put the local ElastiCache into a cloud."""
    state = State(cloud)
    parts: list[Any] = [ReplicationApi(state), GroupApi(state)]
    for operation in get_service_model("elasticache").operation_names:
        methods = [getattr(part, xform_name(operation), None) for part in parts]
        ours = next((method for method in methods if method is not None), None)
        cloud.api.replace("elasticache", operation, ours or _refusal(operation))

    def prepare(_: Event) -> None:
        state.settings()

    cloud.background("elasticache-settings", prepare)

    def stop() -> None:
        for group in list(state.groups.values()):
            group.node.server.stop(timeout=2)

    cloud.on_stop(stop)
    cloud.parts["elasticache"] = state
