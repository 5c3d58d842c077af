"""Checks of CreateService and UpdateService requests: what ECS refuses, what is not reproduced.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from localcloud.api import AwsError, NotReproducedError
from localcloud.services.ecs import hooks
from localcloud.services.ecs.service_model import SIDE_BY_SIDE
from localcloud.services.ecs.store import Cluster, TaskDefinition

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
#: Members whose behaviour is not reproduced.
_REFUSED = (
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "placementConstraints",
    "placementStrategy",
    "monitoring",
)
_FARGATE = frozenset({"FARGATE", "FARGATE_SPOT"})
#: Members of a service that a request replaces as they are.
PLAIN_MEMBERS = (
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "availabilityZoneRebalancing",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
)
#: Members whose change begins a deployment
#: (each one's text in the API reference of UpdateService says so).
DEPLOYING_MEMBERS = (
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "launchType",
    "capacityProviderStrategy",
)
DEFAULT_DEPLOYMENT_CONFIGURATION: dict[str, Any] = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}


def invalid(message: str) -> AwsError:
    """The error for a request that ECS does not accept."""
    return AwsError("InvalidParameterException", message)


def refuse_unreproduced(params: Mapping[str, Any]) -> None:
    """Refuse what the local cloud does not reproduce, whatever else the request says."""
    for member in _REFUSED:
        if params.get(member):
            raise NotReproducedError("ecs", member)
    controller = (params.get("deploymentController") or {}).get("type", "ECS")
    if controller != "ECS":
        raise NotReproducedError("ecs", f"the deployment controller {controller}")
    if (params.get("serviceConnectConfiguration") or {}).get("enabled"):
        raise NotReproducedError("ecs", "Service Connect")
    if params.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise NotReproducedError("ecs", f"the scheduling strategy {params['schedulingStrategy']}")
    if (params.get("deploymentConfiguration") or {}).get("earlySuccessCriteria", {}).get("enable"):
        raise NotReproducedError("ecs", "earlySuccessCriteria")
    for provider in params.get("capacityProviderStrategy") or ():
        if provider["capacityProvider"] not in _FARGATE:
            raise NotReproducedError("ecs", f"the capacity provider {provider['capacityProvider']}")


def check_name(name: str) -> None:
    """Raises ``InvalidParameterException`` for a name that ECS does not take."""
    if not _NAME.fullmatch(name):
        raise invalid(
            "Invalid service name. Up to 255 letters (uppercase and lowercase), numbers, "
            "underscores, and hyphens are allowed."
        )


def launch_members(params: Mapping[str, Any], cluster: Cluster) -> dict[str, Any]:
    """``launchType`` or ``capacityProviderStrategy`` of a new service; only Fargate has capacity."""
    launch_type = params.get("launchType")
    strategy = params.get("capacityProviderStrategy")
    if launch_type and strategy:
        raise invalid(
            "Specifying both a launch type and capacity provider strategy is not supported."
        )
    if not launch_type and not strategy:
        strategy = cluster.default_capacity_provider_strategy
        if not strategy:
            launch_type = "EC2"
    if launch_type:
        if launch_type != "FARGATE":
            raise NotReproducedError("ecs", f"the launch type {launch_type}")
        return {"launchType": launch_type}
    return {"capacityProviderStrategy": strategy}


def deployment_configuration(
    given: Mapping[str, Any] | None, present: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The deployment configuration after a request: what it says over what there was.

    Raises ``InvalidParameterException`` for values out of range.
    """
    given = given or {}
    merged = {**DEFAULT_DEPLOYMENT_CONFIGURATION, **(present or {}), **given}
    strategy = merged["strategy"]
    if "strategy" in given and strategy == "ROLLING" and "lifecycleHooks" not in given:
        merged.pop("lifecycleHooks", None)
    for member, owner in (("linearConfiguration", "LINEAR"), ("canaryConfiguration", "CANARY")):
        if member in given and strategy != owner:
            raise invalid(f"{member} is only valid when the deployment strategy is {owner}.")
        if strategy != owner:
            merged.pop(member, None)
    if strategy == "LINEAR":
        merged.setdefault("linearConfiguration", {})
        merged["linearConfiguration"] = {
            "stepPercent": 10.0,
            "stepBakeTimeInMinutes": 6,
            **merged["linearConfiguration"],
        }
        _check_shift(merged["linearConfiguration"], "stepPercent", 3.0, "stepBakeTimeInMinutes")
    if strategy == "CANARY":
        merged["canaryConfiguration"] = {
            "canaryPercent": 5.0,
            "canaryBakeTimeInMinutes": 10,
            **merged.get("canaryConfiguration", {}),
        }
        _check_shift(merged["canaryConfiguration"], "canaryPercent", 0.1, "canaryBakeTimeInMinutes")
    _check_range(merged["bakeTimeInMinutes"], 0, 1440, "bakeTimeInMinutes")
    _check_range(merged["minimumHealthyPercent"], 0, 100, "minimumHealthyPercent")
    _check_range(merged["maximumPercent"], 100, 200, "maximumPercent")
    if merged["minimumHealthyPercent"] == merged["maximumPercent"] == 100:
        raise invalid(
            "The combination of minimumHealthyPercent and maximumPercent does not allow any task "
            "to be replaced."
        )
    hooks.check(merged.get("lifecycleHooks") or [], strategy)
    return merged


