"""The one setting that scales every wait of the local cloud."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event


class Clock:
    """Turns cloud seconds, the unit of AWS's settings, into wall seconds.

    Time stamps are not scaled: what the API reports is when it really happened.
    """

    def __init__(self, speed: float) -> None:
        if not 0.01 <= speed <= 1000:
            raise ValueError(f"speed must be between 0.01 and 1000, not {speed}")
        self.speed = speed

    def wall(self, cloud_seconds: float) -> float:
        """Wall seconds that `cloud_seconds` take."""
        return cloud_seconds / self.speed

    def sleep(self, cloud_seconds: float, stop: Event | None = None) -> bool:
        """Wait; True when `stop` was set before the time was up."""
        if stop is None:
            time.sleep(self.wall(cloud_seconds))
            return False
        return stop.wait(self.wall(cloud_seconds))

    @staticmethod
    def now() -> datetime:
        """The present, aware, in UTC."""
        return datetime.now(UTC)
