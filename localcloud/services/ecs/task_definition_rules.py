"""What a task definition must satisfy, and the form in which AWS keeps it. No I/O.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.api import AwsError, NotReproducedError
from localcloud.dataplane.tasks.dependencies import find_cycle
from localcloud.services.ecs.secrets import parse_reference

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VCPU = re.compile(r"(\d*\.?\d+)\s*vcpu", re.IGNORECASE)
_GB = re.compile(r"(\d*\.?\d+)\s*gb", re.IGNORECASE)
_ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+")

#: CPU units → MiB of memory that go with it.
FARGATE_SIZES: Mapping[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}

#: Container parameters that awsvpc or Fargate rule out.
_NOT_ON_FARGATE = (
    "links",
    "hostname",
    "disableNetworking",
    "privileged",
    "dnsServers",
    "dnsSearchDomains",
    "extraHosts",
    "dockerSecurityOptions",
    "resourceRequirements",
)
#: Task parameters that Fargate rules out.
_TASK_NOT_ON_FARGATE = ("placementConstraints", "inferenceAccelerators", "ipcMode")
#: Container parameters with an effect that processes here would not have. What only isolates
#: (user, readonlyRootFilesystem, capabilities, initProcessEnabled) is accepted and has no effect.
_NOT_REPRODUCED = (
    "environmentFiles",
    "mountPoints",
    "volumesFrom",
    "repositoryCredentials",
    "restartPolicy",
    "firelensConfiguration",
    "systemControls",
    "credentialSpecs",
    "interactive",
    "pseudoTerminal",
)
_TASK_NOT_REPRODUCED = (
    "volumes",
    "proxyConfiguration",
    "enableFaultInjection",
    "trustedExecutionConfiguration",
)
_LOG_OPTIONS = frozenset(
    {
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "mode",
        "max-buffer-size",
    }
)
_KEPT = (
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "runtimePlatform",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "ephemeralStorage",
    "inferenceAccelerators",
)


def _client_error(message: str) -> AwsError:
    return AwsError("ClientException", message)


def normalise(params: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Validate RegisterTaskDefinition's input and return the shape AWS would keep.

    Raises ``ClientException`` for what AWS refuses and NotReproducedError for what the local cloud
    would have to pretend.
    """
    if not _NAME.fullmatch(params["family"]):
        raise _client_error("Family contains invalid characters.")
    containers = [_with_defaults(c) for c in copy.deepcopy(params["containerDefinitions"])]
    shape: dict[str, Any] = {
        "containerDefinitions": containers,
        "volumes": copy.deepcopy(params.get("volumes", [])),
        "placementConstraints": copy.deepcopy(params.get("placementConstraints", [])),
    }
    shape.update({name: copy.deepcopy(params[name]) for name in _KEPT if name in params})
    if "cpu" in shape:
        shape["cpu"] = str(cpu_units(shape["cpu"]))
    if "memory" in shape:
        shape["memory"] = str(memory_mib(shape["memory"]))
    _check_containers(containers)
    _check_reproduced(params, containers, region)
    wanted = params.get("requiresCompatibilities", [])
    if {"EXTERNAL", "MANAGED_INSTANCES"} & {*wanted}:
        raise NotReproducedError("ecs", "task definitions for EXTERNAL or MANAGED_INSTANCES")
    shape["compatibilities"] = ["EC2"]
    try:
        check_fargate(shape)
        shape["compatibilities"].append("FARGATE")
    except AwsError:
        # Without requiresCompatibilities AWS finds out what a task definition can be used for.
        if "FARGATE" in wanted:
            raise
    shape["requiresAttributes"] = [{"name": name} for name in _capabilities(shape)]
    return shape


def cpu_units(value: str) -> int:
    """``1024`` or ``1 vCPU`` in CPU units."""
    if found := _VCPU.fullmatch(value.strip()):
        return int(float(found[1]) * 1024)
    if not value.strip().isdecimal():
        raise _client_error(f"Invalid 'cpu' setting for task: {value}")
    return int(value)


def memory_mib(value: str) -> int:
    """``2048`` or ``2 GB`` in MiB."""
    if found := _GB.fullmatch(value.strip()):
        return int(float(found[1]) * 1024)
    if not value.strip().isdecimal():
        raise _client_error(f"Invalid 'memory' setting for task: {value}")
    return int(value)


def check_fargate_size(cpu: str, memory: str) -> None:
    """Raises ``ClientException`` for a combination Fargate does not have."""
    if int(memory) not in FARGATE_SIZES.get(int(cpu), ()):
        raise _client_error(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )


