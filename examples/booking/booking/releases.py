"""How the releases differ: what each can do, and what the broken ones break.

The releases share one source, so that tests of the operations side can deploy a good, a slow or a
broken version without keeping eight copies of the application.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from booking.config import ConfigError, ReleaseConfig

EXIT_CRASH = 3
TRAFFIC_ERROR_RATE = 0.3


@dataclass(frozen=True)
class Behaviour:
    """What a release does differently. The default is a good release."""

    allergies: bool = False  # remembers allergies: needs schema revision 0002
    guests: bool = False  # counts guests in bookings.guests: needs schema revision 0005
    slow_start: bool = False
    crashes: bool = False
    unhealthy: bool = False
    smoke_fails: bool = False
    traffic_error_rate: float = 0.0  # share (0 to 1) of POST /webhook and GET /slow answered 500

    def fails_now(self) -> bool:
        """Return whether this request is one of those the release answers with 500."""
        return random.random() < self.traffic_error_rate  # noqa: S311


_FAULTS: dict[str, dict[str, bool | float]] = {
    "v1": {},
    "v2": {},
    "v3": {},
    "v4": {},
    "slow": {"slow_start": True},
    "crash": {"crashes": True},
    "unhealthy": {"unhealthy": True},
    "badsmoke": {"smoke_fails": True},
    "badtraffic": {"traffic_error_rate": TRAFFIC_ERROR_RATE},
    "badmigration": {},
}
RELEASES = tuple(_FAULTS)


def behaviour(release: ReleaseConfig) -> Behaviour:
    """Return what the release does; raise ConfigError for a name that is not a release."""
    if release.name not in _FAULTS:
        raise ConfigError(f"LYO_RELEASE={release.name!r} is none of {', '.join(RELEASES)}")
    # Revisions start with four digits that only grow, so they compare as text.
    needs = release.schema_revision
    return Behaviour(
        allergies=needs >= "0002",
        guests=needs >= "0005",
        **_FAULTS[release.name],  # type: ignore[arg-type]
    )
