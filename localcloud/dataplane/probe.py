"""One check of an endpoint, as Route 53's health checkers make it.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
The time limits are real seconds: what answers here is not sped up.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass

from localcloud.settings import served_port

_CONNECT_SECONDS = 4.0
_CONNECT_SECONDS_TCP = 10.0
_RESPONSE_SECONDS = 2.0
_BODY_SECONDS = 2.0
SEARCHED_BYTES = 5120


@dataclass(frozen=True)
class Endpoint:
    """What is checked.

    address: where it is, an IP address. name: for the Host header and SNI. port: as the API has
    it. search: the string that the body must contain, None for any body.
    """

    kind: str
    address: str
    name: str
    port: int
    path: str = "/"
    search: str | None = None
    sni: bool = True

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.kind.startswith("HTTPS")

    @property
    def host(self) -> str:
        """The Host header: with the port where it is not the usual one."""
        usual = 443 if self.secure else 80
        return self.name if self.port == usual else f"{self.name}:{self.port}"


@dataclass(frozen=True)
class Result:
    """What came of it; the times in milliseconds, None for what was not reached."""

    ok: bool
    status: str
    connection: float | None = None
    handshake: float | None = None
    first_byte: float | None = None


def found(body: bytes, search: str | None) -> bool:
    """Whether the string is in the first 5,120 bytes. Pure."""
    return search is None or search.encode() in body[:SEARCHED_BYTES]


def check(endpoint: Endpoint) -> Result:
    """Check once."""
    limit = _CONNECT_SECONDS_TCP if endpoint.kind == "TCP" else _CONNECT_SECONDS
    started = time.monotonic()
    try:
        connection = socket.create_connection(
            (endpoint.address, served_port(endpoint.port)), timeout=limit
        )
    except TimeoutError:
        return Result(False, "Failure: Connection timed out. The endpoint did not answer in time.")
    except OSError as error:
        return Result(False, f"Failure: {error.strerror or error}")
    connected = _milliseconds(started)
    with connection:
        if endpoint.kind == "TCP":
            return Result(True, "Success: TCP connection established", connected)
        connection.settimeout(_RESPONSE_SECONDS)
        try:
            return _exchange(connection, endpoint, connected)
        except TimeoutError:
            return Result(False, "Failure: The endpoint did not answer in time.", connected)
        except ssl.SSLError as error:
            return Result(False, f"Failure: SSL alert {error.reason}", connected)
        except (OSError, http.client.HTTPException) as error:
            return Result(False, f"Failure: {type(error).__name__}: {error}", connected)


def _exchange(connection: socket.socket, endpoint: Endpoint, connected: float) -> Result:
    handshake = None
    started = time.monotonic()
    if endpoint.secure:
        # As documented, the certificate is not validated.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(
            connection, server_hostname=endpoint.name if endpoint.sni else None
        )
        handshake = _milliseconds(started)
    with connection:
        client = http.client.HTTPConnection(endpoint.host)
        client.sock = connection
        client.putrequest("GET", endpoint.path, skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Host", endpoint.host),
            ("User-Agent", "Amazon-Route53-Health-Check-Service"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ):
            client.putheader(name, value)
        client.endheaders()
        response = client.getresponse()
        first = _milliseconds(started)
        line = f"HTTP Status Code {response.status}, {response.reason}"
        if not 200 <= response.status < 400:
            return Result(False, f"Failure: {line}", connected, handshake, first)
        if endpoint.search is not None:
            connection.settimeout(_BODY_SECONDS)
            if not found(response.read(SEARCHED_BYTES), endpoint.search):
                return Result(
                    False,
                    f"Failure: {line}. The search string is not in the first {SEARCHED_BYTES} "
                    "bytes of the response body.",
                    connected,
                    handshake,
                    first,
                )
        return Result(True, f"Success: {line}", connected, handshake, first)


def _milliseconds(since: float) -> float:
    return (time.monotonic() - since) * 1000
