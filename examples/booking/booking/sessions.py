"""Conversations in Valkey: what a guest has said so far, forgotten after half an hour."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, time
from urllib.parse import urlsplit, urlunsplit

from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

TTL_SECONDS = 1800
UNAVAILABLE = (ValkeyError, OSError, TimeoutError)


@dataclass(frozen=True)
class Session:
    """The parts of a booking that are known, and the part that was asked for last."""

    persons: int | None = None
    day: date | None = None
    at: time | None = None
    expected: str | None = None  # persons, day or time
    offered_persons: int | None = None

    def dumps(self) -> str:
        """Return the session as JSON."""
        return json.dumps(asdict(self), default=lambda value: value.isoformat())

    @classmethod
    def loads(cls, text: str) -> Session:
        """Read what `dumps` wrote."""
        values = json.loads(text)
        return cls(
            persons=values["persons"],
            day=date.fromisoformat(values["day"]) if values["day"] else None,
            at=time.fromisoformat(values["at"]) if values["at"] else None,
            expected=values["expected"],
            offered_persons=values["offered_persons"],
        )


class Sessions:
    """Reads and writes sessions. Connections that a restarted server closed are replaced."""

    def __init__(self, url: str, auth_token: str) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme.replace("redis", "valkey")
        self._client = Valkey.from_url(
            urlunsplit(parts._replace(scheme=scheme)),
            password=auth_token,
            decode_responses=True,
            socket_timeout=1.0,
            socket_connect_timeout=1.0,
            max_connections=16,
        )

    async def get(self, tenant: str, wa_id: str) -> Session | None:
        """Return the running conversation, None when there is none or it has expired."""
        text = await self._client.get(f"session:{tenant}:{wa_id}")
        return Session.loads(text) if text else None

    async def put(self, tenant: str, wa_id: str, session: Session) -> None:
        """Keep a conversation for another half hour."""
        await self._client.set(f"session:{tenant}:{wa_id}", session.dumps(), ex=TTL_SECONDS)

    async def forget(self, tenant: str, wa_id: str) -> None:
        """End a conversation."""
        await self._client.delete(f"session:{tenant}:{wa_id}")

    async def ping(self) -> None:
        """Raise one of UNAVAILABLE unless the server answers."""
        await self._client.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