def check_fargate(shape: Mapping[str, Any]) -> None:
    """Raises ``ClientException`` when the task definition cannot run on Fargate."""
    if shape.get("networkMode") != "awsvpc":
        raise _client_error("Fargate only supports network mode 'awsvpc'.")
    for member in ("cpu", "memory"):
        if member not in shape:
            raise _client_error(f"Fargate requires that '{member}' be defined at the task level.")
    check_fargate_size(shape["cpu"], shape["memory"])
    for member in _TASK_NOT_ON_FARGATE:
        if shape.get(member):
            raise _client_error(f"Fargate does not support '{member}'.")
    if shape.get("pidMode") == "host":
        raise _client_error("Fargate only supports pidMode 'task'.")
    size = shape.get("ephemeralStorage", {}).get("sizeInGiB")
    if size is not None and not 21 <= size <= 200:
        raise _client_error("Ephemeral storage must be between 21 and 200 GiB.")
    for container in shape["containerDefinitions"]:
        _check_container_on_fargate(container, shape)
    memory = [c.get("memory") or c.get("memoryReservation", 0) for c in _containers(shape)]
    if sum(memory) > int(shape["memory"]):
        raise _client_error("The memory of the containers exceeds the task's memory.")
    if sum(c["cpu"] for c in _containers(shape)) > int(shape["cpu"]):
        raise _client_error("The cpu of the containers exceeds the task's cpu.")


def _containers(shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = shape["containerDefinitions"]
    return containers


def _check_container_on_fargate(container: Mapping[str, Any], shape: Mapping[str, Any]) -> None:
    name = container["name"]
    for member in _NOT_ON_FARGATE:
        if container.get(member):
            raise _client_error(
                f"'{member}' is not supported on container {name} when networkMode=awsvpc on "
                "Fargate."
            )
    for mapping in container["portMappings"]:
        if "hostPort" in mapping and mapping["hostPort"] != mapping.get("containerPort"):
            raise _client_error(
                "When networkMode=awsvpc, the host ports and container ports in port mappings "
                "must match."
            )
    linux = container.get("linuxParameters", {})
    if {"devices", "tmpfs", "sharedMemorySize", "maxSwap", "swappiness"} & {
        member for member, value in linux.items() if value
    } or {*linux.get("capabilities", {}).get("add", ())} - {"SYS_PTRACE"}:
        raise _client_error(
            f"The linuxParameters of container {name} are not supported on Fargate."
        )
    if any(ulimit["name"] != "nofile" for ulimit in container.get("ulimits", ())):
        raise _client_error("Fargate only supports the ulimit 'nofile'.")
    for member in ("startTimeout", "stopTimeout"):
        if not 2 <= container.get(member, 2) <= 120:
            raise _client_error(f"On Fargate {member} must be between 2 and 120 seconds.")
    if "executionRoleArn" not in shape:
        if "logConfiguration" in container:
            raise _client_error(
                "Fargate requires task definition to have execution role ARN to support log "
                f"driver {container['logConfiguration']['logDriver']}."
            )
        if _ECR_IMAGE.fullmatch(container["image"]):
            raise _client_error(
                "Fargate requires task definition to have execution role ARN to support ECR images."
            )
        if container.get("secrets"):
            raise _client_error(
                "When you are specifying container secrets, you must also specify a value for "
                "'executionRoleArn'."
            )


def _with_defaults(container: dict[str, Any]) -> dict[str, Any]:
    """A container definition with the members AWS adds."""
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for member in ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"):
        container.setdefault(member, [])
    for mapping in container["portMappings"]:
        if "containerPort" in mapping:
            mapping.setdefault("hostPort", mapping["containerPort"])
        mapping.setdefault("protocol", "tcp")
    if "healthCheck" in container:
        for member, value in (("interval", 30), ("timeout", 5), ("retries", 3)):
            container["healthCheck"].setdefault(member, value)
    return container


def _check_containers(containers: list[dict[str, Any]]) -> None:
    if not containers:
        raise _client_error("Container list cannot be empty.")
    names = [container.get("name", "") for container in containers]
    for container, name in zip(containers, names, strict=True):
        if not _NAME.fullmatch(name):
            raise _client_error("Container.name contains invalid characters.")
        if not container.get("image"):
            raise _client_error("Container.image should not be null or empty.")
        _check_environment(container)
        if "healthCheck" in container:
            _check_health_check(container["healthCheck"])
    if doubled := _first_double(names):
        raise _client_error(f"Duplicate container name: {doubled}")
    if not any(container["essential"] for container in containers):
        raise _client_error("A task definition needs at least one essential container.")
    ports = [
        f"{mapping['containerPort']}/{mapping['protocol']}"
        for container in containers
        for mapping in container["portMappings"]
        if "containerPort" in mapping
    ]
    if doubled := _first_double(ports):
        raise _client_error(f"The container port {doubled} is mapped more than once.")
    _check_dependencies(containers)


def _first_double(values: Sequence[str]) -> str | None:
    return next((v for i, v in enumerate(values) if v in values[:i]), None)


def _check_environment(container: Mapping[str, Any]) -> None:
    names = [entry.get("name", "") for entry in container["environment"]]
    for secret in container.get("secrets", ()):
        if secret["name"] in names:
            raise _client_error(
                "The secret name must be unique and not shared with any new or existing "
                f"environment variables set on the container, such as '{secret['name']}'."
            )
        names.append(secret["name"])
        try:
            parse_reference(secret["valueFrom"])
        except ValueError as error:
            raise _client_error(f"Invalid secret '{secret['name']}': {error}") from error


def _check_health_check(check: Mapping[str, Any]) -> None:
    command = check["command"]
    if len(command) < 2 or command[0] not in ("CMD", "CMD-SHELL"):
        raise _client_error(
            "The health check command must start with CMD or CMD-SHELL and name a command."
        )
    ranges = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}
    for member, (least, most) in ranges.items():
        if member in check and not least <= check[member] <= most:
            raise _client_error(f"Health check {member} must be between {least} and {most}.")


