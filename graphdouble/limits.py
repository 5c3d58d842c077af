"""Rate limits and the headers that tell how much of them is used.

A rolling hour; a call that is refused counts too. What is counted per app and WhatsApp Business
Account: 200 calls an hour, 5,000 once the account has a registered number.
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
https://developers.facebook.com/documentation/business-messaging/whatsapp/overview (rate limits)
"""

from __future__ import annotations

import json
import math
from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass

HOUR = 3600.0
# Meta names no type for WhatsApp in its list of business use cases.
USE_CASE = "whatsapp_business_management"


@dataclass(frozen=True)
class Usage:
    """What is used of one limit.

    :ivar percent: of the limit, may be above 100.
    :ivar exceeded: the call is refused.
    :ivar regain_minutes: until a call succeeds again, 0 when it does now.
    """

    percent: int
    exceeded: bool
    regain_minutes: int


class RollingHour:
    """Counts calls per key over the last hour of the double's clock."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, deque[float]] = defaultdict(deque)

    def count(self, key: Hashable, limit: int, now: float) -> Usage:
        """Count a call, say what is used of `limit` calls an hour."""
        calls = self._calls[key]
        calls.append(now)
        while calls[0] <= now - HOUR:
            calls.popleft()
        used = len(calls)
        exceeded = used > limit
        regain = 0
        if exceeded:
            # As many as are too many, the next call included, have to leave the window.
            leaves = calls[used - limit] + HOUR
            regain = max(1, math.ceil((leaves - now) / 60))
        return Usage(int(100 * used / max(limit, 1)), exceeded, regain)

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()


def app_header(usage: Usage) -> str:
    """The value of X-App-Usage."""
    return json.dumps(
        {
            "call_count": usage.percent,
            "total_cputime": usage.percent // 4,
            "total_time": usage.percent // 4,
        },
        separators=(",", ":"),
    )


def account_header(account_id: str, usage: Usage) -> str:
    """The value of X-Business-Use-Case-Usage; `estimated_time_to_regain_access` is in minutes."""
    entry = {
        "type": USE_CASE,
        "call_count": usage.percent,
        "total_cputime": usage.percent // 4,
        "total_time": usage.percent // 4,
        "estimated_time_to_regain_access": usage.regain_minutes,
    }
    return json.dumps({account_id: [entry]}, separators=(",", ":"))