def _check_shift(part: Mapping[str, Any], percent: str, least: float, pause: str) -> None:
    value = float(part[percent])
    if not least <= value <= 100 or abs(value * 10 - round(value * 10)) > 1e-6:
        raise invalid(f"{percent} must be a multiple of 0.1 between {least} and 100.0.")
    _check_range(part[pause], 0, 1440, pause)


def _check_range(value: int, least: int, most: int, name: str) -> None:
    if not least <= value <= most:
        raise invalid(f"{name} must be between {least} and {most}.")


def check_load_balancers(
    entries: list[dict[str, Any]],
    definition: TaskDefinition,
    strategy: str,
    known_target_groups: Collection[str] | None,
) -> None:
    """Raises ``InvalidParameterException`` where a load balancer entry does not fit.

    Side-by-side strategies need ``advancedConfiguration``; canary and linear ones need a load
    balancer at all. ``known_target_groups`` None: not known.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-implementation.html
    """
    if strategy in ("CANARY", "LINEAR") and not entries:
        raise invalid(f"The {strategy} deployment strategy requires a load balancer.")
    for entry in entries:
        if entry.get("loadBalancerName") or not entry.get("targetGroupArn"):
            raise NotReproducedError("ecs", "services behind a Classic Load Balancer")
        _check_container(entry, definition)
        advanced = entry.get("advancedConfiguration")
        if strategy in SIDE_BY_SIDE:
            if not advanced:
                raise invalid(
                    "advancedConfiguration field is required for all loadBalancers when using a "
                    "non-ROLLING deployment strategy."
                )
            for member in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
                if not advanced.get(member):
                    raise invalid(f"{member} must be specified in advancedConfiguration.")
        for arn in (entry["targetGroupArn"], (advanced or {}).get("alternateTargetGroupArn")):
            if arn and known_target_groups is not None and arn not in known_target_groups:
                raise invalid(f"The specified target group does not exist: {arn}")


def _check_container(entry: Mapping[str, Any], definition: TaskDefinition) -> None:
    name, port = entry.get("containerName"), entry.get("containerPort")
    if not name or not port:
        raise invalid("containerName and containerPort must be specified for a load balancer.")
    container = definition.container(name)
    if container is None:
        raise invalid(f"The container {name} does not exist in the task definition.")
    ports = {mapping.get("containerPort") for mapping in container.get("portMappings") or ()}
    if port not in ports:
        raise invalid(f"The container {name} did not have a container port {port} defined.")


def check_network(definition: TaskDefinition, configuration: Mapping[str, Any] | None) -> None:
    """Raises ``InvalidParameterException`` for awsvpc without subnets."""
    if definition.shape.get("networkMode") != "awsvpc":
        return
    vpc = (configuration or {}).get("awsvpcConfiguration") or {}
    if not vpc:
        raise invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if not vpc.get("subnets"):
        raise invalid("subnets can not be empty.")
