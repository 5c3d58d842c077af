"""From the store's records to the shapes of the ECS API, and paging.

Members follow https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Types.html; those that
have no value are left out, as AWS does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from localcloud.api import AwsError
from localcloud.services.ecs.store import Cluster, ContainerState, Task, TaskDefinition

T = TypeVar("T")

_ATTACHMENT_STATUS = {
    "PROVISIONING": "PRECREATED",
    "STOPPED": "DELETED",
    "DEPROVISIONING": "DETACHING",
}


def present(shape: dict[str, Any]) -> dict[str, Any]:
    """The shape without members that are None."""
    return {name: value for name, value in shape.items() if value is not None}


def page(
    items: Sequence[T], token: str | None, size: int | None, most: int = 100
) -> tuple[list[T], str | None]:
    """One page of a list and the token of the next; ``most`` is the largest page.

    Raises ``InvalidParameterException`` for a token or size that AWS refuses.
    """
    if size is not None and not 1 <= size <= most:
        raise AwsError("InvalidParameterException", f"maxResults must be between 1 and {most}.")
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()))
        except (ValueError, binascii.Error) as error:
            raise AwsError("InvalidParameterException", "Invalid token in the request.") from error
    end = start + (size or most)
    after = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return list(items[start:end]), after


def cluster_shape(
    cluster: Cluster, tasks: Sequence[Task], services: int, include: Sequence[str]
) -> dict[str, Any]:
    """A cluster; ``include`` adds SETTINGS, TAGS, CONFIGURATIONS and STATISTICS."""
    running = sum(1 for t in tasks if t.last_status == "RUNNING")
    pending = sum(1 for t in tasks if t.last_status in ("PROVISIONING", "PENDING", "ACTIVATING"))
    statistics = {
        "runningEC2TasksCount": 0,
        "runningFargateTasksCount": running,
        "pendingEC2TasksCount": 0,
        "pendingFargateTasksCount": pending,
        "activeEC2ServiceCount": 0,
        "activeFargateServiceCount": services,
        "drainingEC2ServiceCount": 0,
        "drainingFargateServiceCount": 0,
    }
    return present(
        {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": running,
            "pendingTasksCount": pending,
            "activeServicesCount": services,
            "statistics": [{"name": n, "value": str(v)} for n, v in statistics.items()]
            if "STATISTICS" in include
            else [],
            "tags": cluster.tags if "TAGS" in include else [],
            "settings": cluster.settings if "SETTINGS" in include else [],
            "configuration": cluster.configuration if "CONFIGURATIONS" in include else None,
            "capacityProviders": cluster.capacity_providers,
            "defaultCapacityProviderStrategy": cluster.default_capacity_provider_strategy,
            "serviceConnectDefaults": cluster.service_connect_defaults,
        }
    )


def task_definition_shape(definition: TaskDefinition) -> dict[str, Any]:
    """A task definition revision."""
    return present(
        {
            **definition.shape,
            "taskDefinitionArn": definition.arn,
            "family": definition.family,
            "revision": definition.revision,
            "status": definition.status,
            "registeredAt": definition.registered_at,
            "deregisteredAt": definition.deregistered_at,
            "deleteRequestedAt": definition.delete_requested_at,
        }
    )


def task_shape(task: Task, *, tags: bool = False) -> dict[str, Any]:
    """A task; ``tags``: whether they are shown."""
    return present(
        {
            "taskArn": task.arn,
            "clusterArn": task.cluster_arn,
            "taskDefinitionArn": task.task_definition_arn,
            "group": task.group,
            "startedBy": task.started_by,
            "launchType": task.launch_type,
            "capacityProviderName": task.capacity_provider_name,
            "platformVersion": task.platform_version,
            "platformFamily": task.platform_family,
            "availabilityZone": task.availability_zone or None,
            "attributes": [{"name": "ecs.cpu-architecture", "value": task.architecture}],
            "attachments": [_network_interface(task)],
            "containers": [_container_shape(c, task) for c in task.containers],
            "cpu": task.cpu,
            "memory": task.memory,
            "lastStatus": task.last_status,
            "desiredStatus": task.desired_status,
            "healthStatus": task.health_status,
            "connectivity": "CONNECTED" if task.connectivity_at else None,
            "connectivityAt": task.connectivity_at,
            "createdAt": task.created_at,
            "pullStartedAt": task.pull_started_at,
            "pullStoppedAt": task.pull_stopped_at,
            "startedAt": task.started_at,
            "stoppingAt": task.stopping_at,
            "executionStoppedAt": task.execution_stopped_at,
            "stoppedAt": task.stopped_at,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "overrides": _overrides(task),
            "enableExecuteCommand": task.enable_execute_command,
            "ephemeralStorage": {"sizeInGiB": task.ephemeral_storage_gib},
            "fargateEphemeralStorage": {"sizeInGiB": task.ephemeral_storage_gib},
            "version": task.version,
            "tags": task.tags if tags else [],
        }
    )


def _overrides(task: Task) -> dict[str, Any]:
    """The overrides with an entry for each container, as AWS fills them in."""
    given = {o.get("name"): o for o in task.overrides.get("containerOverrides", ())}
    return {
        **task.overrides,
        "containerOverrides": [given.get(c.name, {"name": c.name}) for c in task.containers],
        "inferenceAcceleratorOverrides": [],
    }


def _network_interface(task: Task) -> dict[str, Any]:
    details = {
        "subnetId": task.subnet_id,
        "networkInterfaceId": task.network_interface_id,
        "macAddress": _mac_address(task.address),
        "privateDnsName": f"ip-{task.address.replace('.', '-')}",
        "privateIPv4Address": task.address,
    }
    return {
        "id": task.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": _ATTACHMENT_STATUS.get(task.last_status, "ATTACHED"),
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }


def _mac_address(address: str) -> str:
    """A locally administered address that is as unique as the IP address."""
    return ":".join(["02", "00", *(f"{int(part):02x}" for part in address.split("."))])


def _container_shape(container: ContainerState, task: Task) -> dict[str, Any]:
    return present(
        {
            "containerArn": container.arn,
            "taskArn": task.arn,
            "name": container.name,
            "image": container.image,
            "imageDigest": container.image_digest,
            "runtimeId": container.runtime_id,
            "lastStatus": container.last_status,
            "exitCode": container.exit_code,
            "reason": container.reason,
            "healthStatus": container.health_status,
            "networkBindings": container.network_bindings,
            "networkInterfaces": [
                {"attachmentId": task.attachment_id, "privateIpv4Address": task.address}
            ],
            "cpu": container.cpu,
            "memory": container.memory,
            "memoryReservation": container.memory_reservation,
        }
    )
