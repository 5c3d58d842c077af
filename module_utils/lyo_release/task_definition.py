"""Task definitions as plain data: made from what was asked for, compared with what AWS holds.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

RELEASE_LABEL = "lyo.release"
# Schema revisions that the release runs on, separated by spaces; the same label as the image's.
SCHEMA_LABEL = "lyo.schema"
_REFERENCE = re.compile(r"\$\{([a-z0-9_.]+)\}")

# What a caller of RegisterTaskDefinition says; everything else in an answer is AWS's own.
_REQUEST_FIELDS = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "ephemeralStorage",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
)
_CONTAINER_DEFAULTS = {"essential": True, "cpu": 0}
_HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}
_PLATFORM_DEFAULTS = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}


def render(
    outputs: Mapping[str, Any],
    task: Mapping[str, Any],
    image: str,
    release: str,
    *,
    one_off: str = "",
    command: list[str] | None = None,
    entry_point: list[str] | None = None,
    schema: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the RegisterTaskDefinition request for a release.

    :param outputs: Terraform's outputs.
    :param task: the module option of that name. ``${database.host}`` in the values of environment
        and secrets stands for that output, so that a plan can be made before anybody has read them.
    :param image: image with digest.
    :param release: name of the release; kept as a Docker label, so that it is found again.
    :param one_off: name of a one-off task (``migrate``): a family of its own, no port.
    :param command: the container's command; by default ``task``'s, else the image's.
    :param entry_point: what the command is given to; by default the image's.
    :param schema: schema revisions that the release runs on; kept as a label, so that a rollback
        knows them without the image.
    """
    labels = {RELEASE_LABEL: release, **({SCHEMA_LABEL: " ".join(schema)} if schema else {})}
    name = outputs["container_name"]
    container: dict[str, Any] = {
        "name": name,
        "image": image,
        "essential": True,
        "environment": [
            {"name": key, "value": filled(_text(value), outputs)}
            for key, value in sorted((task.get("environment") or {}).items())
        ],
        "secrets": [
            {"name": key, "valueFrom": filled(str(value), outputs)}
            for key, value in sorted((task.get("secrets") or {}).items())
        ],
        "dockerLabels": labels,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": outputs["log_group"],
                "awslogs-region": outputs["region"],
                "awslogs-stream-prefix": one_off or "app",
            },
        },
    }
    if entry_point:
        container["entryPoint"] = [str(word) for word in entry_point]
    argv = command or task.get("command")
    if argv:
        container["command"] = [str(word) for word in argv]
    if task.get("stop_timeout") is not None:
        container["stopTimeout"] = int(task["stop_timeout"])
    if not one_off:
        container["portMappings"] = [
            {"containerPort": int(outputs["container_port"]), "protocol": "tcp"}
        ]
        if task.get("health_command"):
            container["healthCheck"] = {"command": list(task["health_command"]), **_HEALTH_DEFAULTS}
    family = outputs["task_family"]
    return {
        "family": f"{family}-{one_off}" if one_off else family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(task.get("cpu") or outputs["cpu"]),
        "memory": str(task.get("memory") or outputs["memory"]),
        "executionRoleArn": outputs["execution_role_arn"],
        "taskRoleArn": outputs["task_role_arn"],
        "runtimePlatform": {
            "cpuArchitecture": task.get("architecture") or "X86_64",
            "operatingSystemFamily": "LINUX",
        },
        "containerDefinitions": [container],
    }


def filled(text: str, outputs: Mapping[str, Any]) -> str:
    """Return ``text`` with each ``${name.name}`` replaced by that member of the outputs.

    :raises ValueError: the outputs have no such member.
    """

    def member(match: re.Match[str]) -> str:
        value: Any = outputs
        for name in match.group(1).split("."):
            if not isinstance(value, Mapping) or value.get(name) is None:
                raise ValueError(f"{match.group(0)} is not among Terraform's outputs")
            value = value[name]
        return _text(value)

    return _REFERENCE.sub(member, text)


def _text(value: Any) -> str:
    """Return an inventory value as the program reads it (YAML's true is ``true``)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def normalise(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a definition, so that equal content compares equal.

    What AWS adds, empty members, documented defaults and the order of named lists do not count.
    """
    content = {key: definition[key] for key in _REQUEST_FIELDS if key in definition}
    containers = []
    for container in content.get("containerDefinitions", []):
        entry = {**_CONTAINER_DEFAULTS, **container}
        entry["portMappings"] = [_port(port) for port in container.get("portMappings", [])]
        if container.get("healthCheck"):
            entry["healthCheck"] = {**_HEALTH_DEFAULTS, **container["healthCheck"]}
        containers.append(entry)
    content["containerDefinitions"] = containers
    content["runtimePlatform"] = {**_PLATFORM_DEFAULTS, **(content.get("runtimePlatform") or {})}
    pruned: dict[str, Any] = _prune(content)
    return pruned


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    """In awsvpc mode the host port is the container's, whether it was given or not."""
    return {"protocol": "tcp", **port, "hostPort": port.get("hostPort") or port["containerPort"]}


def _prune(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = {key: _prune(entry) for key, entry in sorted(value.items())}
        return {key: entry for key, entry in items.items() if entry not in (None, "", [], {})}
    if isinstance(value, (list, tuple)):
        entries = [_prune(entry) for entry in value]
        if all(isinstance(entry, Mapping) and "name" in entry for entry in entries):
            entries.sort(key=lambda entry: str(entry["name"]))
        return entries
    return value


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two definitions have the same content."""
    return normalise(one) == normalise(other)


def image_of(definition: Mapping[str, Any] | None) -> str:
    """Return the image of the first essential container, empty without one."""
    for container in (definition or {}).get("containerDefinitions", []):
        if container.get("essential", True):
            return str(container.get("image", ""))
    return ""


def release_of(definition: Mapping[str, Any] | None) -> str:
    """Return the name of the release a definition was made for, empty where it has none."""
    for container in (definition or {}).get("containerDefinitions", []):
        name = (container.get("dockerLabels") or {}).get(RELEASE_LABEL)
        if name:
            return str(name)
    return ""


def schema_of(definition: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the schema revisions a definition's release runs on, empty where it does not say."""
    for container in (definition or {}).get("containerDefinitions", []):
        revisions = (container.get("dockerLabels") or {}).get(SCHEMA_LABEL)
        if revisions:
            return tuple(str(revisions).split())
    return ()


def log_group_of(definition: Mapping[str, Any] | None) -> str:
    """Return the log group of the first container that writes to CloudWatch Logs, else empty."""
    for container in (definition or {}).get("containerDefinitions", []):
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if options.get("awslogs-group"):
            return str(options["awslogs-group"])
    return ""


def revision_number(arn: str) -> int:
    """Return the number at the end of a task definition's ARN, 0 where there is none."""
    number = arn.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def family_of(arn: str) -> str:
    """Return the family in a task definition's ARN or ``family:revision``."""
    return arn.rpartition("/")[2].partition(":")[0]


def summary(definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a diff shows of a definition: its content, named lists as mappings."""
    if not definition:
        return {}
    content = normalise(definition)
    shown = {key: value for key, value in content.items() if key != "containerDefinitions"}
    for container in content.get("containerDefinitions", []):
        entry = {key: value for key, value in container.items() if key != "name"}
        entry["environment"] = {e["name"]: e.get("value") for e in entry.get("environment", [])}
        entry["secrets"] = {e["name"]: e.get("valueFrom") for e in entry.get("secrets", [])}
        shown[f"container {container.get('name')}"] = _prune(entry)
    return shown
