"""Calls to callback URLs: the handshake and the delivery, over the network, on loopback only.

Handshake: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
Signature: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hashlib
import hmac
import random
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from graphdouble.errors import GraphError, invalid_parameter, not_reproduced, unreachable_callback
from graphdouble.loopback import is_loopback

MAX_URL = 200
USER_AGENT = "facebookplatform/1.0 (+http://developers.facebook.com)"


class _Hosts(AbstractResolver):
    """Resolves the names it was given, and nothing by DNS."""

    def __init__(self) -> None:
        self.names: Mapping[str, str] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = "127.0.0.1" if host == "localhost" else self.names.get(host, "")
        if not is_loopback(address):
            raise OSError(f"{host} is not at a loopback address")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return None


class Callbacks:
    """A client that calls callback URLs."""

    def __init__(self, ca_bundle: Path | None) -> None:
        self._hosts = _Hosts()
        self._context = ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
        self._session: aiohttp.ClientSession | None = None
        self.made = 0

    def use(self, hosts: Mapping[str, str]) -> None:
        """Set the names that are known."""
        self._hosts.names = hosts

    def check(self, url: str, *, allow_http: bool) -> None:
        """Refuse what Meta refuses, then what this double never calls.

        :raises GraphError: 100 too long or no HTTPS URL; 501 not on loopback.
        """
        parts = urlsplit(url)
        schemes = ("https", "http") if allow_http else ("https",)
        if parts.scheme not in schemes or not parts.hostname:
            raise invalid_parameter("the callback URL must be an https URL")
        if len(url) > MAX_URL:
            raise invalid_parameter(f"the callback URL has more than {MAX_URL} characters")
        address = self._hosts.names.get(parts.hostname, parts.hostname)
        if not is_loopback(address):
            raise not_reproduced(f"callback URLs outside of loopback ({parts.hostname})")

    async def handshake(self, url: str, verify_token: str, seconds: float, seed: str) -> None:
        """Ask a callback URL whether it is meant.

        :raises GraphError: 2200, with what the URL answered.
        """
        self.made += 1
        challenge = str(random.Random(seed).randrange(10**8, 2 * 10**9))  # noqa: S311
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": verify_token,
        }
        try:
            async with self._client().get(
                URL(url).update_query(query),
                headers={"User-Agent": USER_AGENT},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                body = (await answer.content.read(1000)).decode(errors="replace")
                status, reason = answer.status, answer.reason
        except TimeoutError:
            raise unreachable_callback(
                "curl_errno = 28; curl_error = Operation timed out"
            ) from None
        except aiohttp.ClientConnectorCertificateError:
            raise unreachable_callback(
                "curl_errno = 60; curl_error = SSL certificate problem"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable_callback(
                f"curl_errno = 7; curl_error = {type(error).__name__}"
            ) from None
        if status != 200:
            raise unreachable_callback(f"HTTP Status Code = {status}; HTTP Message = {reason}")
        if body != challenge:
            # What was received may be anything, a token included: it is not repeated.
            raise GraphError(
                2200,
                "(#2200) Callback verification failed: response does not match challenge, "
                f'expected value="{challenge}", received {len(body)} other characters',
            )

    async def post(self, url: str, body: bytes, secret: str, seconds: float) -> int | None:
        """Deliver a notification; returns the HTTP status, None when there was no answer."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        try:
            async with self._client().post(
                url,
                data=body,
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": USER_AGENT,
                    "X-Hub-Signature-256": f"sha256={signature}",
                },
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                await answer.read()
                return answer.status
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._context, resolver=self._hosts, limit=200, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
