"""What can be chosen about the double while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

SUCCESS_FORMS = ("boolean", "string", "mixed")


@dataclass(frozen=True)
class Settings:
    """Settings in force.

    :ivar seed: of every choice the double makes (form of `success`, stale reads, challenges).
    :ivar speed: hours of limits and delays of deliveries pass so many times faster.
    :ivar today: ISO date that the double believes in when set, for ends of versions.
    :ivar latency: wall seconds that every answer takes at least.
    :ivar lag: wall seconds by which a read may be behind a write, at most 60.
    :ivar stale_rate: share of the reads that are.
    :ivar success: `true`, `"true"`, or either.
    :ivar page_size: rows of a page when the call does not say.
    :ivar app_calls_per_hour: limit of an app, 0 for Meta's 200 for each user (one per account).
    :ivar account_calls_per_hour: limit of an app on an account, 0 for Meta's (200 or 5,000).
    :ivar account_limit_code: 80008 or 80007, Meta's pages name both.
    :ivar limit_status: HTTP status of a call over a limit: 400 as documented, 429 is seen as well.
    :ivar handshake_seconds: wall seconds that a callback URL has to answer.
    :ivar allow_http: callback URLs without TLS, which Meta refuses.
    :ivar hosts: names of callback URLs and the loopback addresses they are at.
    """

    seed: int = 1
    speed: float = 1.0
    today: str = ""
    latency: float = 0.0
    lag: float = 0.0
    stale_rate: float = 1.0
    success: str = "mixed"
    page_size: int = 25
    app_calls_per_hour: int = 0
    account_calls_per_hour: int = 0
    account_limit_code: int = 80008
    limit_status: int = 400
    handshake_seconds: float = 5.0
    allow_http: bool = False
    hosts: Mapping[str, str] = field(default_factory=dict)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return settings with changes.

        :raises ValueError: naming what is wrong.
        """
        known = {entry.name: entry.type for entry in fields(self)}
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise ValueError(f"no setting {', '.join(unknown)}; there are {', '.join(known)}")
        for name, value in changes.items():
            present = getattr(self, name)
            numeric = isinstance(present, float) and isinstance(value, int)
            if not numeric and type(value) is not type(present):
                raise ValueError(f"{name} must be {type(present).__name__}, not {value!r}")
        result = replace(self, **changes)
        if result.success not in SUCCESS_FORMS:
            raise ValueError(f"success must be one of {', '.join(SUCCESS_FORMS)}")
        if not 0 <= result.lag <= 60:
            raise ValueError("lag must be between 0 and 60 seconds")
        if result.account_limit_code not in (80007, 80008):
            raise ValueError("account_limit_code must be 80007 or 80008")
        return result

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
