"""Container health checks.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

HEALTHY, UNHEALTHY, UNKNOWN = "HEALTHY", "UNHEALTHY", "UNKNOWN"


@dataclass(frozen=True)
class HealthCheck:
    """A health check with its defaults; times in cloud seconds."""

    command: tuple[str, ...]
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start_period: int = 0

    @classmethod
    def of(cls, shape: dict[str, Any]) -> HealthCheck:
        """From the API's shape."""
        return cls(
            tuple(shape["command"]),
            shape.get("interval", 30),
            shape.get("timeout", 5),
            shape.get("retries", 3),
            shape.get("startPeriod", 0),
        )

    @property
    def argv(self) -> tuple[str, ...]:
        """What to run: the words after CMD, or a shell for CMD-SHELL."""
        kind, *rest = self.command
        return ("/bin/sh", "-c", *rest[:1]) if kind == "CMD-SHELL" else tuple(rest)


class HealthTracker:
    """Turns the results of checks into a status."""

    def __init__(self, check: HealthCheck) -> None:
        self._check = check
        self._failures = 0
        self._succeeded = False
        self.status = UNKNOWN

    def record(self, succeeded: bool, age: float) -> str:
        """Count one result; ``age`` is how long the container runs, in cloud seconds.

        Within the start period failures do not count, unless a check has succeeded already.
        """
        if succeeded:
            self._failures = 0
            self._succeeded = True
            self.status = HEALTHY
        elif self._succeeded or age >= self._check.start_period:
            self._failures += 1
            if self._failures >= self._check.retries:
                self.status = UNHEALTHY
        return self.status


def task_health(essential: Iterable[str]) -> str:
    """The task's health from that of its essential containers.

    UNHEALTHY wins over UNKNOWN, UNKNOWN over HEALTHY.
    """
    found = set(essential)
    if UNHEALTHY in found:
        return UNHEALTHY
    return HEALTHY if found == {HEALTHY} else UNKNOWN
