"""Envoy's admin interface over its Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

_TIMEOUT_SECONDS = 5.0


class AdminError(Exception):
    """The admin interface did not answer, or not with success."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket whose path may be longer than the 107 characters of its name."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


class Admin:
    """Reads statistics and states."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def request(self, method: str, path: str) -> str:
        """Body of an answer. Raises AdminError."""
        connection = _Connection(self._path)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise AdminError(f"Envoy's admin socket: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise AdminError(f"{method} {path}: {response.status} {body[:200]}")
        return body

    def ready(self) -> bool:
        """Whether Envoy has loaded its first configuration."""
        try:
            return self.request("GET", "/ready").startswith("LIVE")
        except AdminError:
            return False

    def clusters(self) -> dict[str, Any]:
        """`/clusters` as JSON."""
        answer: dict[str, Any] = json.loads(self.request("GET", "/clusters?format=json"))
        return answer

    def stats(self, *names: str) -> dict[str, str]:
        """The named statistics that exist, as text."""
        pattern = "|".join(re.escape(name) for name in names)
        found = {}
        for line in self.request("GET", f"/stats?filter=^({_quote(pattern)})$").splitlines():
            name, separator, value = line.rpartition(": ")
            if separator:
                found[name] = value.strip('"')
        return found


def _quote(pattern: str) -> str:
    return pattern.replace("\\", "%5C").replace("|", "%7C").replace("+", "%2B")
