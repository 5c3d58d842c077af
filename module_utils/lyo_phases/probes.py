"""What an environment looks like from outside: TLS, redirects, headers."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0


def trusting(ca_bundle: str | None) -> ssl.SSLContext:
    """A TLS context that verifies, with these CAs or the public ones."""
    return ssl.create_default_context(cafile=ca_bundle or None)


def handshake(url: str, ca_bundle: str | None) -> dict[str, Any]:
    """Do a TLS handshake with SNI: ``error`` says why it does not verify, empty where it does."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_SECONDS) as plain,
            trusting(ca_bundle).wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
            until = str(certificate.get("notAfter", ""))
            return {
                "error": "",
                "version": secure.version(),
                "not_after": ssl.cert_time_to_seconds(until) if until else 0,
            }
    except (OSError, ValueError) as error:
        return {"error": str(error) or type(error).__name__, "version": None, "not_after": 0}


def get(url: str, ca_bundle: str | None = None) -> dict[str, Any]:
    """Get a page without following redirects: ``status`` (0 without an answer) and ``headers``.

    Header names are in lower case.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=TIMEOUT_SECONDS, context=trusting(ca_bundle)
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", parts.path or "/", headers={"User-Agent": "lyo-ops"})
            answer = connection.getresponse()
            answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return {"status": answer.status, "headers": headers, "error": ""}
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "headers": {}, "error": str(error) or type(error).__name__}


def plain_address(url: str, port: int) -> str:
    """The address of ``url`` over HTTP at ``port``."""
    return f"http://{urlsplit(url).hostname}:{port}/health"
