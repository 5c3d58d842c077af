"""From Envoy's view of its hosts to the target health that the API reports.

States and reasons:
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.ports import TargetHealth

Key = tuple[str, int]

REGISTERING = TargetHealth(
    "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
)
CHECKING = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = TargetHealth("healthy")
DRAINING = TargetHealth(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
NOT_IN_USE = TargetHealth(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
NOT_REGISTERED = TargetHealth(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
UNKNOWN = TargetHealth(
    "unavailable", "Elb.InternalError", "Target health is unavailable due to an internal error"
)


@dataclass(frozen=True)
class Host:
    """One host as `/clusters` shows it."""

    failed: bool
    pending: bool
    draining: bool
    active_requests: int


def hosts(clusters: dict[str, Any]) -> dict[str, dict[Key, Host]]:
    """The hosts of every cluster by name."""
    found: dict[str, dict[Key, Host]] = {}
    for cluster in clusters.get("cluster_statuses", []):
        entries = found.setdefault(str(cluster["name"]), {})
        for host in cluster.get("host_statuses", []):
            address = host["address"]["socket_address"]
            status = host.get("health_status", {})
            active = next(
                (
                    int(stat.get("value", 0))
                    for stat in host["stats"]
                    if stat["name"] == "rq_active"
                ),
                0,
            )
            entries[str(address["address"]), int(address["port_value"])] = Host(
                failed=bool(status.get("failed_active_health_check")),
                pending=bool(status.get("pending_active_hc")),
                draining=status.get("eds_health_status") == "DRAINING",
                active_requests=active,
            )
    return found


@dataclass
class Checks:
    """What the health checks of one target have shown since it was registered."""

    failures: int = 0
    healthy_once: bool = False
    last_failure: str = ""
    code: int = 0


class CheckHistory:
    """Reads Envoy's health check events; keeps one `Checks` for each target."""

    def __init__(self) -> None:
        self._checks: dict[tuple[str, Key], Checks] = {}

    def forget(self, cluster: str, key: Key) -> None:
        """A target was registered or has gone: what follows is another one's history."""
        self._checks.pop((cluster, key), None)

    def of(self, cluster: str, key: Key) -> Checks:
        """The checks of one target."""
        return self._checks.setdefault((cluster, key), Checks())

    def read(self, lines: Iterable[str]) -> None:
        """Take in events, one JSON object a line."""
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            address = event.get("host", {}).get("socket_address", {})
            key = str(address.get("address")), int(address.get("port_value", 0))
            checks = self.of(str(event.get("cluster_name")), key)
            if "health_check_failure_event" in event:
                checks.failures += 1
                failure = event["health_check_failure_event"]
                checks.last_failure = str(failure.get("failure_type", "ACTIVE"))
                checks.code = int(failure.get("http_status_code", 0))
            elif "add_healthy_event" in event:
                checks.healthy_once = True
                checks.failures = 0


def _unhealthy(checks: Checks) -> TargetHealth:
    if checks.last_failure == "NETWORK_TIMEOUT":
        return TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
    if checks.last_failure == "ACTIVE":
        return TargetHealth(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            f"Health checks failed with these codes: [{checks.code}]",
        )
    return TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def target_health(host: Host | None, checks: Checks, unhealthy_threshold: int) -> TargetHealth:
    """Health of a registered target.

    A new target stays `initial` until it has passed one check or failed as many as the unhealthy
    threshold asks for; Envoy, which gives it no request either way, calls it failed at once.
    """
    if host is None:
        return REGISTERING
    if host.draining:
        return DRAINING
    if not host.failed:
        return HEALTHY
    if not checks.healthy_once and checks.failures < unhealthy_threshold:
        return CHECKING if checks.failures or not host.pending else REGISTERING
    return _unhealthy(checks)
