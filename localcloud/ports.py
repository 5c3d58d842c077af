"""What the parts of the local cloud ask of each other, as protocols (found in `Cloud.parts`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class TargetHealth:
    """Health of one target as DescribeTargetHealth reports it.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    """

    state: str
    reason: str | None = None
    description: str | None = None


class TargetGroups(Protocol):
    """Load balancing, as ECS uses it: `cloud.parts["elbv2"]`."""

    def register(self, target_group_arn: str, ip: str, port: int) -> None:
        """Add a target; its health is `initial` until the first checks are through."""

    def deregister(self, target_group_arn: str, ip: str, port: int) -> None:
        """Begin to drain a target; it is gone when drained or after the deregistration delay."""

    def health(self, target_group_arn: str) -> dict[tuple[str, int], TargetHealth]:
        """Health of every target, draining ones included."""

    def set_weights(self, rule_arn: str, weights: Mapping[str, int]) -> None:
        """Give the forward action of a rule (or a listener's default action) these weights.

        Returns when the data plane serves them.
        """

    def weights(self, rule_arn: str) -> dict[str, int]:
        """Target group ARN → weight of a rule's forward action."""

    def target_groups_of_rule(self, rule_arn: str) -> list[str]:
        """ARNs of the target groups a rule forwards to."""


class ImageNotFoundError(Exception):
    """No such repository, tag or digest; the message says which."""


@dataclass(frozen=True)
class PulledImage:
    """An unpacked image.

    root: folder of the unpacked layers. config: the `config` object of the OCI image
    configuration (Env, Entrypoint, Cmd, WorkingDir, Labels).
    """

    digest: str
    root: Path
    config: dict[str, Any]


class Images(Protocol):
    """The registry, as ECS uses it: `cloud.parts["ecr"]`."""

    def pull(self, image: str) -> PulledImage:
        """Unpack `<account>.dkr.ecr.<region>.amazonaws.com/<repository>[:tag|@sha256:…]`.

        Raises ImageNotFoundError.
        """


class LogSink(Protocol):
    """CloudWatch Logs, as the awslogs driver uses it: `cloud.parts["logs"]`."""

    def put(self, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append (epoch milliseconds, text) lines to a stream, which is made when absent."""
