"""An edge: HTTP and HTTPS servers on one address, in front of a site."""

from __future__ import annotations

import fnmatch
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from localcloud.certificates import CertificateAuthority
from localcloud.cloud import Cloud
from localcloud.dataplane.viewer import Request, Response, covers
from localcloud.settings import served_port

_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html
_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
# No viewer's request to this project's pages is longer; S3 would not take it either.
_LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True)
class Certificate:
    """A certificate for viewers that name one of `names` by SNI.

    chain, key: PEM. names: aliases; `*` stands for the first label. policy: the security policy,
    `TLSv1.2_2021` or `TLSv1.3_2025`.
    """

    chain: str
    key: str
    names: tuple[str, ...]
    policy: str


class Content(Protocol):
    """What an edge serves."""

    def plain_http(self) -> str:
        """What happens to plain HTTP: allow-all, redirect-to-https or https-only."""

    def certificate(self) -> Certificate | None:
        """The certificate of the aliases."""

    def answer(self, request: Request) -> Response:
        """The answer to a viewer."""


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

    def invalidate(self, patterns: Sequence[str]) -> None:
        """Drop the paths that match; `*` stands for any characters, as in CloudFront."""
        with self._lock:
            for path in list(self._entries):
                if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
                    del self._entries[path]


class Cdn:
    """Serves `content` on `address`, HTTPS at 10443 and HTTP at 10080, until stopped.

    A viewer that names an alias gets the alias's certificate, any other that of the address.
    """

    def __init__(self, address: str, content: Content, cloud: Cloud) -> None:
        self._content = content
        self._folder = cloud.settings.state_dir / "cdn" / address
        self._folder.mkdir(parents=True, exist_ok=True)
        authority = CertificateAuthority(cloud.settings.state_dir / "ca")
        own, key = authority.issue([], [address])
        self._aliases: tuple[tuple[str, ...], ssl.SSLContext] | None = None
        context = self._context("own", own.decode(), key.decode())
        context.sni_callback = self._chosen
        self.configuration_changed()
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

    def configuration_changed(self) -> None:
        """Serve the certificate that the content has now; connections that are open keep theirs."""
        certificate = self._content.certificate()
        if certificate is None:
            self._aliases = None
            return
        context = self._context("aliases", certificate.chain, certificate.key)
        if certificate.policy.startswith("TLSv1.3"):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        else:
            context.set_ciphers(_CIPHERS)
        self._aliases = certificate.names, context

    def _context(self, name: str, chain: str, key: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        certificate_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate_file.write_text(chain)
        key_file.touch(mode=0o600)
        key_file.write_text(key)
        context.load_cert_chain(certificate_file, key_file)
        return context

    def _chosen(
        self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext
    ) -> None:
        if server_name and self._aliases is not None and covers(self._aliases[0], server_name):
            connection.context = self._aliases[1]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        content = self._content

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def version_string(self) -> str:
                return "CloudFront"

            def _serve(self) -> None:
                request = _request(self)
                self._take_body()
                response = None
                if not isinstance(self.connection, ssl.SSLSocket):
                    response = _plain_http(content.plain_http(), request, self.path)
                self._send(response or content.answer(request))

            def _take_body(self) -> None:
                """Read what the viewer sends along, so that the connection can be used again."""
                length = int(self.headers.get("Content-Length") or 0)
                if length > _LARGEST_BODY or self.headers.get("Transfer-Encoding"):
                    self.close_connection = True
                elif length:
                    self.rfile.read(length)

            def _send(self, response: Response) -> None:
                self.send_response(response.status, response.reason)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("X-Cache", response.source)
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(response.body)

            def log_message(self, *_: object) -> None:
                """No log: CloudFront's standard logging is not reproduced."""

        for method in _METHODS:
            setattr(Handler, f"do_{method}", Handler._serve)
        return Handler


def _request(handler: BaseHTTPRequestHandler) -> Request:
    path, _, query = handler.path.partition("?")
    headers: dict[str, list[str]] = {}
    for name, value in handler.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    host = headers.get("host", [""])[0].rpartition(":")
    return Request(
        handler.command,
        path,
        query,
        headers,
        (host[0] or host[2]).lower(),
        str(handler.client_address[0]),
    )


def _plain_http(policy: str, request: Request, target: str) -> Response | None:
    """What plain HTTP gets by the viewer protocol policy; None where it is served.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-https-viewers-to-cloudfront.html
    """
    if policy == "redirect-to-https":
        status = 301 if request.method in ("GET", "HEAD") else 307
        place = f"https://{request.host}:{served_port(443)}{target}"
        return Response(status, {"Location": place}, source="Redirect from cloudfront")
    if policy == "https-only":
        return Response(403, body=b"HTTPS only\n", source="Error from cloudfront")
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that goes away in the middle is no error."""