def _check_dependencies(containers: Sequence[Mapping[str, Any]]) -> None:
    by_name = {container["name"]: container for container in containers}
    dependencies = {
        name: [(d["containerName"], d["condition"]) for d in container.get("dependsOn", ())]
        for name, container in by_name.items()
    }
    for name, needed in dependencies.items():
        for other, condition in needed:
            if other not in by_name:
                raise _client_error(
                    f"Container {name} depends on {other}, which is not in the task definition."
                )
            if condition in ("COMPLETE", "SUCCESS") and by_name[other]["essential"]:
                raise _client_error(
                    f"Container {name} waits for {other} to exit ({condition}), so {other} "
                    "cannot be essential."
                )
            if condition == "HEALTHY" and "healthCheck" not in by_name[other]:
                raise _client_error(
                    f"Container {name} waits for {other} to be HEALTHY, so {other} needs a health "
                    "check."
                )
    if cycle := find_cycle(dependencies):
        raise _client_error(f"Container dependencies form a cycle: {' -> '.join(cycle)}")


def _check_reproduced(
    params: Mapping[str, Any], containers: Sequence[Mapping[str, Any]], region: str
) -> None:
    for member in _TASK_NOT_REPRODUCED:
        if params.get(member):
            raise NotReproducedError("ecs", f"task definitions with {member}")
    family = params.get("runtimePlatform", {}).get("operatingSystemFamily", "LINUX")
    if family != "LINUX":
        raise NotReproducedError("ecs", f"tasks on {family}")
    for container in containers:
        for member in _NOT_REPRODUCED:
            if container.get(member):
                raise NotReproducedError("ecs", f"containers with {member}")
        if "logConfiguration" in container:
            _check_log_configuration(container["logConfiguration"], region)


def _check_log_configuration(config: Mapping[str, Any], region: str) -> None:
    if config["logDriver"] != "awslogs":
        raise NotReproducedError("ecs", f"log driver {config['logDriver']}, only awslogs")
    options = config.get("options", {})
    needed = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
    if missing := [name for name in needed if not options.get(name)]:
        raise _client_error(f"Log driver awslogs requires options: {', '.join(missing)}")
    if unknown := sorted(options.keys() - _LOG_OPTIONS):
        raise NotReproducedError("ecs", f"awslogs options {', '.join(unknown)}")
    if options["awslogs-region"] != region:
        raise NotReproducedError("ecs", f"awslogs to region {options['awslogs-region']}")
    if config.get("secretOptions"):
        raise NotReproducedError("ecs", "secretOptions of log drivers")


def _capabilities(shape: Mapping[str, Any]) -> list[str]:
    """The agent capabilities the definition needs; the ones that apply to what is possible here.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html
    """
    found = {"com.amazonaws.ecs.capability.docker-remote-api.1.18"}
    if shape.get("networkMode") == "awsvpc":
        found.add("ecs.capability.task-eni")
    if shape.get("taskRoleArn"):
        found.add("com.amazonaws.ecs.capability.task-iam-role")
    for container in _containers(shape):
        if _ECR_IMAGE.fullmatch(container["image"]):
            found.add("com.amazonaws.ecs.capability.ecr-auth")
            if shape.get("executionRoleArn"):
                found.add("ecs.capability.execution-role-ecr-pull")
        if "logConfiguration" in container:
            found.add("com.amazonaws.ecs.capability.logging-driver.awslogs")
            found.add("ecs.capability.execution-role-awslogs")
        if container.get("dependsOn"):
            found.add("ecs.capability.container-ordering")
        if "healthCheck" in container:
            found.add("ecs.capability.container-health-check")
        for secret in container.get("secrets", ()):
            kind = "asm" if parse_reference(secret["valueFrom"]).service != "ssm" else "ssm"
            found.add(f"ecs.capability.secrets.{kind}.environment-variables")
    return sorted(found)
