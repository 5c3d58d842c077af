"""Makes sure, before each write to Meta, that the run still holds the environment's lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..lyo_aws import Aws

# Many threads write at once; a lock is taken over after a minute without a sign of life at the earliest.
FRESH_SECONDS = 1.0


def _since_boot() -> float:
    """A clock that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Fence:
    """Asks at most once a second, for all threads.

    :raises AwsFailure: ``LockLost``, from :meth:`Aws.check_fence`.
    """

    def __init__(self, aws: Aws, clock: Callable[[], float] = _since_boot) -> None:
        self._aws, self._clock = aws, clock
        self._lock = threading.Lock()
        self._checked = float("-inf")

    def __call__(self) -> None:
        """Return if the lock is still held."""
        with self._lock:
            if self._clock() - self._checked < FRESH_SECONDS:
                return
            self._aws.check_fence()
            self._checked = self._clock()
