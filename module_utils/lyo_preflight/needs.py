"""What a release needs, taken from the task definition that it would register."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SECRET = re.compile(r"arn:aws[\w-]*:secretsmanager:[^:]*:[^:]*:secret:[^:]+")


@dataclass(frozen=True)
class SecretReference:
    """A secret of a container.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html

    :ivar variable: the environment variable that gets it.
    :ivar arn: the secret's ARN, or the parameter's ARN or name.
    :ivar key: member of a JSON secret, empty for the whole of it.
    :ivar stage: version stage, empty for AWSCURRENT.
    :ivar version: version id, empty for none.
    """

    variable: str
    arn: str
    key: str = ""
    stage: str = ""
    version: str = ""

    @property
    def in_secrets_manager(self) -> bool:
        """Whether it is a secret; else it is a parameter of Systems Manager."""
        return ":secretsmanager:" in self.arn


def secret_reference(variable: str, value: str) -> SecretReference:
    """Return what ``valueFrom`` names: ``<secret's ARN>:<key>:<stage>:<version>``, or a parameter."""
    match = _SECRET.match(value)
    if not match:
        return SecretReference(variable, value)
    rest = [*value[match.end() :].lstrip(":").split(":"), "", "", ""]
    return SecretReference(variable, match.group(0), rest[0], rest[1], rest[2])


def secrets_of(definition: Mapping[str, Any]) -> list[SecretReference]:
    """Return the secrets of every container of a task definition."""
    return [
        secret_reference(str(entry["name"]), str(entry["valueFrom"]))
        for container in definition.get("containerDefinitions", [])
        for entry in container.get("secrets", [])
    ]


def log_groups_of(definition: Mapping[str, Any]) -> list[str]:
    """Return the log groups that containers write to, each once."""
    groups = [
        str(options["awslogs-group"])
        for container in definition.get("containerDefinitions", [])
        if (options := (container.get("logConfiguration") or {}).get("options") or {}).get(
            "awslogs-group"
        )
    ]
    return list(dict.fromkeys(groups))


def more_tasks(desired: int, maximum: int) -> int:
    """Return how many tasks may have to start: green's, and what autoscaling may add to both.

    Both revisions run with as many tasks as are wanted, up to the maximum:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html
    """
    return max(0, 2 * max(desired, maximum) - desired)
