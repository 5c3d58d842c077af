"""How fast Meta may be called: a rate that follows the usage Meta reports with its answers.

Meta counts calls over a rolling hour, per app and per account, and says with most answers how much of
each limit is used. https://developers.facebook.com/docs/graph-api/overview/rate-limiting/
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# From here on calls slow down, and from here on they nearly stop: others use the same limit.
SLOW_PERCENT = 75.0
STOP_PERCENT = 95.0
MIN_RATE = 0.2
# Each answer with room to spare makes the rate this much greater.
GROWTH = 1.03
# So many refusals in a row are a limit that holds for everybody; fewer are a call's own bad luck.
IN_A_ROW = 3
_NUMBERS = ("call_count", "total_cputime", "total_time")


@dataclass(frozen=True)
class Usage:
    """What is used of a limit, in percent, and the seconds until there is some of it again."""

    percent: float = 0.0
    regain_seconds: float = 0.0


def app_usage(headers: Mapping[str, str]) -> Usage:
    """Return what ``X-App-Usage`` says, nothing used without it."""
    content = _json(headers.get("x-app-usage", ""))
    return Usage(_percent(content))


def account_usage(headers: Mapping[str, str], account: str) -> Usage:
    """Return what ``X-Business-Use-Case-Usage`` says of an account."""
    entries = _json(headers.get("x-business-use-case-usage", "")).get(account)
    usages = [entry for entry in entries or () if isinstance(entry, Mapping)]
    return Usage(
        max((_percent(entry) for entry in usages), default=0.0),
        # Meta gives minutes.
        60.0 * max((_float(e.get("estimated_time_to_regain_access")) for e in usages), default=0.0),
    )


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text) if text else {}
    except ValueError:
        content = {}
    return content if isinstance(content, dict) else {}


def _percent(content: Mapping[str, Any]) -> float:
    return max((_float(content.get(name)) for name in _NUMBERS), default=0.0)


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def allowed_rate(maximum: float, percent: float) -> float:
    """Return the calls a second that a usage leaves: all of them, ever fewer, next to none."""
    if percent < SLOW_PERCENT:
        return maximum
    left = max(0.0, STOP_PERCENT - percent) / (STOP_PERCENT - SLOW_PERCENT)
    return max(MIN_RATE, maximum * left)


class Pacer:
    """Spaces out the calls of all threads.

    :param start: calls a second to begin with.
    :param maximum: calls a second at most.
    """

    def __init__(
        self,
        start: float,
        maximum: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.maximum = maximum
        self.rate = min(start, maximum)
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._refused = 0

    def wait(self) -> None:
        """Return when the next call may be made."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + 1.0 / self.rate
        if turn > now:
            self._sleep(turn - now)

    def learn(self, usage: Usage) -> None:
        """Take over what an answer says about the app's usage."""
        with self._lock:
            limit = allowed_rate(self.maximum, usage.percent)
            self.rate = min(limit, max(self.rate, MIN_RATE) * GROWTH)

    def accepted(self) -> None:
        """A call was not refused for a limit."""
        self._refused = 0

    def refused(self, seconds: float) -> None:
        """A call was refused for the app's limit: it waits itself, and if it is not alone, all do."""
        with self._lock:
            self._refused += 1
            if self._refused < IN_A_ROW:
                return
            self._refused = 0
            self.rate = max(MIN_RATE, self.rate / 2)
            self._next = max(self._next, self._clock() + seconds)
