"""The targets of every target group, by address and port, and those on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from localcloud.dataplane.envoy.model import Target

Key = tuple[str, int]


@dataclass
class Registration:
    """One target.

    leaving_since: monotonic wall time of its deregistration, None while it is registered.
    drained: nothing is in flight to it any more, and Envoy has forgotten it.
    """

    ip: str
    port: int
    leaving_since: float | None = None
    drained: bool = False


@dataclass
class Targets:
    """The registrations of every target group, by its ARN."""

    groups: dict[str, dict[Key, Registration]] = field(default_factory=dict)

    def of(self, arn: str) -> dict[Key, Registration]:
        """The registrations of a group, those that are leaving included."""
        return self.groups.setdefault(arn, {})

    def register(self, arn: str, ip: str, port: int) -> None:
        """Add a target; one that is leaving comes back."""
        known = self.of(arn).get((ip, port))
        if known is None or known.leaving_since is not None:
            self.of(arn)[ip, port] = Registration(ip, port)

    def deregister(self, arn: str, ip: str, port: int, now: float) -> bool:
        """Begin to drain a target; False when it was not registered."""
        known = self.of(arn).get((ip, port))
        if known is None or known.leaving_since is not None:
            return False
        known.leaving_since = now
        return True

    def served(self, arn: str) -> tuple[Target, ...]:
        """What the data plane is told of."""
        return tuple(
            Target(entry.ip, entry.port, draining=entry.leaving_since is not None)
            for entry in self.of(arn).values()
            if not entry.drained
        )

    def leaving(self) -> Iterator[tuple[str, Registration, float]]:
        """(target group ARN, registration, since) of every target that is leaving."""
        for arn, entries in self.groups.items():
            for entry in list(entries.values()):
                if entry.leaving_since is not None:
                    yield arn, entry, entry.leaving_since
