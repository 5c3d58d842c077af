"""What passes between a viewer and an edge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Request:
    """A viewer's request.

    path, query: as they came, without the `?`. headers: names in lower case; of a header that came
    more than once, the values in order. host: the Host header without a port, in lower case.
    ip: the viewer's address.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    host: str = ""
    ip: str = "127.0.0.1"

    def at(self, path: str) -> Request:
        """The same request for another path."""
        return replace(self, path=path)


@dataclass
class Response:
    """An answer.

    ttl: cloud seconds it may be cached. source: the value of X-Cache. reason: the status line's text,
    None for the usual one.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ttl: float = 0.0
    source: str = "Miss from cloudfront"
    reason: str | None = None

    def copy(self) -> Response:
        """One whose headers can be changed."""
        return replace(self, headers=dict(self.headers))


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate's (or a distribution's) names cover a host; `*` stands for one label."""
    host = host.lower().rstrip(".")
    parent = host.partition(".")[2]
    return any(name.lower() in (host, f"*.{parent}") for name in names)
