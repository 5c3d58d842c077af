"""Once more, where a lock could not be had; anything else that goes wrong is no reason to try again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from booking.migration import report

LOCK_NOT_AVAILABLE = "55P03"
ATTEMPTS = 10
LONGEST_PAUSE = 15.0

Result = TypeVar("Result")


def sqlstate(error: DBAPIError) -> str:
    """Return the code of what PostgreSQL refused, empty for a connection that broke.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return str(getattr(error.orig, "sqlstate", None) or "")


def attempts() -> int:
    """Return how often a lock is asked for: LYO_MIGRATION_ATTEMPTS, 10 by default."""
    text = os.environ.get("LYO_MIGRATION_ATTEMPTS", "")
    return max(1, int(text)) if text.isdigit() else ATTEMPTS


def pause(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after an attempt (from 1): growing, and never the same for two."""
    return float(min(LONGEST_PAUSE, 1.5**attempt)) * (0.5 + jitter())


def when_unlocked(
    work: Callable[[], Result],
    after: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Do the work, again after a pause while a lock is not available.

    :param after: what to do after each attempt that failed so.
    :raises DBAPIError: it failed for another reason, or too often.
    """
    most = attempts()
    attempt = 1
    while True:
        try:
            return work()
        except DBAPIError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE or attempt >= most:
                raise
        after()
        seconds = pause(attempt)
        report.event("retry", attempt=attempt, of=most, seconds=round(seconds, 1))
        report.line(f"no lock (attempt {attempt} of {most}): once more in {seconds:.1f} s")
        sleep(seconds)
        attempt += 1
