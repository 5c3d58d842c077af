"""What a validation is about, and how it asks AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_release.outputs import read_outputs

# CloudFront's certificates and Route 53's metrics live there, whatever region an environment is in.
GLOBAL_REGION = "us-east-1"


@dataclass
class Target:
    """An environment.

    :ivar env: its name.
    :ivar name: what its resources' names begin with, ``lyo-<env>``.
    :ivar aws: its account, in its region.
    :ivar world: its account, in us-east-1.
    :ivar expected: what the inventory wants, see the module's documentation.
    :ivar since: when the run planned, None where nothing was applied.
    :ivar options: how AWS is reached, for another region.
    :ivar ca_bundle: CAs that its certificates come from; None for the public ones.
    """

    env: str
    name: str
    aws: Any
    world: Any
    expected: Mapping[str, Any]
    ca_bundle: str | None = None
    since: datetime | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tags: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.tags = [
            {"Name": "tag:Project", "Values": ["lyo"]},
            {"Name": "tag:Environment", "Values": [self.env]},
        ]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Target:
        """The target of a module's parameters."""
        aws = Aws(params["aws"])
        world = Aws({**params["aws"], "region": GLOBAL_REGION})
        bundle = params["ca_bundle"] or params["aws"].get("ca_bundle")
        since = datetime.fromisoformat(params["since"]) if params.get("since") else None
        return cls(
            params["env"],
            params["name"],
            aws,
            world,
            params["expected"],
            bundle,
            since,
            params["aws"],
        )

    def outputs(self) -> dict[str, Any]:
        """Terraform's outputs and the database that serves, empty before they are written."""
        return read_outputs(self.aws, f"/lyo/{self.env}/outputs")


# Every way in which AWS says that something is not there.
_MISSING = (
    "NotFound",
    "NotFoundFault",
    "NotFoundException",
    "NoSuch",
    "DoesNotExist",
    "WAFNonexistentItemException",
    "NonExistent",
)


def missing(failure: AwsFailure) -> bool:
    """Whether AWS says that what was asked for is not there."""
    return any(word in failure.code for word in _MISSING)


def found(aws: Any, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
    """The answer of a call; empty where what it asks for is not there.

    :raises AwsFailure: anything else went wrong.
    """
    try:
        answer: dict[str, Any] = aws.call(service, operation, **params)
    except AwsFailure as failure:
        if missing(failure):
            return {}
        raise
    return answer


def listed(aws: Any, service: str, operation: str, key: str, /, **params: Any) -> list[Any]:
    """All pages of a call; empty where what it asks for is not there.

    :raises AwsFailure: anything else went wrong.
    """
    try:
        items: list[Any] = aws.all(service, operation, key, **params)
    except AwsFailure as failure:
        if missing(failure):
            return []
        raise
    return items


def serving(target: Target) -> bool:
    """Whether the service has tasks; none before the first release, so nothing can be well then."""
    answer = found(
        target.aws, "ecs", "describe_services", cluster=target.name, services=[target.name]
    )
    return any(service.get("runningCount") for service in answer.get("services", []))
