"""From single checks to the status of a health check. Pure.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# More than this share of the checkers must find an endpoint healthy.
_SHARE = 0.18
# Where a health check names none:
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
REGIONS = (
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
)


@dataclass(frozen=True)
class Observation:
    """What one check saw. status: begins with Success or Failure; the times in milliseconds."""

    ok: bool
    status: str
    time: datetime
    connection: float | None = None
    handshake: float | None = None
    first_byte: float | None = None


@dataclass
class Checker:
    """The health checker of one region, and its opinion (None before there are enough checks)."""

    region: str
    healthy: bool | None = None
    last: Observation | None = None
    last_failure: Observation | None = None
    _run: int = 0

    def observe(self, observation: Observation, threshold: int) -> None:
        """Take a result; the opinion changes after `threshold` like ones in a row."""
        same = self.last is not None and self.last.ok == observation.ok
        self._run = self._run + 1 if same else 1
        self.last = observation
        if not observation.ok:
            self.last_failure = observation
        if self._run >= threshold:
            self.healthy = observation.ok


def percentage(checkers: Sequence[Checker]) -> float | None:
    """How many of the checkers that have an opinion find the endpoint healthy; None without any."""
    opinions = [checker.healthy for checker in checkers if checker.healthy is not None]
    return 100.0 * sum(opinions) / len(opinions) if opinions else None


def healthy(checkers: Sequence[Checker], *, disabled: bool, inverted: bool) -> bool:
    """The status of a health check.

    A new one is healthy until there is enough data, and so is one that is disabled; inverting
    turns all of this round.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
    """
    share = percentage(checkers)
    well = disabled or share is None or share > _SHARE * 100
    return well != inverted
