"""The double's time."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime


class Clock:
    """Runs `speed` times as fast as the wall clock, from a day that can be chosen.

    Hours of rate limits, days of versions and delays between deliveries are of this clock; how
    long answers and the lag of reads take, and when something happened, are of the wall clock.
    """

    def __init__(self, speed: float = 1.0, today: date | None = None) -> None:
        if not 0 < speed <= 100_000:
            raise ValueError(f"speed must be above 0 and at most 100000, not {speed}")
        self.speed = speed
        self._wall = time.monotonic()
        start = datetime.now(UTC)
        if today is not None:
            start = datetime.combine(today, start.timetz())
        self._start = start.timestamp()

    def now(self) -> float:
        """Seconds since 1970 of this clock."""
        return self._start + (time.monotonic() - self._wall) * self.speed

    def today(self) -> date:
        """The day in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()

    def wall(self, seconds: float) -> float:
        """Wall seconds that `seconds` of this clock take."""
        return seconds / self.speed
