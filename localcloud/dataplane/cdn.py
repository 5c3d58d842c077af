"""An edge: HTTP and HTTPS servers on one address, with a cache in front of a site."""

from __future__ import annotations

import fnmatch
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from localcloud.certificates import CertificateAuthority
from localcloud.cloud import Cloud
from localcloud.settings import served_port

if TYPE_CHECKING:
    from localcloud.services.cloudfront.serving import Response


class Content(Protocol):
    """What an edge serves."""

    def redirects_to_https(self) -> bool:
        """Whether plain HTTP is redirected."""

    def names(self) -> list[str]:
        """Names of the certificate."""

    def fetch(self, path: str) -> Response:
        """The origin's answer."""


class Cache:
    """Answers by path until their time is up or they are invalidated."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[float, Response]] = {}
        self._lock = threading.Lock()

    def get(self, path: str, now: float) -> Response | None:
        """A fresh answer, or None. now: monotonic wall seconds."""
        with self._lock:
            entry = self._entries.get(path)
            return entry[1] if entry and entry[0] > now else None

    def put(self, path: str, response: Response, until: float) -> None:
        """Keep an answer until then."""
        with self._lock:
            self._entries[path] = (until, response)

    def invalidate(self, patterns: list[str]) -> None:
        """Drop the paths that match; `*` stands for any characters, as in CloudFront."""
        with self._lock:
            for path in list(self._entries):
                if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
                    del self._entries[path]


class Cdn:
    """Serves `content` on `address`, HTTPS at 10443 and HTTP at 10080, until stopped."""

    def __init__(self, address: str, content: Content, cloud: Cloud) -> None:
        self._content, self._cloud = content, cloud
        self._cache = Cache()
        folder = cloud.settings.state_dir / "cdn" / address
        folder.mkdir(parents=True, exist_ok=True)
        authority = CertificateAuthority(cloud.settings.state_dir / "ca")
        certificate, key = authority.issue(content.names(), [address])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*_write(folder, certificate, key))
        handler = self._handler()
        self._http = _Server((address, served_port(80)), handler)
        self._https = _Server((address, served_port(443)), handler)
        self._https.socket = context.wrap_socket(
            self._https.socket, server_side=True, do_handshake_on_connect=False
        )
        for server in (self._http, self._https):
            threading.Thread(
                target=server.serve_forever, args=(0.1,), name=f"cdn-{address}", daemon=True
            ).start()

    def stop(self) -> None:
        """Close both ports."""
        for server in (self._http, self._https):
            server.shutdown()
            server.server_close()

    def invalidate(self, patterns: list[str]) -> None:
        """Drop cached answers."""
        self._cache.invalidate(patterns)

    def configuration_changed(self) -> None:
        """Drop everything: headers and error pages may have changed."""
        self._cache.invalidate(["*"])

    def answer(self, path: str) -> tuple[Response, bool]:
        """The answer for a path, and whether it came from the cache."""
        now = time.monotonic()
        cached = self._cache.get(path, now)
        if cached is not None:
            return cached, True
        response = self._content.fetch(path)
        if response.ttl > 0:
            self._cache.put(path, response, now + self._cloud.clock.wall(response.ttl))
        return response, False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cdn = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version = "CloudFront"
            sys_version = ""
            timeout = 30

            def do_GET(self) -> None:
                secure = isinstance(self.connection, ssl.SSLSocket)
                if not secure and cdn._content.redirects_to_https():
                    host = self.headers.get("Host", "").split(":")[0]
                    self._send(
                        301, {"Location": f"https://{host}:{served_port(443)}{self.path}"}, b""
                    )
                    return
                response, hit = cdn.answer(self.path.split("?")[0])
                cache = "Hit from cloudfront" if hit else "Miss from cloudfront"
                self._send(response.status, {**response.headers, "X-Cache": cache}, response.body)

            do_HEAD = do_GET  # noqa: N815 - the base class's name

            def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """No log: CloudFront's standard logging is not reproduced."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that goes away in the middle is no error."""


def _write(folder: Path, certificate: bytes, key: bytes) -> tuple[Path, Path]:
    chain, private = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(certificate)
    private.touch(mode=0o600)
    private.write_bytes(key)
    return chain, private
